"""The features of a network are those that a head attached to it gets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import networks
import numpy as np
import pytest
from onnx import helper

import onnxhead
from onnxhead.features import features
from onnxhead_runtime.errors import FeaturesError, ModelError


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("texts", {"pool": "mean"}),
        ("texts", {"pool": "mean", "normalize": True}),
        ("texts", {"pool": "cls"}),
        ("pictures", {"at": "map", "pool": "mean"}),
        ("two inputs", {}),
        ("half", {}),
    ],
)
def test_a_head_of_the_identity_answers_with_the_features(name, options, tmp_path) -> None:
    network, feeds = networks.save(name, tmp_path), networks.inputs(name, 70)
    found = features(network, feeds, **options)
    assert found.dtype == np.float32
    assert found.shape == (70, 4)
    identity = onnxhead.Head(np.eye(4), np.zeros(4))
    onnxhead.attach(network, identity, tmp_path / "whole.onnx", **options)
    logits = onnxhead.load(tmp_path / "whole.onnx", device="cpu")(feeds).logits
    np.testing.assert_allclose(found, logits, atol=2e-3 if name == "half" else 2e-6)
    np.testing.assert_allclose(
        features(tmp_path / "whole.onnx", feeds), found, atol=2e-3 if name == "half" else 2e-6
    )


def test_a_fixed_batch_and_an_input_without_rows_are_run_at_once(tmp_path) -> None:
    feeds = networks.inputs("fixed batch", 2)
    network = networks.save("fixed batch", tmp_path)
    np.testing.assert_allclose(features(network, feeds), networks.run(network, feeds), atol=1e-6)
    feeds = networks.inputs("branches", 50)
    network = networks.save("branches", tmp_path)
    np.testing.assert_allclose(features(network, feeds), networks.run(network, feeds), atol=1e-6)


def test_what_gives_no_features_is_refused(tmp_path) -> None:
    texts, feeds = networks.save("texts", tmp_path), networks.inputs("texts")
    with pytest.raises(
        ModelError, match=r"a head takes an output \[batch, F\], texts\.onnx has none; tokens becomes so"
    ):
        features(texts, feeds)
    with pytest.raises(ModelError, match="pool must be one of"):
        features(texts, feeds, pool="max")
    with pytest.raises(FeaturesError, match="attention_mask is missing"):
        features(texts, {"input_ids": feeds["input_ids"]}, pool="mean")
    with pytest.raises(FeaturesError, match="features are those of at least one row"):
        features(texts, {name: value[:0] for name, value in feeds.items()}, pool="mean")
    model = networks.make("two inputs")
    model.graph.node.append(helper.make_node("Exp", ["hidden"], ["other"]))
    model.graph.output.append(helper.make_tensor_value_info("other", 1, ["N", 4]))
    (tmp_path / "several.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="has several: hidden, other"):
        features(tmp_path / "several.onnx", networks.inputs("two inputs"))


def test_the_command_writes_what_calibrate_reads(tmp_path, command, random_head) -> None:
    networks.save("texts", tmp_path)
    feeds = networks.inputs("texts", 60)
    np.savez(tmp_path / "rows.npz", **feeds)
    command("features", "texts.onnx", "rows.npz", "-o", "features.npy", "--pool", "mean", "--quiet")
    rows = np.load(tmp_path / "features.npy")
    done = command("features", "texts.onnx", "rows.npz", "-o", "again.npy", "--pool", "mean", "--json")
    assert json.loads(done.stdout) == {"output": "again.npy", "rows": 60, "features": 4}
    head = random_head(3, 4)
    onnxhead.attach(tmp_path / "texts.onnx", head, tmp_path / "whole.onnx", pool="mean")
    labels = (rows @ head.weight.T + head.bias).argmax(axis=1)
    np.save(tmp_path / "labels.npy", np.concatenate([labels[:50], (labels[50:] + 1) % 3]))
    done = command("calibrate", "whole.onnx", "features.npy", "labels.npy", "-o", "calibrated.onnx")
    assert "this is the head alone: onnxhead attach whole.onnx calibrated.onnx -o" in done.stderr
    command("attach", "whole.onnx", "calibrated.onnx", "-o", "again.onnx")
    assert (
        "features go to a .npy file"
        in command("features", "texts.onnx", "rows.npz", "-o", "f.csv", status=2).stderr
    )


def test_inputs_are_not_replaced_by_their_features(tmp_path, command) -> None:
    networks.save("older", tmp_path)
    np.save(tmp_path / "x.npy", networks.inputs("older")["x"])
    before = (tmp_path / "x.npy").read_bytes()
    done = command("features", "older.onnx", "x.npy", "-o", f"../{tmp_path.name}/x.npy", status=2)
    assert "features must not replace the inputs that they are of" in done.stderr
    assert (tmp_path / "x.npy").read_bytes() == before


def test_inputs_that_are_no_utf8_are_refused(tmp_path) -> None:
    networks.save("older", tmp_path)
    env = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    program = [Path(sys.executable).with_name("onnxhead"), "features", "older.onnx", "-", "-o", "f.npy"]
    done = subprocess.run(program, cwd=tmp_path, input=b"\xff", capture_output=True, env=env)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: standard input must be JSON in UTF-8")
