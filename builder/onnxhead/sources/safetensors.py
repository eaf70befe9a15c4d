"""Heads from a .safetensors file; only the tensors that are used are read, and large ones mapped."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from onnxhead.parameters import LARGE_BYTES
from onnxhead.sources.contents import Contents, Entry, Request
from onnxhead_runtime.errors import SourceError

_MAPPED = {
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
                part = file.get_slice(key)
                shape, dtype = part.get_shape(), part.get_dtype()
                is_large = 4 * math.prod(shape) >= LARGE_BYTES and dtype in _MAPPED
                return _map(path, key, shape, dtype) if is_large else file.get_tensor(key)
        except Exception as cause:  # safetensors and numpy share no base
            raise SourceError(f"{path.name}: {key} must be a readable tensor: {cause}") from cause

    try:
        with safe_open(path, framework="numpy") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)
            entries = {
                key: Entry(tuple(part.get_shape()), part.get_dtype(), partial(load, key))
                for key, part in slices.items()
            }
    except Exception as cause:  # as above
        raise SourceError(f"{path.name} must be a .safetensors file: {cause}") from cause
    return Contents(path.name, entries)


def _map(path: Path, key: str, shape: Sequence[int], dtype: str) -> NDArray[Any]:
    """Map a tensor of a file that safetensors has found to be sound."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    begin, _ = header[key]["data_offsets"]
    size = math.prod(shape) * _MAPPED[dtype].itemsize
    content = np.memmap(path, np.uint8, "r", offset=8 + length + begin, shape=size)
    return np.asarray(content.view(_MAPPED[dtype]).reshape(shape))
