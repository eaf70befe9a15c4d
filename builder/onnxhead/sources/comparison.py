"""Random rows on which what was read is held against its source."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from onnxhead_runtime.errors import SourceError

ROWS = 64
_SPREAD = 4.0  # of the logits: probabilities are neither all equal nor all 0 or 1, and tell the links apart
_SOLVED_VALUES = 2**22


def random_rows(
    weight: NDArray[np.float64], bias: NDArray[np.float64], temperature: float
) -> NDArray[np.float64]:
    """Return random rows, float64 (rows, features), on which no two links agree.

    They lie around where all logits are about zero; in every second row one logit is positive, since
    sigmoid(z) and exp(z), and with them one-vs-rest and softmax, are about the same far below zero.

    Args:
        weight: (classes, features).
        bias: (classes,).
        temperature: The divisor of the logits.

    Raises:
        SourceError: Weight or bias hold NaN or infinity.
    """
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise SourceError("weight and bias must be finite, got NaN or infinity")
    random = np.random.default_rng(0)
    lengths = np.linalg.norm(weight, axis=1)
    scale = _SPREAD * temperature / lengths.max() if lengths.any() else 1.0
    rows = random.standard_normal((ROWS, weight.shape[1])) * scale
    if weight.size <= _SOLVED_VALUES:
        rows += np.linalg.lstsq(weight, -bias, rcond=1e-3)[0]
    for row in rows[::2] if lengths.any() else ():
        chosen = random.choice(np.flatnonzero(lengths))
        missing = random.uniform(0, 2 * _SPREAD * temperature) - weight[chosen] @ row - bias[chosen]
        row += weight[chosen] * (missing / lengths[chosen] ** 2)
    return rows


def distance(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Return the largest difference, infinity where shapes differ or something is NaN."""
    if ours.shape != theirs.shape:
        return float("inf")
    largest = float(np.abs(ours - theirs).max(initial=0.0))
    return float("inf") if np.isnan(largest) else largest
