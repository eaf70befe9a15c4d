"""The comparison of a model file's answers with float64, each held to the bound of `reference`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Head
from onnxhead.reference import Deviation, deviation, refer
from onnxhead.rows import decision_rows
from onnxhead_runtime import load

_FIXED_ROWS, _RANDOM_ROWS, _NEAR_ROWS = 3, 13, 16
_LARGEST_LOGIT = 2.0**100
_LARGEST_FEATURE = 2.0**60
_SAMPLED_VALUES = 2**22


@dataclass(frozen=True)
class Check:
    """The comparison of a model's answers with float64.

    Attributes:
        rows: How many rows were compared.
        logits: The logit that uses most of its bound.
        probabilities: The probability that uses most of its bound.
        uncertainty: How far float32 arithmetic may be from float64 in the probabilities of rows near the
            decision: the largest bound there.
    """

    rows: int
    logits: Deviation
    probabilities: Deviation
    uncertainty: float

    @property
    def passed(self) -> bool:
        """Whether every logit and every probability is within its bound."""
        return self.logits.ratio <= 1 and self.probabilities.ratio <= 1

    def __str__(self) -> str:
        return (
            f"logits {self.logits.error:.2g} (bound {self.logits.bound:.2g}), "
            f"probabilities {self.probabilities.error:.2g} (bound {self.probabilities.bound:.2g}), "
            f"on {self.rows} rows"
        )


def check_model(path: Path, head: Head) -> Check:
    """Run a model file on the CPU and compare its answers with those of the head in float64."""
    rows = checking_rows(head)
    prediction = load(path, device="cpu")(rows)
    exact = refer(head, rows)
    near = exact.probabilities_bound[_FIXED_ROWS + _RANDOM_ROWS :]
    return Check(
        len(rows),
        deviation(prediction.logits, exact.logits, exact.logits_bound),
        deviation(prediction.probabilities, exact.probabilities, exact.probabilities_bound),
        float(near.max(initial=0.0)),
    )


def checking_rows(head: Head) -> NDArray[np.float32]:
    """Return the rows to check a head on, float32 (rows, features), the same for every call.

    Zeros, ones, minus ones and normal random numbers; scaled down by a power of two for weights so large
    that the logits would overflow. After them random rows near the decision, where float32 has them.
    """
    random = np.random.default_rng(0).standard_normal((_RANDOM_ROWS, head.features), np.float32)
    ones = np.ones((1, head.features), np.float32)
    rows = np.concatenate([0 * ones, ones, -ones, random])
    largest = 4.0 * head.features * float(max(-head.weight.min(), head.weight.max()))
    if largest > _LARGEST_LOGIT:
        rows *= np.float32(2.0 ** np.floor(np.log2(_LARGEST_LOGIT / largest)))
    return np.concatenate([rows, near_decision(head)])


def near_decision(head: Head) -> NDArray[np.float32]:
    """Return random rows near the decision, float32 (rows, features), where float32 has them."""
    # the first of two classes may be zero, which tells nothing; of very many classes a sample is enough
    first = 1 if head.classes == 2 and not head.weight[0].any() else 0
    step = max(1, head.weight.size // _SAMPLED_VALUES)
    weight, bias = (part[first::step].astype(np.float64) for part in (head.weight, head.bias))
    rows = decision_rows(weight, bias, head.temperature, _NEAR_ROWS)
    near: NDArray[np.float32] = rows[np.abs(rows).max(axis=1) < _LARGEST_FEATURE].astype(np.float32)
    return near
