"""Answers as .npz and .npy."""

from __future__ import annotations

import io
import math
import shutil
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.answers.columns import (
    LABEL,
    PROBABILITY,
    TOP,
    Answers,
    Layout,
    check_distinct,
    label_text,
)
from onnxhead_runtime.arrays import NUMBER_KINDS
from onnxhead_runtime.contract import LOGITS, PROBABILITIES
from onnxhead_runtime.errors import WriteError
from onnxhead_runtime.journal import Journal

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TOP_ARRAYS = ["top_label", "top_probability"]


class NpzWriter:
    """One array per column; a row without an answer has no label and NaN.

    Labels are text; with the link `sigmoid`, where a row has several, they are bool (rows, classes). The
    rows go to one .npy file per array, which are put together at the end.
    """

    def __init__(self, layout: Layout, journal: Journal) -> None:
        """Begin the arrays, or go on with them."""
        self._layout, self._journal = layout, journal
        self._texts = np.array([label_text(label) for label in layout.classes], np.str_)
        answers = [name for name in layout.columns if name != TOP] + _TOP_ARRAYS * (TOP in layout.columns)
        self._names = [*layout.keep, *answers]
        check_distinct(self._names)
        self._kinds: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}

    def encode(self, answers: Answers) -> dict[str, NDArray[Any]]:
        """Return the arrays of a block."""
        arrays = {name: _kept_array(name, column) for name, column in answers.kept.items()}
        for name in self._layout.columns:
            if name == LABEL:
                arrays[name] = self._labels(answers)
            elif name == PROBABILITY:
                arrays[name] = answers.probability
            elif name == TOP and answers.top is not None:
                texts = self._texts[answers.top[0]]
                texts[answers.undefined] = ""
                arrays |= dict(zip(_TOP_ARRAYS, (texts, answers.top[1]), strict=True))
            else:
                arrays[name] = getattr(answers.prediction, name).copy()
        return arrays

    def write(self, encoded: dict[str, NDArray[Any]]) -> int:
        """Add rows."""
        for name, array in encoded.items():
            part = self._part(name)
            if not part.tell():
                part.write(_header(array.dtype, 0, array.shape[1:]))
            kind = self._kind(name)
            if kind != (array.dtype, array.shape[1:]):
                raise WriteError(
                    f"an array of .npz has one dtype, {name} has {array.dtype} {array.shape[1:]} after "
                    f"{kind[0]} {kind[1]}: write .parquet, .csv or .jsonl"
                )
            part.write(np.ascontiguousarray(array).data)
        return sum(array.nbytes for array in encoded.values())

    def commit(self) -> None:
        """Everything is in the files already."""

    def finish(self) -> Path:
        """Put the arrays together."""
        path = self._journal.path("whole")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name in self._names:
                # without a date of its own, a member has the earliest that there is: the same bytes again
                info = zipfile.ZipInfo(f"{name}.npy")
                with (
                    self._complete(name).open("rb") as part,
                    archive.open(info, "w", force_zip64=True) as member,
                ):
                    shutil.copyfileobj(part, member, 2**20)
        return path

    def _labels(self, answers: Answers) -> NDArray[Any]:
        if self._layout.link == "sigmoid":
            return answers.prediction.above_threshold & ~answers.undefined[:, np.newaxis]
        labels = self._texts[answers.best]
        labels[answers.undefined] = ""
        return labels

    def _part_name(self, name: str) -> str:
        return str(self._names.index(name))

    def _part(self, name: str) -> IO[bytes]:
        return self._journal.part(self._part_name(name))

    def _kind(self, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
        """Return dtype and shape of a row of an array that was begun, perhaps by an earlier run."""
        if name not in self._kinds:
            with self._journal.path(self._part_name(name)).open("rb") as file:
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            self._kinds[name] = dtype, shape[1:]
        return self._kinds[name]

    def _complete(self, name: str) -> Path:
        """Write the number of rows into the header of an array."""
        path = self._journal.path(self._part_name(name))
        dtype, row_shape = self._kind(name)
        row_bytes = dtype.itemsize * math.prod(row_shape)
        rows = (path.stat().st_size - len(_header(dtype, 0, row_shape))) // max(row_bytes, 1)
        with path.open("r+b") as file:
            file.write(_header(dtype, rows, row_shape))
        return path


class NpyWriter(NpzWriter):
    """One column alone; what else holds is as for .npz."""

    def __init__(self, layout: Layout, journal: Journal) -> None:
        """Begin the array, or go on with it.

        Raises:
            WriteError: The layout has more than one array.
        """
        if len(layout.columns) != 1 or layout.keep or TOP in layout.columns:
            raise WriteError(
                f".npy holds one array: name {LABEL}, {PROBABILITY}, {LOGITS} or {PROBABILITIES} with "
                f"--columns, or write .npz; got {', '.join([*layout.keep, *layout.columns])}"
            )
        super().__init__(layout, journal)

    def finish(self) -> Path:
        """Complete the array."""
        return self._complete(self._names[0])


def _kept_array(name: str, column: Any) -> NDArray[Any]:
    try:
        array = _as_array(column)
    except ValueError:  # lists of different lengths
        array = None
    if array is None or array.dtype.kind not in NUMBER_KINDS:
        raise WriteError(
            f".npz carries columns of numbers through, without null, {name} holds others: write .parquet, "
            ".arrow, .csv or .jsonl"
        )
    return array


def _as_array(column: Any) -> NDArray[Any] | None:
    """Return a carried column as an array; None where numpy would change its values."""
    if isinstance(column, np.ndarray):
        return column
    if isinstance(column, list):
        return np.asarray(column) if len({type(value) for value in column}) <= 1 else None
    if column.null_count:  # integers with null would become floats, which do not hold them all
        return None
    array: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return array


def _header(dtype: np.dtype[Any], rows: int, row_shape: tuple[int, ...]) -> bytes:
    """Return the header of a .npy file, whose length does not depend on the number of rows."""
    header = io.BytesIO()
    description = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": (rows, *row_shape),
    }
    np.lib.format.write_array_header_1_0(header, description)
    return header.getvalue()
