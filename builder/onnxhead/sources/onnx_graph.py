"""A foreign ONNX graph: the nodes around each tensor, and the constants, through whatever leads to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor
from onnx.reference import ReferenceEvaluator

from onnxhead.model_file import ModelFile

# Through these a constant stays one, and grows no larger.
_RESHAPING_OPERATORS = {"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_ELEMENTWISE_OPERATORS = {
    "Abs",
    "Add",
    "Clip",
    "Div",
    "Exp",
    "Max",
    "Min",
    "Mul",
    "Neg",
    "Reciprocal",
    "Sqrt",
    "Sub",
}


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

    @cached_property
    def is_pipeline(self) -> bool:
        """Whether the file is a pipeline of classical steps, as skl2onnx writes it, and no network."""
        return any(node.domain == "ai.onnx.ml" for node in self.nodes)

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

    def element_type(self, name: str, otherwise: np.dtype[Any]) -> int:
        """Return the element type of an input, or that of what a layer computes with."""
        if name in self.inputs:
            return int(self.inputs[name].type.tensor_type.elem_type)
        return int(helper.np_dtype_to_tensor_dtype(otherwise))

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

    def descendants(self, name: str) -> set[str]:
        """Return a tensor and all that depend on it; a graph states its nodes in order."""
        reached = {name}
        for node in self.nodes:
            if reached.intersection(node.input):
                reached.update(filter(None, node.output))
        return reached


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the attributes of a node by name, lists of text as text."""
    values = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    return {
        name: [one.decode() for one in value] if isinstance(value, list) and _is_bytes(value) else value
        for name, value in values.items()
    }


def _is_bytes(values: Sequence[Any]) -> bool:
    return all(isinstance(value, bytes) for value in values)


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
