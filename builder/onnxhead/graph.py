"""From a head to its ONNX graph: Gemm to the logits, the link's operators to the probabilities.

Opset 13 and IR version 7 are written, never left to a default: every onnxruntime from 1.6 on loads them,
while what the onnx package writes by default only the newest onnxruntime loads, if any. Only operators of the
ai.onnx domain are used, since those of ai.onnx.ml run neither on CUDA nor in most other runtimes.
docs/format.md is the specification.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import TensorProto, helper

from onnxhead.head import Head, little_endian_bytes
from onnxhead_runtime.contract import (
    BIAS,
    FEATURES,
    LOGITS,
    PROBABILITIES,
    TEMPERATURE,
    WEIGHT,
    Link,
)
from onnxhead_runtime.errors import HeadError

OPSET = 13
IR_VERSION = 7
PROTOBUF_LIMIT_BYTES = 2**31 - 1

# The operators of each link, with the name of what each gives; the last one gives the probabilities.
_LINK_OPERATORS: dict[Link, list[tuple[str, str]]] = {
    "softmax": [("Softmax", PROBABILITIES)],
    "sigmoid": [("Sigmoid", PROBABILITIES)],
    "ovr": [
        ("Neg", "negated_logits"),
        ("Softplus", "negated_log_sigmoid"),
        ("Neg", "log_sigmoid"),
        ("Softmax", PROBABILITIES),
    ],
}


def compose(head: Head) -> onnx.ModelProto:
    """Return the head as one ONNX model with its weights inside.

    The same head gives the same bytes on every machine.

    Raises:
        HeadError: The weights are beyond the 2 GiB that a protobuf message can hold.

    Example:
        >>> model = compose(Head([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0]))
        >>> [node.op_type for node in model.graph.node]
        ['Gemm', 'Softmax']
        >>> [output.name for output in model.graph.output]
        ['logits', 'probabilities']
    """
    if head.weight.nbytes > PROTOBUF_LIMIT_BYTES - 2**24:
        raise HeadError(
            f"a model in memory must be below 2 GiB, weight has {head.weight.nbytes / 2**30:.1f} GiB; "
            "save(head, path) writes it beside the model"
        )
    weight = TensorProto(raw_data=bytes(little_endian_bytes(head.weight)))
    return _model(head, weight)


def compose_external(head: Head, location: str) -> onnx.ModelProto:
    """Return the model of a head whose weight is the whole of the file `location` beside it."""
    weight = TensorProto(data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(head.weight.nbytes))):
        weight.external_data.add(key=key, value=value)
    return _model(head, weight)


def _model(head: Head, weight: TensorProto) -> onnx.ModelProto:
    bias = TensorProto(raw_data=bytes(little_endian_bytes(head.bias)))
    initializers = [
        _describe(weight, WEIGHT, head.weight.shape),
        _describe(bias, BIAS, head.bias.shape),
    ]
    if head.temperature != 1:
        initializers.append(helper.make_tensor(TEMPERATURE, TensorProto.FLOAT, (), [head.temperature]))
    graph = helper.make_graph(
        list(_nodes(head)),
        "onnxhead",
        inputs=[_batch_of(FEATURES, head.features)],
        outputs=[_batch_of(LOGITS, head.classes), _batch_of(PROBABILITIES, head.classes)],
        initializer=initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="onnxhead",
    )
    for key, value in head.metadata().to_props().items():
        model.metadata_props.add(key=key, value=value)
    return model


def _nodes(head: Head) -> Iterator[onnx.NodeProto]:
    yield helper.make_node("Gemm", [FEATURES, WEIGHT, BIAS], [LOGITS], name=LOGITS, transB=1)
    last = LOGITS
    if head.temperature != 1:
        last = "tempered_logits"
        yield helper.make_node("Div", [LOGITS, TEMPERATURE], [last], name=last)
    for operator, output in _LINK_OPERATORS[head.link]:
        node = helper.make_node(operator, [last], [output], name=output)
        if operator == "Softmax":
            node.attribute.append(helper.make_attribute("axis", -1))
        yield node
        last = output


def _describe(tensor: TensorProto, name: str, shape: tuple[int, ...]) -> TensorProto:
    tensor.name = name
    tensor.data_type = TensorProto.FLOAT
    tensor.dims.extend(shape)
    return tensor


def _batch_of(name: str, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
