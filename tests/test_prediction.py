"""Labels, top k and rows without an answer."""

import numpy as np
import pytest

from onnxhead_runtime import Prediction

NAN = np.nan


def make(logits: list, probabilities: list, link: str = "softmax") -> Prediction:
    classes = ("a", 1, False)
    return Prediction(np.float32(logits), np.float32(probabilities), classes, link)


def test_the_label_is_the_one_with_the_largest_logit() -> None:
    # in float32 both probabilities have become 1: the logits still tell
    assert make([[100, 101, 0]], [[1, 1, 0]]).labels == [1]


def test_a_row_without_an_answer_has_no_label_and_no_top() -> None:
    prediction = make([[1, 2, 3], [NAN] * 3], [[0.1, 0.2, 0.7], [NAN] * 3])
    assert prediction.labels == [False, None]
    assert prediction.undefined_rows == [1]
    assert prediction.top(1) == [[(False, pytest.approx(0.7))], []]


def test_independent_labels_are_all_those_above_one_half() -> None:
    prediction = make(
        [[1, -1, 0.1], [-1, -1, -1], [NAN, 1, 1]], [[0.7, 0.3, 0.5]] * 2 + [[NAN] * 3], "sigmoid"
    )
    assert prediction.labels == [("a", False), (), None]


def test_top_gives_the_earlier_class_first_where_logits_are_equal() -> None:
    prediction = make([[2, 2, 1]], [[0.42, 0.42, 0.16]])
    assert [label for label, _ in prediction.top(2)[0]] == ["a", 1]


def test_top_of_more_than_there_are_gives_all() -> None:
    assert len(make([[1, 2, 3]], [[0.1, 0.2, 0.7]]).top(9)[0]) == 3


def test_top_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        make([[1, 2, 3]], [[0.1, 0.2, 0.7]]).top(0)


def test_no_rows_have_no_labels() -> None:
    prediction = Prediction(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32), (0, 1), "softmax")
    assert (prediction.labels, prediction.top(1), prediction.undefined_rows) == ([], [], [])
