"""How one row's logits and probabilities come about, step by step, in numbers that add up.

For each class the products W_ij f_j, their sum, the bias, the logit; then the link: exp, the sum of the
exps, the probability; then the decision.

Rounded terms do not in general add up to the rounded sum, so the terms of a sum are rounded together: each
down, and the units that are then missing go to the terms with the largest remainders. Each printed term is
within one unit of its last decimal of the exact one, and they add up to the printed sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Head
from onnxhead.reference import refer
from onnxhead_runtime import links
from onnxhead_runtime.arrays import describe, to_float32, to_numeric
from onnxhead_runtime.contract import Decision, Label, Link
from onnxhead_runtime.errors import FeaturesError
from onnxhead_runtime.prediction import Prediction


@dataclass(frozen=True)
class Term:
    """One product W_ij f_j.

    Attributes:
        feature: j, counted from 0.
        weight: W_ij.
        value: f_j.
        product: Their product, rounded so that the terms add up.
    """

    feature: int
    weight: float
    value: float
    product: Decimal


@dataclass(frozen=True)
class ClassSteps:
    """The steps of one class; the Decimals have the same number of places, and add up.

    Attributes:
        label: The class.
        terms: The largest products by magnitude, in the order of the features.
        rest: The sum of all other products.
        rest_count: How many those are.
        total: W_i f: terms and rest.
        bias: b_i.
        logit: total + bias.
        scaled: What the link is taken of: the logit divided by the temperature, and for `ovr` the log of
            the sigmoid of that.
        exponential: exp(scaled - shift); None for the link `sigmoid`, which has no sum.
        probability: In float64.
    """

    label: Label
    terms: tuple[Term, ...]
    rest: Decimal
    rest_count: int
    total: Decimal
    bias: Decimal
    logit: Decimal
    scaled: float
    exponential: Decimal | None
    probability: float


@dataclass(frozen=True)
class Derivation:
    """All steps for one row.

    Attributes:
        features: The row.
        classes: The most probable classes, in the order of the head.
        other_classes: How many classes are not among them.
        link: How probabilities come from logits.
        temperature: The divisor of the logits.
        shift: What is subtracted before exp, so that it stays a readable number: 0 for moderate logits,
            the largest one otherwise. It cancels out.
        other_exponentials: The sum of the exponentials of the other classes; None for `sigmoid`.
        exponential_sum: The sum of all exponentials; None for `sigmoid`.
        decision: The label with the largest logit; for `sigmoid` all labels with a positive one.
    """

    features: tuple[float, ...]
    classes: tuple[ClassSteps, ...]
    other_classes: int
    link: Link
    temperature: float
    shift: float
    other_exponentials: Decimal | None
    exponential_sum: Decimal | None
    decision: Decision


_MODERATE = 20.0  # exp(20) = 485,165,195


def explain(head: Head, features: Any, *, terms: int = 8, classes: int = 10, places: int = 3) -> Derivation:
    """Derive logits and probabilities of one row.

    Args:
        head: From `read(path)` of a model file or any other source.
        features: One row, (features,) or (1, features), finite.
        terms: How many products to list per class; the others are summed up in one.
        classes: How many classes to list, the most probable ones.
        places: Decimal places; more are taken where all logits are small.

    Raises:
        FeaturesError: The width is not the head's, or a value is not finite.

    Example:
        >>> head = Head([[1.0, -1.0, 0.5], [0.8, 0.5, -0.3]], [0.2, -0.1], labels=["A", "B"])
        >>> steps = explain(head, [0.5, 0.8, 1.2]).classes[0]
        >>> [str(term.product) for term in steps.terms], str(steps.bias), str(steps.logit)
        (['0.500', '-0.800', '0.600'], '0.200', '0.500')
    """
    row = _to_row(features, head.features)
    exact = refer(head, row)
    logits, probabilities = exact.logits[0], exact.probabilities[0]
    places = _needed_places(logits, places)
    scaled = logits / head.temperature
    if head.link == "ovr":
        scaled = links.log_sigmoid(scaled)
    listed = np.sort(np.argsort(-logits, kind="stable")[:classes]).tolist()
    shift, exponentials, others, total = _exponentials(scaled, listed, head.link, places)
    labels = head.labels or tuple(range(head.classes))
    steps = tuple(
        ClassSteps(
            labels[i],
            *_sum_up(head.weight[i], row[0], float(head.bias[i]), terms, places),
            float(scaled[i]),
            exponential,
            float(probabilities[i]),
        )
        for i, exponential in zip(listed, exponentials, strict=True)
    )
    prediction = Prediction(logits[np.newaxis], probabilities[np.newaxis], labels, head.link)
    return Derivation(
        features=tuple(row[0].tolist()),
        classes=steps,
        other_classes=head.classes - len(steps),
        link=head.link,
        temperature=head.temperature,
        shift=shift,
        other_exponentials=others,
        exponential_sum=total,
        decision=prediction.labels[0],
    )


def round_together(values: Sequence[float], places: int) -> list[Decimal]:
    """Round finite values so that they add up to their rounded sum, each to within one last unit.

    Example:
        >>> [str(value) for value in round_together([1 / 3, 1 / 3, 1 / 3], 2)]
        ['0.34', '0.33', '0.33']
    """
    return [_decimal(unit, places) for unit in _round_to_units(values, places)]


def _round_to_units(values: Sequence[float], places: int) -> list[int]:
    """Return `round_together` in units of the last place."""
    exact = [Fraction(value) * 10**places for value in values]
    units = [math.floor(value) for value in exact]
    missing = round(sum(exact)) - sum(units)
    for i in sorted(range(len(units)), key=lambda i: units[i] - exact[i])[:missing]:
        units[i] += 1
    return units


def _decimal(units: int, places: int) -> Decimal:
    """Return units of the last place as a number, exact whatever the decimal context."""
    return Decimal(f"{units}E-{places}")


def _to_row(features: Any, width: int) -> NDArray[np.float32]:
    array = to_numeric(features, "features", FeaturesError)
    if array.shape not in ((width,), (1, width)):
        raise FeaturesError(f"one row of {width} features can be explained, got {describe(array)}")
    row = to_float32(array.reshape(1, width), "features", FeaturesError)
    if not np.isfinite(row).all():
        first = int(np.flatnonzero(~np.isfinite(row))[0])
        raise FeaturesError(f"features must be finite to be explained, got {row[0, first]} at [{first}]")
    return row


def _needed_places(logits: NDArray[np.float64], places: int) -> int:
    largest = float(np.abs(logits).max())
    return places if largest == 0 else max(places, places - 1 - math.floor(math.log10(largest)))


def _sum_up(
    weight: NDArray[np.float32], row: NDArray[np.float32], bias: float, terms: int, places: int
) -> tuple[tuple[Term, ...], Decimal, int, Decimal, Decimal, Decimal]:
    """Return the fields `terms` to `logit` of `ClassSteps`."""
    products = weight.astype(np.float64) * row  # exact: 24 + 24 bits fit the 53 of float64
    listed = np.sort(np.argsort(-np.abs(products), kind="stable")[:terms])
    others = np.delete(products, listed)
    units = _round_to_units([*products[listed], math.fsum(others), bias], places)
    *shown, rest, rounded_bias = (_decimal(unit, places) for unit in units)
    steps = tuple(
        Term(int(j), float(weight[j]), float(row[j]), product)
        for j, product in zip(listed, shown, strict=True)
    )
    total, logit = _decimal(sum(units[:-1]), places), _decimal(sum(units), places)
    return steps, rest, len(others), total, rounded_bias, logit


def _exponentials(
    scaled: NDArray[np.float64], listed: list[int], link: Link, places: int
) -> tuple[float, list[Decimal] | list[None], Decimal | None, Decimal | None]:
    """Return the shift, the rounded exponentials of the listed classes, that of all others, and the sum."""
    if link == "sigmoid":
        return 0.0, [None] * len(listed), None, None
    shift = float(scaled.max()) if np.abs(scaled).max() > _MODERATE else 0.0
    exponentials = np.exp(scaled - shift)
    others = math.fsum(np.delete(exponentials, listed))
    units = _round_to_units([*exponentials[listed], others], places)
    *rounded, rounded_others = (_decimal(unit, places) for unit in units)
    return shift, rounded, rounded_others, _decimal(sum(units), places)
