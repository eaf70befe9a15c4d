"""How large the weights are that a model file has in files beside it, read without onnx.

A protobuf message is a sequence of fields: a key, which is the field's number and wire type, then a varint
(type 0), eight bytes (1), a length and that many bytes (2) or four bytes (5).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

_INITIALIZERS = (7, 5)  # ModelProto.graph, GraphProto.initializer
_EXTERNAL_DATA = 13  # of TensorProto
_KEY, _VALUE = 1, 2  # of StringStringEntryProto
_VARINT_BYTES = 10
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5


def external_bytes(path: str | os.PathLike[str]) -> int:
    """Return how many bytes of weights a model file has in files beside it, whatever else those hold.

    Zero where there are none, or where the file cannot be read: opening it then says why.
    """
    try:
        with open(path, "rb") as file:
            # a map, of which only what lies between the weights and the labels is read
            places = set(_places(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))))
        folder = os.path.dirname(path)
        return sum(
            _length(os.stat(os.path.join(folder, name)).st_size, offset, length)
            for name, offset, length in places
        )
    except (OSError, ValueError, IndexError):
        return 0


def _length(file_bytes: int, offset: str, length: str) -> int:
    """Return how long a tensor in a file is; to the end of it where its length is not stated."""
    rest = max(0, file_bytes - (int(offset) if offset.isdecimal() else 0))
    return min(rest, int(length)) if length.isdecimal() else rest


def _places(model: memoryview) -> Iterator[tuple[str, str, str]]:
    """Yield location, offset and length of each tensor that lies in another file, as they are written."""
    messages = [model]
    for number in _INITIALIZERS:
        messages = [field for message in messages for field in _fields(message, number)]
    for tensor in messages:
        entries = dict(map(_entry, _fields(tensor, _EXTERNAL_DATA)))
        if "location" in entries:
            yield entries["location"], entries.get("offset", ""), entries.get("length", "")


def _entry(message: memoryview) -> tuple[str, str]:
    key, value = (b"".join(_fields(message, number)) for number in (_KEY, _VALUE))
    return key.decode(), value.decode()


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
