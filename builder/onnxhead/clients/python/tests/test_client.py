"""The client on the bundle beside it, whatever head that holds."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from onnxhead_client import BundleError, Classifier, FeaturesError
from onnxhead_client.check import check, read_cases

BUNDLE = Path(__file__).parents[1] / "bundle"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(BUNDLE)


@pytest.fixture(scope="module")
def cases(classifier) -> list[dict]:
    return read_cases(BUNDLE, classifier)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))


def test_every_vector_is_within_its_tolerance(classifier, cases) -> None:
    failed, largest = check(classifier, cases)
    assert failed == {}
    assert largest <= 1
    assert sum(len(case["features"]) for case in cases) >= 16


def test_a_vector_that_is_wrong_fails(classifier, cases) -> None:
    case = json.loads(json.dumps(cases[0]))
    case["logits"][0][0] += 2 * case["logits_tolerance"][0][0]
    failed, largest = check(classifier, [case])
    assert failed[case["name"]].startswith("logit of row 0, class 0 is")
    assert largest > 1


def test_no_rows_have_no_answers(classifier) -> None:
    assert classifier.classify_batch([]) == []
    assert classifier.classify_batch(np.empty((0, classifier.features))) == []


def test_the_top_labels_are_in_order(classifier, cases) -> None:
    prediction = classifier.classify(cases[0]["features"][0])
    top = prediction.top(len(classifier.labels) + 1)
    assert top[0][0] == prediction.label
    assert {label for label, _ in top} == set(classifier.labels)
    assert [probability for _, probability in top] == sorted(prediction.probabilities, reverse=True)
    assert prediction.top(1) == top[:1]
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        prediction.top(0)


def test_labels_above_a_threshold_are_in_the_order_of_the_classes(classifier, cases) -> None:
    prediction = classifier.classify(cases[0]["features"][0])
    assert prediction.above(-1) == classifier.labels
    assert prediction.above(1) == []


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


def test_a_changed_model_is_refused(copy) -> None:
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleError, match=r"model\.onnx must be the file that was shipped"):
        Classifier(copy)


def test_other_labels_are_refused(copy) -> None:
    description = json.loads((copy / "head.json").read_bytes())
    description["labels"] = [*description["labels"][1:], f"not {description['labels'][0]}"]
    (copy / "head.json").write_text(json.dumps(description))
    with pytest.raises(BundleError, match=r"the labels in head\.json must be those in the model"):
        Classifier(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"model": 3},
        {"model": "other.onnx"},
        {"sha256": {"model.onnx": "", "../secret": ""}},
        {"inputs": []},
        {"labels": []},
        {"link": "probit"},
        {"features": 99999},
    ],
)
def test_what_is_no_bundle_is_refused(copy, change) -> None:
    description = json.loads((copy / "head.json").read_bytes())
    (copy / "head.json").write_text(json.dumps({**description, **change}))
    with pytest.raises(BundleError, match="copy the bundle again, as a whole"):
        Classifier(copy)


@pytest.mark.parametrize("name", ["head.json", "vectors.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_what_is_malformed_is_refused(copy, classifier, name, content) -> None:
    (copy / name).write_text(content)
    with pytest.raises(BundleError, match=rf"{name} must be as onnxhead ships it, it is not \("):
        read_cases(copy, Classifier(copy))


def test_another_format_is_refused_whatever_else_it_states(copy) -> None:
    (copy / "head.json").write_text('{"format": "2"}')
    with pytest.raises(BundleError, match=r"client reads bundles of format 1, .* states 2: ship it again"):
        Classifier(copy)


def test_the_vectors_of_another_head_are_refused(copy, classifier, cases) -> None:
    wide = [{**case, "features": [[*row, 0] for row in case["features"]]} for case in cases]
    (copy / "vectors.json").write_text(json.dumps({"cases": wide}))
    with pytest.raises(BundleError, match="a case has rows of another width"):
        read_cases(copy, classifier)


def test_a_folder_without_a_bundle_is_refused(tmp_path) -> None:
    with pytest.raises(BundleError, match=r"a bundle must have a head\.json, .* has none: name the bundle"):
        Classifier(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "vectors.json"])
def test_a_missing_file_is_refused(copy, name) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"a bundle must hold .*{name}, it cannot be read "):
        read_cases(copy, Classifier(copy))
