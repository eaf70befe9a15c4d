"""The linear layers of a foreign ONNX graph, with their constants resolved.

A linear layer is a Gemm, a MatMul with a constant, with the Add that follows it, or ai.onnx.ml's
LinearClassifier. What leads to it from the graph's input may be affine too, and is then folded into it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor
from onnx.reference import ReferenceEvaluator

from onnxhead.model import ModelFile
from onnxhead.sources.contents import Linear
from onnxhead_runtime.errors import SourceError

# Through these a constant stays one, and grows no larger.
_RESHAPING_OPERATORS = {"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_ELEMENTWISE_OPERATORS = {"Add", "Div", "Mul", "Neg", "Reciprocal", "Sqrt", "Sub"}
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


class Graph:
    """A graph with its constants and the nodes around each tensor."""

    def __init__(self, model: ModelFile) -> None:
        self._folder = str(model.path.parent)
        self.proto = model.proto
        self.nodes = list(model.proto.graph.node)
        self.producers = {name: node for node in self.nodes for name in node.output if name}
        self._initializers = {tensor.name: tensor for tensor in model.proto.graph.initializer}
        self._constants: dict[str, NDArray[Any] | None] = {}

    @cached_property
    def inputs(self) -> dict[str, onnx.ValueInfoProto]:
        """The inputs that are no constants."""
        return {value.name: value for value in self.proto.graph.input if value.name not in self._initializers}

    def consumers(self, name: str) -> list[onnx.NodeProto]:
        """Return the nodes that read a tensor."""
        return [node for node in self.nodes if name in node.input]

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return the value of a tensor that depends on no input, None for others."""
        if name not in self._constants:
            self._constants[name] = None  # a ring of nodes ends here
            self._constants[name] = self._evaluate(name)
        return self._constants[name]

    def _evaluate(self, name: str) -> NDArray[Any] | None:
        if name in self._initializers:
            return numpy_helper.to_array(self._complete(self._initializers[name]))
        node = self.producers.get(name)
        if node is None or node.domain not in ("", "ai.onnx"):
            return None
        if node.op_type == "Constant":
            return _run_node(node, {})
        values = {key: self.constant(key) for key in node.input if key}
        known = {key: value for key, value in values.items() if value is not None}
        if len(known) < len(values) or not _keeps_size(node.op_type, list(known.values())):
            return None
        return _run_node(node, known)

    def layers(self) -> list[Layer]:
        """Return every linear layer."""
        return [layer for node in self.nodes for layer in self._layer(node)]

    def last_layers(self) -> list[Layer]:
        """Return the linear layers after which no other comes, and whose scores lead to an output."""
        found = self.layers()
        outputs = {value.name for value in self.proto.graph.output}
        last = []
        for layer in found:
            after = self._descendants(layer.scores)
            if after & outputs and not any(other.features in after for other in found):
                last.append(layer)
        return last

    def element_type(self, name: str) -> int:
        """Return the element type of an input, float32 for what is computed."""
        if name in self.inputs:
            return int(self.inputs[name].type.tensor_type.elem_type)
        return int(onnx.TensorProto.FLOAT)

    def initializers(self, names: Iterable[str]) -> Iterator[onnx.TensorProto]:
        """Yield the initializers among names, their external data read."""
        for name in names:
            if name in self._initializers:
                yield self._complete(self._initializers[name])

    def _complete(self, tensor: onnx.TensorProto) -> onnx.TensorProto:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            return tensor
        copy = onnx.TensorProto()
        copy.CopyFrom(tensor)
        load_external_data_for_tensor(copy, self._folder)
        copy.ClearField("external_data")
        copy.data_location = onnx.TensorProto.DEFAULT
        return copy

    def _descendants(self, name: str) -> set[str]:
        """Return a tensor and all that depend on it."""
        reached = {name}
        grown = True
        while grown:
            size = len(reached)
            for node in self.nodes:
                if reached.intersection(node.input):
                    reached.update(filter(None, node.output))
            grown = len(reached) > size
        return reached

    def _layer(self, node: onnx.NodeProto) -> Iterator[Layer]:
        if node.op_type == "Gemm":
            yield from self._gemm(node)
        elif node.op_type == "MatMul":
            yield from self._matmul(node)
        elif node.op_type == "LinearClassifier" and node.domain == "ai.onnx.ml":
            yield _linear_classifier(node)

    def _gemm(self, node: onnx.NodeProto) -> Iterator[Layer]:
        own = attributes(node)
        stored = self.constant(node.input[1])
        if stored is None or stored.ndim != 2 or own.get("transA", 0):
            return
        weight = stored if own.get("transB", 0) else stored.T
        alpha, beta = own.get("alpha", 1.0), own.get("beta", 1.0)
        bias_key = node.input[2] if len(node.input) > 2 and node.input[2] else ""
        bias = self.constant(bias_key) if bias_key else np.zeros(1, weight.dtype)
        if bias is None or not _is_row(bias, len(weight)):
            return
        if alpha != 1.0:
            weight = weight * weight.dtype.type(alpha)
        if beta != 1.0:
            bias = bias * bias.dtype.type(beta)
        yield Layer(
            node.name or node.output[0],
            node.input[0],
            node.output[0],
            weight,
            np.broadcast_to(bias.ravel(), (len(weight),)),
            (node.input[1], bias_key or "no bias"),
        )

    def _matmul(self, node: onnx.NodeProto) -> Iterator[Layer]:
        stored = self.constant(node.input[1])
        if stored is None or stored.ndim != 2:
            return
        scores, key, bias = node.output[0], "no bias", np.zeros(1, stored.dtype)
        following = self.consumers(scores)
        if len(following) == 1 and following[0].op_type == "Add":
            other = next(name for name in following[0].input if name != scores)
            added = self.constant(other)
            if added is not None and _is_row(added, stored.shape[1]):
                scores, key, bias = following[0].output[0], other, added
        yield Layer(
            node.name or node.output[0],
            node.input[0],
            scores,
            stored.T,
            np.broadcast_to(bias.ravel(), (stored.shape[1],)),
            (node.input[1], key),
        )

    def fold(self, layer: Layer) -> Layer:
        """Fold what is affine between the graph's input and a layer, if all of it is."""
        weight = layer.weight.astype(np.float64)
        bias = layer.bias.astype(np.float64)
        name = layer.features
        steps: list[str] = []
        while name not in self.inputs:
            node = self.producers.get(name)
            step = None if node is None else self._step(node)
            if node is None or step is None:
                return layer
            if step.factor.ndim == 2:
                if step.factor.shape[0] != weight.shape[1]:
                    return layer
                bias, weight = bias + weight @ step.shift, weight @ step.factor
            else:
                if any(part.size not in (1, weight.shape[1]) for part in (step.factor, step.shift)):
                    return layer
                bias = bias + weight @ np.broadcast_to(step.shift, weight.shape[1:])
                weight = weight * step.factor
            if node.op_type not in _UNCHANGED_OPERATORS:
                steps.insert(0, f"{node.name or node.output[0]} ({node.op_type})")
            name = step.source
        if not steps:
            return replace(layer, features=name)
        return replace(layer, features=name, weight=weight, bias=bias, steps=tuple(steps))

    def _step(self, node: onnx.NodeProto) -> _Step | None:
        """Return a node as an affine step, None for one that is not."""
        if node.op_type in _UNCHANGED_OPERATORS:
            return _Step(node.input[0], np.ones(1), np.zeros(1))
        if node.op_type == "Scaler" and node.domain == "ai.onnx.ml":
            own = attributes(node)
            scale = np.asarray(own.get("scale", [1.0]), np.float64)
            return _Step(node.input[0], scale, -scale * np.asarray(own.get("offset", [0.0])))
        if node.op_type in ("Gemm", "MatMul"):
            for layer in self._layer(node):
                if layer.scores == node.output[0]:
                    factor, shift = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
                    return _Step(layer.features, factor, shift)
        if node.op_type in ("Add", "Sub", "Mul", "Div"):
            return self._elementwise(node)
        return None

    def _elementwise(self, node: onnx.NodeProto) -> _Step | None:
        left, right = (self.constant(name) for name in node.input)
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


@dataclass(frozen=True, eq=False)
class _Step:
    """y = factor x + shift, where factor is a matrix (outputs, inputs) or acts elementwise."""

    source: str
    factor: NDArray[np.float64]
    shift: NDArray[np.float64]


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
        tuple(label.decode() if isinstance(label, bytes) else label for label in labels),
    )


def _keeps_size(operator: str, values: Sequence[NDArray[Any]]) -> bool:
    """Tell operators whose answer is no larger than their largest input."""
    if operator in _ELEMENTWISE_OPERATORS:
        shape = np.broadcast_shapes(*(value.shape for value in values))
        return math.prod(shape) <= max(value.size for value in values)
    return operator in _RESHAPING_OPERATORS


def _run_node(node: onnx.NodeProto, values: Mapping[str, Any]) -> NDArray[Any]:
    with np.errstate(all="ignore"):
        answers: Any = ReferenceEvaluator(node).run(None, dict(values))
    return np.asarray(answers[0])


def is_antisymmetric(weight: NDArray[Any], bias: NDArray[Any]) -> bool:
    """Tell two rows of which one is the negative of the other."""
    return len(weight) == 2 and np.array_equal(weight[0], -weight[1]) and bool(bias[0] == -bias[1])


def _is_row(array: NDArray[Any], length: int) -> bool:
    return array.size in (1, length) and array.ndim <= 2 and (array.ndim < 2 or len(array) == 1)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
