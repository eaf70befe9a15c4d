"""From a head to its ONNX graph: Gemm to the logits, the link's operators to the probabilities.

The graph is composed at the opset that is asked for. Only operators of the ai.onnx domain are used, since
those of ai.onnx.ml run neither on CUDA nor in most other runtimes. docs/format.md is the specification.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxhead.encoding import INT8_LIMIT, Storage, dtype_of, scales, stored_bytes
from onnxhead.external import refer
from onnxhead.form import DEFAULT, Form
from onnxhead.head import Head
from onnxhead.operators import SCALE, list_constants, list_nodes
from onnxhead.scan import scan
from onnxhead_runtime.contract import (
    BIAS,
    FEATURES,
    LOGITS,
    PROBABILITIES,
    TOP_CLASSES,
    TOP_PROBABILITIES,
    WEIGHT,
    Metadata,
)
from onnxhead_runtime.errors import HeadError

PROTOBUF_LIMIT_BYTES = 2**31 - 1
_INT8_LARGEST = 2.0**120  # sum of weights: times 127 steps it is within float32
_INT8_FEATURES = (2**31 - 1) // (255 * INT8_LIMIT)  # whose products an int32 holds


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
    check_shape(head, form)
    if form.weights == "int8":
        _check_int8_range(head)
    head = head.stored_as(form.weights, form.bias)
    if weight is None and head.matrix.stored_bytes > PROTOBUF_LIMIT_BYTES - 2**24:
        raise HeadError(
            f"a model in memory must be below 2 GiB, weight has {head.matrix.stored_bytes / 2**30:.1f} GiB; "
            "save(head, path) writes it beside the model"
        )
    initializers = [_tensor(WEIGHT, head.matrix.shape, form.weights, weight or head.weight)]
    if form.weights == "int8":
        initializers.append(_tensor(SCALE, head.bias.shape, "float32", scales(head.matrix.largest)))
    initializers.append(_tensor(BIAS, head.bias.shape, form.bias, bias or head.bias))
    initializers += list_constants(head, form)
    outputs = [batch_of(LOGITS, head.classes), batch_of(PROBABILITIES, head.classes)]
    if form.top_k:
        outputs += [
            batch_of(TOP_PROBABILITIES, form.top_k),
            batch_of(TOP_CLASSES, form.top_k, TensorProto.INT64),
        ]
    graph = helper.make_graph(
        list(list_nodes(head, form)),
        "onnxhead",
        inputs=[batch_of(FEATURES, head.features)],
        outputs=outputs,
        initializer=initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", form.opset)],
        ir_version=form.ir_version,
        producer_name="onnxhead",
    )
    digest = weights_sha256 or scan(head.matrix, head.bias, form.bias).sha256
    metadata = Metadata(head.labels, head.link, head.temperature, digest)
    for key, value in metadata.to_props().items():
        model.metadata_props.add(key=key, value=value)
    return model


def check_shape(head: Head, form: Form) -> None:
    """Raise HeadError for a form that a head of so many classes and features cannot have."""
    if form.top_k and form.top_k > head.classes:
        raise HeadError(f"top_k must be at most the {head.classes} classes, got {form.top_k}")
    if form.weights == "int8" and head.features > _INT8_FEATURES:
        raise HeadError(
            f"int8 sums at most {_INT8_FEATURES} features, got {head.features}: take float16 or bfloat16"
        )


def _check_int8_range(head: Head) -> None:
    largest = float(head.matrix.largest.max())
    if largest * head.features > _INT8_LARGEST:
        raise HeadError(
            f"weights in int8 must be at most 2**120 / features, got {largest:.2g} with {head.features} "
            "features: take bfloat16"
        )


def _tensor(
    name: str, shape: tuple[int, ...], storage: Storage, content: NDArray[np.float32] | Place
) -> TensorProto:
    """Return an initializer, with its data inside or at a place beside the model."""
    dtype = dtype_of(storage)
    tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(dtype), dims=shape)
    if not isinstance(content, Place):
        tensor.raw_data = bytes(stored_bytes(content, storage))
        return tensor
    refer(tensor, *content, dtype.itemsize * math.prod(shape))
    return tensor


def batch_of(name: str, width: int, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """Return an input or output of a head: rows of a width, any number of them."""
    return helper.make_tensor_value_info(name, dtype, ["batch", width])
