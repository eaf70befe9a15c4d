"""What must be known of a model file before it is opened, read without onnx.

How large the weights are that it has in files beside it, and whether it holds more than a head.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from onnxhead_runtime.contract import GRAPH_KEY
from onnxhead_runtime.protobuf import entry, fields, map_message

_INITIALIZERS = (7, 5)  # ModelProto.graph, GraphProto.initializer
_EXTERNAL_DATA = 13  # of TensorProto
_METADATA = 14  # ModelProto.metadata_props


def external_bytes(path: str | os.PathLike[str]) -> int:
    """Return how many bytes of weights a model file has in files beside it, whatever else those hold.

    Zero where there are none, or where the file cannot be read: opening it then says why.
    """
    try:
        folder = os.path.dirname(path)
        return sum(
            _length(os.stat(os.path.join(folder, name)).st_size, offset, length)
            for name, offset, length in set(_places(map_message(path)))
        )
    except (OSError, ValueError, IndexError):
        return 0


def is_whole(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file has a backbone before the head; no for one that cannot be read."""
    try:
        return GRAPH_KEY in dict(map(entry, fields(map_message(path), _METADATA)))
    except (OSError, ValueError, IndexError):
        return False


def external_files(path: str | os.PathLike[str]) -> set[str]:
    """Return the names of the files beside a model file that can be opened, relative to its folder."""
    return {name for name, _, _ in _places(map_message(path))}


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    import hashlib  # here, since opening a model does not need it

    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _length(file_bytes: int, offset: str, length: str) -> int:
    """Return how long a tensor in a file is; to the end of it where its length is not stated."""
    rest = max(0, file_bytes - (int(offset) if offset.isdecimal() else 0))
    return min(rest, int(length)) if length.isdecimal() else rest


def _places(model: memoryview) -> Iterator[tuple[str, str, str]]:
    """Yield location, offset and length of each tensor that lies in another file, as they are written."""
    messages = [model]
    for number in _INITIALIZERS:
        messages = [field for message in messages for field in fields(message, number)]
    for tensor in messages:
        entries = dict(map(entry, fields(tensor, _EXTERNAL_DATA)))
        if "location" in entries:
            yield entries["location"], entries.get("offset", ""), entries.get("length", "")
