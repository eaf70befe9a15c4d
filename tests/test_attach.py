"""A head on its backbone: one file whose answers are those of both run apart."""

import json
import os
import pickle
import threading

import networks
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxhead
from onnxhead import whole_storage
from onnxhead.calibration import calibrate
from onnxhead.derivation import explain
from onnxhead.graph import compose
from onnxhead.model import open_whole
from onnxhead.pooling import Pooling, pool_rows
from onnxhead.summary import inspect
from onnxhead_runtime import links
from onnxhead_runtime.errors import (
    FeaturesError,
    HeadError,
    ModelError,
    ProviderError,
    VerificationError,
    WriteError,
)
from onnxhead_runtime.scoring import score

LABELS = ["red", "green", "blue"]


@pytest.fixture
def head(random_head) -> onnxhead.Head:
    return random_head(3, networks.FEATURES, labels=LABELS, temperature=1.5)


def expected_logits(head: onnxhead.Head, features: np.ndarray) -> np.ndarray:
    return features.astype(np.float64) @ head.weight.T.astype(np.float64) + head.bias


def assert_answers(path, head: onnxhead.Head, feeds: dict, features: np.ndarray, atol: float = 2e-6) -> None:
    prediction = onnxhead.load(path, device="cpu")(feeds)
    logits = expected_logits(head, features)
    np.testing.assert_allclose(prediction.logits, logits, atol=atol, rtol=2e-6)
    probabilities = links.probabilities(logits, head.link, head.temperature)
    np.testing.assert_allclose(prediction.probabilities, probabilities, atol=max(atol, 1e-5))
    assert prediction.labels == [LABELS[i] for i in logits.argmax(axis=1)]


@pytest.mark.parametrize("name", ["two inputs", "branches", "older", "fixed batch"])
def test_the_answers_are_those_of_backbone_and_head_run_apart(name, head, tmp_path) -> None:
    backbone = networks.save(name, tmp_path)
    report = onnxhead.attach(backbone, head, tmp_path / "whole.onnx")
    assert report.check.passed
    for seed in (1, 2):
        feeds = networks.inputs(name, 2, seed)
        assert_answers(report.path, head, feeds, networks.run(backbone, feeds))
    assert onnxhead.verify(report.path).findings == []
    assert onnxhead.verify(report.path, sample=feeds).check.rows == 2


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "ovr"])
def test_a_picture_model_whose_names_are_the_heads_own(link, random_head, tmp_path) -> None:
    head = random_head(3, networks.FEATURES, labels=LABELS, link=link, temperature=0.7)
    backbone = networks.save("pictures", tmp_path)
    onnxhead.attach(backbone, head, tmp_path / "whole.onnx", at="hidden")
    feeds = networks.inputs("pictures")
    logits = expected_logits(head, networks.run(backbone, feeds, "hidden"))
    prediction = onnxhead.load(tmp_path / "whole.onnx", device="cpu")(feeds)
    np.testing.assert_allclose(prediction.logits, logits, atol=2e-6)
    np.testing.assert_allclose(
        prediction.probabilities, links.probabilities(logits, link, 0.7), atol=2e-6, rtol=0
    )
    onnx.checker.check_model(onnx.load(tmp_path / "whole.onnx"), full_check=True)


@pytest.mark.parametrize("opset", [7, 9, 11, 12, 13, 18, 21])
@pytest.mark.parametrize("pool", ["mean", None])
def test_the_head_is_composed_at_the_opset_of_the_backbone(opset, pool, head, tmp_path) -> None:
    axes = ["N", 3, 4] if pool else ["N", 4]
    values = [helper.make_tensor_value_info(name, 1, axes) for name in ("x", "hidden")]
    graph = helper.make_graph([helper.make_node("Tanh", ["x"], ["hidden"])], "net", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.save(model, tmp_path / "backbone.onnx")
    report = onnxhead.attach(
        tmp_path / "backbone.onnx", head, tmp_path / "whole.onnx", pool=pool, normalize=pool is not None
    )
    assert (report.opset, report.ir_version) == (opset, 8)
    whole = onnx.load(report.path)
    assert [(one.domain, one.version) for one in whole.opset_import] == [("", opset)]
    softmax = next(node for node in whole.graph.node if node.op_type == "Softmax")
    assert softmax.attribute[0].i == (-1 if opset >= 13 else 1)
    x = np.random.default_rng(0).standard_normal((2, *([3] if pool else []), 4)).astype(np.float32)
    features = pool_rows(Pooling(pool, pool is not None), np.tanh(x), None)
    assert_answers(report.path, head, {"x": x}, features)
    onnx.checker.check_model(whole, full_check=True)


@pytest.mark.parametrize("opset", [5, 27])
def test_an_opset_at_which_no_head_is_composed_is_refused(opset, head, tmp_path) -> None:
    model = networks.make("older")
    model.opset_import[0].version = opset
    onnx.save(model, tmp_path / "backbone.onnx")
    with pytest.raises(ModelError, match=rf"at the opset of its backbone, 7 to 26, .* has opset {opset} and"):
        onnxhead.attach(tmp_path / "backbone.onnx", head, tmp_path / "whole.onnx")
    assert not (tmp_path / "whole.onnx").exists()


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pool", ["mean", "cls"])
def test_texts_are_pooled_as_they_are_by_hand(pool, normalize, head, tmp_path) -> None:
    backbone = networks.save("texts", tmp_path)
    report = onnxhead.attach(backbone, head, tmp_path / "whole.onnx", pool=pool, normalize=normalize)
    assert report.pooling == Pooling(pool, normalize, "attention_mask" if pool == "mean" else None)
    feeds = networks.inputs("texts", 5)
    tokens = networks.run(backbone, feeds)
    if pool == "cls":
        features = tokens[:, 0]
    else:
        features = np.stack(
            [row[mask == 1].mean(axis=0) for row, mask in zip(tokens, feeds["attention_mask"], strict=True)]
        )
    if normalize:
        features = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert_answers(report.path, head, feeds, features)


def test_padding_alone_gives_features_of_zero(head, tmp_path) -> None:
    onnxhead.attach(
        networks.save("texts", tmp_path), head, tmp_path / "whole.onnx", pool="mean", normalize=True
    )
    feeds = {"input_ids": np.zeros((1, 3), np.int64), "attention_mask": np.zeros((1, 3), np.int64)}
    assert_answers(tmp_path / "whole.onnx", head, feeds, np.zeros((1, 4)))


def test_places_are_averaged_and_flattened(random_head, tmp_path) -> None:
    backbone = networks.save("pictures", tmp_path)
    feeds = networks.inputs("pictures")
    places = networks.run(backbone, feeds, "map")
    wide = random_head(3, 4 * 35, labels=LABELS)
    for pool, head, features in (
        ("mean", random_head(3, 4, labels=LABELS), places.mean(axis=(2, 3))),
        ("flatten", wide, places.reshape(3, -1)),
    ):
        report = onnxhead.attach(backbone, head, tmp_path / f"{pool}.onnx", at="map", pool=pool, sample=feeds)
        assert_answers(report.path, head, feeds, features, atol=5e-5)


def test_half_precision_is_cast_and_has_its_own_bound(head, tmp_path) -> None:
    backbone = networks.save("half", tmp_path)
    report = onnxhead.attach(backbone, head, tmp_path / "whole.onnx")
    feeds = networks.inputs("half")
    assert report.inputs[0].dtype == "float16"
    # onnxruntime computes float16 in float32 on a CPU, and leaves out the rounding that a cast undoes
    assert_answers(report.path, head, feeds, networks.run(backbone, feeds), atol=2e-3)


def test_operators_of_other_domains_and_functions_stay(head, tmp_path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1, "own": 1]>
        network (float[N, 4] x) => (float[N, 4] hidden) { g = com.microsoft.Gelu (x) hidden = own.twice (g) }
        <domain: "own", opset_import: ["": 17]> twice (a) => (b) { b = Add (a, a) }""")
    onnx.save(model, tmp_path / "backbone.onnx")
    onnxhead.attach(tmp_path / "backbone.onnx", head, tmp_path / "whole.onnx")
    x = np.random.default_rng(0).standard_normal((2, 4)).astype(np.float32)
    features = networks.run(tmp_path / "backbone.onnx", {"x": x})
    assert_answers(tmp_path / "whole.onnx", head, {"x": x}, features)


def test_what_the_head_does_not_need_is_left_out(head, tmp_path) -> None:
    model = networks.make("two inputs")
    model.graph.input.append(helper.make_tensor_value_info("unused", 1, ["N"]))
    model.graph.node.append(helper.make_node("Shape", ["hidden"], ["other"]))
    model.graph.output.append(helper.make_tensor_value_info("other", 7, [2]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "waste"))
    model.metadata_props.add(key="author", value="somebody")
    onnx.save(model, tmp_path / "backbone.onnx")
    report = onnxhead.attach(tmp_path / "backbone.onnx", head, tmp_path / "whole.onnx")
    assert report.left_out == ("hidden", "other")
    whole = onnx.load(report.path)
    assert [value.name for value in whole.graph.input] == ["x", "flags"]
    assert [value.name for value in whole.graph.output] == ["logits", "probabilities"]
    assert "waste" not in {tensor.name for tensor in whole.graph.initializer}
    assert "Shape" not in {node.op_type for node in whole.graph.node}
    props = {prop.key: prop.value for prop in whole.metadata_props}
    assert props["author"] == "somebody"
    assert json.loads(props["onnxhead.labels"]) == LABELS


def test_initializers_that_are_inputs_too_are_no_inputs_of_the_model(head, tmp_path) -> None:
    model = networks.make("older")
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, 1, tensor.dims))
    onnx.save(model, tmp_path / "backbone.onnx")
    report = onnxhead.attach(tmp_path / "backbone.onnx", head, tmp_path / "whole.onnx")
    assert [one.name for one in report.inputs] == ["x"]
    assert report.ir_version == 4
    feeds = networks.inputs("older")
    assert_answers(report.path, head, feeds, networks.run(tmp_path / "backbone.onnx", feeds))


def test_the_same_parts_give_the_same_bytes(head, tmp_path) -> None:
    backbone = networks.save("pictures", tmp_path)
    for name in ("one", "two"):
        onnxhead.attach(backbone, head, tmp_path / f"{name}.onnx", at="hidden")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_another_head_takes_the_place_of_the_first(head, random_head, tmp_path) -> None:
    backbone = networks.save("two inputs", tmp_path)
    onnxhead.attach(backbone, random_head(7, 4, seed=3), tmp_path / "first.onnx")
    onnxhead.attach(tmp_path / "first.onnx", head, tmp_path / "second.onnx")
    onnxhead.attach(backbone, head, tmp_path / "directly.onnx")
    assert (tmp_path / "second.onnx").read_bytes() == (tmp_path / "directly.onnx").read_bytes()


# --- weights beside the model


def test_weights_beside_the_backbone_go_to_one_data_file(random_head, tmp_path) -> None:
    pytest.importorskip("onnxruntime", minversion="1.21")
    folder = tmp_path / "backbone"
    folder.mkdir()
    model = networks.make("scores")
    wide = np.random.default_rng(0).standard_normal((3, 600)).astype(np.float32)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(wide, "weight"))
    del model.graph.node[1:], model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("sum", 1, ["N", 600]))
    onnx.save(
        model, folder / "net.onnx", save_as_external_data=True, location="net.weights", size_threshold=0
    )
    head = random_head(3, 600, labels=LABELS)
    report = onnxhead.attach(folder / "net.onnx", head, tmp_path / "whole.onnx")
    assert report.data_path is not None
    assert report.size_bytes == report.path.stat().st_size + report.data_path.stat().st_size
    assert report.path.stat().st_size < 4000
    feeds = networks.inputs("scores")
    assert_answers(report.path, head, feeds, networks.run(folder / "net.onnx", feeds))
    assert onnxhead.verify(report.path).findings == []
    assert (onnxhead.read(report.path).weight == head.weight).all()

    again = onnxhead.attach(folder / "net.onnx", random_head(3, 600, seed=1), tmp_path / "whole.onnx")
    assert not report.data_path.exists()
    content = bytearray(again.data_path.read_bytes())
    for at, finding in ((100, "graph and of the weights"), (-100, "weight and bias")):
        changed = bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        again.data_path.write_bytes(changed)
        assert finding in "; ".join(onnxhead.verify(again.path).findings)
    again.data_path.write_bytes(content[:-1])
    assert onnxhead.verify(again.path).findings


def test_large_weights_are_beside_the_model_although_those_of_the_backbone_are_not(
    head, tmp_path, monkeypatch
) -> None:
    pytest.importorskip("onnxruntime", minversion="1.21")
    monkeypatch.setattr(whole_storage, "PROTOBUF_LIMIT_BYTES", 2**24)
    monkeypatch.setattr("onnxhead.joining._FEWEST_BYTES", 1)
    report = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "whole.onnx")
    assert report.data_path is not None
    whole = onnx.load(report.path, load_external_data=False)
    places = {
        tensor.name: {entry.key: entry.value for entry in tensor.external_data}
        for tensor in whole.graph.initializer
    }
    assert int(places["backbone_weight"]["offset"]) == 0
    assert int(places["weight"]["offset"]) == 4096, "each tensor begins a page"
    feeds = networks.inputs("older")
    assert_answers(report.path, head, feeds, networks.run(tmp_path / "older.onnx", feeds))
    assert onnxhead.verify(report.path).findings == []


# --- what is found


def test_every_change_of_the_file_is_found(head, tmp_path) -> None:
    path = onnxhead.attach(
        networks.save("pictures", tmp_path), head, tmp_path / "whole.onnx", at="hidden"
    ).path
    sound = onnx.load(path)

    def findings(change) -> str:
        model = onnx.ModelProto()
        model.CopyFrom(sound)
        change(model)
        onnx.save(model, path)
        try:
            return "; ".join(onnxhead.verify(path).findings)
        except ModelError as error:
            return str(error)

    def tensor(model, name):
        return next(one for one in model.graph.initializer if one.name == name)

    def flip(model, name):
        raw = bytearray(tensor(model, name).raw_data)
        raw[-1] ^= 1
        tensor(model, name).raw_data = bytes(raw)

    def set_prop(model, key, value):
        next(prop for prop in model.metadata_props if prop.key == key).value = value

    assert findings(lambda _: None) == ""
    assert "of the graph and of the weights" in findings(lambda model: flip(model, "backbone_weight"))
    assert "of weight and bias is" in findings(lambda model: flip(model, "weight"))
    assert "of the graph" in findings(lambda model: model.graph.node[0].attribute[0].ints.__setitem__(0, 2))
    assert "of the graph" in findings(lambda model: model.graph.node.pop())
    assert "must have the graph that onnxhead writes" in findings(
        lambda model: set_prop(model, "onnxhead.link", "ovr")
    )
    assert "must have the graph that onnxhead writes" in findings(
        lambda model: set_prop(model, "onnxhead.temperature", "1.25")
    )
    assert "states 0" in findings(lambda model: set_prop(model, "onnxhead.graph_sha256", "0"))
    assert "states 0" in findings(lambda model: set_prop(model, "onnxhead.weights_sha256", "0"))


def test_a_file_that_answers_otherwise_than_its_parts_is_not_written(head, tmp_path, monkeypatch) -> None:
    (tmp_path / "whole.onnx").write_bytes(b"what was there")
    backbone = networks.save("texts", tmp_path)

    def by_the_first_token(_: Pooling, *arguments):
        return real(Pooling("cls"), *arguments)

    real = onnxhead.attaching.pool_nodes
    monkeypatch.setattr("onnxhead.attaching.pool_nodes", by_the_first_token)
    with pytest.raises(
        VerificationError, match=r"must be those of its backbone and its head, .* not written"
    ):
        onnxhead.attach(backbone, head, tmp_path / "whole.onnx", pool="mean")
    assert (tmp_path / "whole.onnx").read_bytes() == b"what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.onnx", "whole.onnx"]


# --- what is refused


def refused(error, match, backbone, head, tmp_path, **options) -> None:
    with pytest.raises(error, match=match):
        onnxhead.attach(backbone, head, tmp_path / "whole.onnx", **options)
    assert not (tmp_path / "whole.onnx").exists()


def test_a_tensor_that_does_not_fit_is_refused_with_what_would(head, random_head, tmp_path) -> None:
    pictures, texts = networks.save("pictures", tmp_path), networks.save("texts", tmp_path)
    refused(
        ModelError,
        r"takes an output \[batch, 7\], pictures\.onnx has none; its outputs are hidden, map: name",
        pictures,
        random_head(3, 7),
        tmp_path,
    )
    refused(ModelError, r"has none; tokens becomes so with --pool mean or cls", texts, head, tmp_path)
    refused(
        ModelError,
        r"a head takes rows of its 7 features, hidden gives \(4,\) for a row",
        pictures,
        random_head(3, 7),
        tmp_path,
        at="hidden",
    )
    refused(
        ModelError,
        r"features must be \[batch, F\], map has 4 axes: name --pool mean or flatten \(pool=\)",
        pictures,
        head,
        tmp_path,
        at="map",
    )
    refused(
        ModelError,
        r"pool cls is for 3 axes, map has 4: name --pool mean or flatten",
        pictures,
        head,
        tmp_path,
        at="map",
        pool="cls",
    )
    refused(
        ModelError,
        r"pool must be one of mean, cls, flatten, got 'max'",
        pictures,
        head,
        tmp_path,
        at="map",
        pool="max",
    )
    refused(
        ModelError,
        r"at a tensor that one of its nodes gives, 'nothing' is none of them; its outputs are hidden, map",
        pictures,
        head,
        tmp_path,
        at="nothing",
    )
    refused(
        ModelError,
        r"a backbone ends in floats, masked_ids is tensor\(int64\)",
        with_integers(tmp_path),
        head,
        tmp_path,
        at="masked_ids",
    )
    several = networks.make("two inputs")
    several.graph.node.append(helper.make_node("Exp", ["hidden"], ["other"]))
    several.graph.output.append(helper.make_tensor_value_info("other", 1, ["N", 4]))
    onnx.save(several, tmp_path / "several.onnx")
    refused(ModelError, r"has several: hidden, other; its outputs", tmp_path / "several.onnx", head, tmp_path)


def with_integers(tmp_path):
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
        network (int64[N, 4] ids) => (int64[N, 4] masked_ids) { masked_ids = Abs (ids) }""")
    onnx.save(model, tmp_path / "integers.onnx")
    return tmp_path / "integers.onnx"


def test_the_last_linear_layer_of_a_classifier_is_named_where_the_head_fits_it(random_head, tmp_path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x) => (float[N, 2] scores) { hidden = Tanh (x) scores = MatMul (hidden, weight) }""")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((3, 2), np.float32), "weight"))
    path = tmp_path / "classifier.onnx"
    onnx.save(model, path)
    refused(
        ModelError,
        r"head of 3 features takes an output \[batch, 3\], classifier\.onnx has none; its last linear layer takes such features: --at hidden",
        path,
        random_head(2, 3),
        tmp_path,
    )
    refused(
        ModelError,
        r"classifier\.onnx has none; its outputs are scores: name one of them, or",
        path,
        random_head(2, 5),
        tmp_path,
    )
    refused(
        ModelError,
        r"'Hidden' is none of them; did you mean hidden\?",
        path,
        random_head(2, 3),
        tmp_path,
        at="Hidden",
    )
    refused(ModelError, r"'x' is an input; its outputs are scores", path, random_head(2, 3), tmp_path, at="x")


def test_a_mask_is_kept_where_the_tensor_does_not_need_it(head, tmp_path) -> None:
    backbone = networks.save("texts", tmp_path)
    feeds = networks.inputs("texts", 4)
    report = onnxhead.attach(
        backbone, head, tmp_path / "whole.onnx", at="embedded", pool="mean", sample=feeds
    )
    assert [one.name for one in report.inputs] == ["input_ids", "attention_mask"]
    embedded = numpy_helper.to_array(networks.make("texts").graph.initializer[0])[feeds["input_ids"]]
    features = pool_rows(Pooling("mean", mask="attention_mask"), embedded, feeds["attention_mask"])
    assert_answers(report.path, head, feeds, features)
    report = onnxhead.attach(backbone, head, tmp_path / "whole.onnx", at="embedded", pool="cls")
    assert [one.name for one in report.inputs] == ["input_ids"]


def test_features_are_not_pooled_twice(head, tmp_path) -> None:
    first = onnxhead.attach(networks.save("texts", tmp_path), head, tmp_path / "first.onnx", pool="mean").path
    refused(
        ModelError,
        r"first\.onnx makes rows of features already, got pool mean: leave",
        first,
        head,
        tmp_path,
        pool="mean",
    )


def test_a_head_alone_does_not_take_the_place_of_a_whole_model(head, tmp_path, command) -> None:
    whole = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "whole.onnx").path
    content = whole.read_bytes()
    with pytest.raises(WriteError, match="a head alone does not take the place of a model with a backbone"):
        onnxhead.save(head, whole)
    onnxhead.save(head, tmp_path / "head.onnx")
    assert (
        "must not replace its own source"
        in command("attach", tmp_path / "older.onnx", "head.onnx", "-o", "head.onnx", status=2).stderr
    )
    assert (
        "the network comes first"
        in command("attach", "head.npz", tmp_path / "older.onnx", "-o", "new.onnx", status=2).stderr
    )
    np.savez(tmp_path / "several.npz", a=np.ones((3, 4)), b=np.ones((2, 4)))
    done = command("attach", tmp_path / "older.onnx", "several.npz", "-o", "new.onnx", status=2)
    assert "attach takes what onnxhead build builds, which has options for every source" in done.stderr
    assert whole.read_bytes() == content


def test_rows_that_depend_on_each_other_are_named(head, tmp_path, command) -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 4] x) => (float[N, 4] hidden) {
            axes = Constant <value_ints = [0]> () mean = ReduceMean <axes = [0]> (x) hidden = Sub (x, mean)
        }""")
    onnx.save(model, tmp_path / "batch.onnx")
    onnxhead.save(head, tmp_path / "head.onnx")
    done = command("attach", "batch.onnx", "head.onnx", "-o", "whole.onnx")
    assert "WARNING" in done.stdout
    assert "with the other rows of its batch" in done.stdout
    onnx.save(networks.make("older"), tmp_path / "sound.onnx")
    done = command("attach", "sound.onnx", "head.onnx", "-o", "whole2.onnx")
    assert "WARNING" not in done.stdout


def test_a_sample_has_rows(head, tmp_path) -> None:
    refused(
        FeaturesError,
        "a sample must have at least one row",
        networks.save("older", tmp_path),
        head,
        tmp_path,
        sample={"x": np.ones((0, 3))},
    )


def test_an_input_with_a_name_of_the_heads_is_refused(head, tmp_path) -> None:
    onnx.save(compose(onnxhead.Head(np.eye(4), np.zeros(4))), tmp_path / "backbone.onnx")
    model = onnx.load(tmp_path / "backbone.onnx")
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "backbone.onnx")
    refused(
        ModelError,
        "inputs of a backbone keep their names, and features is a name of the head's",
        tmp_path / "backbone.onnx",
        head,
        tmp_path,
        at="logits",
    )


def test_what_is_no_head_no_model_and_no_name_is_refused(head, tmp_path) -> None:
    backbone = networks.save("two inputs", tmp_path)
    refused(HeadError, "attach takes a Head, got str: pass onnxhead.read", backbone, "head", tmp_path)
    refused(ModelError, "must be a readable .onnx file", tmp_path / "none.onnx", head, tmp_path)
    with pytest.raises(WriteError, match=r"must end in \.onnx, got"):
        onnxhead.attach(backbone, head, tmp_path / "whole.tflite")
    with pytest.raises(WriteError, match="must not replace its own backbone"):
        onnxhead.attach(backbone, head, backbone)
    assert onnx.load(backbone) == networks.make("two inputs")


def test_a_sample_must_fit_and_run(head, tmp_path) -> None:
    backbone = networks.save("texts", tmp_path)
    feeds = networks.inputs("texts")
    refused(
        FeaturesError,
        "attention_mask is missing, got input_ids",
        backbone,
        head,
        tmp_path,
        pool="mean",
        sample={"input_ids": feeds["input_ids"]},
    )
    refused(
        ModelError,
        "must run on .*, it fails",
        backbone,
        head,
        tmp_path,
        pool="mean",
        sample=feeds | {"input_ids": feeds["input_ids"] + 200},
    )
    refused(
        ModelError,
        "features of a sample must be finite, hidden gives NaN",
        networks.save("two inputs", tmp_path),
        head,
        tmp_path,
        sample=networks.inputs("two inputs") | {"x": np.full((3, 3), np.nan)},
    )
    model = networks.make("texts")
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((1, 4), np.float32), "vocabulary"))
    onnx.save(model, backbone)
    refused(
        ModelError,
        r"tried on inputs that are made up, .* an array for each of input_ids, attention_mask",
        backbone,
        head,
        tmp_path,
        pool="mean",
    )
    zeros = {name: np.zeros((2, 3), np.int64) for name in feeds}
    assert onnxhead.attach(backbone, head, tmp_path / "whole.onnx", pool="mean", sample=zeros).check.rows == 2


def test_a_damaged_whole_model_is_no_backbone(head, tmp_path) -> None:
    first = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "first.onnx").path
    model = onnx.load(first)
    model.graph.node[0].name = "other"
    onnx.save(model, first)
    refused(ModelError, "must be as it was built: the SHA-256 of the graph", first, head, tmp_path)


# --- the classifier


@pytest.fixture
def texts(head, tmp_path) -> onnxhead.Classifier:
    onnxhead.attach(networks.save("texts", tmp_path), head, tmp_path / "whole.onnx", pool="mean")
    return onnxhead.load(tmp_path / "whole.onnx", device="cpu")


def test_a_whole_model_says_what_it_takes(texts) -> None:
    assert [(one.name, one.dtype, one.shape) for one in texts.inputs] == [
        ("input_ids", "int64", ("N", "T")),
        ("attention_mask", "int64", ("N", "T")),
    ]
    assert (texts.features, texts.classes, texts.link, texts.temperature) == (
        0,
        tuple(LABELS),
        "softmax",
        1.5,
    )
    assert repr(texts) == (
        "Classifier('whole.onnx', inputs=['input_ids', 'attention_mask'], classes=3, link='softmax', device='cpu')"
    )


def test_a_head_alone_says_what_it_takes_and_takes_it_by_name(random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    assert [str(one) for one in classify.inputs] == ["features float32 [batch, 5]"]
    assert (classify({"features": np.ones((2, 5))}).logits == classify(np.ones((2, 5))).logits).all()
    with pytest.raises(
        FeaturesError, match=r"takes features float32 \[batch, 5\]: features is missing, got pixels"
    ):
        classify({"pixels": np.ones((2, 5))})


def test_inputs_are_converted_where_nothing_is_lost(texts) -> None:
    feeds = networks.inputs("texts")
    expected = texts(feeds).logits
    for dtype in (np.int32, np.uint8, np.uint64):
        assert (texts({name: value.astype(dtype) for name, value in feeds.items()}).logits == expected).all()
    assert (texts(feeds | {"attention_mask": feeds["attention_mask"] == 1}).logits == expected).all()
    assert (texts({name: value.tolist() for name, value in feeds.items()}).logits == expected).all()
    one = texts({name: value[0] for name, value in feeds.items()})
    np.testing.assert_allclose(one.logits, expected[:1], atol=1e-6)
    assert len(texts({name: value[:0] for name, value in feeds.items()}).labels) == 0


def test_one_input_is_taken_without_its_name(head, tmp_path) -> None:
    onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "whole.onnx")
    classify = onnxhead.load(tmp_path / "whole.onnx", device="cpu")
    x = networks.inputs("older")["x"]
    expected = classify({"x": x})
    assert (classify(x).logits == expected.logits).all()
    assert classify(x[0].tolist()).labels == expected.labels[:1]
    assert (classify.logits(x) == expected.logits).all()
    assert (classify.probabilities(x) == expected.probabilities).all()
    assert classify.top(x, 2) == expected.top(2)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda feeds: feeds["input_ids"],
            "this model has 2 inputs, input_ids int64 .*: give an array for each by name, as a dict or a JSON object, got ndarray",
        ),
        (lambda feeds: {"input_ids": feeds["input_ids"]}, "attention_mask is missing, got input_ids"),
        (lambda feeds: feeds | {"token_type_ids": 0}, "and no 'token_type_ids': leave it out"),
        (
            lambda feeds: feeds | {"input_ids": feeds["input_ids"] + 0.5},
            "input_ids must be int64, got .* float64: convert it first",
        ),
        (
            lambda feeds: feeds | {"input_ids": np.full((3, 6), 2**63, np.uint64)},
            "input_ids must fit int64, got 9223372036854775808",
        ),
        (
            lambda feeds: feeds | {"input_ids": feeds["input_ids"][0]},
            r"takes input_ids int64 \[N, T\], got shape \(6,\)",
        ),
        (lambda feeds: feeds | {"input_ids": "text"}, "input_ids must be real numbers"),
        (
            lambda feeds: feeds | {"input_ids": [[1, 2], [3]]},
            "input_ids must be a rectangular array of numbers",
        ),
    ],
)
def test_inputs_that_do_not_fit_are_refused(change, match, texts) -> None:
    with pytest.raises(FeaturesError, match=match):
        texts(change(networks.inputs("texts")))


def test_lengths_and_ranges_are_held_to_the_input(head, tmp_path) -> None:
    onnxhead.attach(networks.save("two inputs", tmp_path), head, tmp_path / "whole.onnx")
    classify = onnxhead.load(tmp_path / "whole.onnx", device="cpu")
    feeds = networks.inputs("two inputs")
    with pytest.raises(FeaturesError, match=r"takes x float32 \[N, 3\], got shape \(3, 2\), dtype float32"):
        classify(feeds | {"x": feeds["x"][:, :2]})
    with pytest.raises(FeaturesError, match=r"x must fit float32, got 1e\+300"):
        classify(feeds | {"x": np.full((3, 3), 1e300)})
    with pytest.raises(FeaturesError, match="flags must fit int32, got 4294967296"):
        classify(feeds | {"flags": np.full((3, 2), 2**32)})
    with pytest.raises(
        FeaturesError, match="N is one length in all inputs of this model, got 3 in x and 2 in"
    ):
        classify(feeds | {"flags": feeds["flags"][:2]})


def test_what_the_network_itself_refuses_is_an_error(texts) -> None:
    with pytest.raises(ProviderError, match=r"must answer input_ids \(1, 2\), .* it fails: .*; try other"):
        texts({"input_ids": [[1, 200]], "attention_mask": [[1, 1]]})


def test_text_and_booleans_are_inputs_too(random_head, tmp_path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17, "ai.onnx.ml": 3]>
        network (string[N, 2] words, bool[N, 2] flags) => (float[N, 2] hidden) {
            numbers = ai.onnx.ml.LabelEncoder <keys_strings = ["a", "b"], values_floats = [1.0, 2.0],
                default_float = 0.0> (words)
            ones = Cast <to = 1> (flags)
            hidden = Mul (numbers, ones)
        }""")
    onnx.save(model, tmp_path / "words.onnx")
    head = random_head(3, 2, labels=LABELS)
    onnxhead.attach(tmp_path / "words.onnx", head, tmp_path / "whole.onnx")
    classify = onnxhead.load(tmp_path / "whole.onnx", device="cpu")
    prediction = classify({"words": [["a", "b"], ["c", "a"]], "flags": [[True, True], [True, False]]})
    np.testing.assert_allclose(
        prediction.logits, expected_logits(head, np.array([[1, 2], [0, 0]])), atol=1e-6
    )
    with pytest.raises(FeaturesError, match="words must be text"):
        classify({"words": [[1, 2]], "flags": [[True, True]]})
    with pytest.raises(FeaturesError, match="flags must be bool, got"):
        classify({"words": [["a", "b"]], "flags": [[1, 0]]})


def test_rows_of_features_are_for_a_head_alone(texts, tmp_path) -> None:
    buffers = np.empty((3, 3), np.float32), np.empty((3, 3), np.float32)
    for call in (
        lambda: texts.call_into(networks.inputs("texts"), *buffers),
        lambda: texts.run_device(np.ones((1, 4), np.float32)),
        lambda: score(texts, "[[1, 2]]", tmp_path / "answers.csv"),
    ):
        with pytest.raises(
            FeaturesError, match="rows of features are for a head alone, .* takes input_ids int64"
        ):
            call()
    assert not (tmp_path / "answers.csv").exists()


def test_a_whole_model_goes_to_threads_processes_and_pickles(texts) -> None:
    feeds = networks.inputs("texts")
    expected = texts(feeds).logits
    assert (pickle.loads(pickle.dumps(texts))(feeds).logits == expected).all()  # noqa: S301
    same = []
    threads = [
        threading.Thread(target=lambda: same.append((texts(feeds).logits == expected).all()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same == [True] * 8
    child = os.fork()
    if not child:
        os._exit(0 if (texts(feeds).logits == expected).all() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_whole_model_without_its_format_or_classes_is_refused(texts, tmp_path) -> None:
    model = onnx.load(texts.path)
    kept = [prop for prop in model.metadata_props if prop.key != "onnxhead.format"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(ModelError, match="a whole model must have the outputs"):
        onnxhead.load(tmp_path / "other.onnx", device="cpu")


# --- what else is done with one


def test_the_head_is_read_back_and_explained(head, tmp_path) -> None:
    path = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "whole.onnx").path
    own = onnxhead.read(path)
    assert own.origin.startswith("whole.onnx, without its backbone")
    assert (own.weight == head.weight).all()
    assert (own.labels, own.link, own.temperature) == (head.labels, head.link, head.temperature)
    assert explain(own, np.ones(4, np.float32))
    rows = np.random.default_rng(0).standard_normal((40, 4))
    labels = [LABELS[i] for i in (expected_logits(head, rows)).argmax(axis=1)]
    fitted = calibrate(own, rows, [*labels[:30], *labels[20:30]])
    onnxhead.attach(path, fitted.head, tmp_path / "calibrated.onnx")
    assert onnxhead.load(tmp_path / "calibrated.onnx").temperature == fitted.head.temperature


def test_inspect_describes_a_whole_model(texts, command) -> None:
    summary = inspect(texts.path)
    assert summary.is_whole
    assert [str(one) for one in summary.inputs] == ["input_ids int64 [N, T]", "attention_mask int64 [N, T]"]
    assert summary.weights_sha256
    assert summary.form.opset == 17
    assert "a whole model: a backbone, and what follows it" in command("inspect", texts.path).stdout


def test_a_sample_is_for_whole_models(random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    with pytest.raises(ModelError, match="a sample is for a model with a backbone, .* is a head alone"):
        onnxhead.verify(tmp_path / "head.onnx", sample={"features": [[1] * 5]})
    with pytest.raises(ModelError, match="a whole model is what onnxhead attach writes"):
        open_whole(tmp_path / "head.onnx")


def test_the_command_attaches_and_runs(head, command, tmp_path) -> None:
    backbone = networks.save("texts", tmp_path)
    onnxhead.save(head, tmp_path / "head.onnx")
    done = command(
        "attach", backbone, tmp_path / "head.onnx", "-o", "whole.onnx", "--pool", "mean", "--normalize"
    )
    assert (
        "texts.onnx, as far as tokens, the mean without padding by attention_mask, divided by its norm"
        in done.stdout
    )
    feeds = networks.inputs("texts", 2)
    np.savez(tmp_path / "texts.npz", **feeds)
    text = json.dumps({name: value.tolist() for name, value in feeds.items()})
    (tmp_path / "texts.json").write_text(text)
    answers = [
        command("run", "whole.onnx", source, "--json", stdin=stdin).stdout
        for source, stdin in (("texts.npz", None), ("texts.json", None), (text, None), ("-", text))
    ]
    assert len(set(answers)) == 1
    expected = onnxhead.load(tmp_path / "whole.onnx", device="cpu")(feeds)
    assert json.loads(answers[0])["labels"] == expected.labels
    assert "are as they were built" in command("verify", "whole.onnx", "--sample", "texts.npz").stdout
    for arguments, match in (
        (("run", "whole.onnx", "texts.csv"), "inputs must be an .npz, .npy or .json file"),
        (("run", "whole.onnx", "none.npz"), "inputs must be a readable .npz file"),
        (("run", "whole.onnx", "{"), "inputs must be JSON, the inline text is not"),
        (
            ("attach", backbone, "-o", "both.onnx", "--pool", "mean"),
            "--pool and --normalize make features for a head",
        ),
        (
            ("attach", backbone, "head.onnx", "-o", "both.onnx", "--sample", "none.npz"),
            "inputs must be a readable",
        ),
    ):
        assert match in command(*arguments, status=2).stderr
    assert not (tmp_path / "both.onnx").exists()
