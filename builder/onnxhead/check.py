"""The comparison of a model file's answers with float64, each held to the bound of `reference`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from onnxhead.form import DEFAULT, Form
from onnxhead.head import Head
from onnxhead.reference import (
    Deviation,
    deviation,
    deviations,
    link_deviation,
    probabilities_bound,
    refer,
    refer_logits,
)
from onnxhead.rows import decision_rows
from onnxhead_runtime import load
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES

Answers = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
_SAMPLED_ANSWERS = 2**23  # rows by classes: 32 MiB of logits
_EXTREME_CLASSES, _RANDOM_CLASSES = 16, 1024
_RANDOM_ROWS, _NEAR_ROWS = 13, 16
_SAMPLED_BYTES = 16 * 2**20
_MOST_CLASSES = 2**16  # whose answers to all rows are held in float64, and features
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

    against: ClassVar = "against float64"

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

    Every probability is also compared with what float64 makes of the logits that the model gave, which tells
    links apart in every precision. Of a head of 16 MiB or more, or of very many classes or features, the
    logits of a sample of classes are compared, the extreme ones among them, on a few rows.
    """
    classify = open_answers(path, form)
    if head.matrix.nbytes >= _SAMPLED_BYTES or max(head.classes, head.features) > _MOST_CLASSES:
        return _check_sample(classify, head, form)
    near = near_decision(head, form)
    rows = np.concatenate([checking_rows(head, form), near])
    logits, probabilities = classify(rows)
    exact = refer(head, rows, form)
    near_bounds = exact.probabilities_bound[len(rows) - len(near) :]
    of_logits, of_probabilities = deviations(logits, probabilities, exact)
    return Check(
        len(rows),
        head.classes,
        False,
        of_logits,
        max(
            of_probabilities,
            link_deviation(head.link, head.temperature, logits, probabilities),
            key=lambda found: found.ratio,
        ),
        float(near_bounds.max(initial=0.0)),
    )


def open_answers(path: Path, form: Form) -> Answers:
    """Return a function from rows to logits and probabilities: onnxruntime on the CPU.

    It has no operators for bfloat16: what is computed in that is left to onnx's own evaluator.
    """
    if form.compute == "bfloat16":
        evaluator = ReferenceEvaluator(_without_top(onnx.load(path)))
        return lambda rows: tuple(evaluator.run([LOGITS, PROBABILITIES], {FEATURES: rows}))
    # to pack the weight for a few calls would not pay
    classifier = load(path, device="cpu", mmap=True)

    def call(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        prediction = classifier(rows)
        return prediction.logits, prediction.probabilities

    return call


def _without_top(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model without its top outputs, of which onnx's evaluator has no GatherElements."""
    del model.graph.output[2:]
    while model.graph.node[-1].output[0] != PROBABILITIES:
        model.graph.node.pop()
    return model


def _check_sample(classify: Answers, head: Head, form: Form) -> Check:
    rows, near = _sampled_rows(head, form)
    classes = sampled_classes(head)
    logits, probabilities = classify(rows)
    exact, bound = refer_logits(head, rows, classes, form)
    return Check(
        len(rows),
        len(classes),
        len(classes) < head.classes,
        deviation(logits[:, classes], exact, bound),
        link_deviation(head.link, head.temperature, logits, probabilities),
        float(probabilities_bound(bound[:near], head.temperature).max(initial=0.0)),
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


def _sampled_rows(head: Head, form: Form) -> tuple[NDArray[np.float32], int]:
    """Return few of the rows, fewer for very many classes, and how many of them are near the decision.

    Near the decision where float32 has such a row, random, ones, zeros.
    """
    near = near_decision(head, form)[-1:, None]
    zeros, ones, minus_ones, *random = checking_rows(head, form)[:, None]
    rows = [*near, *random[:3], ones, minus_ones, zeros]
    return np.concatenate(rows[: max(2, _SAMPLED_ANSWERS // max(head.classes, head.features))]), len(near)


def checking_rows(head: Head, form: Form = DEFAULT) -> NDArray[np.float32]:
    """Return rows to check a head on, float32 (rows, features), the same for every call.

    Zeros, ones, minus ones and normal random numbers; scaled down by a power of two for weights so large
    that the logits would overflow.
    """
    count = max(1, min(_RANDOM_ROWS, _SAMPLED_VALUES // head.features))
    random = np.random.default_rng(0).standard_normal((count, head.features), np.float32)
    ones = np.ones((1, head.features), np.float32)
    rows = np.concatenate([0 * ones, ones, -ones, random])
    largest = 4.0 * head.features * float(head.matrix.largest.max())
    if largest > form.largest_number:
        rows *= np.float32(2.0 ** np.floor(np.log2(form.largest_number / largest)))
    return rows


def near_decision(head: Head, form: Form = DEFAULT) -> NDArray[np.float32]:
    """Return random rows near the decision, float32 (rows, features), where float32 has them."""
    # of very many classes a sample is enough
    sample = slice(None, None, max(1, head.classes * head.features // _SAMPLED_VALUES))
    weight, bias = head.matrix.some(sample).astype(np.float64), head.bias[sample].astype(np.float64)
    rows = decision_rows(weight, bias, head.temperature, _NEAR_ROWS)
    largest = min(form.largest_number, _LARGEST_FEATURE)
    near: NDArray[np.float32] = rows[np.abs(rows).max(axis=1) < largest].astype(np.float32)
    return near
