"""The right answer in float64, and how far from it float32 arithmetic may be.

A float32 dot product of n terms is within gamma_n * (sum_j |W_ij f_j| + |b_i|) of the exact one, where
gamma_n is about n * 2**-24 for plain summation and far less for the blocked summation of every BLAS (Higham,
Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1). The bound here takes 16 * 2**-24; the
worst seen in practice is below 5. Products may also underflow, to zero on devices that flush denormals:
2**-126, the smallest normal number, for each of the n + 1 terms.

In float16 and bfloat16 the same holds with 2**-11 and 2**-8, and each float16 feature is also off by up to
2**-25, half its smallest number. Of float64 only the rounding of the result is left. int8 moves each feature
by up to half a step, and a step is 1/127 of the row's largest.

The link magnifies an error of the logits at most by 2 / temperature, and adds its own rounding: 1e-6. The sum
in a softmax of many classes may be off by classes * 2**-24 of itself, and every probability by as much of
itself: where one class outweighs all others, each of these is added to a number so large that its rounding
goes one way (Higham, section 4.2). onnxruntime comes to a sixteenth of that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxhead.encoding import INT8_LIMIT
from onnxhead.form import DEFAULT, Compute, Form
from onnxhead.head import Head
from onnxhead_runtime import links
from onnxhead_runtime.contract import Link

_UNIT_ROUNDOFF = 2.0**-24
_SMALLEST_NORMAL = 2.0**-126
# of a sum of products, by the type that it is computed in; float64 has the rounding of the result alone
_ROUNDINGS: dict[Compute, float] = {
    "float32": 16 * 2.0**-24,
    "float16": 16 * 2.0**-11,
    "bfloat16": 16 * 2.0**-8,
    "float64": 2.0**-24,
}
_HALF_STEP = 0.501  # and what rounding to a step adds where a feature lies between two
_LINK_ROUNDING = 1e-6
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
    return logits, bound


def _logits_bound(
    rows: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64], form: Form
) -> NDArray[np.float64]:
    """Return the bounds of logits (batch, classes) from magnitudes."""
    bound = _ROUNDINGS[form.compute] * (rows @ weight.T + bias) + (rows.shape[1] + 1) * _SMALLEST_NORMAL
    if form.compute == "float16":
        bound += 2.0**-25 * (weight.sum(axis=1) + rows.shape[1] + 1)
    if form.weights == "int8":
        steps = rows.max(axis=1, keepdims=True, initial=0.0) / INT8_LIMIT
        bound += _HALF_STEP * steps * weight.sum(axis=1)
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
