import numpy as np
import pytest

from onnxhead_client import Prediction

LABELS = ["a", 1, True]


def predict(logits: list[float], probabilities: list[float]) -> Prediction:
    return Prediction(np.array(logits, np.float32), np.array(probabilities, np.float32), LABELS)


def test_the_label_is_that_of_the_largest_logit_the_first_of_equal_ones() -> None:
    assert predict([-3, -1, -2], [0.125, 0.625, 0.25]).label == 1
    assert predict([-1, 2, 2], [0, 0.5, 0.5]).label == 1


def test_the_top_labels_are_in_order_the_earlier_first_where_they_are_equal() -> None:
    prediction = predict([1, 5, 5], [0.25, 0.5, 0.5])
    assert prediction.top(2) == [(1, 0.5), (True, 0.5)]
    assert prediction.top(9) == [(1, 0.5), (True, 0.5), ("a", 0.25)]
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        prediction.top(0)


def test_labels_above_a_threshold_are_in_the_order_of_the_classes() -> None:
    prediction = predict([2, 0, 3], [0.75, 0.5, 0.875])
    assert prediction.above(0.5) == ["a", True]
    assert prediction.above(-1) == LABELS
    assert prediction.above(1) == []


def test_a_probability_that_is_nan_leaves_no_label() -> None:
    prediction = predict([1, 2, 3], [0.5, float("nan"), 0.5])
    assert (prediction.label, prediction.above(-1), prediction.top(3)) == (None, [], [])
