"""Heads from .onnx files: those that onnxhead built bit for bit, of others the last linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from onnxhead.model import open_model
from onnxhead.model_file import ModelFile
from onnxhead.sources.contents import Contents, Linear, Request, to_entry, unit_link
from onnxhead.sources.onnx_graph import Graph, attributes
from onnxhead.sources.onnx_layers import (
    Layer,
    find_layers,
    fold,
    is_antisymmetric,
    last_layers,
    read_layer,
)
from onnxhead.sources.onnx_link import Found, find_link
from onnxhead.whole_file import WholeFile
from onnxhead_runtime.errors import ModelError, SourceError


def read(path: Path, request: Request) -> Contents:
    """Read a model file.

    Raises:
        ModelError: The file is broken, or one of onnxhead's that was changed.
        SourceError: A foreign file has no linear layer at its end, several, or one that no link follows.
    """
    model = open_model(path)
    if not model.is_ours:
        return _read_foreign(model, request)
    if request.node is not None:
        raise SourceError(f"--node (node=) is for files of others, onnxhead built {path.name}")
    return _read_own(model)


def _read_own(model: ModelFile) -> Contents:
    damages = model.damages()
    if damages:
        raise ModelError(f"{model.path} must be as it was built: {damages[0]}")
    head = model.head()
    entries = {"weight": to_entry(head.weight), "bias": to_entry(head.bias)}
    place = f"{model.path.name}, without its backbone" if isinstance(model, WholeFile) else model.path.name
    return Contents(place, entries, head.labels, head.link, head.temperature)


def _read_foreign(model: ModelFile, request: Request) -> Contents:
    name = model.path.name
    graph = Graph(model)
    layer = fold(graph, _choose(graph, model, request.node))
    _check_finite(layer)
    _check_width(graph, layer, model)
    place = f"{name}: node {layer.node}"
    if layer.features not in graph.inputs:
        if graph.is_pipeline and request.node is None:
            raise SourceError(
                f"what stands before a head must be affine to be folded into its weight, in {name} "
                f"{_producer(graph, layer.features)} is not: read the estimator itself or its .skops file, "
                f"or take the layer alone, with the features {layer.features}, by --node {layer.node} (node=)"
            )
        place += f" on {layer.features}, which is not an input of the file"
    found = find_link(graph, layer)
    if found is None:
        raise SourceError(
            "after a head's linear layer there must be softmax, sigmoid or one-vs-rest, or nothing, what "
            f"{name} computes after node {layer.node} is none of them"
        )
    linear = found.linear
    if linear.link is None and (graph.is_pipeline or layer.labels is not None):
        linear = _check_scores(linear, request, name)
    labels = _labels(graph, layer, found, 2 if len(linear.weight) == 1 else len(linear.weight))
    if labels is None and linear.link and len(linear.weight) == 1:
        labels = unit_link("sigmoid", 1)[1]
    return replace(linear, labels=labels).to_contents(place, found.folding)


def _check_scores(linear: Linear, request: Request, name: str) -> Linear:
    """Return the scores of a classifier, whose link only the user knows; of two classes as one row."""
    if request.link is None:
        raise SourceError(
            f"a head must have probabilities, {name} has scores alone: name the link that turns them into "
            "probabilities (--link, link=)"
        )
    if is_antisymmetric(linear.weight, linear.bias):
        return replace(linear, weight=linear.weight[1:], bias=linear.bias[1:])
    return linear


def _producer(graph: Graph, tensor: str) -> str:
    node = graph.producers.get(tensor)
    return tensor if node is None else f"{node.name or tensor} ({node.op_type})"


def _check_finite(layer: Layer) -> None:
    if not (np.isfinite(layer.weight).all() and np.isfinite(layer.bias).all()):
        raise SourceError(f"weight and bias must be finite, those of node {layer.node} are not")


def _choose(graph: Graph, model: ModelFile, node: str | None) -> Layer:
    name = model.path.name
    if node is not None:
        named = [one for one in graph.nodes if node == one.name or node in one.output]
        chosen = [layer for one in named for layer in read_layer(graph, one)]
        if not chosen:
            listed = _list(find_layers(graph))
            raise SourceError(f"--node (node=) must name a linear layer, {name} has {listed}, got {node}")
        return chosen[0]
    layers = last_layers(graph)
    if not layers:
        raise SourceError(
            "a model must end in a linear layer (Gemm, MatMul or LinearClassifier with a constant weight), "
            f"{name} has {_list(find_layers(graph))}"
        )
    if len(layers) == 1:
        return layers[0]
    stacked = _stack(layers)
    if stacked is None or find_link(graph, fold(graph, stacked)) is None:
        raise SourceError(
            f"a source must hold one head, {name} ends in several linear layers, {_list(layers)}: choose one "
            "with --node (node=)"
        )
    return stacked


def _stack(layers: Sequence[Layer]) -> Layer | None:
    """Return one layer for classifiers that each tell one class from the rest, as one-vs-rest is exported."""
    rows = []
    for layer in layers:
        is_binary = len(layer.weight) == 1 or is_antisymmetric(layer.weight, layer.bias)
        if layer.features != layers[0].features or not is_binary:
            return None
        rows.append((layer.weight[-1:], layer.bias[-1:]))
    names = f"{layers[0].node} ... {layers[-1].node}"
    return replace(
        layers[0],
        node=names,
        weight=np.concatenate([weight for weight, _ in rows]),
        bias=np.concatenate([bias for _, bias in rows]),
        keys=("weights", "biases"),
        labels=None,
    )


def _check_width(graph: Graph, layer: Layer, model: ModelFile) -> None:
    if layer.features not in graph.inputs:
        return
    axes = graph.inputs[layer.features].type.tensor_type.shape.dim
    declared = axes[-1].dim_value if len(axes) == 2 else 0
    if declared and declared != layer.weight.shape[1]:
        raise SourceError(
            f"a layer must have one coefficient per feature, {model.path.name} declares {declared} features "
            f"for {layer.features}, and node {layer.node} has {layer.weight.shape[1]}"
        )


def _labels(graph: Graph, layer: Layer, found: Found, classes: int) -> Sequence[Any] | None:
    """Return the labels that the file names for the classes of a layer, and answers with."""
    following = graph.descendants(layer.scores)
    stated: list[Any] = [layer.labels]
    for node in graph.nodes:
        if not following.intersection(node.output):
            continue
        if node.op_type == "ZipMap":
            own = attributes(node)
            stated.append(own.get("classlabels_strings") or own.get("classlabels_int64s"))
        elif node.op_type in ("ArrayFeatureExtractor", "Gather") and node.input[1] in following:
            table = graph.constant(node.input[0])
            stated.append(None if table is None else table.ravel().tolist())
    for labels in reversed(stated):  # the one nearest to the output first
        if labels is None or len(labels) != classes:
            continue
        answers = [labels[decision] for decision in found.decisions]
        if found.linear.link == "sigmoid" or not found.labels or answers in found.labels:
            return list(labels)
    return None


def _list(layers: Sequence[Layer]) -> str:
    return ", ".join(layer.node for layer in layers[:20]) or "none"
