"""From a head to its ONNX graph: Gemm to the logits, the link's operators to the probabilities.

Opset 13 and IR version 7 are written, never left to a default: every onnxruntime from 1.6 on loads them,
while what the onnx package writes by default only the newest onnxruntime loads, if any. Only operators of the
ai.onnx domain are used, since those of ai.onnx.ml run neither on CUDA nor in most other runtimes.
docs/format.md is the specification.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxhead.head import Head
from onnxhead.parameters import little_endian_bytes
from onnxhead.scan import scan
from onnxhead_runtime.contract import (
    BIAS,
    FEATURES,
    LOGITS,
    PROBABILITIES,
    TEMPERATURE,
    WEIGHT,
    Link,
    Metadata,
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


class Place(NamedTuple):
    """Where the bytes of a tensor lie: in which file beside the model, from which byte on."""

    location: str
    offset: int


def compose(
    head: Head, weights_sha256: str | None = None, weight: Place | None = None, bias: Place | None = None
) -> onnx.ModelProto:
    """Return the head as an ONNX model.

    The same head gives the same bytes on every machine.

    Args:
        head: The head.
        weights_sha256: The hash of weight and bias; None to compute it.
        weight: Where the weight is; None to put it into the model.
        bias: The same for the bias.

    Raises:
        HeadError: The weights are beyond the 2 GiB that a protobuf message can hold.

    Example:
        >>> model = compose(Head([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0]))
        >>> [node.op_type for node in model.graph.node]
        ['Gemm', 'Softmax']
        >>> [output.name for output in model.graph.output]
        ['logits', 'probabilities']
    """
    if weight is None and head.matrix.nbytes > PROTOBUF_LIMIT_BYTES - 2**24:
        raise HeadError(
            f"a model in memory must be below 2 GiB, weight has {head.matrix.nbytes / 2**30:.1f} GiB; "
            "save(head, path) writes it beside the model"
        )
    initializers = [
        _external(WEIGHT, head.matrix.shape, weight) if weight else _inline(WEIGHT, head.weight),
        _external(BIAS, head.bias.shape, bias) if bias else _inline(BIAS, head.bias),
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
    digest = weights_sha256 or scan(head.matrix, head.bias).sha256
    metadata = Metadata(head.labels, head.link, head.temperature, digest)
    for key, value in metadata.to_props().items():
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


def _inline(name: str, array: NDArray[np.float32]) -> TensorProto:
    return _tensor(name, array.shape, raw_data=bytes(little_endian_bytes(array)))


def _external(name: str, shape: tuple[int, ...], place: Place) -> TensorProto:
    tensor = _tensor(name, shape, data_location=TensorProto.EXTERNAL)
    length = 4 * math.prod(shape)
    for key, value in (("location", place.location), ("offset", place.offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _tensor(name: str, shape: tuple[int, ...], **data: Any) -> TensorProto:
    return TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, **data)


def _batch_of(name: str, width: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
