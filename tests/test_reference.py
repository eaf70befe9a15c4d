"""The float64 answer and its bound: what is right passes, what is wrong does not."""

import numpy as np
import pytest

from onnxhead import Head, load, save
from onnxhead.reference import deviation, refer
from onnxhead_runtime import links

F = np.array([[0.5, 0.8, 1.2]], np.float32)


def test_the_worked_example(abc: Head) -> None:
    exact = refer(abc, F)
    assert exact.logits.round(6).tolist() == [[0.5, 0.34, 2.41]]
    assert exact.probabilities.round(3).tolist() == [[0.116, 0.099, 0.785]]


def test_the_bound_is_the_formula(abc: Head) -> None:
    exact = refer(abc, F)
    magnitude = np.abs(abc.weight.astype(float)) @ np.abs(F[0].astype(float)) + np.abs(abc.bias.astype(float))
    assert exact.logits_bound[0] == pytest.approx(16 * 2.0**-24 * magnitude, rel=1e-12)
    assert exact.probabilities_bound[0, 0] == pytest.approx(2 * exact.logits_bound.max() + 1e-6, rel=1e-12)


@pytest.mark.parametrize("features", [128, 768, 4096])
@pytest.mark.parametrize("batch", [1, 64])
def test_one_feature_that_outweighs_all_others_is_within_the_bound(features, batch, tmp_path) -> None:
    """Each one is added to a number so large that it is lost."""
    head = Head(np.ones((300, features)), np.zeros(300))
    rows = np.ones((batch, features), np.float32)
    rows[:, 0] = 2.0**24
    exact = refer(head, rows)
    for mmap in (True, False):
        path = save(head, tmp_path / "head.onnx").path
        found = deviation(load(path, device="cpu", mmap=mmap).logits(rows), exact.logits, exact.logits_bound)
        assert found.ratio <= 1
        assert found.error > 0 or features == 128


@pytest.mark.parametrize(
    "weight",
    [
        np.random.default_rng(0).standard_normal((10, 8192)) * np.r_[1e4, np.ones(8191)],
        np.abs(np.random.default_rng(1).standard_normal((10, 2048))) * np.r_[1e3, np.ones(2047)],
        np.random.default_rng(2).lognormal(0, 4, (10, 768)),
        np.random.default_rng(3).standard_cauchy((10, 2048)),
    ],
    ids=["one large column", "positive", "lognormal", "cauchy"],
)
def test_heads_of_unusual_weights_are_within_the_bound(weight, tmp_path) -> None:
    assert save(Head(weight, np.zeros(10)), tmp_path / "head.onnx").check.passed


def test_a_temperature_divides_the_bound_of_the_probabilities(random_head) -> None:
    bounds = [
        refer(random_head(features=3, temperature=t), F).probabilities_bound[0, 0] - 1e-6 for t in (1, 4)
    ]
    assert bounds[0] == pytest.approx(4 * bounds[1])


def test_the_answer_does_not_depend_on_the_block_size(random_head, monkeypatch) -> None:
    head = random_head(classes=7, features=3)
    whole = refer(head, F)
    monkeypatch.setattr("onnxhead.reference._BLOCK_VALUES", 6)
    blocks = refer(head, F)
    assert np.allclose(whole.logits, blocks.logits, rtol=1e-15)
    assert np.allclose(whole.logits_bound, blocks.logits_bound, rtol=1e-15)


def test_errors_within_and_beyond_the_bound_are_told_apart(abc: Head) -> None:
    exact = refer(abc, F)
    for factor, right in ((0.9, True), (1.1, False)):
        result = exact.logits + factor * exact.logits_bound
        assert (deviation(result, exact.logits, exact.logits_bound).ratio <= 1) is right


def test_nan_is_right_only_where_nan_is_expected() -> None:
    nan = np.array([[np.nan, 1.0]])
    assert deviation(np.float32(nan), nan, np.ones((1, 1))).error == 0
    assert deviation(np.float32([[1.0, 1.0]]), nan, np.ones((1, 1))).error == np.inf
    assert deviation(np.float32(nan), np.ones((1, 2)), np.ones((1, 1))).error == np.inf


def test_the_worst_element_is_the_one_that_uses_most_of_its_bound() -> None:
    worst = deviation(np.float32([[2.0, 0.5]]), np.zeros((1, 2)), np.array([[8.0, 1.0]]))
    assert (worst.error, worst.bound, worst.ratio) == (0.5, 1.0, 0.5)


def test_one_vs_rest_is_the_normalised_sigmoid_and_does_not_underflow() -> None:
    z = np.array([[1.0, -2.0, 0.5]])
    sigmoid = 1 / (1 + np.exp(-z))
    assert links.probabilities(z, "ovr") == pytest.approx(sigmoid / sigmoid.sum())
    far = links.probabilities(np.array([[-800.0, -801.0]]), "ovr")
    assert far == pytest.approx(links.probabilities(np.array([[1.0, 0.0]]), "softmax"))


def test_links_do_not_overflow() -> None:
    for link in ("softmax", "sigmoid", "ovr"):
        assert np.isfinite(links.probabilities(np.array([[1e4, -1e4]]), link)).all()
