"""Open a model file: its structure is checked before anything of it is used.

onnxruntime takes the last of two initializers with one name and older versions follow external data out of
the model's folder; both are refused here.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

import onnx
from google.protobuf.message import DecodeError

import onnxhead_runtime
from onnxhead.external import check_external, is_external
from onnxhead.model_file import ModelFile
from onnxhead.nodes import every_body, every_node
from onnxhead.whole_file import WholeFile
from onnxhead_runtime import Classifier
from onnxhead_runtime.contract import GRAPH_KEY
from onnxhead_runtime.errors import ModelError


def open_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read an .onnx file and check its structure.

    Raises:
        ModelError: The file is missing, truncated or empty, two initializers have one name, or external
            data is missing or outside the model's folder.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as cause:  # ValueError: a path with a NUL
        reason = getattr(cause, "strerror", cause)
        raise ModelError(f"a model must be a readable .onnx file, {path} is not: {reason}") from cause
    try:
        proto = onnx.ModelProto.FromString(content)
    except DecodeError as cause:
        raise ModelError(
            f"a model must be an ONNX file, {path} is none, or cut short: copy it again, or make one of "
            "weights with onnxhead build"
        ) from cause
    if not proto.graph.node:
        raise ModelError(f"a model must have a graph with nodes, {path} ({len(content)} bytes) has none")
    _check_text(proto, path)
    _check_initializers(proto, path)
    kind = WholeFile if any(prop.key == GRAPH_KEY for prop in proto.metadata_props) else ModelFile
    return kind(path, proto, len(content), hashlib.sha256(content).hexdigest())


def open_whole(path: str | os.PathLike[str]) -> WholeFile:
    """Read a whole model and check its structure.

    Raises:
        ModelError: As `open_model`, or it is no whole model.
    """
    model = open_model(path)
    if not isinstance(model, WholeFile):
        raise ModelError(f"a whole model is what onnxhead attach writes, {path} is none")
    return model


def load(
    path: str | os.PathLike[str],
    *,
    device: str = "auto",
    threads: int | None = None,
    allow_tf32: bool = False,
    mmap: bool | Literal["auto"] = "auto",
) -> Classifier:
    """Open a model file to run it, its structure checked first.

    The same as `onnxhead_runtime.load`, which runs where onnx is not installed, and beyond that refuses what
    onnxruntime accepts: initializers with one name.

    Args:
        path: The .onnx file; its data file, if it has one, lies beside it.
        device: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where it starts and the CPU elsewhere.
            `cuda` never runs on the CPU: where it does not start, that is an error.
        threads: How many threads a call computes with on the CPU; None for one per core that this process
            may use.
        allow_tf32: Let a GPU round to TF32: faster, and no longer within the float32 bound.
        mmap: Whether float32 weights beside the model stay in their file; `auto`: from 256 MiB on.

    Raises:
        ModelError: The file is missing, broken, or does not have the contract's input and outputs.
        ProviderError: onnxruntime is missing, or the device is unknown or does not start.

    Example:
        >>> load("models/abc.onnx", device="cpu")([0.5, 0.8, 1.2]).labels
        ['C']
    """
    open_model(path)
    return onnxhead_runtime.load(path, device=device, threads=threads, allow_tf32=allow_tf32, mmap=mmap)


def _check_text(proto: onnx.ModelProto, path: Path) -> None:
    """Raise for names and metadata that are not UTF-8, which protobuf gives as bytes."""
    graph = proto.graph
    texts = [text for prop in proto.metadata_props for text in (prop.key, prop.value)]
    texts += [value.name for values in (graph.initializer, graph.input, graph.output) for value in values]
    texts += [entry.domain for entry in proto.opset_import]
    for node in every_node(graph):
        texts += [node.domain, node.op_type, *node.input, *node.output]
    if not all(isinstance(text, str) for text in texts):
        raise ModelError(f"names and metadata must be UTF-8, those of {path} are not")


def _check_initializers(proto: onnx.ModelProto, path: Path) -> None:
    names = [tensor.name for tensor in proto.graph.initializer]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ModelError(f"initializers must have distinct names, {path} has {', '.join(twice)} twice")
    for tensor in proto.graph.initializer:
        if is_external(tensor):
            check_external(tensor, path)
    inner = [tensor for body in every_body(proto.graph) for tensor in body.initializer]
    inner += [part for one in proto.graph.sparse_initializer for part in (one.values, one.indices)]
    for node in every_node(proto.graph):
        inner += [tensor for one in node.attribute for tensor in (one.t, *one.tensors)]
    if any(map(is_external, inner)):
        raise ModelError(
            f"external data must be that of the graph's own initializers, {path} has some in a node or a body"
        )
