"""Which columns are written, and what is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.contract import LOGITS, PROBABILITIES, Decision, Label, Link
from onnxhead_runtime.errors import WriteError
from onnxhead_runtime.prediction import Prediction, top_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL, PROBABILITY, TOP = "label", "probability", "top"
COLUMNS = (LABEL, PROBABILITY, LOGITS, PROBABILITIES, TOP)
_WIDE_CLASSES = 100
_TOP = 5


@dataclass(frozen=True)
class Layout:
    """The columns of the answers to one model.

    Attributes:
        classes: The label of each class.
        link: The model's link.
        keep: The names of the columns that are carried through, which come first.
        columns: Some of `COLUMNS`, in their order.
        top: How many classes the column `top` lists.
    """

    classes: tuple[Label, ...]
    link: Link | None
    keep: tuple[str, ...]
    columns: tuple[str, ...]
    top: int

    @property
    def row_bytes(self) -> int:
        """About how large a row is."""
        wide = sum(name in (LOGITS, PROBABILITIES) for name in self.columns) * 4 * len(self.classes)
        return 16 + wide + 12 * self.top * (TOP in self.columns) + 16 * len(self.keep)


@dataclass(frozen=True)
class Answers:
    """What is written of a block of rows.

    Attributes:
        prediction: Logits and probabilities.
        kept: The columns that are carried through.
        undefined: bool (rows,), the rows without an answer.
        best: (rows,) the class with the largest logit.
        probability: float32 (rows,), that class's.
        top: (rows, top) the most probable classes, and their probabilities; None unless they are written.
    """

    prediction: Prediction
    kept: Mapping[str, Any]
    undefined: NDArray[np.bool_]
    best: NDArray[np.intp]
    probability: NDArray[np.float32]
    top: tuple[NDArray[np.intp], NDArray[np.float32]] | None

    def __len__(self) -> int:
        return len(self.best)


def choose_layout(
    classes: tuple[Label, ...],
    link: Link | None,
    keep: Sequence[str],
    columns: Sequence[str] | None,
    top: int | None,
) -> Layout:
    """Check the columns that were asked for, or take the usual ones.

    Raises:
        WriteError: A column is not one of `COLUMNS`, is named twice, or is carried through already.
        ValueError: `top` is less than 1.
    """
    if top is not None and top < 1:
        raise ValueError(f"top must be at least 1, got {top}")
    count = min(int(top or _TOP), len(classes))
    if columns is None:
        wide = len(classes) > _WIDE_CLASSES
        columns = [LABEL, PROBABILITY, *([] if wide else [LOGITS, PROBABILITIES])]
        columns += [TOP] if wide or top else []
    elif top and TOP not in columns:
        columns = [*columns, TOP]
    unknown = [name for name in columns if name not in COLUMNS]
    names = [*keep, *columns]
    if unknown or not columns or len(set(names)) < len(names):
        raise WriteError(
            f"columns must be some of {', '.join(COLUMNS)}, each once and none that is carried through too, "
            f"got {', '.join(names) or 'none'}"
        )
    return Layout(classes, link, tuple(keep), tuple(name for name in COLUMNS if name in columns), count)


def answer(prediction: Prediction, kept: Mapping[str, Any], layout: Layout) -> Answers:
    """Work out the columns of a block."""
    best = prediction.logits.argmax(axis=1)
    probability = prediction.probabilities[np.arange(len(best)), best]
    top = None
    if TOP in layout.columns:
        classes = top_classes(prediction.logits, layout.top)
        top = classes, np.take_along_axis(prediction.probabilities, classes, axis=1)
    # a NaN among the logits counts as the largest, and an infinite one has the probability NaN
    return Answers(prediction, kept, np.isnan(probability), best, probability, top)


def check_distinct(names: Sequence[str]) -> None:
    """Raise WriteError where a column that is carried through has the name of an answer's."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise WriteError(
            f"columns must have distinct names, got {', '.join(twice)} twice: rename what is kept"
        )


def as_list(column: Any) -> list[Any]:
    """Return a carried column as Python values."""
    if isinstance(column, list):
        return column
    values: list[Any] = column.tolist() if isinstance(column, np.ndarray) else column.to_pylist()
    return values


def label_text(label: Decision) -> str:
    """Return a label as text: several as a JSON array, none as nothing."""
    if isinstance(label, tuple):
        return json.dumps(label, ensure_ascii=False)
    return "" if label is None else str(label)
