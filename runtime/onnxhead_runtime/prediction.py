"""What a classifier answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.contract import Decision, Label, Link

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCANNED_CLASSES = 16  # to find more, sorting all is faster


@dataclass(slots=True, eq=False)  # frozen would cost a tenth of a small call
class Prediction:
    """Logits and probabilities of a batch, always both.

    Attributes:
        logits: float32 (batch, classes), the raw W f + b.
        probabilities: float32 (batch, classes).
        classes: The label of each column.
        link: How the probabilities came from the logits; None for a file that does not say.
        threshold: With the link `sigmoid`, above which probability a label is given.

    Example:
        >>> z = np.array([[0.5, 0.34, 2.41], [np.nan] * 3], dtype=np.float32)
        >>> p = np.array([[0.116, 0.099, 0.785], [np.nan] * 3], dtype=np.float32)
        >>> prediction = Prediction(z, p, ("A", "B", "C"), "softmax")
        >>> prediction.labels
        ['C', None]
        >>> [label for label, probability in prediction.top(2)[0]]
        ['C', 'A']
        >>> prediction.undefined_rows
        [1]
    """

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    classes: tuple[Label, ...]
    link: Link | None
    threshold: float = 0.5

    @property
    def labels(self) -> list[Decision]:
        """The decision of each row, None for an undefined row.

        The label with the largest logit: logits still differ where float32 probabilities have become
        equal. With the link `sigmoid` the tuple of all labels with a probability above the threshold.
        """
        undefined = self._undefined()
        if self.link == "sigmoid":
            return [
                None if bad else tuple(self.classes[i] for i in np.flatnonzero(row))
                for row, bad in zip(self.above_threshold, undefined, strict=True)
            ]
        return [
            None if bad else self.classes[best]
            for best, bad in zip(self.logits.argmax(axis=1), undefined, strict=True)
        ]

    @property
    def above_threshold(self) -> NDArray[np.bool_]:
        """With the link `sigmoid`: bool (batch, classes), which labels are given."""
        # a positive logit is above one half also where its float32 probability is one half
        above = self.logits > 0 if self.threshold == 0.5 else self.probabilities > self.threshold
        return np.asarray(above)

    def with_threshold(self, threshold: float) -> Prediction:
        """Return the same prediction with labels above another probability.

        Raises:
            ValueError: The link is not `sigmoid`, or the threshold is not between 0 and 1.

        Example:
            >>> z, p = np.array([[1.0, -1.0]], np.float32), np.array([[0.731, 0.269]], np.float32)
            >>> prediction = Prediction(z, p, ("red", "round"), "sigmoid")
            >>> prediction.labels, prediction.with_threshold(0.25).labels
            ([('red',)], [('red', 'round')])
        """
        if self.link != "sigmoid":
            raise ValueError(f"a threshold is for the link sigmoid, the link is {self.link}")
        if not 0 < threshold < 1:
            raise ValueError(f"a threshold must be between 0 and 1, got {threshold}")
        return replace(self, threshold=threshold)

    def top(self, k: int) -> list[list[tuple[Label, float]]]:
        """Return the `k` most probable (label, probability) pairs of each row, most probable first.

        All classes where there are fewer than `k`; an empty list for an undefined row; the earlier
        class first where logits are equal.

        Raises:
            ValueError: `k` is less than 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        order = top_classes(self.logits, k)
        return [
            [] if bad else [(self.classes[i], float(row[i])) for i in best]
            for row, best, bad in zip(self.probabilities, order, self._undefined(), strict=True)
        ]

    @property
    def undefined_rows(self) -> list[int]:
        """Rows, counted from 0, whose probabilities are NaN: a feature was NaN or a logit overflowed."""
        return [int(row) for row in np.flatnonzero(self._undefined())]

    def _undefined(self) -> NDArray[np.bool_]:
        return np.asarray(np.isnan(self.probabilities).any(axis=1))


def top_classes(logits: NDArray[np.float32], k: int) -> NDArray[np.intp]:
    """Return the `k` classes with the largest logits of each row, (batch, k), largest first.

    All classes where there are fewer than `k`; the earlier class first where logits are equal; any
    classes in a row with NaN.

    Example:
        >>> top_classes(np.array([[0.5, 0.34, 2.41], [1.0, 1.0, 0.0]], np.float32), 2)
        array([[2, 0],
               [0, 1]])
    """
    k = min(k, logits.shape[1])
    if k > _SCANNED_CLASSES or 4 * k > logits.shape[1]:
        return np.argsort(-logits, axis=1, kind="stable")[:, :k]
    left, rows = logits.copy(), np.arange(len(logits))
    top = np.empty((len(logits), k), np.intp)
    infinite = np.zeros(len(logits), np.bool_)
    for place in range(k):
        best = top[:, place] = left.argmax(axis=1)
        infinite |= np.isneginf(left[rows, best])
        left[rows, best] = -np.inf
    if infinite.any():  # where nothing is left but -inf, the first is found again and again
        top[infinite] = np.argsort(-logits[infinite], axis=1, kind="stable")[:, :k]
    return top


def to_document(prediction: Prediction, top: int | None = None) -> dict[str, Any]:
    """Return the prediction as JSON data, with the `top` most probable classes if asked for.

    NaN and infinity, which JSON lacks, become null.
    """
    document = {
        "labels": prediction.labels,
        "logits": _without_nan(prediction.logits),
        "probabilities": _without_nan(prediction.probabilities),
    }
    return document if top is None else {**document, "top": prediction.top(top)}


def _without_nan(array: NDArray[np.float32]) -> list[Any]:
    values = array.astype(object)
    values[~np.isfinite(array)] = None
    return list(values.tolist())
