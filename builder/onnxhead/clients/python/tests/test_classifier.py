"""What is true of heads alone."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from onnxhead_client import BundleError, Classifier, FeaturesError
from onnxhead_client.vectors import read_cases


def test_the_vectors_have_enough_rows(cases) -> None:
    assert sum(len(case["features"]) for case in cases) >= 16


def test_no_rows_have_no_answers(classifier) -> None:
    assert classifier.classify_batch([]) == []
    assert classifier.classify_batch(np.empty((0, classifier.features))) == []


def test_a_row_with_nan_has_no_label_and_others_have(classifier) -> None:
    rows = np.zeros((2, classifier.features), np.float32)
    rows[0, 0] = np.nan
    undefined, defined = classifier.classify_batch(rows)
    assert (undefined.label, undefined.above(-1), undefined.top(3)) == (None, [], [])
    assert defined.label in classifier.labels


def test_another_width_is_refused(classifier) -> None:
    message = rf"a row must have {classifier.features} features, .*: pass those that the head was trained on"
    with pytest.raises(FeaturesError, match=message):
        classifier.classify(np.zeros(classifier.features + 1))
    with pytest.raises(FeaturesError, match="features must be rows of numbers"):
        classifier.classify(["many"] * classifier.features)


def test_several_threads_get_the_same_answers(classifier, cases) -> None:
    row = cases[0]["features"][0]
    alone = classifier.classify(row)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(classifier.classify, [row] * 200))
    assert all(np.array_equal(answer.logits, alone.logits) for answer in answers)


def test_the_vectors_of_another_head_are_refused(copy, classifier, cases) -> None:
    wide = [{**case, "features": [[*row, 0] for row in case["features"]]} for case in cases]
    (copy / "vectors.json").write_text(json.dumps({"cases": wide}))
    with pytest.raises(BundleError, match="a case has rows of another width"):
        read_cases(copy, classifier)


@pytest.mark.parametrize("change", [{"inputs": []}, {"features": 99999}, {"features": "3"}])
def test_what_is_no_head_is_refused(copy, change) -> None:
    description = json.loads((copy / "head.json").read_bytes())
    (copy / "head.json").write_text(json.dumps({**description, **change}))
    with pytest.raises(BundleError, match="copy the bundle again, as a whole"):
        Classifier(copy)


def test_a_bundle_of_a_model_with_a_backbone_is_refused(copy) -> None:
    (copy / "head.json").write_text('{"format": "2", "inputs": [{"name": "pixels"}]}')
    with pytest.raises(BundleError, match=r"of format 1, .* states 2: ship it again .* have one each"):
        Classifier(copy)
