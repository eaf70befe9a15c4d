"""The nodes of a head's graph, in the order in which they run; docs/format.md lists them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from onnxhead.form import Form
from onnxhead.head import Head
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
)

SCALE, TOP_K = "scale", "top_k"
_SOFTMAX_OPSET = 13  # from here on Softmax is along one axis
_REDUCE_OPSET = 18  # from here on ReduceMax takes its axes as an input
_SUM_OPSET = 13  # the same of ReduceSum
_TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "float64": TensorProto.DOUBLE,
}
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
FEATURE_STEPS, SMALLEST_STEP = 127, 2.0**-120  # of int8: to each side of zero
_ZERO, _LIMIT, _SMALLEST, _ORIGIN, _ORIGIN_BYTE, _AXES = (
    "zero",
    "limit",
    "smallest_step",
    "origin",
    "origin_byte",
    "feature_axis",
)


def list_nodes(head: Head, form: Form) -> Iterator[NodeProto]:
    """Yield the nodes from `features` to all outputs."""
    yield from _int8_nodes(form) if form.weights == "int8" else _gemm_nodes(form)
    yield from list_link_nodes(head.link, head.temperature, form.opset)
    if form.top_k:
        # by the logits, which still differ where float32 probabilities have become equal
        yield _node("TopK", [LOGITS, TOP_K], "top_logits", TOP_CLASSES, axis=-1)
        yield _node("GatherElements", [PROBABILITIES, TOP_CLASSES], TOP_PROBABILITIES, axis=-1)


def list_constants(head: Head, form: Form) -> Iterator[TensorProto]:
    """Yield the initializers beside weight, scale and bias."""
    if head.temperature != 1:
        yield helper.make_tensor(TEMPERATURE, TensorProto.FLOAT, (), [head.temperature])
    if form.weights == "int8":
        yield helper.make_tensor(_ZERO, TensorProto.FLOAT, (), [0.0])
        yield helper.make_tensor(_LIMIT, TensorProto.FLOAT, (), [float(FEATURE_STEPS)])
        yield helper.make_tensor(_SMALLEST, TensorProto.FLOAT, (), [SMALLEST_STEP])
        yield helper.make_tensor(_ORIGIN, TensorProto.FLOAT, (), [128.0])
        yield numpy_helper.from_array(np.array(128, np.uint8), _ORIGIN_BYTE)
        if form.opset >= _SUM_OPSET:
            yield helper.make_tensor(_AXES, TensorProto.INT64, (1,), [1])
    if form.top_k:
        yield helper.make_tensor(TOP_K, TensorProto.INT64, (1,), [form.top_k])


def _gemm_nodes(form: Form) -> Iterator[NodeProto]:
    """Yield W f + b, in the type that it is computed in."""
    compute = form.compute
    inputs = []
    for name, kept in ((FEATURES, "float32"), (WEIGHT, form.weights), (BIAS, form.bias)):
        last = name
        if kept != compute:
            last = f"{name}_{compute}"
            yield _node("Cast", [name], last, to=_TYPES[compute])
        inputs.append(last)
    product = LOGITS if compute == "float32" else f"{LOGITS}_{compute}"
    yield _node("Gemm", inputs, product, transB=1)
    if product != LOGITS:
        yield _node("Cast", [product], LOGITS, to=TensorProto.FLOAT)


def _int8_nodes(form: Form) -> Iterator[NodeProto]:
    """Yield W f + b by integers: features in 255 steps, each row by its own largest.

    A row's steps are its own, so that it does not depend on others of its batch. Where a feature is NaN or
    infinite, zero times that is NaN, and with it the row. The scale of a class comes before the step of a
    row, which may be of any size; multiplied by each other first, onnxruntime would take the steps for one
    number (its fusion MatMulIntegerToFloat).
    """
    yield _node("Abs", [FEATURES], "magnitudes")
    yield _reduce("ReduceMax", "magnitudes", "largest_feature", form, _REDUCE_OPSET)
    yield _node("Div", ["largest_feature", _LIMIT], "largest_step")
    yield _node("Max", ["largest_step", _SMALLEST], "step")
    yield _node("Div", [FEATURES, "step"], "steps")
    yield _node("Round", ["steps"], "whole_steps")
    yield _node("Add", ["whole_steps", _ORIGIN], "shifted_steps")
    yield _node("Cast", ["shifted_steps"], "features_uint8", to=TensorProto.UINT8)
    yield _node("Transpose", [WEIGHT], "weight_transposed", perm=[1, 0])
    yield _node("MatMulInteger", ["features_uint8", "weight_transposed", _ORIGIN_BYTE], "products")
    yield _node("Cast", ["products"], "products_float32", to=TensorProto.FLOAT)
    yield _node("Mul", [FEATURES, _ZERO], "zeros_or_nan")
    yield _reduce("ReduceSum", "zeros_or_nan", "zero_or_nan", form, _SUM_OPSET)
    yield _node("Add", ["step", "zero_or_nan"], "row_scale")
    yield _node("Mul", ["products_float32", SCALE], "scaled_products")
    yield _node("Mul", ["scaled_products", "row_scale"], "sums")
    yield _node("Add", ["sums", BIAS], LOGITS)


def _reduce(operator: str, name: str, output: str, form: Form, opset: int) -> NodeProto:
    if form.opset >= opset:
        return _node(operator, [name, _AXES], output, keepdims=1)
    return _node(operator, [name], output, axes=[1], keepdims=1)


def list_link_nodes(link: Link, temperature: float, opset: int) -> Iterator[NodeProto]:
    """Yield the nodes from `logits` to `probabilities`."""
    last = LOGITS
    if temperature != 1:
        last = "tempered_logits"
        yield _node("Div", [LOGITS, TEMPERATURE], last)
    for operator, output in _LINK_OPERATORS[link]:
        # older ones flatten to two axes, of which they take the one that is named
        axis = -1 if opset >= _SOFTMAX_OPSET else 1
        yield _node(operator, [last], output, **({"axis": axis} if operator == "Softmax" else {}))
        last = output


def _node(operator: str, inputs: list[str], *outputs: str, **attributes: Any) -> NodeProto:
    """Return a node that is named after the last that it gives."""
    return helper.make_node(operator, inputs, outputs, name=outputs[-1], **attributes)
