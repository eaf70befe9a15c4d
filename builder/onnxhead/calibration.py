"""Temperature scaling: one number, fitted on held-out rows, that makes probabilities mean what they say.

The logits are divided by a temperature T before the link, which is chosen to minimise the negative
log-likelihood of the true labels (Guo et al., On Calibration of Modern Neural Networks, ICML 2017). No
decision changes, and the logits stay what they were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Head
from onnxhead_runtime import links
from onnxhead_runtime.arrays import describe, to_float32, to_numeric
from onnxhead_runtime.contract import Label, Link
from onnxhead_runtime.errors import FeaturesError, HeadError, SourceError

_BINS = 15
_TEMPERATURES = (1e-3, 1e3)


@dataclass(frozen=True)
class Bin:
    """The predictions whose confidence falls into one interval.

    Attributes:
        count: How many there are.
        confidence: The mean of their probabilities.
        accuracy: The share of them that is right.
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


@dataclass(frozen=True, eq=False)
class Calibration:
    """A fitted temperature.

    Attributes:
        head: The head with the temperature.
        rows: How many rows it was fitted on.
        before: The quality with the temperature that the head had.
        after: The quality with the fitted one, on the same rows.
    """

    head: Head
    rows: int
    before: Quality
    after: Quality


def calibrate(head: Head, features: Any, labels: Any) -> Calibration:
    """Fit the temperature of a head on rows that it was not trained on.

    Args:
        head: Its own temperature is replaced.
        features: Real numbers (rows, features).
        labels: The true label of each row. With the link `sigmoid` the labels of each row, as lists of labels
            or as an array (rows, classes) of 0 and 1.

    Raises:
        HeadError: `head` is no Head.
        FeaturesError: The features do not fit the head.
        SourceError: scipy is missing, labels are not the head's or not one per row, or no temperature is
            best: the rows are all right, or nothing but chance.

    Example:
        >>> head = Head([[4.0], [-4.0]], [0.0, 0.0], labels=["warm", "cold"])
        >>> fitted = calibrate(head, [[1], [2], [-1], [-2]], ["warm", "warm", "cold", "warm"])
        >>> round(fitted.head.temperature, 2), fitted.after.nll < fitted.before.nll
        (19.06, True)
    """
    if not isinstance(head, Head):
        raise HeadError(f"calibrate takes a Head, got {type(head).__name__}: pass onnxhead.read(it)")
    logits = _logits(head, features)
    truth = _truth(head, labels, len(logits))
    temperature = _minimise(logits, truth, head.link)
    calibrated = Head(
        head.matrix,
        head.bias,
        labels=head.labels,
        link=head.link,
        temperature=temperature,
        origin=head.origin,
        folding=head.folding,
    )
    before, after = (_quality(logits, truth, one) for one in (head, calibrated))
    return Calibration(calibrated, len(logits), before, after)


def _logits(head: Head, features: Any) -> NDArray[np.float64]:
    array = to_numeric(features, "features", FeaturesError)
    if array.ndim != 2 or array.shape[1] != head.features or len(array) == 0:
        raise FeaturesError(
            f"features must be (rows, {head.features}) with at least one row, got {describe(array)}"
        )
    rows = to_float32(array, "features", FeaturesError)
    if not np.isfinite(rows).all():
        raise FeaturesError("features to calibrate on must be finite, got NaN or infinity among them")
    return np.asarray(rows.astype(np.float64) @ head.weight.T.astype(np.float64) + head.bias)


def _truth(head: Head, labels: Any, rows: int) -> NDArray[np.bool_]:
    """Return which labels are true, (rows, classes)."""
    if hasattr(labels, "toarray") or hasattr(labels, "to_numpy"):  # scipy and pandas
        labels = labels.toarray() if hasattr(labels, "toarray") else labels.to_numpy()
    listed = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if not isinstance(listed, list | tuple) or len(listed) != rows:
        count = len(listed) if isinstance(listed, list | tuple) else "none"
        header = "; the first line of the file may be a header" if count == rows + 1 else ""
        raise SourceError(f"labels must be one per row, got {count} for {rows} rows{header}")
    known: Sequence[Label] = head.labels if head.labels is not None else range(head.classes)
    if head.link == "sigmoid" and isinstance(labels, np.ndarray) and labels.ndim == 2:
        return _indicators(head, labels)
    places: dict[Any, int] = {label: place for place, label in enumerate(known)}
    texts = {str(label): place for place, label in enumerate(known)}
    truth = np.zeros((rows, head.classes), bool)
    for number, label in enumerate(listed):
        own = label if head.link == "sigmoid" else [label]
        if not isinstance(own, list | tuple):
            raise SourceError(
                f"with the link sigmoid each row must have a list of labels, row {number} has {label!r}"
            )
        for one in own:
            place = places.get(one) if isinstance(one, Label) else None
            place = texts.get(str(one)) if place is None else place  # text files know no types
            if place is None:
                raise SourceError(
                    f"labels must be among the head's, {', '.join(map(str, list(known)[:10]))}, row {number} "
                    f"has {one!r}"
                )
            if truth[number, place]:
                raise SourceError(
                    f"the labels of a row must be distinct, row {number} has {one!r} twice; 0 and 1 for each "
                    "class are an array, (rows, classes)"
                )
            truth[number, place] = True
    return truth


def _indicators(head: Head, labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.shape[1] != head.classes or not np.isin(labels, (0, 1)).all():
        raise SourceError(
            f"an array of labels must be (rows, {head.classes}) and hold 0 and 1 alone, got "
            f"{describe(labels)}"
        )
    return labels.astype(bool)


def _minimise(logits: NDArray[np.float64], truth: NDArray[np.bool_], link: Link) -> float:
    try:
        from scipy.optimize import minimize_scalar
    except ImportError as cause:
        raise SourceError('calibrating needs scipy: pip install "onnxhead[calibrate]"') from cause
    low, high = map(math.log, _TEMPERATURES)
    found = minimize_scalar(
        lambda exponent: _nll(logits, truth, link, math.exp(exponent)), bounds=(low, high), method="bounded"
    )
    reason = ""
    if _right(logits, truth, link).all():
        reason = "every row is right, and the surer the better"
    elif not low + 0.01 < found.x < high - 0.01:
        reason = "the rows agree with the head no more than chance"
    if reason:
        raise SourceError(
            f"a temperature must have a best value, on these {len(logits)} rows it has none, as {reason}: "
            "give more held-out rows, or other labels"
        )
    return math.exp(found.x)


def _nll(logits: NDArray[np.float64], truth: NDArray[np.bool_], link: Link, temperature: float) -> float:
    z = logits / temperature
    if link == "sigmoid":
        return -float(links.log_sigmoid(np.where(truth, z, -z)).mean())
    if link == "ovr":
        z = links.log_sigmoid(z)
    return float((np.logaddexp.reduce(z, axis=1) - z[truth]).mean())


def _quality(logits: NDArray[np.float64], truth: NDArray[np.bool_], head: Head) -> Quality:
    probabilities = links.probabilities(logits, head.link, head.temperature)
    right = _right(logits, truth, head.link)
    if head.link == "sigmoid":
        bins = _bins(probabilities.ravel(), truth.ravel())
    else:
        bins = _bins(probabilities.max(axis=1), right)
    count = sum(part.count for part in bins)
    error = sum(part.count * abs(part.accuracy - part.confidence) for part in bins) / count
    nll = _nll(logits, truth, head.link, head.temperature)
    return Quality(nll, float(right.mean()), error, tuple(bins))


def _right(logits: NDArray[np.float64], truth: NDArray[np.bool_], link: Link) -> NDArray[np.bool_]:
    """Return which decisions are right: one per row, with the link `sigmoid` one per label of a row."""
    if link == "sigmoid":
        return np.asarray((logits > 0) == truth)
    return np.asarray(truth[np.arange(len(logits)), logits.argmax(axis=1)])


def _bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> list[Bin]:
    places = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    members = [places == place for place in range(_BINS)]
    return [
        Bin(int(chosen.sum()), float(confidence[chosen].mean()), float(right[chosen].mean()))
        for chosen in members
        if chosen.any()
    ]
