"""Answers as .npz and .npy."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.answers.columns import LABEL, PROBABILITY, TOP, Answers, Layout, label_text
from onnxhead_runtime.contract import LOGITS, PROBABILITIES
from onnxhead_runtime.errors import WriteError
from onnxhead_runtime.journal import Journal

if TYPE_CHECKING:
    from numpy.typing import NDArray


class NpzWriter:
    """One array per column; labels are text, and a row without an answer has none and NaN.

    The rows go to one .npy file per array, which are put together at the end.
    """

    def __init__(self, layout: Layout, journal: Journal) -> None:
        """Begin the arrays, or go on with them."""
        self._layout, self._journal = layout, journal
        self._texts = _texts(layout)

    def write(self, encoded: dict[str, NDArray[Any]]) -> None:
        """Add rows."""
        for name, array in encoded.items():
            part = self._journal.part(_file_name(name))
            if not part.tell():
                part.write(_header(array.dtype, 0, array.shape[1:]))
            part.write(np.ascontiguousarray(array).data)

    def commit(self) -> None:
        """Everything is in the files already."""

    def finish(self) -> Path:
        """Put the arrays together."""
        path = self._journal.path("whole")
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for name in self._journal.part_names:
                _complete(self._journal.path(name))
                # without a date of its own, a member has the earliest that there is: the same bytes again
                with (
                    self._journal.path(name).open("rb") as part,
                    archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member,
                ):
                    shutil.copyfileobj(part, member, 2**20)
        return path

    def encode(self, answers: Answers) -> dict[str, NDArray[Any]]:
        """Return the arrays of a block."""
        arrays = {name: _kept_array(name, column) for name, column in answers.kept.items()}
        for name in self._layout.columns:
            if name == LABEL:
                arrays[name] = self._labels(answers)
            elif name == PROBABILITY:
                arrays[name] = answers.probability
            elif name == TOP and answers.top is not None:
                arrays["top_label"] = self._texts[answers.top[0]]
                arrays["top_label"][answers.undefined] = ""
                arrays["top_probability"] = answers.top[1]
            else:
                arrays[name] = getattr(answers.prediction, name)
        return arrays

    def _labels(self, answers: Answers) -> NDArray[np.str_]:
        if self._layout.link == "sigmoid":
            return np.array([label_text(label) for label in answers.prediction.labels], self._texts.dtype)
        labels = self._texts[answers.best]
        labels[answers.undefined] = ""
        return labels


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
        (name,) = self._journal.part_names
        _complete(self._journal.path(name))
        return self._journal.path(name)


def _texts(layout: Layout) -> NDArray[np.str_]:
    """Return the labels as text, in a dtype that is wide enough for whatever is written."""
    texts = [label_text(label) for label in layout.classes]
    longest = max(map(len, texts))
    if layout.link == "sigmoid":
        longest = len(json.dumps(layout.classes, ensure_ascii=False))
    return np.array(texts, f"<U{max(longest, 1)}")


def _kept_array(name: str, column: Any) -> NDArray[Any]:
    array = column if isinstance(column, np.ndarray | list) else column.to_numpy(zero_copy_only=False)
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise WriteError(
            f".npz carries columns of numbers through, {name} holds others: write .parquet, .arrow, .csv or "
            ".jsonl"
        )
    return array


def _file_name(name: str) -> str:
    return f"{name}.npy"


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


def _complete(path: Path) -> None:
    """Write the number of rows into the header."""
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        row_bytes = dtype.itemsize * int(np.prod(shape[1:]))
        rows = (path.stat().st_size - file.tell()) // max(row_bytes, 1)
        file.seek(0)
        file.write(_header(dtype, rows, shape[1:]))
