"""The fields of a protobuf message, read without onnx.

A message is a sequence of fields: a key, which is the field's number and wire type, then a varint (type 0),
eight bytes (1), a length and that many bytes (2) or four bytes (5).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

_VARINT_BYTES = 10
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_KEY, _VALUE = 1, 2  # of StringStringEntryProto


def map_message(path: str | os.PathLike[str]) -> memoryview:
    """Return a file's message as a map, of which only the fields that are looked at are read.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is empty.
    """
    with open(path, "rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def fields(message: memoryview, number: int) -> Iterator[memoryview]:
    """Yield the values of the fields with this number that are bytes.

    Raises:
        ValueError: The message is none; also IndexError.
    """
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


def entry(message: memoryview) -> tuple[str, str]:
    """Return a StringStringEntryProto as key and value."""
    key, value = (b"".join(fields(message, number)) for number in (_KEY, _VALUE))
    return key.decode(), value.decode()


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number, seven bits a byte, and where the next field is."""
    value = 0
    for place in range(_VARINT_BYTES):
        value |= (message[at + place] & 0x7F) << 7 * place
        if message[at + place] < 0x80:
            return value, at + place + 1
    raise ValueError("a varint has ten bytes at most")
