"""Temperature scaling: one number, fitted on held-out rows, that makes probabilities mean what they say.

The logits are divided by a temperature T before the link, which is chosen to minimise the negative
log-likelihood of the true labels (Guo et al., On Calibration of Modern Neural Networks, ICML 2017). No
decision changes, and the logits stay what they were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Head
from onnxhead.quality import Quality, Tally, log_likelihoods, right_decisions
from onnxhead.truth import read_truth
from onnxhead_runtime import links
from onnxhead_runtime.arrays import describe, to_float32, to_numeric
from onnxhead_runtime.contract import Link
from onnxhead_runtime.errors import FeaturesError, HeadError, SourceError

_TEMPERATURES = (1e-3, 1e3)


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
    truth = read_truth(head.class_labels, head.link, labels, len(logits)).matrix()
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


def _minimise(logits: NDArray[np.float64], truth: NDArray[np.bool_], link: Link) -> float:
    try:
        from scipy.optimize import minimize_scalar
    except ImportError as cause:
        raise SourceError('calibrating needs scipy: pip install "onnxhead[calibrate]"') from cause
    low, high = map(math.log, _TEMPERATURES)
    found = minimize_scalar(
        lambda exponent: -log_likelihoods(logits, truth, link, math.exp(exponent)).mean(),
        bounds=(low, high),
        method="bounded",
    )
    reason = ""
    if right_decisions(logits, truth, link).all():
        reason = "every row is right, and the surer the better"
    elif not low + 0.01 < found.x < high - 0.01:
        reason = "the rows agree with the head no more than chance"
    if reason:
        raise SourceError(
            f"a temperature must have a best value, on these {len(logits)} rows it has none, as {reason}: "
            "give more held-out rows, or other labels"
        )
    return math.exp(found.x)


def _quality(logits: NDArray[np.float64], truth: NDArray[np.bool_], head: Head) -> Quality:
    tally = Tally(head.link, head.temperature)
    tally.add(logits, links.probabilities(logits, head.link, head.temperature), truth)
    return tally.quality()
