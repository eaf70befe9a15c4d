"""docs/format.md, statement by statement, for the checked-in model; read with onnx alone."""

import hashlib
import json

import numpy as np
import onnx
import pytest
from conftest import ROOT
from onnx import TensorProto, numpy_helper

import onnxhead
from onnxhead.graph import compose

ABC = ROOT / "models" / "abc.onnx"


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    model = onnx.load(ABC)
    onnx.checker.check_model(model, full_check=True)
    return model


def shape(value: onnx.ValueInfoProto) -> list[str | int]:
    assert value.type.tensor_type.elem_type == TensorProto.FLOAT
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_versions(model: onnx.ModelProto) -> None:
    assert model.ir_version == 7
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 13)]


def test_input_and_outputs(model: onnx.ModelProto) -> None:
    assert [(value.name, shape(value)) for value in model.graph.input] == [("features", ["batch", 3])]
    assert [(value.name, shape(value)) for value in model.graph.output] == [
        ("logits", ["batch", 3]),
        ("probabilities", ["batch", 3]),
    ]


def test_initializers(model: onnx.ModelProto) -> None:
    source = json.loads((ROOT / "models" / "abc.json").read_text())
    weight, bias = model.graph.initializer
    assert (weight.name, bias.name) == ("weight", "bias")
    assert weight.raw_data == np.array(source["weight"], "<f4").tobytes()
    assert bias.raw_data == np.array(source["bias"], "<f4").tobytes()
    assert numpy_helper.to_array(weight).shape == (3, 3)


def test_nodes(model: onnx.ModelProto) -> None:
    gemm, softmax = model.graph.node
    assert (gemm.op_type, gemm.name) == ("Gemm", "logits")
    assert (list(gemm.input), list(gemm.output)) == (["features", "weight", "bias"], ["logits"])
    assert {a.name: onnx.helper.get_attribute_value(a) for a in gemm.attribute} == {"transB": 1}
    assert (softmax.op_type, softmax.name) == ("Softmax", "probabilities")
    assert (list(softmax.input), list(softmax.output)) == (["logits"], ["probabilities"])
    assert {a.name: onnx.helper.get_attribute_value(a) for a in softmax.attribute} == {"axis": -1}


def test_metadata(model: onnx.ModelProto) -> None:
    data = b"".join(tensor.raw_data for tensor in model.graph.initializer)
    assert [(prop.key, prop.value) for prop in model.metadata_props] == [
        ("onnxhead.format", "1"),
        ("onnxhead.labels", '["A","B","C"]'),
        ("onnxhead.link", "softmax"),
        ("onnxhead.temperature", "1.0"),
        ("onnxhead.weights_sha256", hashlib.sha256(data).hexdigest()),
    ]
    assert model.producer_name == "onnxhead"
    assert (model.producer_version, model.doc_string, model.graph.doc_string) == ("", "", "")


@pytest.mark.parametrize(
    ("link", "operators"),
    [
        ("softmax", ["Gemm", "Div", "Softmax"]),
        ("sigmoid", ["Gemm", "Div", "Sigmoid"]),
        ("ovr", ["Gemm", "Div", "Neg", "Softplus", "Neg", "Softmax"]),
    ],
)
def test_the_nodes_of_each_link_with_a_temperature(link: str, operators: list[str], random_head) -> None:
    model = compose(random_head(link=link, temperature=1.5))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == operators
    assert [node.name for node in model.graph.node] == [node.output[0] for node in model.graph.node]
    assert list(model.graph.node[1].input) == ["logits", "temperature"]
    assert numpy_helper.to_array(model.graph.initializer[2]) == np.float32(1.5)


def test_without_labels_the_metadata_name_none(random_head) -> None:
    model = compose(random_head())
    assert "onnxhead.labels" not in {prop.key for prop in model.metadata_props}


def test_the_checked_in_model_is_what_save_writes_byte_for_byte(abc: onnxhead.Head, tmp_path) -> None:
    report = onnxhead.save(abc, tmp_path / "abc.onnx")
    assert report.path.read_bytes() == ABC.read_bytes()
    assert report.sha256 == hashlib.sha256(ABC.read_bytes()).hexdigest()
