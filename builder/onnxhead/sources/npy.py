"""Heads from a pair of .npy files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.parameters import LARGE_BYTES
from onnxhead.sources.contents import Contents, Request, to_entry
from onnxhead_runtime.arrays import numpy_reason
from onnxhead_runtime.errors import SourceError


def read_pair(weight: Path, bias: Path) -> Contents:
    """Read two .npy files.

    Raises:
        SourceError: One is not an .npy file of numbers.
    """
    if {weight.suffix.lower(), bias.suffix.lower()} != {".npy"}:
        raise SourceError(
            f"two files must be .npy, the weight's and then the bias's, got {weight.name} and {bias.name}"
        )
    entries = {"weight": to_entry(_load(weight)), "bias": to_entry(_load(bias))}
    return Contents(f"{weight.name}, {bias.name}", entries)


def read(path: Path, request: Request) -> Contents:
    """Read the weight of a head without bias from one .npy file.

    Raises:
        SourceError: It is not an .npy file of numbers, or a bias is needed.
    """
    if not request.no_bias:
        raise SourceError(
            f"one .npy file holds a weight alone, got {path.name}: give the bias's .npy file after it, or "
            "say --no-bias (no_bias=True) for a head without one"
        )
    return Contents(path.name, {"weight": to_entry(_load(path))})


def _load(path: Path) -> NDArray[Any]:
    try:
        if path.stat().st_size >= LARGE_BYTES:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        with path.open("rb") as file:  # numpy leaves a file that it opened and refused open
            array = np.load(file, allow_pickle=False)
    except Exception as cause:  # numpy raises many kinds for a broken file
        raise SourceError(f"{path.name} must be an .npy file of numbers: {numpy_reason(cause)}") from cause
    if not isinstance(array, np.ndarray):
        raise SourceError(f"{path.name} must be an .npy file of numbers, it is an .npz archive")
    return array
