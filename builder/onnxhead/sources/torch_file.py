"""Heads from the files of torch.save: .pt, .pth, .bin and .ckpt, zip archives or the stream of before 1.6.

torch is not needed, and nothing in the file is run (`torch_pickle`). Only the tensors that are used are read.
"""

from __future__ import annotations

import math
import mmap
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxhead.sources import torch_pickle
from onnxhead.sources.archive import open_member
from onnxhead.sources.contents import LABEL_KEYS, Contents, Entry, Request, from_bfloat16
from onnxhead.sources.torch_pickle import Storage, Tensor
from onnxhead_runtime.errors import SourceError

# https://github.com/pytorch/pytorch/blob/main/torch/serialization.py: what the old stream begins with
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_LONGEST_KEY = 2000
_EXPANDED_VALUES = 2**24  # of a tensor that shows its storage several times

Order = Literal["<", ">"]
ReadBytes = Callable[[Storage], bytes]


def read(path: Path, _: Request) -> Contents:
    """Read a file of torch.save.

    Raises:
        SourceError: It is none, or holds anything beyond tensors and plain containers.
    """
    try:
        is_archive = zipfile.is_zipfile(path)
        saved, order, read_bytes = _open_archive(path) if is_archive else _open_stream(path)
        tensors = dict(_tensors(saved))
    except SourceError:
        raise
    except Exception as cause:  # a malformed pickle or archive raises whatever it likes
        raise SourceError(
            f"{path.name} must be a file of torch.save with tensors: {type(cause).__name__}: {cause}"
        ) from cause
    entries = {
        key: Entry(tensor.shape, tensor.storage.dtype, partial(_load, path, key, tensor, order, read_bytes))
        for key, tensor in tensors.items()
    }
    labels = None
    if isinstance(saved, dict):
        labels = next((saved[key] for key in LABEL_KEYS if isinstance(saved.get(key), list)), None)
    return Contents(path.name, entries, labels)


def _open_archive(path: Path) -> tuple[Any, Order, ReadBytes]:
    """Read data.pkl of an archive; each storage is a file in its folder `data`."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        pickle = next(name for name in names if name.rpartition("/")[2] == "data.pkl")
        folder = pickle.removesuffix("data.pkl")
        saved = torch_pickle.load(BytesIO(open_member(archive, pickle).read()), path.name)
        stated = f"{folder}byteorder"
        order: Order = ">" if stated in names and open_member(archive, stated).read() == b"big" else "<"

    def read_bytes(storage: Storage) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return open_member(archive, f"{folder}data/{storage.key}").read()

    return saved, order, read_bytes


def _open_stream(path: Path) -> tuple[Any, Order, ReadBytes]:
    """Read a stream: four pickles, the keys of the storages, and each storage with its length before it."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as stream:
        head = [torch_pickle.load(stream, path.name)]  # type: ignore[arg-type]  # a map reads as a file does
        if head != [_MAGIC_NUMBER]:
            raise ValueError("it is neither an archive nor a stream of torch.save")
        version, system, saved, keys = [torch_pickle.load(stream, path.name) for _ in range(4)]  # type: ignore[arg-type]
        order: Order = "<" if system["little_endian"] else ">"
        if version != _PROTOCOL_VERSION:
            raise ValueError(f"it is of version {version}")
        storages = {tensor.storage.key: tensor.storage for _, tensor in _tensors(saved)}
        places = {}
        for key in keys:
            storage = storages[key]
            length = storage.count * _dtype(storage, order).itemsize
            count = int.from_bytes(stream.read(8), "little" if order == "<" else "big")
            places[key] = stream.tell()
            if count != storage.count or stream.tell() + length > len(stream):
                raise ValueError(f"storage {key} is not as long as it states")
            stream.seek(length, 1)

    def read_bytes(storage: Storage) -> bytes:
        with path.open("rb") as file:
            file.seek(places[storage.key])
            return file.read(storage.count * _dtype(storage, order).itemsize)

    return saved, order, read_bytes


def _tensors(saved: Any) -> Iterator[tuple[str, Tensor]]:
    """Yield every tensor with its key; those of nested containers as `model_state_dict.fc.weight`.

    Each container is entered once: a few lists that hold each other spell out no endless tree.
    """
    if isinstance(saved, Tensor):
        yield "weight", saved
        return
    entered: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", saved)]
    while waiting:
        prefix, container = waiting.pop()
        if id(container) in entered:
            continue
        entered.add(id(container))
        if len(prefix) > _LONGEST_KEY:
            raise ValueError("containers must not be nested so deeply")
        items = container.items() if isinstance(container, Mapping) else enumerate(container)
        inner = []
        for name, value in items:
            if isinstance(value, Tensor):
                yield f"{prefix}{name}", value
            elif isinstance(value, dict | list | tuple):
                inner.append((f"{prefix}{name}.", value))
        waiting += reversed(inner)


def _dtype(storage: Storage, order: Order) -> np.dtype[Any]:
    return np.dtype("uint16" if storage.dtype == "bfloat16" else storage.dtype).newbyteorder(order)


def _load(path: Path, key: str, tensor: Tensor, order: Order, read_bytes: ReadBytes) -> NDArray[Any]:
    try:
        return _view(tensor, order, read_bytes(tensor.storage))
    except Exception as cause:  # as above
        raise SourceError(
            f"{path.name}: {key} must be a tensor that can be read: {type(cause).__name__}: {cause}"
        ) from cause


def _view(tensor: Tensor, order: Order, content: bytes) -> NDArray[Any]:
    dtype = _dtype(tensor.storage, order)
    numbers = np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype)
    ends = [(length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True)]
    count = math.prod(tensor.shape)
    is_inside = tensor.offset + sum(ends) < len(numbers) and count <= max(len(numbers), _EXPANDED_VALUES)
    if count and not is_inside:
        raise ValueError(f"it must lie within its storage of {len(numbers)} numbers")
    if tensor.storage.dtype == "bfloat16":
        numbers = from_bfloat16(numbers)
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    if count == 0:
        return np.empty(tensor.shape, numbers.dtype)
    return np.lib.stride_tricks.as_strided(numbers[tensor.offset :], tensor.shape, strides, writeable=False)
