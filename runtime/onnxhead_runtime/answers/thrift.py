"""Thrift's compact protocol: a message as plain data, and back.

What the footer of a Parquet file is written in (thrift, doc/specs/thrift-compact-protocol.md). A struct is a
dict from field number to (type, value); a list is a list of such values with the type of its items before
them.
"""

from __future__ import annotations

from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_INTEGERS = (I16, I32, I64)
_LONG_LIST = 15

Struct = dict[int, tuple[int, Any]]


def decode(data: bytes) -> Struct:
    """Read a struct."""
    return _Reader(data).struct()


def encode(struct: Struct) -> bytes:
    """Write a struct, its fields in the order of their numbers."""
    out = bytearray()
    _write_struct(out, struct)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self) -> Struct:
        fields: Struct = {}
        number = 0
        while head := self._byte():
            kind, step = head & 0x0F, head >> 4
            number = number + step if step else self._integer()
            fields[number] = (kind, self._value(kind))
        return fields

    def _value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE):
            return kind == TRUE
        if kind in _INTEGERS:
            return self._integer()
        if kind in (BYTE, DOUBLE, BINARY):
            return self._bytes({BYTE: 1, DOUBLE: 8}.get(kind) or self._varint())
        if kind in (LIST, SET):
            head = self._byte()
            count = head >> 4 if head >> 4 < _LONG_LIST else self._varint()
            items = head & 0x0F
            return items, [
                self._byte() if items in (TRUE, FALSE) else self._value(items) for _ in range(count)
            ]
        if kind == STRUCT:
            return self.struct()
        raise ValueError(f"type {kind} is not in footers of Parquet")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _integer(self) -> int:
        zigzag = self._varint()
        return (zigzag >> 1) ^ -(zigzag & 1)


def _write_struct(out: bytearray, struct: Struct) -> None:
    last = 0
    for number, (kind, value) in sorted(struct.items()):
        step = number - last
        if 0 < step <= 15:
            out.append(step << 4 | kind)
        else:
            out.append(kind)
            _write_integer(out, number)
        _write_value(out, kind, value)
        last = number
    out.append(0)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind in _INTEGERS:
        _write_integer(out, value)
    elif kind in (BYTE, DOUBLE):
        out += value
    elif kind == BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind in (LIST, SET):
        items, values = value
        if len(values) < _LONG_LIST:
            out.append(len(values) << 4 | items)
        else:
            out.append(_LONG_LIST << 4 | items)
            _write_varint(out, len(values))
        for item in values:
            if items in (TRUE, FALSE):
                out.append(item)
            else:
                _write_value(out, items, item)
    elif kind == STRUCT:
        _write_struct(out, value)


def _write_integer(out: bytearray, value: int) -> None:
    _write_varint(out, (value << 1) ^ (value >> 63))


def _write_varint(out: bytearray, value: int) -> None:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
