"""The right answer in float64, and how far from it float32 arithmetic may be.

A sum of n terms t_1, ..., t_n that is computed in float32 from the first to the last is off by at most
2**-24 * (|s_1| + ... + |s_n|), where s_k is the sum of the first k: the running error bound (Higham, Accuracy
and Stability of Numerical Algorithms, 2nd ed., section 4.3). The bias comes first or last. Summed in blocks,
as every BLAS does, s_k is a difference of two such sums: the bound takes twice that. Where terms cancel out,
vector instructions that keep several running sums have larger ones: it takes at least 16 * 2**-24 * (|t_1| +
... + |t_n|), of which the worst that was seen is below 5. Products may also underflow, to zero on devices
that flush denormals: 2**-126, the smallest normal number, for each of the n + 1 terms.

In float16 and bfloat16, features and result are rounded by 2**-11 and 2**-8, and GPUs sum in float32: 16 of
these. Each feature is also off by up to half the smallest number. Of float64 only the rounding of the result
is left. int8 moves each feature by up to half a step, and a step is 1/127 of the row's largest; its sums are
exact.

The link magnifies an error of the logits at most by 2 / temperature, and adds its own rounding: 1e-6. The sum
in a softmax of many classes may be off by classes * 2**-24 of itself, and every probability by as much of
itself: where one class outweighs all others, each of these is added to a number so large that its rounding
goes one way (Higham, section 4.2). onnxruntime comes to a sixteenth of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxhead.form import DEFAULT, Compute, Form
from onnxhead.head import Head
from onnxhead.operators import FEATURE_STEPS, SMALLEST_STEP
from onnxhead_runtime import links
from onnxhead_runtime.contract import Link

_UNIT_ROUNDOFF = 2.0**-24
_SMALLEST_NORMAL = 2.0**-126
# of the sum of all magnitudes; float64 has the rounding of the result alone
_ROUNDINGS: dict[Compute, float] = {
    "float32": 16 * _UNIT_ROUNDOFF,
    "float16": 16 * 2.0**-11,
    "bfloat16": 16 * 2.0**-8,
    "float64": _UNIT_ROUNDOFF,
}
_BLOCKS = 2  # running sums that a block's are the difference of
_HALF_SMALLEST: dict[Compute, float] = {"float16": 2.0**-25, "bfloat16": 2.0**-134}
_HALF_STEP = 0.501  # and what rounding to a step adds where a feature lies between two
_LINK_ROUNDING = 1e-6
_CACHED_VALUES = 2**14  # of running sums
_BLOCK_VALUES = 2**22  # float64 copies of the weight are made 32 MiB at a time


@dataclass(frozen=True, eq=False)
class Reference:
    """Exact answers for a batch, all float64.

    Attributes:
        logits: (batch, classes).
        probabilities: (batch, classes).
        logits_bound: (batch, classes), the largest right deviation of each logit.
        probabilities_bound: (batch, 1), the same for every probability of the row.
    """

    logits: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    logits_bound: NDArray[np.float64]
    probabilities_bound: NDArray[np.float64]


@dataclass(frozen=True)
class Deviation:
    """How far a result is from the reference, at the element that uses most of its bound.

    Attributes:
        error: The absolute error there; infinity where one is NaN and the other is not.
        bound: The bound there.
    """

    error: float
    bound: float

    @property
    def ratio(self) -> float:
        """Error by bound: right up to 1."""
        return self.error / self.bound


def refer(head: Head, features: NDArray[np.float32], form: Form = DEFAULT) -> Reference:
    """Compute the exact answer for `features`, float32 (batch, features), and the bounds of a form.

    Example:
        >>> head = Head([[1.0, -1.0, 0.5], [0.8, 0.5, -0.3], [-0.5, 1.2, 1.0]], [0.2, -0.1, 0.5])
        >>> exact = refer(head, np.array([[0.5, 0.8, 1.2]], np.float32))
        >>> exact.logits.round(3), exact.probabilities.round(3)
        (array([[0.5 , 0.34, 2.41]]), array([[0.116, 0.099, 0.785]]))
    """
    logits, logits_bound = refer_logits(head, features, np.arange(head.classes), form)
    probabilities = links.probabilities(logits, head.link, head.temperature)
    return Reference(
        logits,
        probabilities,
        logits_bound,
        probabilities_bound(logits_bound, head.temperature) + link_bound(probabilities, head.link),
    )


def refer_logits(
    head: Head, features: NDArray[np.float32], classes: NDArray[np.intp], form: Form = DEFAULT
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the exact logits of some classes, and their bounds, both (batch, len(classes))."""
    rows = features.astype(np.float64)
    logits = np.empty((len(rows), len(classes)))
    bound = np.empty_like(logits)
    step = max(1, _BLOCK_VALUES // head.features)
    with np.errstate(invalid="ignore", over="ignore"):
        for start in range(0, len(classes), step):
            block = slice(start, start + step)
            weight = head.matrix.some(classes[block]).astype(np.float64)
            bias = head.bias[classes[block]].astype(np.float64)
            logits[:, block] = rows @ weight.T + bias
            bound[:, block] = _logits_bound(np.abs(rows), np.abs(weight), np.abs(bias), form)
            if form.precision_kind not in ("int8", "computed in float64"):
                running = _BLOCKS * _UNIT_ROUNDOFF * _running_sums(rows, weight, bias)
                bound[:, block] = np.maximum(bound[:, block], running)
    return logits, bound


def _running_sums(
    rows: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the sum of the magnitudes of all sums on the way to each logit, (batch, classes)."""
    found = np.empty((len(rows), len(weight)))
    step = max(1, _CACHED_VALUES // weight.shape[1])
    for start in range(0, len(weight), step):
        block = slice(start, start + step)
        for row, values in enumerate(rows):
            sums = weight[block] * values
            np.cumsum(sums, axis=1, out=sums)
            bias_last = np.abs(sums).sum(axis=1)
            sums += bias[block, np.newaxis]
            found[row, block] = np.maximum(bias_last, np.abs(sums, out=sums).sum(axis=1))
    return found


def _logits_bound(
    rows: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64], form: Form
) -> NDArray[np.float64]:
    """Return the bounds of logits (batch, classes) from magnitudes."""
    features = rows.shape[1]
    bound = _ROUNDINGS[form.compute] * (rows @ weight.T + bias) + (features + 1) * _SMALLEST_NORMAL
    if form.compute in _HALF_SMALLEST:
        bound += _HALF_SMALLEST[form.compute] * (weight.sum(axis=1) + features + 1)
    if form.weights == "int8":
        steps = rows.max(axis=1, keepdims=True, initial=0.0) / FEATURE_STEPS
        bound += _HALF_STEP * np.maximum(steps, SMALLEST_STEP) * weight.sum(axis=1)
    return np.asarray(bound)


def probabilities_bound(logits_bound: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return how far errors of its logits may move a row's probabilities, (batch, 1)."""
    return np.asarray(2 * logits_bound.max(axis=1, keepdims=True) / temperature)


def link_bound(probabilities: NDArray[np.float64], link: Link) -> NDArray[np.float64]:
    """Return how far the link itself may move a row's probabilities, (batch, 1).

    Example:
        >>> link_bound(np.array([[0.5, 0.5]]), "softmax"), link_bound(np.full((1, 10**6), 1e-6), "softmax")
        (array([[1.e-06]]), array([[1.e-06]]))
    """
    if link == "sigmoid":
        return np.full((len(probabilities), 1), _LINK_ROUNDING)
    summed = probabilities.shape[1] * _UNIT_ROUNDOFF * probabilities.max(axis=1, keepdims=True)
    return np.asarray(np.fmax(_LINK_ROUNDING, summed))


def link_deviation(
    link: Link, temperature: float, logits: NDArray[np.float32], probabilities: NDArray[np.float32]
) -> Deviation:
    """Compare probabilities with what the link makes of the logits of the same answer, row by row."""
    found = Deviation(0.0, 1.0)
    for row, answer in zip(logits[:, None], probabilities[:, None], strict=True):
        expected = links.probabilities(row, link, temperature)
        # a logit is divided, and its softplus rounded, before exp magnifies what that did
        largest = np.abs(np.nan_to_num(row, posinf=0.0, neginf=0.0)).max() / temperature
        bound = link_bound(expected, link) + 4 * _UNIT_ROUNDOFF * largest
        found = max(found, deviation(answer, expected, bound), key=lambda one: one.ratio)
    return found


def deviations(
    logits: NDArray[np.float32], probabilities: NDArray[np.float32], exact: Reference
) -> tuple[Deviation, Deviation]:
    """Compare both outputs of a batch with their reference."""
    return (
        deviation(logits, exact.logits, exact.logits_bound),
        deviation(probabilities, exact.probabilities, exact.probabilities_bound),
    )


def deviation(
    result: NDArray[np.float32], exact: NDArray[np.float64], bound: NDArray[np.float64]
) -> Deviation:
    """Compare one output of a batch with its reference; NaN is right where both are NaN."""
    if exact.size == 0:
        return Deviation(0.0, 1.0)
    with np.errstate(invalid="ignore"):
        error = np.abs(result - exact)
    both_nan = np.isnan(result) & np.isnan(exact)
    error = np.where(both_nan, 0.0, np.where(np.isnan(error), np.inf, error))
    bounds = np.broadcast_to(np.where(np.isfinite(bound), bound, 1.0), error.shape)
    worst = np.unravel_index(np.argmax(error / bounds), error.shape)
    return Deviation(float(error[worst]), float(bounds[worst]))
