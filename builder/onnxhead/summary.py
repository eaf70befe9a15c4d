"""What is in a model file, and which runtimes load it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import onnx

from onnxhead.compatibility import oldest_onnxruntime
from onnxhead.form import Form
from onnxhead.model import open_model
from onnxhead.model_file import ModelFile
from onnxhead.obstacles import find_obstacles
from onnxhead.sources.onnx_graph import Graph
from onnxhead.sources.onnx_layers import last_layers
from onnxhead.whole_file import WholeFile
from onnxhead_runtime.contract import Label, Link, Metadata
from onnxhead_runtime.errors import ModelError, OnnxHeadError
from onnxhead_runtime.weights import external_bytes


@dataclass(frozen=True)
class Tensor:
    """An input or output: name, element type such as `float32`, and shape with symbols for free axes."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype} [{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Summary:
    """What is in a model file.

    Attributes:
        path: The file.
        data_paths: The files beside it that hold its weights.
        size_bytes: The size of the .onnx file and of what it refers to in the others.
        sha256: Hexadecimal SHA-256 of the .onnx file.
        inputs: Its inputs.
        outputs: Its outputs, in order.
        operators: Its operators, in order.
        is_whole: Whether there is a backbone before the head.
        ir_version: The version of the ONNX file format.
        opset: The version of the ai.onnx operators.
        other_domains: The operator sets beyond ai.onnx, which not every runtime has.
        labels: One per class; None where the file names none.
        link: How logits become probabilities; None where the file does not say.
        temperature: The divisor of the logits; None where the file does not say.
        form: How the head is written; None where there is none that onnxhead built.
        weights_sha256: The hash of the weights; None where the file does not say.
        oldest_onnxruntime: The oldest release that loads the file; None if none is known to, and for files
            with operators beyond ai.onnx.
        has_linear_layer: Whether `read` could take a head from it: the last one.
        obstacles: Which runtimes refuse the file or leave its nodes on the CPU, and why, one sentence each.
    """

    path: Path
    data_paths: list[Path]
    size_bytes: int
    sha256: str
    inputs: list[Tensor]
    outputs: list[Tensor]
    operators: list[str]
    is_whole: bool
    ir_version: int
    opset: int
    other_domains: list[str]
    labels: tuple[Label, ...] | None
    link: Link | None
    temperature: float | None
    form: Form | None
    weights_sha256: str | None
    oldest_onnxruntime: str | None
    has_linear_layer: bool
    obstacles: list[str]


def inspect(path: str | os.PathLike[str]) -> Summary:
    """Read a model file's description; nothing is run, and any ONNX model may be asked about.

    Raises:
        ModelError: The file is broken, or its onnxhead metadata are.

    Example:
        >>> summary = inspect("models/abc.onnx")
        >>> summary.opset, summary.ir_version, summary.oldest_onnxruntime, summary.labels
        (13, 7, '1.6', ('A', 'B', 'C'))
    """
    model = open_model(path)
    graph = model.proto.graph
    metadata = _metadata(model)
    opsets = {entry.domain: entry.version for entry in model.proto.opset_import}
    opset = opsets.pop("", 0) or opsets.pop("ai.onnx", 0)
    form = model.form if metadata and metadata.weights_sha256 else None
    size = model.size_bytes + external_bytes(model.path)
    return Summary(
        path=model.path,
        data_paths=model.data_paths,
        size_bytes=size,
        sha256=model.sha256,
        inputs=[_tensor(value) for value in graph.input],
        outputs=[_tensor(value) for value in graph.output],
        operators=[node.op_type for node in graph.node],
        is_whole=isinstance(model, WholeFile),
        ir_version=model.proto.ir_version,
        opset=opset,
        other_domains=sorted(opsets),
        labels=metadata.labels if metadata else None,
        link=metadata.link if metadata else None,
        temperature=metadata.temperature if metadata else None,
        form=form,
        weights_sha256=metadata.weights_sha256 if metadata else None,
        oldest_onnxruntime=oldest_onnxruntime(model.proto.ir_version, opset) if not opsets else None,
        has_linear_layer=_has_linear_layer(model),
        obstacles=find_obstacles(model.proto, size, form),
    )


def _metadata(model: ModelFile) -> Metadata | None:
    """Return the metadata of a file that onnxhead built, once its graph is known to be what they say."""
    if not model.is_ours:
        return None
    if not isinstance(model, WholeFile) or model.has_head:
        model.head()
    return model.metadata


def _has_linear_layer(model: ModelFile) -> bool:
    try:
        return bool(last_layers(Graph(model)))
    except OnnxHeadError:
        return False


def _tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return Tensor(value.name, (kind or "untyped").removesuffix("_type"), ())
    tensor = value.type.tensor_type
    shape = tuple(
        axis.dim_value if axis.HasField("dim_value") else axis.dim_param or "?" for axis in tensor.shape.dim
    )
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    except KeyError as cause:
        raise ModelError(f"{value.name} must be a tensor, it has element type {tensor.elem_type}") from cause
    return Tensor(value.name, dtype, shape)
