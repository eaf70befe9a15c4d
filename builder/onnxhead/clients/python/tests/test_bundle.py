import json

import pytest

from onnxhead_client import BundleError, Classifier
from onnxhead_client.vectors import read_cases


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
        {"outputs": ["logits"]},
        {"labels": []},
        {"link": "probit"},
    ],
)
def test_what_is_no_bundle_is_refused(copy, change) -> None:
    description = json.loads((copy / "head.json").read_bytes())
    (copy / "head.json").write_text(json.dumps({**description, **change}))
    with pytest.raises(BundleError, match="copy the bundle again, as a whole"):
        Classifier(copy)


@pytest.mark.parametrize("name", ["head.json", "vectors.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_what_is_malformed_is_refused(copy, name, content) -> None:
    (copy / name).write_text(content)
    with pytest.raises(BundleError, match=rf"{name} must be as onnxhead ships it, it is not \("):
        read_cases(copy, Classifier(copy))


def test_another_format_is_refused_whatever_else_it_states(copy) -> None:
    (copy / "head.json").write_text('{"format": "9"}')
    with pytest.raises(BundleError, match=r"client reads bundles of format \d, .* states 9: ship it again"):
        Classifier(copy)


def test_a_folder_without_a_bundle_is_refused(tmp_path) -> None:
    with pytest.raises(BundleError, match=r"a bundle must have a head\.json, .* has none: name the bundle"):
        Classifier(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "vectors.json"])
def test_a_missing_file_is_refused(copy, name) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"a bundle must hold .*{name}, it cannot be read "):
        read_cases(copy, Classifier(copy))
