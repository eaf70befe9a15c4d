"""A whole model that was read: a backbone, and what follows it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import onnx
from onnx import GraphProto, helper

from onnxhead.backbone import cut
from onnxhead.external import is_external, is_named_after, length_of, read_external
from onnxhead.form import Form
from onnxhead.graph import batch_of
from onnxhead.head import Head
from onnxhead.model_file import ModelFile
from onnxhead.parameters import Weight
from onnxhead.part import Part
from onnxhead_runtime.contract import FEATURES, LOGITS, WEIGHT, Label
from onnxhead_runtime.errors import ModelError
from onnxhead_runtime.inputs import Axis, Input
from onnxhead_runtime.weights import file_sha256


class WholeFile(ModelFile):
    """A file that `attach` wrote: the nodes of a backbone, then those of a head.

    The head begins at the tensor `features`; a file that was given its missing output alone has no head, and
    no such tensor.
    """

    @property
    def has_head(self) -> bool:
        """Whether there is a head of which weight and bias are known."""
        return bool(self.metadata.weights_sha256)

    @property
    def start(self) -> str:
        """The last tensor of the backbone: `features`, or `logits` where there is no head."""
        return FEATURES if self.has_head else LOGITS

    @property
    def form(self) -> Form:
        """How the head is written."""
        return self.head_part.form

    @property
    def classes(self) -> int:
        """The number of classes, as the output `logits` states it; 0 where it does not."""
        return self._axes[1].dim_value if len(self._axes) == 2 else 0

    @property
    def batch(self) -> Axis:
        """How many rows its answers have: a number, or the symbol for any; None where it has none."""
        first = self._axes[0] if self._axes else None
        return first.dim_value or first.dim_param or None if first else None

    @cached_property
    def _axes(self) -> list[onnx.TensorShapeProto.Dimension]:
        """The axes of the output `logits`, as far as they are stated."""
        logits = [value for value in self.proto.graph.output if value.name == LOGITS]
        return list(logits[0].type.tensor_type.shape.dim) if logits else []

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """What the model takes.

        Raises:
            ModelError: An input is no tensor, or onnxruntime refuses the model.
        """
        return Part(self.path, self.proto, [LOGITS]).inputs

    def open_backbone(self) -> Part:
        """Open the part before the head, or before the logits where there is no head."""
        return Part(self.path, cut(self.proto, self.start), [self.start])

    @property
    def labels(self) -> tuple[Label, ...]:
        """One label per class: the model's own, or the classes' numbers."""
        labels = self.metadata.labels
        return tuple(range(self.classes)) if labels is None else labels

    @cached_property
    def head_part(self) -> ModelFile:
        """The head as a file of its own, at the same path.

        Raises:
            ModelError: There is no head in the file.
        """
        if not self.has_head:
            raise ModelError(
                f"a head is known by its weight and bias, {self.path} is a classifier that was given an "
                "output and has none: onnxhead build makes a head of the classifier that it was made of"
            )
        proto = onnx.ModelProto(ir_version=self.proto.ir_version)
        proto.opset_import.append(helper.make_opsetid("", opset_of(self.proto)))
        proto.metadata_props.extend(self.proto.metadata_props)
        proto.graph.CopyFrom(_after_features(self.proto.graph))
        return ModelFile(self.path, proto, self.size_bytes, self.sha256, is_part=True)

    @cached_property
    def _head(self) -> Head:
        return self.head_part.head()

    @property
    def weight(self) -> Weight:
        """The head's weight."""
        return self.head_part.weight

    def head(self) -> Head:
        """Return the head, whose graph must be the one that onnxhead writes for it."""
        return self._head

    def damages(self) -> list[str]:
        """Compare the hashes that the file states with its content; one sentence per difference."""
        found = self.head_part.weight_damages() if self.has_head else []
        found += [
            f"the SHA-256 of {path.name} begins otherwise than its name states"
            for path in self.data_paths
            if not is_named_after(path.name, file_sha256(path))
        ]
        digest = content_sha256(self.proto, self.path)
        if digest != self.metadata.graph_sha256:
            found.append(
                f"the SHA-256 of the graph and of the weights beside it is {digest}, the file states "
                f"{self.metadata.graph_sha256}"
            )
        return found


def content_sha256(model: onnx.ModelProto, path: Path) -> str:
    """Return the hexadecimal SHA-256 of what a model computes: docs/format.md says of which bytes.

    Args:
        model: The model.
        path: Where it lies, or is to lie, beside its external data.
    """
    rest = onnx.ModelProto(ir_version=model.ir_version)
    rest.opset_import.extend(model.opset_import)
    rest.functions.extend(model.functions)
    digest = hashlib.sha256(rest.SerializeToString(deterministic=True))
    digest.update(model.graph.SerializeToString(deterministic=True))
    for tensor in filter(is_external, model.graph.initializer):
        digest.update(read_external(tensor, path, length_of(tensor)))
    return digest.hexdigest()


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the ai.onnx operators; 0 where there is none."""
    return next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)


def _after_features(graph: GraphProto) -> GraphProto:
    """Return the nodes that depend on `features`, as the graph of a head alone."""
    reached, part = {FEATURES}, GraphProto(name="onnxhead")
    for node in graph.node:
        if reached.intersection(node.input):
            part.node.append(node)
            reached.update(node.output)
    used = {name for node in part.node for name in node.input}
    part.initializer.extend(one for one in graph.initializer if one.name in used)
    width = next((one.dims[1] for one in part.initializer if one.name == WEIGHT and len(one.dims) == 2), 0)
    part.input.append(batch_of(FEATURES, width))
    part.output.extend(_with_batch(value) for value in graph.output)
    return part


def _with_batch(value: onnx.ValueInfoProto) -> onnx.ValueInfoProto:
    """Return an output with the symbol for its first axis that a head alone has."""
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    if copy.type.tensor_type.shape.dim:
        copy.type.tensor_type.shape.dim[0].CopyFrom(onnx.TensorShapeProto.Dimension(dim_param="batch"))
    return copy
