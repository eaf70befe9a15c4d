"""How good probabilities are, against the true labels of rows: likelihood, accuracy, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead_runtime import links
from onnxhead_runtime.contract import Link

BINS = 15


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence falls into one interval.

    Attributes:
        count: How many there are.
        confidence: The mean of their probabilities.
        accuracy: The share of them that is right; with the link `sigmoid` of labels that are true.
    """

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Quality:
    """How good probabilities are.

    A prediction is the most probable class of a row and its probability. With the link `sigmoid` each label
    of each row is one: its probability, which is right where the row has the label.

    Attributes:
        nll: The mean negative log-likelihood of the true labels, in nats.
        accuracy: The share of right decisions; with the link `sigmoid` of all labels of all rows.
        calibration_error: The expected calibration error: the mean of |accuracy - confidence| over the bins,
            weighted with their counts.
        bins: The bins of equal width, without the empty ones.
    """

    nll: float
    accuracy: float
    calibration_error: float
    bins: tuple[Bin, ...]


class Tally:
    """Adds up the quality of answers that come block by block.

    Example:
        >>> tally = Tally("softmax", 1.0)
        >>> logits = np.log([[0.75, 0.25], [0.25, 0.75]])
        >>> tally.add(logits, np.exp(logits), np.array([[True, False], [True, False]]))
        >>> tally.quality().accuracy, tally.quality().bins
        (0.5, (Bin(count=2, confidence=0.75, accuracy=0.5),))
    """

    def __init__(self, link: Link, temperature: float) -> None:
        """Begin with nothing, for answers that come of logits so."""
        self._link, self._temperature = link, temperature
        self._likelihood, self._right = 0.0, 0
        self._counts, self._confidences, self._hits = (np.zeros(BINS) for _ in range(3))

    def add(self, logits: NDArray[Any], probabilities: NDArray[Any], truth: NDArray[np.bool_]) -> None:
        """Add a block: logits, probabilities and which labels are true, all (rows, classes), no NaN."""
        right = right_decisions(logits, truth, self._link)
        is_many = self._link == "sigmoid"
        confidence, hits = (probabilities, truth) if is_many else (probabilities.max(axis=1), right)
        self._likelihood += float(log_likelihoods(logits, truth, self._link, self._temperature).sum())
        values = confidence.ravel().astype(np.float64)
        places = np.minimum((values * BINS).astype(int), BINS - 1)
        self._counts += np.bincount(places, minlength=BINS)
        self._confidences += np.bincount(places, values, BINS)
        self._hits += np.bincount(places, hits.ravel(), BINS)
        self._right += int(right.sum())

    def quality(self) -> Quality:
        """Return the quality of all that was added, at least one row."""
        count = int(self._counts.sum())
        bins = tuple(
            Bin(int(members), float(confidence / members), float(hits / members))
            for members, confidence, hits in zip(self._counts, self._confidences, self._hits, strict=True)
            if members
        )
        error = sum(part.count * abs(part.accuracy - part.confidence) for part in bins) / count
        return Quality(-self._likelihood / count, self._right / count, float(error), bins)


def log_likelihoods(
    logits: NDArray[Any], truth: NDArray[np.bool_], link: Link, temperature: float
) -> NDArray[np.float64]:
    """Return log p of what is true: of each row, with the link `sigmoid` of each label of each row."""
    z = np.asarray(logits, np.float64) / temperature
    if link == "sigmoid":
        return links.log_sigmoid(np.where(truth, z, -z))
    if link == "ovr":
        z = links.log_sigmoid(z)
    return np.asarray(z[truth] - np.logaddexp.reduce(z, axis=1))


def right_decisions(logits: NDArray[Any], truth: NDArray[np.bool_], link: Link) -> NDArray[np.bool_]:
    """Return which decisions are right: one per row, with the link `sigmoid` one per label of a row."""
    if link == "sigmoid":
        return np.asarray((logits > 0) == truth)
    return np.asarray(truth[np.arange(len(logits)), logits.argmax(axis=1)])
