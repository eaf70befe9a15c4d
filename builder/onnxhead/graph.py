"""From a head to its ONNX graph: Gemm to the logits, the link's operators to the probabilities.

The graph is composed at the opset that is asked for. Only operators of the ai.onnx domain are used, since
those of ai.onnx.ml run neither on CUDA nor in most other runtimes. docs/format.md is the specification.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxhead.form import Form
from onnxhead.head import Head
from onnxhead.parameters import little_endian_bytes
from onnxhead.scan import scan
from onnxhead_runtime.contract import (
    BIAS,
    FEATURES,
    LOGITS,
    PROBABILITIES,
    TEMPERATURE,
    TOP_CLASSES,
    TOP_PROBABILITIES,
    WEIGHT,
    Link,
    Metadata,
)
from onnxhead_runtime.errors import HeadError

DEFAULT = Form()
PROTOBUF_LIMIT_BYTES = 2**31 - 1
_SOFTMAX_OPSET = 13  # from here on Softmax is along one axis
_TOP_K, _TOP_LOGITS = "top_k", "top_logits"

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
    head: Head,
    form: Form = DEFAULT,
    weights_sha256: str | None = None,
    weight: Place | None = None,
    bias: Place | None = None,
) -> onnx.ModelProto:
    """Return the head as an ONNX model.

    The same head gives the same bytes on every machine.

    Args:
        head: The head.
        form: How it is written.
        weights_sha256: The hash of weight and bias; None to compute it.
        weight: Where the weight is; None to put it into the model.
        bias: The same for the bias.

    Raises:
        HeadError: The weights are beyond the 2 GiB that a protobuf message can hold, or `form.top_k` is
            beyond the classes.

    Example:
        >>> model = compose(Head([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0]))
        >>> [node.op_type for node in model.graph.node]
        ['Gemm', 'Softmax']
        >>> [output.name for output in model.graph.output]
        ['logits', 'probabilities']
    """
    if form.top_k and form.top_k > head.classes:
        raise HeadError(f"top_k must be at most the {head.classes} classes, got {form.top_k}")
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
    outputs = [_batch_of(LOGITS, head.classes), _batch_of(PROBABILITIES, head.classes)]
    if form.top_k:
        initializers.append(helper.make_tensor(_TOP_K, TensorProto.INT64, (1,), [form.top_k]))
        outputs += [
            _batch_of(TOP_PROBABILITIES, form.top_k),
            _batch_of(TOP_CLASSES, form.top_k, TensorProto.INT64),
        ]
    graph = helper.make_graph(
        list(_nodes(head, form)),
        "onnxhead",
        inputs=[_batch_of(FEATURES, head.features)],
        outputs=outputs,
        initializer=initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", form.opset)],
        ir_version=form.ir_version,
        producer_name="onnxhead",
    )
    digest = weights_sha256 or scan(head.matrix, head.bias).sha256
    metadata = Metadata(head.labels, head.link, head.temperature, digest)
    for key, value in metadata.to_props().items():
        model.metadata_props.add(key=key, value=value)
    return model


def _nodes(head: Head, form: Form) -> Iterator[onnx.NodeProto]:
    yield helper.make_node("Gemm", [FEATURES, WEIGHT, BIAS], [LOGITS], name=LOGITS, transB=1)
    last = LOGITS
    if head.temperature != 1:
        last = "tempered_logits"
        yield helper.make_node("Div", [LOGITS, TEMPERATURE], [last], name=last)
    for operator, output in _LINK_OPERATORS[head.link]:
        node = helper.make_node(operator, [last], [output], name=output)
        if operator == "Softmax":
            # older ones flatten to two axes, of which they take the one that is named
            axis = -1 if form.opset >= _SOFTMAX_OPSET else 1
            node.attribute.append(helper.make_attribute("axis", axis))
        yield node
        last = output
    if form.top_k:
        # by the logits, which still differ where float32 probabilities have become equal
        yield helper.make_node(
            "TopK", [LOGITS, _TOP_K], [_TOP_LOGITS, TOP_CLASSES], name=TOP_CLASSES, axis=-1
        )
        yield helper.make_node(
            "GatherElements",
            [PROBABILITIES, TOP_CLASSES],
            [TOP_PROBABILITIES],
            name=TOP_PROBABILITIES,
            axis=-1,
        )


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


def _batch_of(name: str, width: int, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, ["batch", width])
