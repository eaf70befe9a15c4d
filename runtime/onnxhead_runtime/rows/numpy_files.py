"""Rows from .npy, .npz and .safetensors files, which are mapped or read block by block."""

from __future__ import annotations

import dataclasses
import io
import math
import struct
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.arrays import NUMBER_KINDS, numpy_reason, to_batch, to_numeric
from onnxhead_runtime.contract import FEATURES
from onnxhead_runtime.errors import FeaturesError
from onnxhead_runtime.rows.block import SPAN_ROWS, Rows, Selection, array_rows, one_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEATURE_KEYS = (FEATURES, "X", "x")
_ZIP_NAME_LENGTHS = struct.Struct("<HH")
_ZIP_NAME_LENGTHS_AT, _ZIP_HEADER_BYTES = 26, 30


def read_npy(path: Path, selection: Selection) -> Rows:
    """Read the one array of a file, mapped."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            array.close()
            raise ValueError("it is a .npz file")
    except Exception as cause:  # numpy raises many kinds for a broken file
        raise _refuse(path, cause) from cause
    rows = one_array(array, selection, path.name)
    return dataclasses.replace(rows, spans=range(0, max(rows.total or 0, 1), SPAN_ROWS))


def read_npz(path: Path, selection: Selection) -> Rows:
    """Read one array of several; others of as many rows may be carried through."""
    arrays = open_arrays(path, lambda keys: (_choose_array(keys, path, selection), *selection.keep))
    return _named_rows(arrays, next(iter(arrays)), path, selection.width)


def open_arrays(path: Path, choose: Callable[[list[str]], Sequence[str]]) -> dict[str, Any]:
    """Open arrays of an .npz file, each with a shape and to be sliced forward along its first axis.

    Args:
        path: The file.
        choose: Returns the names of the arrays to open, of all that there are.

    Raises:
        FeaturesError: The file is broken, or holds objects.
    """
    try:
        archive = zipfile.ZipFile(path)
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        return {key: _open_member(path, archive, members[key]) for key in choose(list(members))}
    except FeaturesError:
        raise
    except Exception as cause:  # numpy and zipfile raise many kinds for a broken file
        raise _refuse(path, cause) from cause


def read_safetensors(path: Path, selection: Selection) -> Rows:
    """Read one tensor of several; others of as many rows may be carried through."""
    try:
        from safetensors import safe_open
    except ImportError as cause:
        raise FeaturesError(
            'reading .safetensors needs the safetensors package: pip install "onnxhead[safetensors]"'
        ) from cause
    try:
        file: Any = safe_open(path, framework="numpy")
        keys = list(file.keys())
        name = _choose_array(keys, path, selection)
        arrays = {key: _Slices(file.get_slice(key)) for key in (name, *selection.keep)}
    except FeaturesError:
        raise
    except Exception as cause:  # safetensors and numpy share no base
        raise FeaturesError(f"{path.name} must be a .safetensors file: {cause}") from cause
    return _named_rows(arrays, name, path, selection.width)


def _named_rows(arrays: dict[str, Any], name: str, path: Path, width: int) -> Rows:
    array = arrays.pop(name)
    if isinstance(array, np.ndarray):
        array = to_batch(to_numeric(array, "features", FeaturesError), width, FeaturesError)
    elif array.shape[1:] != (width,) or array.kind not in NUMBER_KINDS:
        raise FeaturesError(
            f"features must be numbers (batch, {width}) for this model, {path.name} has {name} of shape "
            f"{array.shape}, {array.dtype}"
        )
    for key, column in arrays.items():
        if column.shape[:1] != array.shape[:1]:
            raise FeaturesError(
                f"{path.name}: what is carried through must have as many rows as {name} of shape "
                f"{tuple(array.shape)}, {key} has shape {tuple(column.shape)}"
            )
    return array_rows(array, arrays)


def _choose_array(keys: list[str], path: Path, selection: Selection) -> str:
    wanted = [*(selection.features or ()), *selection.keep]
    missing = [key for key in wanted if key not in keys]
    others = [key for key in keys if key not in selection.keep]
    found = others if len(others) == 1 else [key for key in _FEATURE_KEYS if key in others]
    if selection.features is not None:
        found = list(selection.features)
    if missing or len(found) != 1:
        also = f", and {', '.join(wanted)}" if missing else ""
        raise FeaturesError(
            f"{path.name} must hold one array, or one of them named {' or '.join(_FEATURE_KEYS)}{also}, it "
            f"holds {', '.join(keys) or 'none'}"
        )
    return found[0]


def _open_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Any:
    """Return a member as an array: mapped where it is stored as it is, otherwise inflated block by block."""
    with archive.open(member) as file:
        shape, is_fortran, dtype = _read_npy_header(file)
        header_bytes = file.tell()
    if dtype.hasobject:
        raise ValueError("arrays of objects would have to be unpickled, which is never done")
    if min(shape, default=0) < 0 or member.file_size != header_bytes + math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{member.filename} must hold {shape} values of {dtype}, it has another size")
    if member.compress_type == zipfile.ZIP_STORED:
        with path.open("rb") as file:
            file.seek(member.header_offset + _ZIP_NAME_LENGTHS_AT)
            names = sum(_ZIP_NAME_LENGTHS.unpack(file.read(_ZIP_NAME_LENGTHS.size)))
        offset = member.header_offset + _ZIP_HEADER_BYTES + names + header_bytes
        order: Any = "F" if is_fortran else "C"
        if 0 in shape:
            return np.empty(shape, dtype)
        return np.memmap(path, dtype, "r", offset, shape, order)
    if is_fortran or len(shape) < 2:
        with archive.open(member) as file:
            whole: NDArray[Any] = np.load(io.BytesIO(file.read()), allow_pickle=False)
            return whole
    return _Inflated(archive, member, shape, dtype)


def _read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    formats: Any = np.lib.format
    read = {(1, 0): formats.read_array_header_1_0, (2, 0): formats.read_array_header_2_0}
    if version not in read:
        raise ValueError(f"version {version} of .npy is not known")
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = read[version](file)
    return header


class _Slices:
    """A tensor of a .safetensors file, read slice by slice."""

    def __init__(self, tensor: Any) -> None:
        self._tensor = tensor
        self.shape = tuple(tensor.get_shape())
        self.dtype = tensor.get_dtype()
        self.kind = "f" if self.dtype.startswith(("F", "BF")) else self.dtype[0].lower()

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, part: Any) -> Any:
        try:
            return self._tensor[part]
        except Exception as cause:  # safetensors and numpy share no base
            raise FeaturesError(
                f"features must be a tensor that numpy knows, this {self._tensor.get_dtype()} is not: {cause}"
            ) from cause


class _Inflated:
    """A compressed array, read forward."""

    def __init__(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._open = partial(archive.open, member)
        self._file: IO[bytes] | None = None
        self._at = 0
        self.shape, self.dtype, self.kind = shape, dtype, dtype.kind

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, part: slice) -> NDArray[Any]:
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        try:
            if self._file is None or part.start < self._at:
                self._file = self._open()
                _read_npy_header(self._file)
                self._at = 0
            for _ in range(self._at, part.start):
                _read_exactly(self._file, row_bytes)
            data = _read_exactly(self._file, (part.stop - part.start) * row_bytes)
            self._at = part.stop
            return np.frombuffer(data, self.dtype).reshape(-1, *self.shape[1:])
        except Exception as cause:  # zipfile and zlib raise many kinds for a broken file
            raise FeaturesError(
                f"features must be a readable array, the rows from {part.start} are not: {cause}"
            ) from cause


def _read_exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the array ends early")
    return data


def _refuse(path: Path, cause: Exception) -> FeaturesError:
    return FeaturesError(f"{path.name} must be a numpy file of numbers: {numpy_reason(cause)}")
