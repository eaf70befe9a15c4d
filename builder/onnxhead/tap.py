"""Where a backbone is cut off: which tensor, and what it is."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto

from onnxhead.backbone import cut
from onnxhead.model_file import ModelFile
from onnxhead.part import Part
from onnxhead.pooling import SPATIAL_RANK, Pool, is_poolable
from onnxhead.sources.onnx_graph import Graph
from onnxhead.sources.onnx_layers import Layer, last_layers
from onnxhead.whole_file import WholeFile
from onnxhead_runtime.contract import FEATURES, LOGITS
from onnxhead_runtime.errors import ModelError, OnnxHeadError
from onnxhead_runtime.inputs import Axis

_TYPES = {
    "tensor(float)": TensorProto.FLOAT,
    "tensor(float16)": TensorProto.FLOAT16,
    "tensor(double)": TensorProto.DOUBLE,
}


@dataclass(frozen=True, eq=False)
class Tap:
    """A tensor, and what leads to it.

    Attributes:
        tensor: Its name.
        model: The model as far as it.
        part: The same, opened.
        dtype: Its element type, a float.
        shape: Its axes, as onnxruntime knows them: lengths, symbols, or None.
    """

    tensor: str
    model: onnx.ModelProto
    part: Part
    dtype: int
    shape: tuple[Axis, ...]

    @property
    def batch(self) -> Axis:
        """The number of rows, or the symbol for it; None where it is not that of an input."""
        symbols = {axis for one in self.part.inputs for axis in one.shape}
        first = self.shape[0] if self.shape else None
        return first if isinstance(first, int) or first in symbols else None


def open_tap(model: ModelFile, tensor: str, kept: Collection[str] = ()) -> Tap:
    """Cut a model off at a tensor of floats.

    Args:
        model: The model.
        tensor: The tensor.
        kept: Inputs that stay although the tensor does not need them.

    Raises:
        ModelError: There is no such tensor, its type is another, or onnxruntime refuses the part.
    """
    try:
        cut_off = cut(model.proto, tensor, kept)
    except ModelError as error:
        raise ModelError(f"{error}; {_similar(model, tensor) or _hint(model)}") from error
    part = Part(model.path, cut_off, [tensor])
    found = part.outputs[0]
    if found.type not in _TYPES:
        raise ModelError(f"a backbone ends in floats, {tensor} is {found.type}: name another with --at (at=)")
    return Tap(tensor, cut_off, part, _TYPES[found.type], tuple(found.shape))


def choose_features(model: ModelFile, width: int | None, pool: Pool | None) -> str:
    """Return the output of a backbone that a head of so many features takes; None for any number.

    Raises:
        ModelError: None or several could be it.
    """
    if isinstance(model, WholeFile) and model.has_head:
        return FEATURES
    outputs = _float_outputs(model)
    fitting = [node.name for node in outputs if _fits(node.shape, width, pool)]
    if len(fitting) == 1:
        return str(fitting[0])
    which = f"several: {', '.join(fitting)}" if fitting else "none"
    pooled = [node.name for node in outputs if not pool and _fits(node.shape, width, "mean", certain=True)]
    layers = [one for one in _linear_layers(model) if width in (None, one.weight.shape[1]) and not pool]
    if fitting or not (pooled or layers):
        advice = _hint(model)
    elif pooled:
        advice = f"{pooled[0]} becomes so with --pool mean or cls (pool=)"
    else:
        advice = f"its last linear layer takes such features: --at {layers[0].features} (at=)"
    head = "a head" if width is None else f"a head of {width} features"
    wanted = f"[batch, {width or 'F'}]{f' after pool {pool}' if pool else ''}"
    raise ModelError(f"{head} takes an output {wanted}, {model.path.name} has {which}; {advice}")


def choose_scores(model: ModelFile) -> str:
    """Return the output of a classifier, logits or probabilities.

    Raises:
        ModelError: None or several could be it.
    """
    outputs = [node.name for node in _float_outputs(model) if len(node.shape) == 2]
    if len(outputs) == 1:
        return str(outputs[0])
    if LOGITS in outputs:
        return LOGITS
    which = f"several: {', '.join(outputs)}" if outputs else "none"
    raise ModelError(
        f"a classifier has one output of floats [batch, C], {model.path.name} has {which}: name the logits "
        "or probabilities with --at (at=)"
    )


def _float_outputs(model: ModelFile) -> Sequence[Any]:
    names = [value.name for value in model.proto.graph.output]
    outputs = Part(model.path, model.proto, names).outputs
    return [node for node in outputs if node.type in _TYPES]


def _fits(shape: Sequence[Any], width: int | None, pool: Pool | None, certain: bool = False) -> bool:
    found = _width(shape, pool)
    if found is None:
        return not certain
    return bool(found) if width is None else found == width


def _width(shape: Sequence[Any], pool: Pool | None) -> int | None:
    """Return how many features an output of a shape gives; None where that is not known, 0 for none."""
    if not is_poolable(pool, len(shape)):
        return 0
    features = shape[1] if len(shape) == SPATIAL_RANK else shape[-1]
    return features if isinstance(features, int) and pool != "flatten" else None


def _hint(model: ModelFile) -> str:
    outputs = ", ".join(value.name for value in model.proto.graph.output[:10])
    return f"its outputs are {outputs}: name one of them, or a tensor inside, with --at (at=)"


def _similar(model: ModelFile, tensor: str) -> str:
    """Return the name that was perhaps meant, in a sentence; empty for none."""
    names = {name.lower(): name for node in model.proto.graph.node for name in node.output}
    found = difflib.get_close_matches(tensor.lower(), names, n=1, cutoff=0.8)
    return f"did you mean {names[found[0]]}?" if found else ""


def _linear_layers(model: ModelFile) -> Sequence[Layer]:
    try:
        return last_layers(Graph(model))
    except OnnxHeadError:
        return []


def scores_hint(model: ModelFile) -> str:
    """Say what the last linear layer gives, which may be the logits."""
    layers = _linear_layers(model)
    return f", such as {layers[0].scores}, what its last linear layer gives" if layers else ""
