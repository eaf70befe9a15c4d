"""Save a whole model: join, write beside the target, compare with its parts, then rename."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from onnxhead.external import is_external
from onnxhead.form import IR_VERSIONS, OPSETS, Form
from onnxhead.graph import PROTOBUF_LIMIT_BYTES
from onnxhead.joining import OLDEST_IR, DataFile, Tail, join, locate
from onnxhead.model import open_model, open_whole
from onnxhead.model_file import ModelFile
from onnxhead.pooling import Pooling
from onnxhead.replacement import (
    check_name,
    is_same_file,
    keep_data,
    keep_model,
    replacing,
    unfinished_data,
    unfinished_model,
)
from onnxhead.tap import Tap
from onnxhead.whole_check import WholeCheck, check_whole
from onnxhead.whole_file import content_sha256, opset_of
from onnxhead_runtime.contract import Label, Link, Metadata
from onnxhead_runtime.errors import ModelError, VerificationError, WriteError
from onnxhead_runtime.inputs import Feeds, Input

_SPARE_BYTES = 2**24  # for what is in a model beside its weights


@dataclass(frozen=True)
class Attachment:
    """What `attach` or `complete` wrote.

    Attributes:
        path: The .onnx file.
        data_path: The data file beside it, or None where all weights are inside.
        size_bytes: The size of both.
        sha256: Hexadecimal SHA-256 of the .onnx file.
        backbone: The name of the backbone's file.
        at: The tensor of the backbone that the head, or the link, takes.
        pooling: How features come from that tensor.
        inputs: What the model takes.
        left_out: The outputs of the backbone that the model does not have.
        origin: Where the head came from; empty for a model that was given its missing output.
        classes: The number of classes.
        labels: One per class; None where classes are numbered from 0.
        link: How logits become probabilities.
        temperature: The divisor of the logits before the link.
        opset: The version of the ai.onnx operators, the backbone's.
        ir_version: The version of the ONNX file format, the backbone's.
        check: The comparison of the written file with its parts.
    """

    path: Path
    data_path: Path | None
    size_bytes: int
    sha256: str
    backbone: str
    at: str
    pooling: Pooling
    inputs: tuple[Input, ...]
    left_out: tuple[str, ...]
    origin: str
    classes: int
    labels: tuple[Label, ...] | None
    link: Link
    temperature: float
    opset: int
    ir_version: int
    check: WholeCheck


@dataclass(frozen=True, eq=False)
class Plan:
    """A whole model that is to be written.

    Attributes:
        model: The backbone.
        tap: Where it is cut off.
        pooling: How features come from there.
        make_tail: Returns what follows, and the hash of the head's weights, if there is a head; gets the data
            file that those go to, or None.
        head_bytes: How large those are.
        origin: Where the head came from.
        labels: One per class, or None.
        link: How logits become probabilities.
        temperature: The divisor of the logits.
        feeds: Inputs to compare the model with its parts on.
        expected: What the backbone gives for these: features, or logits.
    """

    model: ModelFile
    tap: Tap
    pooling: Pooling
    make_tail: Callable[[DataFile | None], tuple[Tail, str]]
    head_bytes: int
    origin: str
    labels: tuple[Label, ...] | None
    link: Link
    temperature: float
    feeds: Feeds
    expected: NDArray[Any]


def open_backbone(backbone: str | os.PathLike[str], target: Path) -> ModelFile:
    """Open a backbone that is to be a part of `target`.

    Raises:
        ModelError: It is broken, or of an opset that no head is composed at.
        WriteError: `target` is no name for a model, or the backbone itself.
    """
    check_name(target)
    model = open_model(backbone)
    for path in (model.path, *model.data_paths):
        if is_same_file(target, path):
            raise WriteError(
                f"a model must not replace its own backbone, {target}: give another file with -o (path)"
            )
    damages = model.damages() if model.is_ours else []
    if damages:
        raise ModelError(f"{model.path} must be as it was built: {damages[0]}")
    return model


def form_of(model: ModelFile) -> Form:
    """Return the form of a head at the opset and IR version of its backbone.

    Raises:
        ModelError: No head is composed for those.
    """
    opset, ir_version = opset_of(model.proto), max(OLDEST_IR, model.proto.ir_version)
    if opset not in OPSETS or ir_version not in IR_VERSIONS:
        raise ModelError(
            f"a head is composed at the opset of its backbone, {OPSETS[0]} to {OPSETS[-1]}, with IR version "
            f"up to {IR_VERSIONS[-1]}, {model.path.name} has opset {opset} and IR version "
            f"{model.proto.ir_version}: convert it with onnx.version_converter, or export it at another opset"
        )
    return Form(opset, ir_version)


def save_whole(plan: Plan, target: Path) -> Attachment:
    """Write a whole model in one step, once its answers are those of its parts; the plan is used up.

    Raises:
        WriteError: It cannot be written.
        VerificationError: The answers are others; nothing was replaced.
    """
    with replacing(target):
        data_path, classes = _join(plan, target)
        joined = plan.tap.model
        kept = set() if plan.head_bytes else {value.name for value in joined.graph.output}
        opset, ir_version = opset_of(joined), joined.ir_version
        content = joined.SerializeToString(deterministic=True)
        digest, size_bytes = hashlib.sha256(content).hexdigest(), len(content)
        # what follows reads the file
        joined.Clear()
        plan.tap.part.close()
        with unfinished_model(target, content) as unfinished:
            del content
            check = check_whole(open_whole(unfinished), plan.feeds, plan.expected)
            if not check.passed:
                raise VerificationError(
                    "a whole model's answers must be those of its backbone and its head, the largest errors "
                    f"are {check}; {target} was not written: run onnxhead doctor and try another onnxruntime"
                )
            keep_model(unfinished, target)
    return Attachment(
        path=target,
        data_path=data_path,
        size_bytes=size_bytes + (data_path.stat().st_size if data_path else 0),
        sha256=digest,
        backbone=plan.model.path.name,
        at=plan.tap.tensor,
        pooling=plan.pooling,
        inputs=plan.tap.part.inputs,
        left_out=tuple(one.name for one in plan.model.proto.graph.output if one.name not in kept),
        origin=plan.origin,
        classes=classes,
        labels=plan.labels,
        link=plan.link,
        temperature=plan.temperature,
        opset=opset,
        ir_version=ir_version,
        check=check,
    )


def _join(plan: Plan, target: Path) -> tuple[Path | None, int]:
    """Make the part of the backbone the whole model, and return its data file and the number of classes."""
    model, data_path = plan.tap.model, None
    if _needs_data(plan):
        with unfinished_data(target) as file:
            data = DataFile(file)
            data.take(model.graph, plan.model)
            tail, weights_sha256 = plan.make_tail(data)
            data_path = keep_data(file, target, data.sha256)
    else:
        tail, weights_sha256 = plan.make_tail(None)
    join(model, plan.tap.tensor, tail, plan.tap.batch)
    if data_path:
        locate(model.graph, data_path.name)
    digest = content_sha256(model, target)
    metadata = Metadata(plan.labels, plan.link, plan.temperature, weights_sha256, digest)
    for key, value in metadata.to_props().items():
        model.metadata_props.add(key=key, value=value)
    return data_path, tail.classes


def _needs_data(plan: Plan) -> bool:
    graph = plan.tap.model.graph
    inside = graph.ByteSize() + plan.head_bytes
    return any(map(is_external, graph.initializer)) or inside > PROTOBUF_LIMIT_BYTES - _SPARE_BYTES
