"""The links from logits to probabilities, in float64.

- `softmax`: exp(z_i) / sum_j exp(z_j), one class per row.
- `sigmoid`: 1 / (1 + exp(-z_i)), independent labels.
- `ovr`: one-vs-rest, sigmoid(z_i) / sum_j sigmoid(z_j), as scikit-learn normalises it. Computed as
  softmax(-softplus(-z)), since log sigmoid(z) = -softplus(-z): the same function, without underflow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.contract import Link

if TYPE_CHECKING:
    from numpy.typing import NDArray


def probabilities(logits: NDArray[Any], link: Link, temperature: float = 1.0) -> NDArray[np.float64]:
    """Return the probabilities (batch, classes) of logits (batch, classes).

    A row with a NaN, or with an infinity that leaves its softmax undefined, is NaN.

    Example:
        >>> probabilities(np.array([[0.5, 0.34, 2.41]]), "softmax").round(3)
        array([[0.116, 0.099, 0.785]])
        >>> probabilities(np.array([[0.0, 2.0]]), "sigmoid").round(3)
        array([[0.5  , 0.881]])
    """
    z = np.asarray(logits, np.float64) / temperature
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        if link == "sigmoid":
            return np.exp(log_sigmoid(z))
        return _softmax(log_sigmoid(z) if link == "ovr" else z)


def log_sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(sigmoid(z)) = -softplus(-z), elementwise, without overflow."""
    return np.negative(np.logaddexp(0.0, -z))


def _softmax(z: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials: NDArray[np.float64] = np.exp(z - z.max(axis=-1, keepdims=True))
    exponentials /= exponentials.sum(axis=-1, keepdims=True)
    return exponentials
