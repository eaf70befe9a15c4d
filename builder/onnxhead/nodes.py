"""The nodes of a graph, those in the bodies of If, Loop and Scan too."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the graphs that they hold, each before what is in it."""
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from every_node(body)


def every_body(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that the nodes of a graph hold, and those in them."""
    for node in every_node(graph):
        yield from bodies(node)


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that a node itself holds."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
