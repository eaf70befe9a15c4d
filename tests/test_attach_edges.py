"""Networks, weights and samples at the edge of what attach takes."""

import json

import networks
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxhead
from onnxhead.completing import complete
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError

_RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return _RANDOM.standard_normal(shape).astype(np.float32)


def network(folder, text: str, **weights: np.ndarray):
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> n {text}')
    model.graph.initializer.extend(numpy_helper.from_array(one, name) for name, one in weights.items())
    onnx.save(model, folder / "backbone.onnx")
    return folder / "backbone.onnx"


@pytest.fixture
def head(random_head):
    return random_head(3, 4)


def test_a_classifier_may_have_a_tensor_of_the_name_features(tmp_path) -> None:
    path = network(
        tmp_path,
        "(float[N,3] x) => (float[N,4] p) { features = Relu(x) z = MatMul(features, w) p = Softmax(z) }",
        w=floats(3, 4),
    )
    report = complete(path, tmp_path / "both.onnx")
    assert onnxhead.verify(report.path).findings == []


def test_padding_is_left_out_though_the_tokens_do_not_depend_on_the_mask(head, tmp_path) -> None:
    path = network(
        tmp_path,
        "(int64[N,T] input_ids, int64[N,T] attention_mask) => (float[N,T,4] tokens, float[N,T] m)"
        "{ tokens = Gather(v, input_ids) m = Cast<to=1>(attention_mask) }",
        v=floats(200, 4),
    )
    report = onnxhead.attach(path, head, tmp_path / "whole.onnx", pool="mean")
    assert report.pooling.mask == "attention_mask"


@pytest.mark.parametrize(
    "text",
    [
        "(float[N,S] x, int64[N,S] attention_mask) => (float[N,T,4] tokens) { m = Cast<to=1>(attention_mask)"
        " y = Mul(x, m) a = Constant<value_ints=[1]>() u = Unsqueeze(y, a) c = Conv<strides=[4]>(u, w)"
        " tokens = Transpose<perm=[0,2,1]>(c) }",
        "(float[N,T,4] x, float[N,1,1,T] attention_mask) => (float[N,T,4] tokens)"
        "{ u = ReduceSum<keepdims=0>(attention_mask) wu = ReduceSum<keepdims=0>(w) s = Mul(u, wu)"
        " tokens = Mul(x, s) }",
    ],
    ids=["of another length", "of four axes"],
)
def test_a_mask_that_does_not_fit_is_refused(text, head, tmp_path) -> None:
    path = network(tmp_path, text, w=floats(4, 1, 4))
    with pytest.raises(OnnxHeadError, match="attention_mask"):
        onnxhead.attach(path, head, tmp_path / "whole.onnx", pool="mean")


def beside(folder, location: str, drop: tuple[str, ...] = ()):
    """A network of two weights beside it, the first of which is called weight."""
    path = network(
        folder,
        "(float[N,64] x) => (float[N,64] hidden) { a = MatMul(x, weight) hidden = MatMul(a, w2) }",
        weight=floats(64, 64) / 8,
        w2=floats(64, 64) / 8,
    )
    onnx.save(onnx.load(path), path, save_as_external_data=True, location=location, size_threshold=0)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        kept = [(one.key, one.value) for one in tensor.external_data if one.key not in drop]
        del tensor.external_data[:]
        for key, value in kept:
            tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("location", "drop"),
    [("backbone.onnx.data", ()), ("net.weights", ("length",))],
    ids=["weight", "no length"],
)
def test_weights_beside_the_backbone_as_others_write_them(location, drop, random_head, tmp_path) -> None:
    pytest.importorskip("onnxruntime", minversion="1.21")
    report = onnxhead.attach(beside(tmp_path, location, drop), random_head(3, 64), tmp_path / "whole.onnx")
    assert onnxhead.verify(report.path).findings == []


def test_a_file_is_not_replaced_by_the_model_that_refers_to_it(random_head, tmp_path) -> None:
    path = beside(tmp_path, "whole.onnx")
    with pytest.raises(OnnxHeadError):
        onnxhead.attach(path, random_head(3, 64), tmp_path / "whole.onnx")
    assert (tmp_path / "whole.onnx").stat().st_size == 2 * 64 * 64 * 4


def test_the_data_file_of_a_model_with_large_constants_stays(random_head, tmp_path, monkeypatch) -> None:
    pytest.importorskip("onnxruntime", minversion="1.21")
    monkeypatch.setattr("onnxhead.replacement._SEARCHED_BYTES", 4096)
    path = beside(tmp_path, "net.weights")
    model = onnx.load(path, load_external_data=False)
    large = numpy_helper.from_array(floats(64, 64), "value")
    model.graph.node.insert(0, helper.make_node("Constant", [], ["large"], value=large))
    model.graph.node[1].input[1] = "large"
    path.write_bytes(model.SerializeToString())
    report = onnxhead.attach(path, random_head(3, 64), tmp_path / "whole.onnx")
    assert report.data_path.exists()


def test_changed_functions_are_found(head, tmp_path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17, "own": 1]>
        n (float[N, 4] x) => (float[N, 4] hidden) { hidden = own.twice (x) }
        <domain: "own", opset_import: ["": 17]> twice (a) => (b) { b = Add (a, a) }""")
    onnx.save(model, tmp_path / "backbone.onnx")
    path = onnxhead.attach(tmp_path / "backbone.onnx", head, tmp_path / "whole.onnx").path
    whole = onnx.load(path)
    whole.functions[0].node[0].op_type = "Mul"
    onnx.save(whole, path)
    assert onnxhead.verify(path).findings


def test_weights_of_a_body_that_lie_beside_it_are_refused_or_hashed(head, tmp_path, monkeypatch) -> None:
    model = networks.make("branches")
    branch = next(one for one in model.graph.node[-1].attribute if one.name == "then_branch").g
    inner = numpy_helper.from_array(np.full(4, 7, np.float32), "inner")
    (tmp_path / "inner.bin").write_bytes(inner.raw_data)
    inner.ClearField("raw_data")
    inner.data_location = onnx.TensorProto.EXTERNAL
    inner.external_data.add(key="location", value="inner.bin")
    branch.initializer.append(inner)
    branch.node[0].input[1] = "inner"
    (tmp_path / "backbone.onnx").write_bytes(model.SerializeToString())
    monkeypatch.chdir(tmp_path)  # where onnxruntime looks for what a model in memory refers to
    try:
        onnxhead.attach("backbone.onnx", head, "whole.onnx")
    except OnnxHeadError:
        return
    (tmp_path / "inner.bin").write_bytes(np.full(4, -300, np.float32).tobytes())
    assert onnxhead.verify("whole.onnx").findings


def test_a_sample_without_rows_is_refused(head, tmp_path) -> None:
    none = {"x": np.zeros((0, 3), np.float32)}
    with pytest.raises(OnnxHeadError):
        complete(networks.save("scores", tmp_path), tmp_path / "both.onnx", sample=none)
    with pytest.raises(OnnxHeadError):
        onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "whole.onnx", sample=none)


def test_a_sample_of_nan_proves_nothing(head, tmp_path) -> None:
    path = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "whole.onnx").path
    nan = {"x": np.full((2, 3), np.nan, np.float32)}
    with pytest.raises(OnnxHeadError):
        onnxhead.ship(path, "bundle", tmp_path / "out", sample=nan)
    with pytest.raises(OnnxHeadError):
        onnxhead.verify(path, sample=nan)


def test_rows_of_no_width_are_refused(head, tmp_path) -> None:
    path = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "whole.onnx").path
    with pytest.raises(FeaturesError):
        onnxhead.load(path, device="cpu")(np.empty((2, 0), np.float32))


def test_a_bundle_with_a_sample_of_the_users_is_verified_by_it(head, tmp_path) -> None:
    model = networks.make("texts")
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((1, 4), np.float32), "vocabulary"))
    onnx.save(model, tmp_path / "backbone.onnx")
    sample = {"input_ids": np.zeros((2, 3), np.int64), "attention_mask": np.ones((2, 3), np.int64)}
    whole = tmp_path / "whole.onnx"
    onnxhead.attach(tmp_path / "backbone.onnx", head, whole, pool="mean", sample=sample)
    onnxhead.ship(whole, "bundle", tmp_path / "out", sample=sample)
    assert onnxhead.verify(tmp_path / "out").findings == []


def test_a_sample_for_a_bundle_is_used_or_refused(head, tmp_path) -> None:
    path = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "whole.onnx").path
    onnxhead.ship(path, "bundle", tmp_path / "out")
    with pytest.raises(OnnxHeadError):
        onnxhead.verify(tmp_path / "out", sample={"nonsense": 1})


def test_heads_take_turns_on_one_backbone(head, tmp_path) -> None:
    path = networks.save("texts", tmp_path)
    onnxhead.attach(path, head, tmp_path / "1.onnx", pool="mean", normalize=True)
    onnxhead.attach(tmp_path / "1.onnx", head, tmp_path / "2.onnx", normalize=True)
    assert onnxhead.attach(tmp_path / "2.onnx", head, tmp_path / "3.onnx", normalize=True).check.passed


def test_an_omitted_output_is_no_tensor(head, tmp_path) -> None:
    path = network(
        tmp_path,
        "(float[N,3,H,W] x, float[S,N,4] other) => (float[N,4] hidden, float[1,N,2] state)"
        "{ r = Resize(x, , scales) g = GlobalAveragePool(r) f = Flatten(g) hidden = MatMul(f, w) }",
        scales=np.array([1, 1, 2, 2], np.float32),
        w=floats(3, 4),
        W=floats(1, 8, 4),
        R=floats(1, 8, 2),
    )
    model = onnx.load(path)
    model.graph.node.insert(0, helper.make_node("LSTM", ["other", "W", "R"], ["", "state"], hidden_size=2))
    onnx.save(model, path)
    report = onnxhead.attach(path, head, tmp_path / "whole.onnx", at="hidden")
    assert [one.name for one in report.inputs] == ["x"]


def test_triton_batches_along_the_axis_of_the_answers(head, tmp_path) -> None:
    path = network(
        tmp_path,
        "(float[T,N,4] x) => (float[N,4] hidden) { hidden = ReduceMean<axes=[0], keepdims=0>(x) }",
    )
    whole = onnxhead.attach(path, head, tmp_path / "whole.onnx").path
    with pytest.raises(OnnxHeadError, match="batch"):
        onnxhead.ship(whole, "triton", tmp_path / "out")


def test_inputs_have_names_in_json(head, command, tmp_path) -> None:
    onnxhead.save(head, tmp_path / "head.onnx")
    networks.save("older", tmp_path)
    done = command("attach", "older.onnx", "head.onnx", "-o", "whole.onnx", "--json")
    assert json.loads(done.stdout)["inputs"][0]["name"] == "x"


def test_a_name_that_is_too_long_is_refused(head, tmp_path) -> None:
    with pytest.raises(OnnxHeadError):
        onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / ("x" * 300 + ".onnx"))


def test_the_ir_version_that_was_raised_is_not_called_the_backbones(head, command, tmp_path) -> None:
    model = networks.make("older")
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, 1, tensor.dims))
    onnx.save(model, tmp_path / "backbone.onnx")
    onnxhead.save(head, tmp_path / "head.onnx")
    assert (
        "IR version 4, the backbone's"
        not in command("attach", "backbone.onnx", "head.onnx", "-o", "w.onnx").stdout
    )


def test_the_shape_that_an_output_states_is_believed(head, tmp_path) -> None:
    path = network(
        tmp_path,
        "(float[N,4] x) => (float[N,4] hidden) { k = Constant<value=int64{3}>() c = Constant<value=bool{1}>()"
        " hidden = Loop(k, c, x)<body = bb (int64 i, bool cin, float[N,4] a) => (bool cout, float[N,4] b)"
        " { cout = Identity(cin) b = Add(a, x) }> }",
    )
    assert onnxhead.attach(path, head, tmp_path / "whole.onnx").at == "hidden"


def test_an_output_that_is_replaced_by_one_of_its_name_is_left_out(head, tmp_path) -> None:
    path = network(
        tmp_path,
        "(float[N,4] x) => (float[N,5] logits) { hidden = Relu(x) logits = MatMul(hidden, w) }",
        w=floats(4, 5),
    )
    assert onnxhead.attach(path, head, tmp_path / "whole.onnx", at="hidden").left_out == ("logits",)


def test_bytes_behind_the_weights_are_found(random_head, tmp_path) -> None:
    pytest.importorskip("onnxruntime", minversion="1.21")
    report = onnxhead.attach(beside(tmp_path, "net.weights"), random_head(3, 64), tmp_path / "whole.onnx")
    with report.data_path.open("ab") as file:
        file.write(b"more")
    assert onnxhead.verify(report.path).findings
