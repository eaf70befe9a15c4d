"""Heads from folders of Hugging Face's transformers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import onnxhead
from onnxhead.reference import refer
from onnxhead_runtime.errors import SourceError

FIXTURES = Path(__file__).parent / "fixtures"
EXPECTED = np.load(FIXTURES / "torch" / "digits_expected.npz")
LABELS = tuple(f"digit {number}" for number in range(10))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "huggingface" / "bert_like", tmp_path / "model"))


def change(folder: Path, **values: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("name", "link", "weight"),
    [
        ("bert_like", "softmax", "classifier.weight (10, 64) float32, classifier.bias (10,) float32"),
        ("vit_sharded", "softmax", "classifier.weight (10, 64) float32, classifier.bias (10,) float32"),
        ("multilabel", "sigmoid", "classifier.weight (10, 64) float32, classifier.bias (10,) float32"),
        ("llama_like_score_no_bias", "softmax", "score.weight (10, 64) float32, no bias"),
    ],
)
def test_a_folder_gives_weights_labels_and_link(name: str, link: str, weight: str) -> None:
    head = onnxhead.read(FIXTURES / "huggingface" / name)
    assert np.array_equal(head.weight, EXPECTED["weight"])
    assert np.array_equal(head.bias, np.zeros(10) if "no_bias" in name else EXPECTED["bias"])
    assert (head.labels, head.link) == (LABELS, link)
    assert head.origin.startswith(f"{name}: {weight}")
    exact = EXPECTED["logits"] - (EXPECTED["bias"] if "no_bias" in name else 0)
    assert np.abs(refer(head, EXPECTED["features"]).logits - exact).max() < 1e-12


def test_the_head_of_roberta_has_two_layers() -> None:
    source = FIXTURES / "huggingface" / "roberta_two_layer_head"
    with pytest.raises(
        SourceError, match="has a hidden layer classifier.dense.weight before classifier.out_proj.weight"
    ):
        onnxhead.read(source)
    head = onnxhead.read(source, weight_key="classifier.out_proj.weight")
    assert np.array_equal(head.weight, EXPECTED["weight"])


def test_weights_of_torch_in_a_folder(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    shutil.copy(FIXTURES / "torch" / "digits_state_dict.pt", folder / "pytorch_model.bin")
    head = onnxhead.read(folder)
    assert np.array_equal(head.weight, EXPECTED["weight"])
    assert head.labels == LABELS


def test_labels_are_in_the_order_of_their_numbers(folder: Path) -> None:
    change(folder, id2label={str(number): f"digit {number}" for number in reversed(range(10))})
    assert onnxhead.read(folder).labels == LABELS


def test_a_folder_on_the_command_line(folder: Path, command) -> None:
    done = command("build", folder)
    assert "models/model.onnx" in done.stdout
    assert "digit 0, digit 1" in command("inspect", "models/model.onnx").stdout


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"problem_type": "regression"},
            "states problem_type 'regression' and 10 labels, which transformers takes",
        ),
        ({"problem_type": None, "id2label": {"0": "x"}}, "states problem_type None and 1 labels, which"),
        ({"id2label": {"1": "a", "2": "b"}}, "config.json: id2label must number the labels from 0"),
        ({"id2label": ["a", "b"]}, "config.json: id2label must number the labels from 0"),
        ({"problem_type": ["x"]}, "states problem_type"),
        (
            {"architectures": ["BertModel"]},
            "states the architecture BertModel: name the weight of its last layer",
        ),
        ({"architectures": ["BertForMultipleChoice"]}, "states the architecture BertForMultipleChoice"),
    ],
)
def test_what_is_no_classifier_is_refused(folder: Path, values: dict, message: str) -> None:
    change(folder, **values)
    with pytest.raises(SourceError, match=message):
        onnxhead.read(folder)


def write_weights(folder: Path, **shapes: tuple[int, ...]) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {name.replace("__", "."): np.ones(shape, np.float32) for name, shape in shapes.items()}
    safetensors.save_file(arrays, folder / "model.safetensors")


def test_biases_of_other_layers_are_not_the_heads(folder: Path) -> None:
    write_weights(
        folder, score__weight=(10, 4), h__weight=(4, 4), h__bias=(4,), ln__weight=(10,), ln__bias=(10,)
    )
    assert onnxhead.read(folder).origin.startswith("model: score.weight (10, 4) float32, no bias")
    write_weights(folder, score__weight=(10, 4), score_bias=(10,))
    with pytest.raises(
        SourceError, match="a head must have a bias, model holds no score.bias for score.weight: it has"
    ):
        onnxhead.read(folder)
    assert onnxhead.read(folder, bias_key="score_bias").bias.all()


def test_the_weight_with_a_row_per_label_is_suggested(folder: Path) -> None:
    write_weights(folder, proj__weight=(10, 4), proj__bias=(10,), summary__weight=(4, 4), summary__bias=(4,))
    with pytest.raises(SourceError, match="usually the last layer's: proj.weight"):
        onnxhead.read(folder)


def test_folders_that_are_incomplete_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        SourceError, match="a folder must hold model.safetensors or pytorch_model.bin, or its index"
    ):
        onnxhead.read(folder)
    (folder / "config.json").unlink()
    with pytest.raises(
        SourceError, match="a folder must be a Hugging Face model with config.json, .* has none"
    ):
        onnxhead.read(folder)
    (folder / "config.json").write_text("[")
    with pytest.raises(SourceError, match="model/config.json must be JSON"):
        onnxhead.read(folder)
    (folder / "config.json").write_text("[]")
    with pytest.raises(SourceError, match="model/config.json must be a JSON object, got a list"):
        onnxhead.read(folder)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (
            {"a": "../bert_like/model.safetensors"},
            "must name files in its folder, got '../bert_like/model.saf",
        ),
        ({"a": "/etc/hostname"}, "must name files in its folder, got '/etc/hostname'"),
        ({"a": 3}, "must name files in its folder, got 3"),
        ({"a": "missing.safetensors"}, "names missing.safetensors, which is not there: copy all parts"),
        ({}, "must have a weight_map of keys to files"),
        ([], "must have a weight_map of keys to files"),
    ],
)
def test_an_index_names_files_of_its_folder(folder: Path, places: object, message: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(SourceError, match=message):
        onnxhead.read(folder)
