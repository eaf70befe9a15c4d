"""Why a model file does not run everywhere: which runtimes refuse it, or leave its nodes on the CPU."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from onnxhead.compatibility import RELEASES, oldest_onnxruntime, refusing_runtimes
from onnxhead.form import Form
from onnxhead.nodes import every_node

_CLASSICAL = "ai.onnx.ml"
_LARGEST_BYTES = 2 * 2**30


def find_obstacles(model: onnx.ModelProto, size_bytes: int, form: Form | None = None) -> list[str]:
    """Return one sentence per obstacle, none for a file in the default form.

    Args:
        model: Any ONNX model.
        size_bytes: Its size with its external data.
        form: How it is written; None for a file that onnxhead did not build.

    Example:
        >>> find_obstacles(onnx.load("models/abc.onnx"), 500)
        []
    """
    precision = [] if form is None else _precision(form)
    return [*_operators(model), *_outputs(model), *_versions(model), *precision, *_size(size_bytes)]


def _operators(model: onnx.ModelProto) -> Iterator[str]:
    domains: dict[str, set[str]] = {}
    for node in every_node(model.graph):
        if node.domain not in ("", "ai.onnx"):
            domains.setdefault(node.domain, set()).add(node.op_type)
    for domain, operators in sorted(domains.items()):
        listed = f"operators of {domain} ({', '.join(sorted(operators))})"
        if domain == _CLASSICAL:
            yield (
                f"{listed}: OpenVINO and TensorRT refuse them, and onnxruntime runs them on the CPU "
                "also where CUDA is asked for"
            )
        else:
            yield f"{listed}: only an onnxruntime that was built with them loads the file"


def _outputs(model: onnx.ModelProto) -> Iterator[str]:
    others = [value.name for value in model.graph.output if value.type.WhichOneof("value") != "tensor_type"]
    if others:
        yield (
            f"outputs that are no tensors ({', '.join(others)}): OpenVINO and tract refuse them, and few "
            "languages can read them"
        )


def _versions(model: onnx.ModelProto) -> Iterator[str]:
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    written = f"opset {opset} with IR version {model.ir_version}"
    versions = [release.version for release in RELEASES]
    oldest = oldest_onnxruntime(model.ir_version, opset)
    usual = oldest_onnxruntime(Form.ir_version, Form.opset)
    if oldest is None:
        yield f"{written}: no onnxruntime from {versions[0]} to {versions[-1]} loads it"
    elif usual and versions.index(oldest) > versions.index(usual):
        yield f"{written}: onnxruntime before {oldest} refuses it"


def _precision(form: Form) -> Iterator[str]:
    refusing = refusing_runtimes(form)
    if refusing:
        yield f"{form.precision_kind}: not run, or not within its bound, by {', '.join(refusing)}"


def _size(size_bytes: int) -> Iterator[str]:
    if size_bytes >= _LARGEST_BYTES:
        yield f"{size_bytes / 2**30:.1f} GiB: browsers and the .ort format hold less than 2 GiB"
