"""How large the weights are that a model file keeps in files beside it, read without onnx.

A protobuf message is a sequence of fields: a key, which is the field's number and wire type, then a varint
(type 0), eight bytes (1), a length and that many bytes (2) or four bytes (5).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

# ModelProto.graph, GraphProto.initializer, TensorProto.external_data
_EXTERNAL_DATA = (7, 5, 13)
_KEY, _VALUE = 1, 2  # of StringStringEntryProto
_VARINT_BYTES = 10
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def external_bytes(path: str | os.PathLike[str]) -> int:
    """Return the size of the files beside a model file that hold its weights.

    Zero where there are none, or where the file cannot be read: opening it then says why.
    """
    try:
        with open(path, "rb") as file:
            # a map, of which only what lies between the weights and the labels is read
            names = set(_locations(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))))
        return sum(os.stat(os.path.join(os.path.dirname(path), name)).st_size for name in names)
    except (OSError, ValueError, IndexError):
        return 0


def _locations(model: memoryview) -> Iterator[str]:
    messages = [model]
    for number in _EXTERNAL_DATA:
        messages = [field for message in messages for field in _fields(message, number)]
    for entry in messages:
        if b"location" in (bytes(key) for key in _fields(entry, _KEY)):
            yield from (str(value, "utf-8") for value in _fields(entry, _VALUE))


def _fields(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the values of the fields with this number that are bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _BYTES:
            length, at = _varint(message, at)
            if key >> 3 == number:
                yield message[at : at + length]
            at += length
        elif kind == _VARINT:
            _, at = _varint(message, at)
        else:
            at += {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(kind, len(message))


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number, seven bits a byte, and where the next field is."""
    value = 0
    for place in range(_VARINT_BYTES):
        value |= (message[at + place] & 0x7F) << 7 * place
        if message[at + place] < 0x80:
            return value, at + place + 1
    raise ValueError("a varint has ten bytes at most")
