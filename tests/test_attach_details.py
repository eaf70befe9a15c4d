"""What attach does at each branch: small networks on which a wrong one shows."""

import os

import networks
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxhead
from onnxhead import whole_storage
from onnxhead.backbone import cut, make_room
from onnxhead.completing import complete
from onnxhead.part import _made_up
from onnxhead.reference import Deviation
from onnxhead.whole_check import WholeCheck, rounding_of
from onnxhead_runtime import errors as onnxhead_errors
from onnxhead_runtime.errors import ModelError, WriteError
from onnxhead_runtime.inputs import Input
from onnxhead_runtime.weights import is_whole

_RANDOM = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return _RANDOM.standard_normal(shape).astype(np.float32)


def parse(text: str, **weights: np.ndarray) -> onnx.ModelProto:
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]> n {text}')
    model.graph.initializer.extend(numpy_helper.from_array(one, name) for name, one in weights.items())
    return model


@pytest.fixture
def head(random_head):
    return random_head(3, 4)


def test_a_mask_is_for_tokens_and_not_for_places(head, tmp_path) -> None:
    model = parse(
        "(float[N,4,H,W] x, float[N,1] attention_mask) => (float[N,4,H,W] map) {"
        " s = ReduceSum<keepdims=0>(attention_mask) map = Mul(x, s) }"
    )
    onnx.save(model, tmp_path / "b.onnx")
    report = onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx", pool="mean")
    assert report.pooling.mask is None
    assert report.check.passed


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_feature_that_is_not_finite_is_refused(bad, head, tmp_path) -> None:
    onnx.save(parse("(float[N,4] x) => (float[N,4] hidden) { hidden = Neg(x) }"), tmp_path / "b.onnx")
    sample = np.zeros((2, 4), np.float32)
    sample[1, 2] = bad
    with pytest.raises(ModelError, match="must be finite"):
        onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx", sample=sample)


def test_the_size_of_the_head_counts(random_head, tmp_path, monkeypatch) -> None:
    pytest.importorskip("onnxruntime", minversion="1.21")
    onnx.save(parse("(float[N,64] x) => (float[N,64] hidden) { hidden = Relu(x) }"), tmp_path / "b.onnx")
    monkeypatch.setattr(whole_storage, "PROTOBUF_LIMIT_BYTES", 2**24 + 2**14)
    report = onnxhead.attach(tmp_path / "b.onnx", random_head(100, 64), tmp_path / "w.onnx")
    assert report.data_path is not None


_NESTED = """(float[N,4] x, bool t) => (float[N,4] hidden) {
    weight = Relu(x) side = Tanh(x)
    hidden = If(t)<then_branch = a () => (float[N,4] bias) {
        bias = If(t)<then_branch = c () => (float[N,4] logits) { logits = Add(side, weight) },
                     else_branch = e () => (float[N,4] probabilities) { probabilities = Identity(weight) }>
    }, else_branch = b () => (float[N,4] features) { features = Abs(weight) }>
}"""


def test_what_inner_bodies_read_is_needed_and_renamed(head, tmp_path) -> None:
    model = parse(_NESTED)
    inner = model.graph.node[-1].attribute[0].g.node[0].attribute[0].g
    inner.initializer.append(numpy_helper.from_array(floats(4), "temperature"))
    inner.node[0].input[0] = "sum"
    inner.node.insert(0, helper.make_node("Add", ["side", "temperature"], ["sum"]))
    onnx.save(model, tmp_path / "b.onnx")
    hot = onnxhead.Head(head.weight, head.bias, temperature=2.0)
    report = onnxhead.attach(tmp_path / "b.onnx", hot, tmp_path / "w.onnx")
    for turn in (True, False):
        sample = {"x": floats(2, 4), "t": np.array(turn)}
        assert onnxhead.verify(report.path, sample=sample).findings == []
        hidden = networks.run(tmp_path / "b.onnx", sample)
        logits = onnxhead.load(report.path, device="cpu")(sample).logits
        np.testing.assert_allclose(logits, hidden @ head.weight.T + head.bias, atol=1e-5)


def sparse(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    values = numpy_helper.from_array(np.array([1, 2, 3], np.float32), name)
    places = numpy_helper.from_array(np.array([0, 5, 10]))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 4]))
    return model


def test_sparse_weights_are_needed_and_renamed(head, tmp_path) -> None:
    onnx.save(
        sparse(parse("(float[N,4] x) => (float[N,4] hidden) { hidden = MatMul(x, weight) }"), "weight"),
        tmp_path / "b.onnx",
    )
    report = onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx")
    assert report.check.passed
    assert [one.values.name for one in onnx.load(report.path).graph.sparse_initializer] == ["backbone_weight"]


def test_new_names_are_free() -> None:
    model = parse(
        "(float[N,4] x) => (float[N,4] logits) { backbone_features = Neg(x)"
        " features = Neg(backbone_features) backbone_logits = Neg(features) logits = Neg(backbone_logits) }"
    )
    part = cut(model, "logits").graph
    names = make_room(part, {"features", "logits", "backbone_features_"})
    outputs = [node.output[0] for node in part.node]
    assert len(set(outputs)) == 4, outputs
    assert names["features"] not in ("backbone_features", "features", "backbone_features_")


def test_nodes_of_the_heads_names_get_others() -> None:
    model = parse("(float[N,4] x) => (float[N,4] y) { y = Neg(x) }")
    model.graph.node[0].name = "logits"
    part = cut(model, "y").graph
    make_room(part, {"logits"})
    assert part.node[0].name != "logits"


def test_a_dropout_behind_the_softmax_is_passed(tmp_path) -> None:
    onnx.save(
        parse("(float[N,4] x) => (float[N,4] p) { z = Neg(x) s = Softmax(z) p = Dropout(s) }"),
        tmp_path / "b.onnx",
    )
    assert complete(tmp_path / "b.onnx", tmp_path / "w.onnx").at == "z"


def test_operators_may_be_imported_as_ai_onnx(head, tmp_path) -> None:
    model = networks.make("older")
    model.opset_import[0].domain = "ai.onnx"
    onnx.save(model, tmp_path / "b.onnx")
    report = onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx")
    assert report.opset == 9
    assert onnxhead.verify(report.path).findings == []
    assert (onnxhead.read(report.path).weight == head.weight).all()


def test_small_weights_stay_in_the_model(random_head, tmp_path) -> None:
    pytest.importorskip("onnxruntime", minversion="1.21")
    model = parse(
        "(float[N,64] x) => (float[N,64] hidden) { a = MatMul(x, w1) hidden = Add(a, small) }",
        w1=floats(64, 64),
        small=floats(64),
    )
    onnx.save(model, tmp_path / "b.onnx", save_as_external_data=True, location="b.weights", size_threshold=0)
    report = onnxhead.attach(tmp_path / "b.onnx", random_head(3, 64), tmp_path / "w.onnx")
    kept = {
        one.name: one.data_location
        for one in onnx.load(report.path, load_external_data=False).graph.initializer
    }
    assert (kept["w1"], kept["small"]) == (TensorProto.EXTERNAL, TensorProto.DEFAULT)


def test_a_wrong_head_fails_the_check_alone() -> None:
    right, wrong = Deviation(0.0, 1.0), Deviation(2.0, 1.0)
    assert WholeCheck(1, right, right, right, wrong).passed
    for one in range(3):
        assert not WholeCheck(1, *(wrong if place == one else right for place in range(3)), None).passed


def test_the_backbone_by_another_name_is_not_replaced(head, tmp_path) -> None:
    path = networks.save("older", tmp_path)
    os.link(path, tmp_path / "same.onnx")
    for name in ("same.onnx", f"../{tmp_path.name}/older.onnx"):
        with pytest.raises(WriteError, match="must not replace its own backbone"):
            onnxhead.attach(path, head, tmp_path / name)


def test_another_backbone_of_the_same_head_is_another_model(head, tmp_path) -> None:
    path = networks.save("older", tmp_path)
    whole = onnxhead.attach(path, head, tmp_path / "w.onnx").path
    classify = onnxhead.load(whole, device="cpu")
    model = onnx.load(path)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(floats(3, 4), "weight"))
    onnx.save(model, path)
    onnxhead.attach(path, head, whole)
    with pytest.raises(ModelError, match="replaced since it was loaded"):
        classify.with_threads(1)


def test_bfloat16_is_converted_to_float32(head, tmp_path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    whole = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "w.onnx").path
    x = np.ones((2, 3), np.float32)
    classify = onnxhead.load(whole, device="cpu")
    assert (classify({"x": x.astype(ml_dtypes.bfloat16)}).logits == classify({"x": x}).logits).all()


def test_numbers_with_a_fraction_are_no_unsigned_integers(head, tmp_path) -> None:
    onnx.save(parse("(uint8[N,4] x) => (float[N,4] hidden) { hidden = Cast<to=1>(x) }"), tmp_path / "b.onnx")
    whole = onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx").path
    with pytest.raises(onnxhead_errors.FeaturesError, match="x must be uint8, got .* float32: convert"):
        onnxhead.load(whole, device="cpu")(np.ones((2, 4), np.float32))


def test_arrays_in_any_order_are_taken(head, tmp_path) -> None:
    whole = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "w.onnx").path
    x = floats(3, 2).T
    classify = onnxhead.load(whole, device="cpu")
    assert (classify({"x": x}).logits == classify({"x": x.copy()}).logits).all()


def test_the_bound_of_float32_is_not_that_of_halves() -> None:
    assert rounding_of(networks.make("older").graph) == 2.0**-14
    assert rounding_of(networks.make("half").graph) == 2.0**-6


def test_a_file_cut_short_is_no_whole_model(head, tmp_path) -> None:
    whole = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "w.onnx").path
    content = whole.read_bytes()
    for length in (0, 1, 2):
        whole.write_bytes(content[:length])
        assert not is_whole(whole)
    whole.write_bytes(b"\xff" * 20)
    assert not is_whole(whole)


def test_a_link_says_that_small_numbers_are_logits(tmp_path) -> None:
    onnx.save(parse("(float[N,4] x) => (float[N,4] small) { small = HardSigmoid(x) }"), tmp_path / "b.onnx")
    assert complete(tmp_path / "b.onnx", tmp_path / "w.onnx", link="softmax").at == "small"


def test_float64_features_are_cast(head, tmp_path) -> None:
    onnx.save(parse("(double[N,4] x) => (double[N,4] hidden) { hidden = Tanh(x) }"), tmp_path / "b.onnx")
    whole = onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx").path
    x = _RANDOM.standard_normal((2, 4))
    logits = onnxhead.load(whole, device="cpu")({"x": x}).logits
    np.testing.assert_allclose(logits, np.tanh(x) @ head.weight.T + head.bias, atol=1e-5)


def test_of_several_outputs_the_one_called_logits_is_taken(tmp_path) -> None:
    onnx.save(
        parse("(float[N,4] x) => (float[N,4] logits, float[N,4] p) { logits = Neg(x) p = Softmax(logits) }"),
        tmp_path / "b.onnx",
    )
    assert complete(tmp_path / "b.onnx", tmp_path / "w.onnx").at == "logits"


@pytest.mark.parametrize("opset", [9, 11, 12, 13, 18])
def test_a_mask_is_taken_at_every_opset(opset, head, tmp_path) -> None:
    model = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["": {opset}]>
        n (float[N,T,4] x, int64[N,T] attention_mask) => (float[N,T,4] tokens) {{
            m = Cast<to=1>(attention_mask) zero = Sub(m, m) side = Transpose<perm=[0,1]>(zero)
            shape = Shape(x) flat = Flatten<axis=2>(x) c = Flatten<axis=2>(side) s = Add(flat, c)
            tokens = Reshape(s, shape) }}""")
    onnx.save(model, tmp_path / "b.onnx")
    sample = {"x": floats(1, 3, 4), "attention_mask": np.array([[1, 1, 0]])}
    report = onnxhead.attach(
        tmp_path / "b.onnx",
        head,
        tmp_path / "w.onnx",
        at="tokens",
        pool="mean",
        normalize=True,
        sample=sample,
    )
    assert report.pooling.mask
    assert report.check.passed


def test_small_rows_are_normalised_too(head, tmp_path) -> None:
    onnx.save(parse("(float[N,4] x) => (float[N,4] hidden) { hidden = Neg(x) }"), tmp_path / "b.onnx")
    whole = onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx", normalize=True).path
    x = floats(2, 4)
    classify = onnxhead.load(whole, device="cpu")
    np.testing.assert_allclose(classify({"x": x * 1e-6}).logits, classify({"x": x}).logits, atol=1e-5)


def test_inputs_that_are_made_up_are_the_same_for_every_call() -> None:
    inputs = (Input("x", "float32", ("N", 3)), Input("pixels", "uint8", ("N", 100)))
    one, two = (next(_made_up(inputs)) for _ in range(2))
    assert (one["x"] == two["x"]).all()
    assert one["pixels"].max() > 99


def test_small_numbers_that_are_no_bytes_are_kept(random_head, tmp_path) -> None:
    pytest.importorskip("onnxruntime", minversion="1.21")
    model = parse(
        "(float[N,64] x) => (float[N,64] hidden) { a = MatMul(x, w1) hidden = Add(a, b1) }", w1=floats(64, 64)
    )
    path = tmp_path / "b.onnx"
    onnx.save(model, path, save_as_external_data=True, location="b.weights", size_threshold=1024)
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer.append(helper.make_tensor("b1", TensorProto.FLOAT, [64], floats(64).tolist()))
    path.write_bytes(model.SerializeToString())
    assert onnxhead.attach(path, random_head(3, 64), tmp_path / "w.onnx").check.passed


def test_metadata_that_others_append_are_no_matter(head, tmp_path) -> None:
    whole = onnxhead.attach(networks.save("older", tmp_path), head, tmp_path / "w.onnx").path
    model = onnx.load(whole)
    model.metadata_props.add(key="author", value="somebody")
    onnx.save(model, whole)
    assert is_whole(whole)
    assert onnxhead.load(whole, device="cpu").features == 0


def test_places_have_their_features_second(head, tmp_path) -> None:
    onnx.save(parse("(float[N,4,5,7] x) => (float[N,4,5,7] map) { map = Neg(x) }"), tmp_path / "b.onnx")
    assert onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx", pool="mean").at == "map"


def test_axes_that_have_no_name_are_not_the_batch() -> None:
    made = next(_made_up((Input("ids", "int64", ("?", "?")), Input("attention_mask", "int64", ("?", "?")))))
    assert made["ids"].shape == (3, 16)
    assert (made["attention_mask"] == 1).all()


def test_a_vocabulary_of_two_words_is_met(head, tmp_path) -> None:
    onnx.save(
        parse("(int64[N] ids) => (float[N,4] hidden) { hidden = Gather(v, ids) }", v=floats(2, 4)),
        tmp_path / "b.onnx",
    )
    assert onnxhead.attach(tmp_path / "b.onnx", head, tmp_path / "w.onnx").check.passed
