"""The rows that a certificate is made on, block by block, with their true labels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.certificate.subject import Subject
from onnxhead.sources.labels import read_true_labels
from onnxhead.truth import LabelReader, Truth, check_count, read_truth
from onnxhead_runtime.errors import SourceError
from onnxhead_runtime.inputs import Feeds
from onnxhead_runtime.weights import file_sha256

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
        feeds: What the model takes, by name.
        bad: Why a row of the block, counted from 0, is none.
        truth: Which labels are true, (rows, classes); None where that is not known.
    """

    start: int
    feeds: Feeds
    bad: Mapping[int, str]
    truth: NDArray[np.bool_] | None


class Sample:
    """Rows with or without their true labels.

    Args:
        subject: The model that is to answer them.
        rows: A file of rows, as the model reads them.
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
        if label_column is not None and label_column in (features or ()):
            raise SourceError(
                f"a column is true labels or a feature, {label_column} is named as both: leave it out of "
                "--features"
            )
        self._source = subject.read(rows, label_column, features)
        self.total = self._source.total
        self._reader = LabelReader(subject.labels, subject.link) if label_column is not None else None
        self._truth: Truth | None = None
        self.labels_file: SampleFile | None = None
        if labels is not None:
            if isinstance(labels, str | os.PathLike):
                self.labels_file = _describe(str(labels))
                labels = read_true_labels(Path(labels))
            self._truth = read_truth(subject.labels, subject.link, labels, self.total)
        self.file = _describe(rows)
        fitting = min(_BLOCK_ANSWERS // len(subject.labels), _BLOCK_FEATURES // self._source.width)
        self._size = max(_FEWEST_ROWS, min(fitting, _MOST_ROWS))

    def parts(self) -> Iterator[Part]:
        """Yield all rows, in their order.

        Raises:
            FeaturesError: They cannot be read.
            SourceError: A label of the column is not the model's, or labels are not one per row.
        """
        start = 0
        for block in self._source.blocks(self._size):
            stop = start + block.rows
            yield Part(start, block.feeds, block.bad, self._matrix(block.labels, start, stop))
            start = stop
        if self._truth is not None:
            check_count(len(self._truth), start)

    def _matrix(self, column: Any, start: int, stop: int) -> NDArray[np.bool_] | None:
        if self._reader is not None:
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
