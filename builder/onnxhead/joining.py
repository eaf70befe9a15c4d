"""Compose a whole model: the part of a graph before a tensor, then the nodes that follow it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import onnx
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper

from onnxhead.backbone import make_room, rename
from onnxhead.external import is_external, length_of, offset_of, read_external, refer
from onnxhead.model_file import ModelFile
from onnxhead_runtime.contract import LOGITS, PREFIX, PROBABILITIES

JOINT = "joint"  # what nodes of a tail call the tensor that they take
_FEWEST_BYTES = 1024  # smaller tensors stay in the model, where shapes are looked for
_ALIGNED_BYTES = 4096
OLDEST_IR = 4  # below, initializers are inputs


@dataclass(frozen=True, eq=False)
class Tail:
    """What follows the backbone.

    Attributes:
        start: The name that the backbone's last tensor gets; None where the nodes take it as `JOINT`.
        nodes: The nodes, in order.
        initializers: Their constants.
        classes: The width of `logits` and `probabilities`.
    """

    start: str | None
    nodes: Sequence[NodeProto]
    initializers: Sequence[TensorProto]
    classes: int


def join(part: onnx.ModelProto, tensor: str, tail: Tail, batch: Any) -> None:
    """Make a part of a model a whole one, which has no metadata of onnxhead yet.

    Args:
        part: The model up to the tensor, which is changed: a copy would be as large as its weights.
        tensor: The last tensor of the part.
        tail: What follows.
        batch: The symbol or the number of rows in the outputs; None where it is not known.

    Raises:
        ModelError: An input has a name of the tail's.
    """
    part.ir_version, part.producer_name = max(OLDEST_IR, part.ir_version), "onnxhead"
    kept = [one for one in part.metadata_props if not one.key.startswith(PREFIX)]
    del part.metadata_props[:]
    part.metadata_props.extend(kept)
    graph = part.graph
    reserved = {name for node in tail.nodes for name in node.output}
    reserved.update(one.name for one in tail.initializers)
    names = make_room(graph, reserved | {tail.start or JOINT})
    last = names.get(tensor, tensor)
    if tail.start:
        rename(graph, {last: tail.start})
    for node in tail.nodes:
        graph.node.append(node)
        graph.node[-1].input[:] = [last if name == JOINT else name for name in node.input]
    graph.initializer.extend(tail.initializers)
    graph.output.extend(_output(name, batch, tail.classes) for name in (LOGITS, PROBABILITIES))


def _output(name: str, batch: Any, classes: int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, classes])


class DataFile:
    """A data file of several tensors that is being written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._digest, self._size = file, hashlib.sha256(), 0

    @property
    def sha256(self) -> str:
        """The hexadecimal SHA-256 of what was written."""
        return self._digest.hexdigest()

    def align(self) -> int:
        """Fill up to a page, and return where the next tensor begins."""
        self.write(bytes(-self._size % _ALIGNED_BYTES))
        return self._size

    def write(self, content: Any) -> None:
        """Append bytes."""
        self._file.write(content)
        self._digest.update(content)
        self._size += len(content)

    def take(self, graph: GraphProto, model: ModelFile) -> None:
        """Move the tensors of a graph here; `locate` says where, once the file has a name.

        Args:
            graph: Its larger tensors become external, its small ones are put into the model.
            model: The model beside which external ones lie so far.
        """
        for tensor in graph.initializer:
            content = raw_bytes(tensor, model)
            if content is None:
                continue
            if len(content) < _FEWEST_BYTES:
                tensor.ClearField("external_data")
                tensor.data_location = TensorProto.DEFAULT
                tensor.raw_data = bytes(content)
                continue
            offset = self.align()
            self.write(content)
            tensor.ClearField("raw_data")
            refer(tensor, "", offset, len(content))


def locate(graph: GraphProto, name: str) -> None:
    """Say which file the external tensors of a graph lie in."""
    for tensor in filter(is_external, graph.initializer):
        refer(tensor, name, offset_of(tensor), length_of(tensor))


def raw_bytes(tensor: TensorProto, model: ModelFile) -> memoryview | bytes | None:
    """Return the bytes of a tensor; None for one that keeps numbers, as small ones do."""
    if is_external(tensor):
        return read_external(tensor, model.path, length_of(tensor))
    return tensor.raw_data or None
