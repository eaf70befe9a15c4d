"""How the scores of a layer become probabilities, found by running what follows the layer.

Exporters spell one function in many ways. Each link is therefore a hypothesis, and the file's own answers on
random rows decide: its probabilities are those of exactly one link, or the layer is no head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Folding
from onnxhead.rows import decision_rows, distance
from onnxhead.sources.contents import Linear
from onnxhead.sources.onnx_graph import Graph
from onnxhead.sources.onnx_layers import Layer, is_antisymmetric
from onnxhead.sources.onnx_tail import run_tail
from onnxhead_runtime import links
from onnxhead_runtime.contract import LINKS
from onnxhead_runtime.errors import SourceError

_TOLERANCE, _HALF_TOLERANCE = 1e-4, 8e-3  # of files in float32 and in float16
_UNIT_ROUNDOFFS = 64 * 2.0**-24  # of the file's float32 arithmetic, per term of a logit
_LARGEST_TOLERANCE = 0.01  # the probabilities of two links differ by more


def find_link(graph: Graph, layer: Layer) -> Found | None:
    """Find the link of a layer.

    Returns:
        None where the file's answers are those of no link.

    Raises:
        SourceError: What follows the layer does not run, or is not plain arithmetic.
    """
    weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
    temperature = _temperature(graph, layer)
    answers = run_tail(graph, layer, decision_rows(weight, bias, temperature))
    logits = answers.rows @ weight.T + bias
    tolerance = _tolerance(layer, answers.rows, temperature)
    errors = [_logits_error(logits, table, temperature) for table in answers.tables]
    shown = [error for error in errors if error < tolerance * max(1.0, temperature)]
    linear = layer.to_linear()
    for hypothesis in _hypotheses(replace(linear, temperature=temperature)):
        link = hypothesis.link or "softmax"
        expected = links.probabilities(hypothesis.logits(answers.rows), link, temperature)
        error = min((_error(expected, table) for table in answers.tables), default=np.inf)
        if error < tolerance:
            folding = Folding(layer.steps, min(shown, default=None), error, len(logits))
            return Found(hypothesis, folding, answers.labels, expected.argmax(axis=1))
    if answers.skipped:
        raise SourceError(
            "the link of a layer is found by running what follows it, which must be plain arithmetic, it is "
            f"{', '.join(answers.skipped[:5])}"
        )
    classes = 1 if is_antisymmetric(weight, bias) else len(weight)
    wide = [table for table in answers.tables if table.shape[1] >= classes]
    if not shown or len(shown) < len(wide):
        return None
    if any(distance(logits, table) < tolerance for table in answers.tables):
        linear = replace(linear, temperature=temperature)
    elif temperature != 1:  # the file shows z / T alone, and those are its logits
        linear = replace(linear, weight=weight / temperature, bias=bias / temperature)
    decisions = logits.argmax(axis=1) if len(weight) > 1 else (logits[:, 0] > 0).astype(np.intp)
    return Found(linear, Folding(layer.steps, min(shown), None, len(logits)), answers.labels, decisions)


def _logits_error(logits: NDArray[np.float64], table: NDArray[np.float64], temperature: float) -> float:
    """Compare with logits, divided or not; of two classes with the [-d, d] of one logit, or d alone."""
    readings = [logits, logits / temperature]
    if logits.shape[1] == 2 and np.array_equal(logits[:, 0], -logits[:, 1]):
        readings.append(logits[:, 1:])
    if logits.shape[1] == 1:
        readings.append(np.concatenate([-logits, logits], axis=1))
    return min(distance(reading, table) for reading in readings)


@dataclass(frozen=True, eq=False)
class Found:
    """A layer with its link.

    Attributes:
        linear: The layer; its link is None where the file shows nothing but scores.
        folding: How far it is from the file.
        labels: What the file answers beside numbers, one list of (rows,) per output.
        decisions: The class that each of these rows must have.
    """

    linear: Linear
    folding: Folding
    labels: list[list[Any]]
    decisions: NDArray[np.intp]


def _tolerance(layer: Layer, rows: NDArray[np.float64], temperature: float) -> float:
    terms = float((np.abs(rows) @ np.abs(layer.weight.astype(np.float64)).T + np.abs(layer.bias)).max())
    least = _HALF_TOLERANCE if layer.weight.dtype == np.float16 else _TOLERANCE
    return min(least + _UNIT_ROUNDOFFS * 2 / temperature * terms, _LARGEST_TOLERANCE)


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
