"""Rows on which heads are compared: random, near the decision, where probabilities are neither 0 nor 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SPREAD = 4.0  # of the logits: probabilities differ from each other, and tell the links apart
_LARGEST_SPREAD = 2.0**100
_SOLVED_VALUES = 2**18  # of a weight for which the rows are centred
_VALUES = 2**23  # of all rows together


def decision_rows(
    weight: NDArray[np.float64], bias: NDArray[np.float64], temperature: float, count: int = 64
) -> NDArray[np.float64]:
    """Return random rows, float64 (rows, features), the same for every call, on which no two links agree.

    They lie around where all logits are about zero. In every second row two logits are positive: far below
    zero sigmoid(z) and exp(z) are about the same, and with them one-vs-rest and softmax.

    Args:
        weight: (classes, features), finite.
        bias: (classes,), finite.
        temperature: The divisor of the logits.
        count: How many; fewer, but at least two, for rows of very many features.
    """
    classes, features = weight.shape
    count = max(2, min(count, _VALUES // features))
    random = np.random.default_rng(0)
    longest = np.linalg.norm(weight, axis=1).max()
    rows = random.standard_normal((count, features)) * (_SPREAD * temperature / longest if longest else 1.0)
    if weight.size <= _SOLVED_VALUES:
        rows += np.linalg.lstsq(weight, -bias, rcond=1e-3)[0]
    for row in rows[::2]:
        pair = random.choice(classes, min(2, classes), replace=False)
        wanted = random.uniform(0, 2 * _SPREAD * temperature, len(pair))
        missing = wanted - weight[pair] @ row - bias[pair]
        row += np.linalg.lstsq(weight[pair], missing, rcond=1e-3)[0]
    return np.asarray(rows)


def usual_rows(largest: float, features: int, temperature: float, count: int) -> NDArray[np.float32]:
    """Return random rows, float32 (count, features), the same for every call, that give usual logits.

    Args:
        largest: The largest weight.
        features: How many features a row has.
        temperature: The divisor of the logits.
        count: How many rows.
    """
    random = np.random.default_rng(0).standard_normal((count, features), np.float32)
    scale = _SPREAD * temperature / ((float(largest) or 1.0) * features**0.5)
    spread = 2.0 ** np.floor(np.log2(scale))  # a power of two changes no digit
    scaled = random.astype(np.float64) * min(spread, _LARGEST_SPREAD)
    return np.asarray(scaled, np.float32)


def distance(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    """Return the largest difference, infinity where shapes differ or something is NaN."""
    if ours.shape != theirs.shape:
        return float("inf")
    largest = float(np.abs(ours - theirs).max(initial=0.0))
    return float("inf") if np.isnan(largest) else largest
