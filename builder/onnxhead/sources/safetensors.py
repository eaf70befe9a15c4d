"""Heads from a .safetensors file; only the tensors that are used are read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from onnxhead.sources.contents import Contents, Entry, Request
from onnxhead_runtime.errors import SourceError


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
            entries = {
                key: Entry(tuple(part.get_shape()), part.get_dtype(), partial(load, key))
                for key, part in slices.items()
            }
    except Exception as cause:  # as above
        raise SourceError(f"{path.name} must be a .safetensors file: {cause}") from cause
    return Contents(path.name, entries)
