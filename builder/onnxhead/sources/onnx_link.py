"""How the scores of a layer become probabilities, found by running what follows the layer.

Exporters spell one function in many ways. Each link is therefore a hypothesis, and the file's own answers on
random rows decide: its probabilities are those of exactly one link, or the layer is no head.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from onnxhead.head import Folding
from onnxhead.rows import decision_rows, distance
from onnxhead.sources.contents import Linear
from onnxhead.sources.onnx_graph import Graph
from onnxhead.sources.onnx_layers import Layer, is_antisymmetric
from onnxhead_runtime import links
from onnxhead_runtime.contract import LINKS
from onnxhead_runtime.errors import SourceError
from onnxhead_runtime.providers import open_session

_TOLERANCE = 1e-4
_UNIT_ROUNDOFFS = 64 * 2.0**-24  # of the file's float32 arithmetic, per term of a logit
# What may be run: arithmetic whose answers are no larger than what goes in. No loops, no generators.
_OPERATORS = set(
    "Abs Add And ArgMax ArgMin ArrayFeatureExtractor Cast Ceil Clip Concat Constant Div Dropout Elu "  # noqa: SIM905
    "Equal Erf Exp Flatten Floor Gather Gelu Gemm Greater GreaterOrEqual HardSigmoid Hardmax Identity IsNaN "
    "LabelEncoder LeakyRelu Less LessOrEqual LinearClassifier Log LogSoftmax LpNormalization MatMul Max Mean "
    "Min Mul Neg Normalizer Not Or Pow Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean "
    "ReduceMin ReduceSum Relu Reshape Round Scaler Shape Sigmoid Sign Slice Softmax Softplus Split Sqrt "
    "Squeeze Sub Sum Tanh TopK Transpose Unsqueeze Where".split()
)
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_LARGEST_TOLERANCE = 0.01  # the probabilities of two links differ by more


def find_link(graph: Graph, layer: Layer) -> tuple[Linear, Folding] | None:
    """Find the link of a layer; it is None where the file shows nothing but scores.

    Returns:
        None where the file's answers are those of no link.
    """
    weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
    temperature = _temperature(graph, layer)
    rows = decision_rows(weight, bias, temperature)
    rows, answers = _run(graph, layer, rows)
    found = layer.to_linear()
    logits = rows @ weight.T + bias
    tolerance = _tolerance(rows, weight, bias, temperature)
    errors = [distance(logits, answer) for answer in answers]
    shown = [error for error in errors if error < tolerance * max(1.0, temperature)]
    logits_error = min(shown, default=None)
    for hypothesis in _hypotheses(replace(found, temperature=temperature)):
        expected = _probabilities(hypothesis, rows)
        error = min((_error(expected, answer) for answer in answers), default=np.inf)
        if error < tolerance:
            return hypothesis, Folding(layer.steps, logits_error, error, len(rows))
    scaled = [error for answer in answers if (error := distance(logits / temperature, answer)) < tolerance]
    if not answers or len(shown) + (len(scaled) if temperature != 1 else 0) < len(answers):
        return None
    return found, Folding(layer.steps, logits_error, None, len(rows))


def _tolerance(
    rows: NDArray[np.float64], weight: NDArray[np.float64], bias: NDArray[np.float64], temperature: float
) -> float:
    terms = np.abs(rows) @ np.abs(weight).T + np.abs(bias)
    return min(_TOLERANCE + _UNIT_ROUNDOFFS * 2 / temperature * float(terms.max()), _LARGEST_TOLERANCE)


def _hypotheses(linear: Linear) -> Iterator[Linear]:
    """Yield what a layer may be; on the rows that are tried no two of them agree."""
    weight, bias = linear.weight, linear.bias
    if linear.labels is not None and is_antisymmetric(weight, bias):
        # a LinearClassifier of two classes with the scores [-d, d], a sigmoid for each: its logit is d
        yield replace(linear, weight=weight[1:], bias=bias[1:], link="softmax")
    if len(weight) == 1:
        yield replace(linear, link="softmax")
        return
    for link in LINKS:
        yield replace(linear, link=link)


def _probabilities(linear: Linear, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    logits = rows @ linear.weight.T.astype(np.float64) + linear.bias
    if len(linear.weight) == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    return links.probabilities(logits, linear.link or "softmax", linear.temperature)


def _error(expected: NDArray[np.float64], answer: NDArray[np.float64]) -> float:
    """Compare with probabilities, their logarithms, or those of the second of two classes alone."""
    readings = [answer, np.exp(np.minimum(answer, 0.0))]
    if expected.shape[1] == 2 and answer.shape[1:] == (1,):
        expected = expected[:, 1:]
    return min(distance(expected, reading) for reading in readings)


def _temperature(graph: Graph, layer: Layer) -> float:
    """Return the positive number by which the scores are divided before anything else."""
    for node in graph.consumers(layer.scores):
        if node.op_type not in ("Div", "Mul") or len(node.input) != 2:
            continue
        other = node.input[1] if node.input[0] == layer.scores else node.input[0]
        constant = graph.constant(other)
        if constant is None or constant.size != 1 or not float(constant.item()) > 0:
            continue
        if node.op_type == "Mul":
            return 1 / float(constant.item())
        if node.input[0] == layer.scores:
            return float(constant.item())
    return 1.0


def _run(
    graph: Graph, layer: Layer, rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Run the part of the file that depends on the features.

    Returns:
        The rows as the file takes them, rounded to its type, and the tables of numbers after the scores.
    """
    outputs, nodes = _after(graph, layer)
    for node in nodes:
        if node.op_type not in _OPERATORS or node.domain not in _DOMAINS:
            raise SourceError(
                "the link of a layer is found by running what follows it, which must be plain arithmetic, "
                f"{node.name or node.output[0]} is {node.op_type}"
            )
    kind = graph.element_type(layer.features, layer.weight.dtype)
    taken = rows.astype(helper.tensor_dtype_to_np_dtype(kind))
    rows = taken.astype(np.float64)
    if not outputs:
        return rows, []
    model = onnx.ModelProto(ir_version=graph.proto.ir_version)
    model.opset_import.extend(graph.proto.opset_import)
    model.graph.name = "tail"
    model.graph.node.extend(nodes)
    needed = {name for node in nodes for name in node.input}
    model.graph.initializer.extend(graph.initializers(needed))
    model.graph.input.append(helper.make_tensor_value_info(layer.features, kind, ["batch", rows.shape[1]]))
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tail.onnx"
        try:
            path.write_bytes(model.SerializeToString())
            session, _ = open_session(str(path), "cpu")
            answers = session.run(outputs, {layer.features: taken})
        except Exception as cause:  # protobuf and onnxruntime share no base
            reason = str(cause).replace(str(path), "it")
            raise SourceError(
                f"the link of a layer is found by running what follows it, which does not run: {reason}"
            ) from cause
    return rows, [_table(answer) for answer in answers if _is_table(answer)]


def _is_table(answer: Any) -> bool:
    return isinstance(answer, np.ndarray) and answer.dtype.kind == "f" and answer.ndim in (1, 2)


def _table(answer: NDArray[Any]) -> NDArray[np.float64]:
    return answer.astype(np.float64).reshape(len(answer), -1)


def _after(graph: Graph, layer: Layer) -> tuple[list[str], list[onnx.NodeProto]]:
    """Return the outputs that depend on the scores, and the nodes that give them, in order."""
    following = graph.descendants(layer.scores)
    outputs: list[str] = []
    used: set[str] = set()
    for value in graph.proto.graph.output:
        name = value.name
        if name in graph.producers and graph.producers[name].op_type == "ZipMap":
            name = graph.producers[name].input[0]  # the same numbers, before they are put into dictionaries
        needed = _before(graph, name, layer.features)
        if needed and name in following and name not in outputs:
            outputs.append(name)
            used |= needed
    after = [node for node in graph.nodes if used.intersection(node.output)]
    return outputs, [node for node in after if layer.features not in node.output]


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
