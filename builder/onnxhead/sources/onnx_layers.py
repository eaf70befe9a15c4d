"""The linear layers of a foreign ONNX graph, with their constants resolved.

A linear layer is a Gemm, a MatMul with a constant, with the Add that follows it, or ai.onnx.ml's
LinearClassifier. What leads to it from the graph's input may be affine too, and is then folded into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from onnxhead.sources.contents import Linear
from onnxhead.sources.onnx_graph import Graph, attributes
from onnxhead_runtime.errors import SourceError

_CORE = ("", "ai.onnx")
_NO_BIAS = "no bias"
# Of these the answer is the first input, in inference and for a batch of rows.
_UNCHANGED_OPERATORS = {"Cast", "Dropout", "Flatten", "Identity"}


@dataclass(frozen=True, eq=False)
class Layer:
    """A linear layer: scores = weight features + bias.

    Attributes:
        node: Its name, or that of what it gives where it has none.
        features: The tensor that it reads.
        scores: The tensor that it gives, with its bias; for a LinearClassifier they are inside the operator.
        weight: (rows, features), as it is in the file.
        bias: (rows,).
        keys: What weight and bias are in the file.
        labels: The labels that the operator states.
        steps: What was folded.
    """

    node: str
    features: str
    scores: str
    weight: NDArray[Any]
    bias: NDArray[Any]
    keys: tuple[str, str]
    labels: tuple[Any, ...] | None = None
    steps: tuple[str, ...] = ()

    def to_linear(self) -> Linear:
        """Return it without a link."""
        return Linear(self.weight, self.bias, self.labels, None, self.keys, steps=self.steps)


@dataclass(frozen=True, eq=False)
class _Step:
    """y = factor x + shift, where factor is a matrix (outputs, inputs) or acts elementwise."""

    source: str
    factor: NDArray[np.float64]
    shift: NDArray[np.float64]

    def fits(self, outputs: int) -> bool:
        """Tell whether it gives as many numbers as what follows it takes."""
        if self.factor.ndim == 2:
            return bool(self.factor.shape[0] == outputs)
        return bool(self.factor.size in (1, outputs) and self.shift.size in (1, outputs))

    def apply(
        self, weight: NDArray[np.float64], bias: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return weight and bias at its input, given those at its output."""
        bias = bias + weight @ np.broadcast_to(self.shift, weight.shape[1:])
        return weight @ self.factor if self.factor.ndim == 2 else weight * self.factor, bias


def find_layers(graph: Graph) -> list[Layer]:
    """Return every linear layer."""
    return [layer for node in graph.nodes for layer in read_layer(graph, node)]


def last_layers(graph: Graph) -> list[Layer]:
    """Return the linear layers that lead to an output, and after which no other does.

    They are found from the outputs backwards: of a large network only the constants of its end are read.
    """
    found: dict[str, Layer] = {}
    seen: set[str] = set()
    waiting = [value.name for value in graph.proto.graph.output]
    while waiting:
        name = waiting.pop()
        node = graph.producers.get(name)
        if name in seen or node is None:
            continue
        seen.add(name)
        layers = list(read_layer(graph, node))
        found |= {layer.scores: layer for layer in layers}
        waiting += [] if layers else node.input
    last = [
        layer
        for layer in found.values()
        if not graph.descendants(layer.scores) & {other.features for other in found.values()}
    ]
    place = {name: number for number, node in enumerate(graph.nodes) for name in node.output}
    return sorted(last, key=lambda layer: place[layer.scores])


def fold(graph: Graph, layer: Layer) -> Layer:
    """Fold what is affine between the graph's input and a layer, if all of it is."""
    weight = layer.weight.astype(np.float64)
    bias = layer.bias.astype(np.float64)
    name = layer.features
    steps: list[str] = []
    passed = {name}
    while name not in graph.inputs:
        node = graph.producers.get(name)
        step = None if node is None else _step(graph, node)
        if node is None or step is None or step.source in passed or not step.fits(weight.shape[1]):
            return layer
        weight, bias = step.apply(weight, bias)
        if node.op_type not in _UNCHANGED_OPERATORS:
            steps.insert(0, f"{node.name or node.output[0]} ({node.op_type})")
        name = step.source
        passed.add(name)
    if not steps:
        return replace(layer, features=name)
    return replace(layer, features=name, weight=weight, bias=bias, steps=tuple(steps))


def read_layer(graph: Graph, node: onnx.NodeProto) -> Iterator[Layer]:
    """Yield the layer that a node is, if it is one, with the constants that are added to its scores."""
    if node.op_type == "LinearClassifier" and node.domain == "ai.onnx.ml":
        yield _linear_classifier(node)
    else:
        yield from (_with_bias(graph, layer) for layer in _matrix(graph, node))


def _matrix(graph: Graph, node: onnx.NodeProto) -> Iterator[Layer]:
    """Yield a node as a layer of its own, if it is a Gemm or a MatMul with constants."""
    if node.domain in _CORE and node.op_type == "Gemm":
        yield from _gemm(graph, node)
    elif node.domain in _CORE and node.op_type == "MatMul":
        yield from _matmul(graph, node)


def _gemm(graph: Graph, node: onnx.NodeProto) -> Iterator[Layer]:
    own = attributes(node)
    stored = graph.constant(node.input[1])
    if stored is None or stored.ndim != 2 or own.get("transA", 0):
        return
    weight = stored if own.get("transB", 0) else stored.T
    alpha, beta = own.get("alpha", 1.0), own.get("beta", 1.0)
    bias_key = node.input[2] if len(node.input) > 2 and node.input[2] else ""
    bias = graph.constant(bias_key) if bias_key else np.zeros(1, weight.dtype)
    if bias is None or not _is_row(bias, len(weight)):
        return
    if alpha != 1.0:
        weight = weight * weight.dtype.type(alpha)
    if beta != 1.0:
        bias = bias * bias.dtype.type(beta)
    yield _layer(node, weight, bias, bias_key or _NO_BIAS)


def _matmul(graph: Graph, node: onnx.NodeProto) -> Iterator[Layer]:
    stored = graph.constant(node.input[1])
    if stored is not None and stored.ndim == 2:
        yield _layer(node, stored.T, np.zeros(1, stored.dtype), _NO_BIAS)


def _layer(node: onnx.NodeProto, weight: NDArray[Any], bias: NDArray[Any], bias_key: str) -> Layer:
    bias = np.broadcast_to(bias.ravel(), (len(weight),))
    keys = (node.input[1], bias_key)
    return Layer(node.name or node.output[0], node.input[0], node.output[0], weight, bias, keys)


def _with_bias(graph: Graph, layer: Layer) -> Layer:
    """Return a layer with the constants that are added to its scores before anything else reads them."""
    while len(following := graph.consumers(layer.scores)) == 1:
        after = following[0]
        step = _elementwise(graph, after) if after.op_type in ("Add", "Sub") else None
        if step is None or step.source != layer.scores or not step.fits(len(layer.weight)):
            break
        added = [name for name in after.input if name != layer.scores]
        names = [name for name in (layer.keys[1], *added) if name != _NO_BIAS]
        bias = layer.bias + step.shift.astype(layer.bias.dtype)
        keys = (layer.keys[0], " + ".join(names))
        layer = replace(layer, bias=bias, scores=after.output[0], keys=keys)
    return layer


def _linear_classifier(node: onnx.NodeProto) -> Layer:
    own = attributes(node)
    name = node.name or node.output[1]
    coefficients = np.asarray(own.get("coefficients", []), np.float32)
    labels = own.get("classlabels_strings") or own.get("classlabels_ints") or []
    intercepts = np.asarray(own.get("intercepts", []), np.float32)
    rows = len(intercepts) or len(labels)
    if not rows or not len(coefficients) or len(coefficients) % rows:
        raise SourceError(
            f"a LinearClassifier must have one coefficient per class and feature, {name} has "
            f"{len(coefficients)} coefficients, {len(intercepts)} intercepts and {len(labels)} labels"
        )
    return Layer(
        name,
        node.input[0],
        node.output[1],
        coefficients.reshape(rows, -1),
        intercepts if len(intercepts) else np.zeros(rows, np.float32),
        (f"{name}.coefficients", f"{name}.intercepts"),
        tuple(labels),
    )


def _step(graph: Graph, node: onnx.NodeProto) -> _Step | None:
    """Return a node as an affine step, None for one that is not."""
    if node.op_type == "Scaler" and node.domain == "ai.onnx.ml":
        own = attributes(node)
        scale = np.asarray(own.get("scale", [1.0]), np.float64)
        return _Step(node.input[0], scale, -scale * np.asarray(own.get("offset", [0.0])))
    if node.domain not in _CORE:
        return None
    if node.op_type in _UNCHANGED_OPERATORS:
        return _Step(node.input[0], np.ones(1), np.zeros(1)) if _is_unchanged(node) else None
    if node.op_type in ("Gemm", "MatMul"):
        for layer in _matrix(graph, node):
            return _Step(layer.features, layer.weight.astype(np.float64), layer.bias.astype(np.float64))
    if node.op_type in ("Add", "Sub", "Mul", "Div"):
        return _elementwise(graph, node)
    return None


def _is_unchanged(node: onnx.NodeProto) -> bool:
    """Tell a Cast to floats and a Flatten of rows from those that change numbers or rows."""
    own = attributes(node)
    if node.op_type == "Cast":
        return own.get("to") in (TensorProto.FLOAT, TensorProto.DOUBLE)
    return node.op_type != "Flatten" or own.get("axis", 1) == 1


def _elementwise(graph: Graph, node: onnx.NodeProto) -> _Step | None:
    left, right = (graph.constant(name) for name in node.input)
    if left is not None and right is None and node.op_type in ("Add", "Mul"):
        left, right = right, left
        source = node.input[1]
    else:
        source = node.input[0]
    if left is not None or right is None or right.ndim > 2 or (right.ndim == 2 and len(right) != 1):
        return None
    other, one = right.ravel().astype(np.float64), np.ones(1)
    if node.op_type in ("Add", "Sub"):
        return _Step(source, one, other if node.op_type == "Add" else -other)
    with np.errstate(divide="ignore"):
        return _Step(source, other if node.op_type == "Mul" else 1.0 / other, np.zeros(1))


def is_antisymmetric(weight: NDArray[Any], bias: NDArray[Any]) -> bool:
    """Tell two rows of which one is the negative of the other."""
    return len(weight) == 2 and np.array_equal(weight[0], -weight[1]) and bool(bias[0] == -bias[1])


def _is_row(array: NDArray[Any], length: int) -> bool:
    return array.size in (1, length) and array.ndim <= 2 and (array.ndim < 2 or len(array) == 1)
