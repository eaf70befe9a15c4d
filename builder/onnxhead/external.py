"""Tensors whose bytes lie in a file beside the model: where, and whether they are what was written."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from onnxhead_runtime.errors import ModelError

_PACKED_BITS = {"4": 4}  # of the types whose names end so: INT4, UINT4


def is_external(tensor: TensorProto) -> bool:
    """Tell whether a tensor's bytes are not in the model."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def location_of(tensor: TensorProto) -> str:
    """Return the name of the file that holds a tensor."""
    return next((entry.value for entry in tensor.external_data if entry.key == "location"), "")


def offset_of(tensor: TensorProto) -> int:
    """Return where in its file a tensor begins."""
    text = next((entry.value for entry in tensor.external_data if entry.key == "offset"), "0")
    return int(text) if text.isdecimal() else 0  # which is not what onnxhead writes, and refused as such


def length_of(tensor: TensorProto) -> int:
    """Return how many bytes of its file a tensor has: what it states, or what its shape takes."""
    text = next((entry.value for entry in tensor.external_data if entry.key == "length"), "")
    if text.isdecimal():
        return int(text)
    name = TensorProto.DataType.Name(tensor.data_type)
    bits = _PACKED_BITS.get(name[-1], 8 * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    return int(-(-math.prod(tensor.dims) * bits // 8))


def refer(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    """Let a tensor be so many bytes of a file beside the model."""
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def read_external(tensor: TensorProto, model: Path, length: int) -> memoryview | bytes:
    """Return the bytes of a tensor beside the model, fewer where its file ends before.

    Raises:
        ModelError: The file cannot be read.
    """
    path = model.with_name(location_of(tensor))
    try:
        return np.memmap(path, np.uint8, mode="r").data[offset_of(tensor) : offset_of(tensor) + length]
    except ValueError:  # an empty file has no map
        return b""
    except OSError as cause:
        raise ModelError(f"a data file must be readable, {path} is not: {cause.strerror}") from cause


def check_external(tensor: TensorProto, path: Path) -> None:
    """Raise ModelError unless a tensor lies in a file of the model's folder."""
    location = location_of(tensor)
    if location in ("", ".", "..") or "/" in location or "\\" in location or "\0" in location:
        raise ModelError(
            f"external data must be a file in the model's folder, {path} keeps {tensor.name} in {location!r}"
        )
    data = path.with_name(location)
    if data.is_symlink():
        raise ModelError(
            f"external data must be a file in the model's folder, {path} keeps {tensor.name} in {location}, "
            "which is a link: put the file itself there"
        )
    if not data.is_file():
        raise ModelError(
            f"external data must be a file in the model's folder, {path} keeps {tensor.name} in {location}, "
            "which is not there: move both files together"
        )


def is_data(path: Path) -> bool:
    """Tell whether a file beside a model is one that onnxhead wrote, of which the name states the hash."""
    return path.suffix == ".data"


def is_named_after(name: str, digest: str) -> bool:
    """Tell whether a data file has the name that its hexadecimal SHA-256 gives it."""
    return name.split(".")[-2:] == [digest[:12], "data"]
