"""Give a classifier the output that it lacks: probabilities, or the logits from before them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from onnxhead.backbone import cut
from onnxhead.joining import JOINT, DataFile, Tail
from onnxhead.model_file import ModelFile
from onnxhead.operators import list_link_nodes
from onnxhead.part import Part, check_finite
from onnxhead.pooling import Pooling
from onnxhead.sources.onnx_graph import attributes
from onnxhead.tap import choose_scores, open_tap, scores_hint
from onnxhead.whole_check import rounding_of
from onnxhead.whole_storage import Attachment, Plan, form_of, open_backbone, save_whole
from onnxhead_runtime import links
from onnxhead_runtime.contract import LOGITS, Label, Link, check_labels, check_link, list_labels
from onnxhead_runtime.errors import HeadError, ModelError

_SUM_TOLERANCE = 1e-3
_UNCHANGED = ("Identity", "Cast", "Dropout")
_LINKS: dict[str, Link] = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}


def complete(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    at: str | None = None,
    link: Link | None = None,
    labels: Sequence[Label] | None = None,
    sample: Any = None,
) -> Attachment:
    """Write a classifier once more, with logits and probabilities.

    Where its output is a Softmax, LogSoftmax or Sigmoid, the logits are what goes into that; otherwise the
    output is the logits, and the link is added. Inputs and opset stay; other outputs are left out.

    Args:
        source: An .onnx file of a classifier.
        path: The .onnx file to write.
        at: Which tensor is the output, logits or probabilities; None where there is only one.
        link: How logits become probabilities, where the file has none: softmax by default.
        labels: One per class.
        sample: Inputs to try the model on, arrays by name; None to make some up.

    Raises:
        ModelError: The file is broken, onnxhead built it, or it is no classifier.
        HeadError: The link is none, or another than the file has; or the labels are not one per class.
        FeaturesError: The sample does not fit the inputs.
        WriteError: `path` does not end in .onnx or cannot be written.
        VerificationError: The model's answers are not those of the source; nothing was replaced.
        ProviderError: onnxruntime is missing.

    Example:
        >>> import onnx
        >>> classifier = onnx.parser.parse_model('''<ir_version: 8, opset_import: ["": 17]>
        ...     network (float[N, 2] x) => (float[N, 2] p) { z = Relu(x) p = Softmax <axis = 1> (z) }''')
        >>> onnx.save(classifier, tmp / "probabilities.onnx")
        >>> report = complete(tmp / "probabilities.onnx", tmp / "both.onnx", labels=["left", "right"])
        >>> report.at, report.link
        ('z', 'softmax')
    """
    target = Path(path)
    model = open_backbone(source, target)
    if model.is_ours:
        raise ModelError(
            f"onnxhead built {model.path}, which has logits and probabilities: give the classifier that it "
            "was made of, to make it anew"
        )
    form = form_of(model)
    shown = at or choose_scores(model)
    scores, own_link = _before_link(model, shown)
    tap = open_tap(model, scores)
    chosen = _choose_link(link, own_link)
    feeds, given = tap.part.try_sample(sample)
    logits = given.astype(np.float64)
    if logits.ndim != 2:
        raise ModelError(
            f"logits must be [batch, C], {scores} has {logits.ndim} axes: name others with --at (at=)"
        )
    check_finite(logits, "logits", scores)
    if own_link is None:
        _check_are_scores(model, logits, shown, link)
    else:
        answers = Part(model.path, cut(model.proto, shown), [shown]).run(feeds)[0]
        _check_own_link(logits, chosen, answers, shown, rounding_of(tap.model.graph))
    listed = None if labels is None else tuple(list_labels(labels, HeadError))
    if listed is not None:
        check_labels(listed, logits.shape[1], HeadError)

    def make_tail(_: DataFile | None) -> tuple[Tail, str]:
        nodes = list(list_link_nodes(chosen, 1.0, form.opset))
        is_float32 = tap.dtype == TensorProto.FLOAT
        if not is_float32:
            nodes.insert(0, helper.make_node("Cast", [JOINT], [LOGITS], LOGITS, to=TensorProto.FLOAT))
        return Tail(LOGITS if is_float32 else None, nodes, [], logits.shape[1]), ""

    plan = Plan(
        model=model,
        tap=tap,
        pooling=Pooling(),
        make_tail=make_tail,
        head_bytes=0,
        origin="",
        labels=listed,
        link=chosen,
        temperature=1.0,
        feeds=feeds,
        expected=logits,
    )
    return save_whole(plan, target)


def _before_link(model: ModelFile, tensor: str) -> tuple[str, Link | None]:
    """Return the tensor with the logits, and the link by which the model goes on from there, if it does."""
    producers = {name: node for node in model.proto.graph.node for name in node.output}
    name = tensor
    while name in producers and producers[name].op_type in _UNCHANGED:
        name = producers[name].input[0]
    node = producers.get(name)
    if node is None or node.op_type not in _LINKS:
        return tensor, None
    if node.op_type != "Sigmoid" and attributes(node).get("axis", -1) not in (-1, 1):
        raise ModelError(f"probabilities are over the classes, the {node.op_type} of {tensor} over the batch")
    return node.input[0], _LINKS[node.op_type]


def _choose_link(link: Link | None, own: Link | None) -> Link:
    if link is not None:
        check_link(link, HeadError)
    if own is not None and link not in (None, own):
        raise HeadError(f"the link of a file that has one stays, {own}, got {link}: leave --link (link=) out")
    return own or link or "softmax"


def _check_are_scores(model: ModelFile, logits: NDArray[np.float64], tensor: str, link: Link | None) -> None:
    """Raise for what cannot be logits.

    Raises:
        ModelError: It looks like probabilities, and no link says otherwise, or each row sums to 1.
        HeadError: There is one class, and no link that has a probability for it.
    """
    is_within = logits.min() >= 0 and logits.max() <= 1
    is_whole = logits.shape[1] > 1 and np.abs(logits.sum(axis=1) - 1).max() < _SUM_TOLERANCE
    if is_within and (link is None or is_whole):
        raise ModelError(
            f"{tensor} must be logits, or come from a Softmax or Sigmoid, what it gives looks like "
            "probabilities that come from something else: name the logits with --at (at=)"
            f"{scores_hint(model)}"
        )
    if logits.shape[1] == 1 and link != "sigmoid":
        raise HeadError(
            f"a softmax of one class is always 1, {tensor} gives one: take --link sigmoid (link=), or name "
            "another tensor with --at (at=)"
        )


def _check_own_link(
    logits: NDArray[np.float64], link: Link, answers: NDArray[np.float64], tensor: str, rounding: float
) -> None:
    """Raise ModelError unless the link makes of the logits what the model answers, or its logarithm."""
    expected = links.probabilities(logits, link, 1.0)
    readings = answers.astype(np.float64), np.exp(np.minimum(answers.astype(np.float64), 0.0))
    error = min(float(np.abs(expected - reading).max(initial=0.0)) for reading in readings)
    if not error <= rounding:
        raise ModelError(
            f"{tensor} must be the {link} of what goes into it, the model's answers differ by {error:.2g}: "
            "name the logits with --at (at=)"
        )
