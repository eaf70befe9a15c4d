"""What follows a linear layer in a foreign ONNX file, run on rows of features."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnxhead.sources.onnx_graph import Graph
from onnxhead.sources.onnx_layers import Layer
from onnxhead_runtime.errors import SourceError
from onnxhead_runtime.providers import open_session

# What may be run: arithmetic whose answers are no larger than what goes in. No loops, no generators.
_OPERATORS = set(
    "Abs Add And ArgMax ArgMin ArrayFeatureExtractor Binarizer Cast Ceil Clip Concat Constant Div "  # noqa: SIM905
    "Dropout Elu Equal Erf Exp Flatten Floor Gather Gelu Gemm Greater GreaterOrEqual HardSigmoid Hardmax "
    "Identity IsNaN LabelEncoder LeakyRelu Less LessOrEqual LinearClassifier Log LogSoftmax MatMul Max Mean "
    "LpNormalization Min Mul Neg Normalizer Not Or Pow Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp "
    "ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Round Scaler Shape Sigmoid Sign Slice Softmax "
    "Softplus Split Sqrt Squeeze Sub Sum Tanh TopK Transpose Unsqueeze Where".split()
)
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")


@dataclass(frozen=True, eq=False)
class Answers:
    """What a file answers.

    Attributes:
        rows: The rows as the file takes them, rounded to its type, float64 (rows, features).
        tables: The outputs that are numbers, float64 (rows, columns); single columns also side by side.
        labels: The outputs that are integers or text, one list of (rows,) each.
        skipped: The operators for which an output was not run.
    """

    rows: NDArray[np.float64]
    tables: list[NDArray[np.float64]]
    labels: list[list[Any]]
    skipped: list[str]


def run_tail(graph: Graph, layer: Layer, rows: NDArray[np.float64]) -> Answers:
    """Run the outputs that depend on the scores of a layer and on its features alone.

    Raises:
        SourceError: onnxruntime refuses that part of the file.
    """
    outputs, nodes, skipped = _after(graph, layer)
    kind = graph.element_type(layer.features, layer.weight.dtype)
    taken = rows.astype(helper.tensor_dtype_to_np_dtype(kind))
    answers = _run(graph, layer, (outputs, nodes), taken, kind) if outputs else []
    arrays = [np.asarray(answer) for answer in answers if isinstance(answer, np.ndarray)]
    tables = [_table(one) for one in arrays if one.dtype.kind == "f" and one.ndim in (1, 2)]
    columns = [table for table in tables if table.shape[1] == 1]
    if len(columns) > 1:  # one output per class
        tables.append(np.concatenate(columns, axis=1))
    labels = [one.ravel().tolist() for one in arrays if one.dtype.kind in "iOU" and one.size == len(rows)]
    return Answers(taken.astype(np.float64), tables, labels, skipped)


def _run(
    graph: Graph, layer: Layer, part: tuple[list[str], list[onnx.NodeProto]], taken: NDArray[Any], kind: int
) -> list[Any]:
    outputs, nodes = part
    model = onnx.ModelProto(ir_version=graph.proto.ir_version)
    model.opset_import.extend(graph.proto.opset_import)
    model.graph.name = "tail"
    model.graph.node.extend(nodes)
    needed = {name for node in nodes for name in node.input}
    model.graph.initializer.extend(graph.initializers(needed))
    model.graph.input.append(helper.make_tensor_value_info(layer.features, kind, ["batch", taken.shape[1]]))
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tail.onnx"
        try:
            path.write_bytes(model.SerializeToString())
            session, _ = open_session(str(path), "cpu")
            return list(session.run(outputs, {layer.features: taken}))
        except Exception as cause:  # protobuf and onnxruntime share no base
            reason = str(cause).replace(str(path), "it")
            raise SourceError(
                f"the link of a layer is found by running what follows it, which does not run: {reason}"
            ) from cause


def _table(answer: NDArray[Any]) -> NDArray[np.float64]:
    return answer.astype(np.float64).reshape(len(answer), -1)


def _after(graph: Graph, layer: Layer) -> tuple[list[str], list[onnx.NodeProto], list[str]]:
    """Return the outputs that can be run, the nodes that give them, in order, and what the others need."""
    following = graph.descendants(layer.scores)
    outputs: list[str] = []
    used: set[str] = set()
    skipped: list[str] = []
    for value in graph.proto.graph.output:
        name = value.name
        if name in graph.producers and graph.producers[name].op_type == "ZipMap":
            name = graph.producers[name].input[0]  # the same numbers, before they are put into dictionaries
        needed = _before(graph, name, layer.features)
        if not needed or name not in following or name in outputs:
            continue
        foreign = [_describe(node) for node in _giving(graph, layer, needed) if not _may_run(node)]
        skipped += foreign
        if not foreign:
            outputs.append(name)
            used |= needed
    return outputs, _giving(graph, layer, used), skipped


def _giving(graph: Graph, layer: Layer, tensors: set[str]) -> list[onnx.NodeProto]:
    giving = [node for node in graph.nodes if tensors.intersection(node.output)]
    return [node for node in giving if layer.features not in node.output]


def _may_run(node: onnx.NodeProto) -> bool:
    return node.op_type in _OPERATORS and node.domain in _DOMAINS


def _describe(node: onnx.NodeProto) -> str:
    return f"{node.name or node.output[0]} ({node.op_type})"


def _before(graph: Graph, name: str, features: str) -> set[str] | None:
    """Return all tensors that a tensor depends on, as far as the features; None for other inputs."""
    needed: set[str] = set()
    waiting = [name]
    while waiting:
        tensor = waiting.pop()
        if tensor in needed or not tensor:
            continue
        needed.add(tensor)
        if tensor == features:
            continue
        if tensor in graph.inputs:
            return None
        if tensor in graph.producers:
            waiting += graph.producers[tensor].input
    return needed
