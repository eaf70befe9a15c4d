"""The part of a graph that leads to one of its tensors, and the names in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import onnx
from onnx import GraphProto, NodeProto

from onnxhead.nodes import bodies, every_body, every_node
from onnxhead_runtime.errors import ModelError


def cut(model: onnx.ModelProto, tensor: str, kept: Collection[str] = ()) -> onnx.ModelProto:
    """Return what is needed to compute a tensor, as a model without outputs.

    Nodes, inputs and initializers stay as they are and in their order; initializers that older files list
    among their inputs are no inputs.

    Args:
        model: The whole model.
        tensor: A tensor that one of its nodes gives.
        kept: Inputs that stay although the tensor does not need them.

    Raises:
        ModelError: No node gives the tensor.

    Example:
        >>> part = cut(onnx.load("models/abc.onnx"), "logits")
        >>> [node.op_type for node in part.graph.node]
        ['Gemm']
    """
    graph = model.graph
    needed, nodes = {tensor, *kept}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(_names_used(node))
            needed.discard("")  # an input or output that is left out
    if not nodes:
        given = "is an input" if tensor in {value.name for value in graph.input} else "is none of them"
        raise ModelError(f"a graph is cut at a tensor that one of its nodes gives, {tensor!r} {given}")
    part = onnx.ModelProto(ir_version=model.ir_version, doc_string=model.doc_string)
    part.opset_import.extend(model.opset_import)
    part.functions.extend(model.functions)
    part.metadata_props.extend(model.metadata_props)
    part.graph.name, part.graph.doc_string = graph.name, graph.doc_string
    part.graph.node.extend(reversed(nodes))
    part.graph.initializer.extend(one for one in graph.initializer if one.name in needed)
    part.graph.sparse_initializer.extend(one for one in graph.sparse_initializer if one.values.name in needed)
    constants = {one.name for one in graph.initializer}
    inputs = [one for one in graph.input if one.name in needed and one.name not in constants]
    part.graph.input.extend(inputs)
    return part


def rename(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Give tensors other names wherever a graph uses them, in the bodies of its nodes too."""
    for node in every_node(graph):
        for values in (node.input, node.output):
            values[:] = [names.get(name, name) for name in values]
    for body in (graph, *every_body(graph)):
        for values in (body.input, body.output, body.value_info, body.initializer):
            for value in values:
                value.name = names.get(value.name, value.name)
        for sparse in body.sparse_initializer:
            sparse.values.name = names.get(sparse.values.name, sparse.values.name)


def make_room(graph: GraphProto, reserved: Collection[str]) -> dict[str, str]:
    """Give tensors and nodes with reserved names others; return the new name of each tensor.

    Raises:
        ModelError: An input has one, whose name must stay.
    """
    for value in graph.input:
        if value.name in reserved:
            raise ModelError(
                f"the inputs of a backbone keep their names, and {value.name} is a name of the head's: "
                "rename that input in the backbone"
            )
    taken = set(_every_name(graph)) | set(reserved)
    names: dict[str, str] = {}
    for name in dict.fromkeys(_every_name(graph)):
        if name in reserved:
            names[name] = _free(f"backbone_{name}", taken)
            taken.add(names[name])
    rename(graph, names)
    node_names = {node.name for node in every_node(graph)} | set(reserved)
    for node in every_node(graph):
        if node.name in reserved:
            node.name = _free(f"backbone_{node.name}", node_names)
            node_names.add(node.name)
    return names


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _names_used(node: NodeProto) -> Iterator[str]:
    """Yield what a node reads, and what its bodies name: some of it from around them."""
    yield from node.input
    for body in bodies(node):
        yield from _every_name(body)


def _every_name(graph: GraphProto) -> Iterator[str]:
    for body in (graph, *every_body(graph)):
        for values in (body.input, body.output, body.initializer):
            yield from (value.name for value in values)
        yield from (sparse.values.name for sparse in body.sparse_initializer)
    for node in every_node(graph):
        yield from node.input
        yield from node.output
