"""The true labels of rows, matched with those of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead_runtime.arrays import describe
from onnxhead_runtime.contract import Label, Link
from onnxhead_runtime.errors import SourceError


@dataclass(frozen=True, eq=False)
class Truth:
    """Which classes are true for each row, in 4 bytes for each of them.

    Attributes:
        classes: How many classes there are.
        places: int32, the numbers of the true classes, row after row.
        ends: int64 (rows + 1,), where those of each row begin, and the end of the last.
    """

    classes: int
    places: NDArray[np.int32]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends) - 1

    def matrix(self, start: int = 0, stop: int | None = None) -> NDArray[np.bool_]:
        """Return which classes are true, bool (rows, classes), for the rows from `start` to `stop`."""
        ends = self.ends[start : None if stop is None else stop + 1]
        found = np.zeros((len(ends) - 1, self.classes), bool)
        rows = np.repeat(np.arange(len(found)), np.diff(ends))
        found[rows, self.places[ends[0] : ends[-1]]] = True
        return found


class LabelReader:
    """Finds the classes of a model that labels name.

    Example:
        >>> LabelReader(["warm", "cold"], "softmax").read(["cold", "warm"]).matrix()
        array([[False,  True],
               [ True, False]])
    """

    def __init__(self, known: Sequence[Label], link: Link) -> None:
        """Take the label of each class, and the link: with `sigmoid` a row has any number of labels."""
        self._classes, self._is_many = len(known), link == "sigmoid"
        # True and 1 are equal, and two labels
        self._places: dict[Any, int] = {
            (isinstance(label, bool), label): place for place, label in enumerate(known)
        }
        self._texts = {str(label): place for place, label in enumerate(known)}

    def read(self, labels: Any, first: int = 0) -> Truth:
        """Return the classes of the labels of each row.

        Args:
            labels: The label of each row. With the link `sigmoid` the labels of each row, as lists of labels
                or as an array (rows, classes) of 0 and 1.
            first: The number of the first row, for messages.

        Raises:
            SourceError: A label is not the model's, or a row has one twice.
        """
        if self._is_many and isinstance(labels, np.ndarray) and labels.ndim == 2:
            return self._indicators(labels)
        listed = labels.tolist() if isinstance(labels, np.ndarray) else labels
        places, ends = [], [0]
        for number, label in enumerate(listed, first):
            own = label if self._is_many else [label]
            if not isinstance(own, list | tuple):
                raise SourceError(
                    f"with the link sigmoid each row must have a list of labels, row {number} has {label!r}"
                )
            found = [self._place(one, number) for one in own]
            for at, place in enumerate(found):
                if place in found[:at]:
                    raise SourceError(
                        f"the labels of a row must be distinct, row {number} has {own[at]!r} twice; 0 and 1 "
                        "for each class are an array, (rows, classes)"
                    )
            places += found
            ends.append(len(places))
        return Truth(self._classes, np.array(places, np.int32), np.array(ends, np.int64))

    def _place(self, label: Any, row: int) -> int:
        place = self._places.get((isinstance(label, bool), label)) if isinstance(label, Label) else None
        place = self._texts.get(str(label)) if place is None else place  # text files know no types
        if place is None:
            raise SourceError(
                f"labels must be among the model's, {', '.join(list(self._texts)[:10])}, row "
                f"{row} has {label!r}"
            )
        return place

    def _indicators(self, labels: NDArray[Any]) -> Truth:
        if labels.shape[1] != self._classes or not np.isin(labels, (0, 1)).all():
            raise SourceError(
                f"an array of labels must be (rows, {self._classes}) and hold 0 and 1 alone, got "
                f"{describe(labels)}"
            )
        rows, places = np.nonzero(labels)
        counts = np.bincount(rows, minlength=len(labels))
        return Truth(
            self._classes, places.astype(np.int32), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        )


def read_truth(known: Sequence[Label], link: Link, labels: Any, rows: int | None) -> Truth:
    """Return the classes of the labels of all rows.

    Args:
        known: The label of each class.
        link: The link, as for `LabelReader`.
        labels: As for `LabelReader.read`; also of pandas or scipy.
        rows: How many rows there are; None where that is not known yet.

    Raises:
        SourceError: They are not one per row, or `LabelReader.read` refuses them.
    """
    if hasattr(labels, "toarray") or hasattr(labels, "to_numpy"):  # scipy and pandas
        labels = labels.toarray() if hasattr(labels, "toarray") else labels.to_numpy()
    is_list = isinstance(labels, list | tuple) or (isinstance(labels, np.ndarray) and labels.ndim > 0)
    count = len(labels) if is_list else None
    if count is None or rows is not None:
        check_count(count, rows)
    return LabelReader(known, link).read(labels)


def check_count(count: int | None, rows: int | None) -> None:
    """Raise SourceError unless there are as many labels as rows."""
    if count is None or count != rows:
        header = "; the first line of the file may be a header" if count and count - 1 == rows else ""
        listed = "none" if count is None else count
        of = "" if rows is None else f" for {rows} rows"
        raise SourceError(f"labels must be one per row, got {listed}{of}{header}")
