"""The nodes of a graph, those in the bodies of If, Loop and Scan too."""

from __future__ import annotations

from collections.abc import Iterator

import onnx


def every_node(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield the nodes of a graph and of the graphs that they hold, each before what is in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from every_node(body)


def every_body(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """Yield the graphs that the nodes of a graph hold, and those in them."""
    for node in every_node(graph):
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield attribute.g
            yield from attribute.graphs
