"""The comparison of a model file's answers with float64, each held to the bound of `reference`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from onnxhead.form import DEFAULT, Form
from onnxhead.head import Head
from onnxhead.reference import Deviation, deviation, link_bound, probabilities_bound, refer, refer_logits
from onnxhead.rows import decision_rows
from onnxhead_runtime import links, load
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES

Answers = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
_SAMPLED_BYTES = 256 * 2**20
_SAMPLED_ANSWERS = 2**23  # rows by classes: 32 MiB of logits
_EXTREME_CLASSES, _RANDOM_CLASSES = 16, 1024
_FIXED_ROWS, _RANDOM_ROWS, _NEAR_ROWS = 3, 13, 16
_LARGEST_LOGIT = 2.0**100
_LARGEST_FEATURE = 2.0**60
_SAMPLED_VALUES = 2**22


@dataclass(frozen=True)
class Check:
    """The comparison of a model's answers with float64.

    Attributes:
        rows: How many rows were compared.
        classes: How many of the classes were compared with float64.
        is_sample: Whether there are more, as of a large head.
        logits: The logit that uses most of its bound.
        probabilities: The probability that uses most of its bound.
        uncertainty: How far float32 arithmetic may be from float64 in the probabilities of rows near the
            decision: the largest bound there.
    """

    rows: int
    classes: int
    is_sample: bool
    logits: Deviation
    probabilities: Deviation
    uncertainty: float

    @property
    def passed(self) -> bool:
        """Whether every logit and every probability is within its bound."""
        return self.logits.ratio <= 1 and self.probabilities.ratio <= 1

    def __str__(self) -> str:
        sample = f" and a sample of {self.classes:,} classes" if self.is_sample else ""
        return (
            f"logits {self.logits.error:.2g} (bound {self.logits.bound:.2g}), "
            f"probabilities {self.probabilities.error:.2g} (bound {self.probabilities.bound:.2g}), "
            f"on {self.rows} rows{sample}"
        )


def check_model(path: Path, head: Head, form: Form = DEFAULT) -> Check:
    """Run a model file on the CPU and compare its answers with those of the head in float64.

    Of a head of 256 MiB or more the logits of a sample of classes are compared, the extreme ones among them,
    on a few rows; and every probability, with what float64 makes of the logits that the model gave.
    """
    classify = open_answers(path, form)
    if head.matrix.nbytes >= _SAMPLED_BYTES:
        return _check_sample(classify, head, form)
    rows = checking_rows(head)
    logits, probabilities = classify(rows)
    exact = refer(head, rows, form)
    near = exact.probabilities_bound[_FIXED_ROWS + _RANDOM_ROWS :]
    return Check(
        len(rows),
        head.classes,
        False,
        deviation(logits, exact.logits, exact.logits_bound),
        deviation(probabilities, exact.probabilities, exact.probabilities_bound),
        float(near.max(initial=0.0)),
    )


def open_answers(path: Path, form: Form) -> Answers:
    """Return a function from rows to logits and probabilities: onnxruntime on the CPU.

    It has no operators for bfloat16: what is computed in that is left to onnx's own evaluator.
    """
    if form.compute == "bfloat16":
        evaluator = ReferenceEvaluator(str(path))
        return lambda rows: tuple(evaluator.run([LOGITS, PROBABILITIES], {FEATURES: rows}))
    # to pack the weight for a few calls would not pay
    classifier = load(path, device="cpu", mmap=True)

    def call(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        prediction = classifier(rows)
        return prediction.logits, prediction.probabilities

    return call


def _check_sample(classify: Answers, head: Head, form: Form) -> Check:
    rows, classes = _sampled_rows(head), sampled_classes(head)
    logits, probabilities = classify(rows)
    exact, bound = refer_logits(head, rows, classes, form)
    deviations = []
    for row, answer in zip(logits[:, None], probabilities[:, None], strict=True):
        expected = links.probabilities(row, head.link, head.temperature)
        deviations.append(deviation(answer, expected, link_bound(expected, head.link)))
    return Check(
        len(rows),
        len(classes),
        len(classes) < head.classes,
        deviation(logits[:, classes], exact, bound),
        max(deviations, key=lambda found: found.ratio),
        float(probabilities_bound(bound, head.temperature).max()),
    )


def sampled_classes(head: Head) -> NDArray[np.intp]:
    """Return the classes to check of a head too large for all: the extreme ones, and some at random."""
    count = min(_EXTREME_CLASSES, head.classes)
    extreme = [
        np.argpartition(values, -count)[-count:]
        for values in (head.matrix.largest, -head.matrix.largest, head.bias, -head.bias)
    ]
    random = np.random.default_rng(0).integers(head.classes, size=_RANDOM_CLASSES)
    return np.unique(np.concatenate([*extreme, random, [0, head.classes - 1]]))


def _sampled_rows(head: Head) -> NDArray[np.float32]:
    """Return few of the rows, fewer for very many classes: random, near the decision, ones, zeros."""
    rows = checking_rows(head)
    order = [*range(_FIXED_ROWS, _FIXED_ROWS + 3), -1, 1, 2, 0]
    return rows[order[: max(2, _SAMPLED_ANSWERS // head.classes)]]


def checking_rows(head: Head) -> NDArray[np.float32]:
    """Return the rows to check a head on, float32 (rows, features), the same for every call.

    Zeros, ones, minus ones and normal random numbers; scaled down by a power of two for weights so large
    that the logits would overflow. After them random rows near the decision, where float32 has them.
    """
    random = np.random.default_rng(0).standard_normal((_RANDOM_ROWS, head.features), np.float32)
    ones = np.ones((1, head.features), np.float32)
    rows = np.concatenate([0 * ones, ones, -ones, random])
    largest = 4.0 * head.features * float(head.matrix.largest.max())
    if largest > _LARGEST_LOGIT:
        rows *= np.float32(2.0 ** np.floor(np.log2(_LARGEST_LOGIT / largest)))
    return np.concatenate([rows, near_decision(head)])


def near_decision(head: Head) -> NDArray[np.float32]:
    """Return random rows near the decision, float32 (rows, features), where float32 has them."""
    # of very many classes a sample is enough
    sample = slice(None, None, max(1, head.classes * head.features // _SAMPLED_VALUES))
    weight, bias = head.matrix.some(sample).astype(np.float64), head.bias[sample].astype(np.float64)
    rows = decision_rows(weight, bias, head.temperature, _NEAR_ROWS)
    near: NDArray[np.float32] = rows[np.abs(rows).max(axis=1) < _LARGEST_FEATURE].astype(np.float32)
    return near
