"""Which labels are given where which are true: counts per class, and of each confusion."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxhead_runtime.contract import Label


@dataclass(frozen=True)
class ClassCount:
    """How often one label is true and given, over the rows with an answer.

    Attributes:
        label: The label.
        true: On how many rows it is true; None without true labels.
        predicted: On how many it is given.
        right: On how many it is both.
        precision: The share of those on which it is given that it is true on; None where it is never given.
        recall: The share of those on which it is true that it is given on; None where it is never true.
        accuracy: The share of all rows on which it is given and true, or neither.
    """

    label: Label
    true: int | None
    predicted: int
    right: int | None
    precision: float | None
    recall: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Cell:
    """How many rows with one true label got one label."""

    true: Label
    predicted: Label
    count: int


@dataclass(frozen=True)
class Confusion:
    """Which labels are given where which are true.

    Attributes:
        classes: The classes that are true or given on some row, in their order.
        absent: How many classes are neither.
        cells: The confusion matrix, without its zeros: by true, then by given label, in their order. None
            without true labels, and with the link `sigmoid`, where a row has any number of labels.
    """

    classes: tuple[ClassCount, ...]
    absent: int
    cells: tuple[Cell, ...] | None


class ConfusionTally:
    """Counts labels that come block by block.

    Example:
        >>> tally = ConfusionTally(("a", "b"), is_many=False)
        >>> tally.add(np.eye(2, dtype=bool)[[0, 0, 1]], np.eye(2, dtype=bool)[[0, 1, 1]])
        >>> [(cell.true, cell.predicted, cell.count) for cell in tally.confusion().cells]
        [('a', 'a', 1), ('a', 'b', 1), ('b', 'b', 1)]
    """

    def __init__(self, labels: tuple[Label, ...], is_many: bool) -> None:
        """Begin with no rows; `is_many` where a row may have any number of labels."""
        self._labels, self._is_many = labels, is_many
        self._true, self._predicted, self._right = (np.zeros(len(labels), np.int64) for _ in range(3))
        self._cells: Counter[int] = Counter()
        self._rows = 0
        self._has_truth = False

    def add(self, truth: NDArray[np.bool_] | None, given: NDArray[np.bool_]) -> None:
        """Add a block: which labels are true, if that is known, and given; both (rows, classes)."""
        self._rows += len(given)
        self._predicted += given.sum(axis=0)
        if truth is None:
            return
        self._has_truth = True
        self._true += truth.sum(axis=0)
        self._right += (truth & given).sum(axis=0)
        if not self._is_many:
            codes = truth.argmax(axis=1) * len(self._labels) + given.argmax(axis=1)
            found, counts = np.unique(codes, return_counts=True)
            self._cells.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))

    def confusion(self) -> Confusion:
        """Return what was counted."""
        occurring = np.flatnonzero(self._true + self._predicted).tolist()
        cells = [(*divmod(code, len(self._labels)), count) for code, count in sorted(self._cells.items())]
        has_cells = self._has_truth and not self._is_many
        return Confusion(
            tuple(map(self._class_count, occurring)),
            len(self._labels) - len(occurring),
            tuple(Cell(self._labels[i], self._labels[j], n) for i, j, n in cells) if has_cells else None,
        )

    def _class_count(self, place: int) -> ClassCount:
        true, given, right = (int(each[place]) for each in (self._true, self._predicted, self._right))
        label = self._labels[place]
        if not self._has_truth:
            return ClassCount(label, None, given, None, None, None, None)
        return ClassCount(
            label,
            true,
            given,
            right,
            right / given if given else None,
            right / true if true else None,
            1 - (true + given - 2 * right) / self._rows,
        )
