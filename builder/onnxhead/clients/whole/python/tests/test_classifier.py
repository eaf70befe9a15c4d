"""What is true of whole models alone."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from onnxhead_client import BundleError, Classifier, InputsError
from onnxhead_client.check import check
from onnxhead_client.vectors import make_call, read_cases


@pytest.fixture
def feeds(cases) -> dict:
    """The inputs of the first case."""
    return dict(cases[0]["inputs"])


@pytest.fixture
def name(classifier) -> str:
    """The name of the first input."""
    return classifier.inputs[0].name


def test_there_is_one_prediction_per_row(classifier, cases, feeds) -> None:
    predictions = classifier(feeds)
    assert len(predictions) == len(cases[0]["labels"])
    for prediction in predictions:
        assert prediction.logits.shape == prediction.probabilities.shape == (len(classifier.labels),)
        assert prediction.logits.dtype == prediction.probabilities.dtype == np.float32
        assert prediction.labels == classifier.labels


def test_one_input_may_come_alone(classifier, feeds) -> None:
    if len(feeds) == 1:
        (alone,) = feeds.values()
        assert np.array_equal(classifier(alone)[0].logits, classifier(feeds)[0].logits)
    else:
        with pytest.raises(InputsError, match="pass a dict with an array for each, got ndarray"):
            classifier(next(iter(feeds.values())))


def test_inputs_of_other_names_are_refused(classifier, feeds, name) -> None:
    with pytest.raises(InputsError, match=r"this model takes .*, and no 'another': leave it out"):
        classifier({**feeds, "another": 1})
    del feeds[name]
    with pytest.raises(InputsError, match=f"this model takes .*: pass an array for {name} too"):
        classifier(feeds)


def test_another_dtype_is_refused(classifier, feeds, name) -> None:
    wanted = feeds[name].dtype
    with pytest.raises(InputsError, match=rf"got complex128 .*numpy\.asarray\(array, numpy\.{wanted}\)"):
        classifier({**feeds, name: feeds[name].astype(complex)})
    with pytest.raises(InputsError, match=r"this model takes .*, this is no array .*: convert it"):
        classifier({**feeds, name: [[1], [1, 2]]})


def test_another_shape_is_refused(classifier, feeds, name) -> None:
    message = "this model takes .*, got .*: pass an array with as many axes"
    for wrong in (feeds[name][np.newaxis], feeds[name][..., :0]):
        with pytest.raises(InputsError, match=message):
            classifier({**feeds, name: wrong})
    for one in classifier.inputs:
        for place, axis in enumerate(one.shape):
            if axis is not None:
                wrong = np.concatenate([feeds[one.name], feeds[one.name]], axis=place)
                with pytest.raises(InputsError, match=message):
                    classifier({**feeds, one.name: wrong})


def test_arrays_in_another_order_of_bytes_and_axes_have_the_same_answers(classifier, feeds) -> None:
    strange = {name: np.asfortranarray(array) for name, array in feeds.items()}
    assert np.array_equal(classifier(strange)[0].logits, classifier(feeds)[0].logits)


class Broken:
    """A session that fails, or answers shapes that it must not."""

    def __init__(self, *answers: np.ndarray) -> None:
        self.answers = answers

    def run(self, *_: object) -> tuple[np.ndarray, ...]:
        if not self.answers:
            raise RuntimeError("no memory")
        return self.answers


def test_a_model_that_fails_or_answers_other_shapes_is_an_error(classifier, feeds, monkeypatch) -> None:
    classes = len(classifier.labels)
    right = np.zeros((1, classes), np.float32)
    monkeypatch.setattr(classifier, "_session", Broken())
    with pytest.raises(InputsError, match=r"the model must run on .*, onnxruntime fails \(no memory\): pass"):
        classifier(feeds)
    for wrong in ((right, right[:, :-1]), (right[0], right[0]), (right, np.zeros((2, classes), np.float32))):
        monkeypatch.setattr(classifier, "_session", Broken(*wrong))
        with pytest.raises(InputsError, match=rf"must be \[rows, {classes}\], the model answers \["):
            classifier(feeds)


def test_a_model_that_fails_fails_its_cases(classifier, cases, monkeypatch) -> None:
    monkeypatch.setattr(classifier, "_session", Broken())
    failed, _ = check(classifier, cases)
    assert all("onnxruntime fails (no memory)" in failed[case["name"]] for case in cases)


def test_several_threads_get_the_same_answers(classifier, feeds) -> None:
    alone = classifier(feeds)[0]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(classifier, [feeds] * 20))
    tolerance = 1e-5 * np.abs(alone.logits).max()
    assert all(np.allclose(answer[0].logits, alone.logits, rtol=0, atol=tolerance) for answer in answers)


def test_the_case_with_the_fewest_rows_is_timed(classifier, cases) -> None:
    _, rows = make_call(classifier, cases)
    assert rows == min(len(case["labels"]) for case in cases)


X = {"name": "x", "dtype": "float32", "shape": [None]}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "it states inputs without name, dtype and shape, or none"),
        (["pixels"], "it states inputs without name, dtype and shape"),
        ([{**X, "dtype": "complex64"}], "it states inputs without name, dtype and shape"),
        ([{**X, "shape": ["batch"]}], "it states inputs without name, dtype and shape"),
        ([{**X, "shape": [0]}], "it states inputs without name, dtype and shape"),
        ([X, X], "it states two inputs of one name"),
        ([X], r"the model must have the inputs and outputs of head\.json"),
    ],
)
def test_what_is_no_whole_model_is_refused(copy, inputs, message) -> None:
    description = json.loads((copy / "head.json").read_bytes())
    (copy / "head.json").write_text(json.dumps({**description, "inputs": inputs}))
    with pytest.raises(BundleError, match=f"{message}.*: copy the bundle again, as a whole"):
        Classifier(copy)


def test_a_bundle_of_a_head_alone_is_refused(copy) -> None:
    (copy / "head.json").write_text('{"format": "1", "inputs": ["features"]}')
    with pytest.raises(BundleError, match=r"of format 2, .* states 1: ship it again .* have one each"):
        Classifier(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "../secret.bin"}, "the file of an input is in a test_data_set"),
        ({"file": "test_data_set_0/../head.json"}, "the file of an input is in a test_data_set"),
        ({"file": "test_data_set_0/missing.bin"}, "a bundle must hold .*missing.bin, it cannot be read"),
        ({"shape": [1, 2, 3, 4, 5, 6, 7]}, "has not .* bytes"),
        ({"name": "another"}, "a case has the inputs of another model"),
        ({"dtype": 3.5}, "a case is malformed"),
    ],
)
def test_the_vectors_of_another_model_are_refused(copy, classifier, change, message) -> None:
    document = json.loads((copy / "vectors.json").read_bytes())
    document["cases"][0]["inputs"][0].update(change)
    (copy / "vectors.json").write_text(json.dumps(document))
    with pytest.raises(BundleError, match=message):
        read_cases(copy, classifier)


def test_a_case_without_rows_is_refused(copy, classifier) -> None:
    document = json.loads((copy / "vectors.json").read_bytes())
    document["cases"][0]["labels"] = []
    (copy / "vectors.json").write_text(json.dumps(document))
    with pytest.raises(BundleError, match="a case has no rows, or not an answer for each class"):
        read_cases(copy, classifier)
