"""Heads from a .safetensors file; only the tensors that are used are read, and large ones mapped."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Stored
from onnxhead.parameters import LARGE_BYTES
from onnxhead.sources.contents import Contents, Entry, Request
from onnxhead_runtime.errors import SourceError

_DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
}


def read(path: Path, _: Request) -> Contents:
    """Read a .safetensors file.

    Raises:
        SourceError: The safetensors package is missing, or the file is not one.
    """
    try:
        from safetensors import safe_open
    except ImportError as cause:
        raise SourceError(
            'reading .safetensors needs the safetensors package: pip install "onnxhead[safetensors]"'
        ) from cause

    def load(key: str) -> Any:
        try:
            with safe_open(path, framework="numpy") as file:
                return file.get_tensor(key)
        except Exception as cause:  # safetensors and numpy share no base
            raise SourceError(f"{path.name}: {key} must be a readable tensor: {cause}") from cause

    try:
        with safe_open(path, framework="numpy") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)
            described = {key: (tuple(part.get_shape()), part.get_dtype()) for key, part in slices.items()}
        offsets = _offsets(path)
    except Exception as cause:  # as above
        raise SourceError(f"{path.name} must be a .safetensors file: {cause}") from cause
    entries = {}
    for key, (shape, dtype) in described.items():
        at = Stored(path, offsets[key])
        is_large = dtype in _DTYPES and 4 * math.prod(shape) >= LARGE_BYTES
        loading = partial(_map, at, shape, _DTYPES[dtype]) if is_large else partial(load, key)
        entries[key] = Entry(shape, dtype, loading, at if dtype == "F32" else None)
    return Contents(path.name, entries)


def _offsets(path: Path) -> dict[str, int]:
    """Return where each tensor begins, in a file that safetensors has found to be sound."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return {key: 8 + length + tensor["data_offsets"][0] for key, tensor in header.items()}


def _map(at: Stored, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    content = np.memmap(at.path, np.uint8, "r", at.offset, shape=math.prod(shape) * dtype.itemsize)
    return np.asarray(content.view(dtype).reshape(shape))
