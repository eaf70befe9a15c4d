"""The rows that a certificate is made on, block by block, with their true labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.certificate.subject import Subject
from onnxhead.external import file_sha256
from onnxhead.sources.labels import read_true_labels
from onnxhead.truth import LabelReader, Truth, check_count, read_truth
from onnxhead_runtime.errors import SourceError
from onnxhead_runtime.rows import Selection, open_rows

_BLOCK_ANSWERS = 2**20  # rows by classes, of which a dozen float64 arrays are made
_BLOCK_FEATURES = 2**18
_FEWEST_ROWS = 4  # to which a block of weights is multiplied
_MOST_ROWS = 2**14
_STANDARD_INPUT = "-"


@dataclass(frozen=True)
class SampleFile:
    """A file that a certificate is made with.

    Attributes:
        name: Its name, or what it is where it is no file.
        sha256: Its hexadecimal SHA-256; None where it is no file.
    """

    name: str
    sha256: str | None


class Part(NamedTuple):
    """Consecutive rows.

    Attributes:
        start: The number of the first.
        features: (rows, features), numbers; NaN in a bad row.
        bad: Why a row of the block, counted from 0, is none.
        truth: Which labels are true, (rows, classes); None where that is not known.
    """

    start: int
    features: NDArray[Any]
    bad: dict[int, str]
    truth: NDArray[np.bool_] | None


class Sample:
    """Rows with or without their true labels.

    Args:
        subject: The model that is to answer them.
        rows: A source of `open_rows`.
        labels: A file of true labels, or the labels themselves.
        label_column: The column of `rows` that holds them.
        features: The names of the feature columns.

    Raises:
        FeaturesError: The rows cannot be read.
        SourceError: The labels cannot be read, are not the model's or not one per row, or are given twice.
    """

    def __init__(
        self,
        subject: Subject,
        rows: str,
        labels: Any = None,
        label_column: str | None = None,
        features: Sequence[str] | None = None,
    ) -> None:
        if labels is not None and label_column is not None:
            raise SourceError("true labels must come from --labels or --label-column, got both")
        keep = () if label_column is None else (label_column,)
        self._rows = open_rows(rows, Selection(subject.width, features, keep))
        self.total, self._column = self._rows.total, label_column
        self._reader = LabelReader(subject.head) if label_column is not None else None
        self._truth: Truth | None = None
        self.labels_file: SampleFile | None = None
        if labels is not None:
            if isinstance(labels, str | os.PathLike):
                self.labels_file = _describe(str(labels))
                labels = read_true_labels(Path(labels))
            self._truth = read_truth(subject.head, labels, self.total)
        self.file = _describe(rows)
        fitting = min(_BLOCK_ANSWERS // subject.head.classes, _BLOCK_FEATURES // subject.width)
        self._size = max(_FEWEST_ROWS, min(fitting, _MOST_ROWS))

    def parts(self) -> Iterator[Part]:
        """Yield all rows, in their order.

        Raises:
            FeaturesError: They cannot be read.
            SourceError: A label of the column is not the model's, or labels are not one per row.
        """
        start = 0
        for block in self._rows.blocks(0, self._size):
            stop = start + len(block.features)
            yield Part(start, block.features, dict(block.bad), self._matrix(block.kept, start, stop))
            start = stop
        if self._truth is not None:
            check_count(len(self._truth), start)

    def _matrix(self, kept: Any, start: int, stop: int) -> NDArray[np.bool_] | None:
        if self._reader is not None:
            column = kept[self._column]
            listed = column.to_pylist() if hasattr(column, "to_pylist") else column
            return self._reader.read(listed, start).matrix()
        if self._truth is None:
            return None
        if len(self._truth) < stop:
            raise SourceError(f"labels must be one per row, got {len(self._truth)} for {stop} rows or more")
        return self._truth.matrix(start, stop)


def _describe(source: str) -> SampleFile:
    if os.path.isfile(source):  # noqa: PTH113  (Path.is_file raises for long names)
        return SampleFile(Path(source).name, file_sha256(Path(source)))
    return SampleFile("standard input" if source == _STANDARD_INPUT else "an inline array", None)
