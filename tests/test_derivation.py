"""The derivation's steps: they add up, and they are the article's."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import onnxhead
from onnxhead.derivation import explain, round_together
from onnxhead.display import derivation_lines
from onnxhead.reference import refer
from onnxhead_runtime.errors import FeaturesError

F = [0.5, 0.8, 1.2]


def test_the_article(abc) -> None:
    derivation = explain(abc, F)
    assert [[str(t.product) for t in steps.terms] for steps in derivation.classes] == [
        ["0.500", "-0.800", "0.600"],
        ["0.400", "0.400", "-0.360"],
        ["-0.250", "0.960", "1.200"],
    ]
    assert [str(steps.total) for steps in derivation.classes] == ["0.300", "0.440", "1.910"]
    assert [str(steps.bias) for steps in derivation.classes] == ["0.200", "-0.100", "0.500"]
    assert [str(steps.logit) for steps in derivation.classes] == ["0.500", "0.340", "2.410"]
    assert [str(steps.exponential) for steps in derivation.classes] == ["1.649", "1.405", "11.134"]
    assert str(derivation.exponential_sum) == "14.188"
    assert [round(steps.probability, 3) for steps in derivation.classes] == [0.116, 0.099, 0.785]
    assert derivation.decision == "C"


@given(
    values=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30),
    places=st.integers(0, 6),
)
def test_rounded_terms_add_up_and_are_within_one_unit(values, places) -> None:
    rounded = round_together(values, places)
    unit = Decimal(1).scaleb(-places)
    assert all(abs(r - Decimal(v)) < unit for r, v in zip(rounded, values, strict=True))
    assert abs(sum(rounded) - sum(map(Decimal, values))) <= unit / 2
    assert all(-r.as_tuple().exponent == places for r in rounded)


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "ovr"])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 300.0])
def test_the_steps_add_up_for_any_head(random_head, link, scale) -> None:
    head = random_head(classes=30, features=50, link=link, temperature=1.5)
    row = np.random.default_rng(3).normal(size=50) * scale
    derivation = explain(head, row, terms=6, classes=4)
    exact = refer(head, np.float32(row[np.newaxis]))
    best = sorted(np.argsort(-exact.logits[0])[:4])
    assert [steps.label for steps in derivation.classes] == best
    assert derivation.other_classes == 26
    for i, steps in zip(best, derivation.classes, strict=True):
        products = head.weight[i].astype(float) * np.float32(row)
        assert len(steps.terms) == 6
        assert steps.rest_count == 44
        largest = np.argsort(-np.abs(products))[:6]
        assert {term.feature for term in steps.terms} == set(largest.tolist())
        assert sum(term.product for term in steps.terms) + steps.rest == steps.total
        assert steps.total + steps.bias == steps.logit
        unit = 10.0 ** steps.logit.as_tuple().exponent
        assert float(steps.logit) == pytest.approx(exact.logits[0, i], abs=0.51 * unit)
        assert steps.probability == exact.probabilities[0, i]
    if link == "sigmoid":
        assert derivation.exponential_sum is derivation.other_exponentials is None
    else:
        listed = sum(steps.exponential for steps in derivation.classes)
        assert listed + derivation.other_exponentials == derivation.exponential_sum


@pytest.mark.parametrize("scale", [1e12, 1e20, 1e30])
def test_the_steps_of_huge_numbers_add_up_whatever_the_decimal_context(random_head, scale) -> None:
    head = onnxhead.Head(random_head(classes=5, features=6).weight * np.float32(scale), np.full(5, 0.5))
    with localcontext(prec=3):
        derivation = explain(head, np.full(6, 1.1), terms=4)
    with localcontext(prec=200):
        for steps in derivation.classes:
            assert sum(term.product for term in steps.terms) + steps.rest == steps.total
            assert steps.total + steps.bias == steps.logit
        assert list(derivation_lines(derivation))[-1] == f"decision: {derivation.decision}"


def test_small_logits_are_given_more_places() -> None:
    head = onnxhead.Head(np.eye(2) * 1e-6, np.zeros(2))
    assert str(explain(head, [1.0, 2.0]).classes[1].logit) == "0.00000200"


def test_large_logits_are_shifted_before_exp() -> None:
    derivation = explain(onnxhead.Head(np.eye(2) * 1000, np.zeros(2)), [1.0, 0.999])
    assert derivation.shift == 1000
    assert derivation.exponential_sum == sum(steps.exponential for steps in derivation.classes)
    assert [round(steps.probability, 3) for steps in derivation.classes] == [0.731, 0.269]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([1.0, 2.0], r"one row of 3 features can be explained, got shape \(2,\)"),
        (np.ones((2, 3)), r"one row of 3 features can be explained, got shape \(2, 3\)"),
        ([1.0, np.nan, 2.0], r"features must be finite to be explained, got nan at \[1\]"),
        ([np.inf, 1.0, 2.0], r"features must be finite to be explained, got inf at \[0\]"),
    ],
)
def test_what_is_not_one_finite_row_is_refused(abc, features, message) -> None:
    with pytest.raises(FeaturesError, match=message):
        explain(abc, features)
