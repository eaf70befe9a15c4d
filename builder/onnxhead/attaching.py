"""Attach a head to its backbone: one model from the backbone's inputs to logits and probabilities."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.features import Extractor, open_extractor
from onnxhead.graph import Place, compose
from onnxhead.head import Head
from onnxhead.joining import JOINT, DataFile, Tail
from onnxhead.part import check_finite
from onnxhead.pooling import Pool, pool_nodes
from onnxhead.scan import scan
from onnxhead.whole_file import WholeFile
from onnxhead.whole_storage import Attachment, Plan, form_of, open_backbone, save_whole
from onnxhead_runtime.contract import FEATURES
from onnxhead_runtime.errors import HeadError, ModelError
from onnxhead_runtime.inputs import Feeds


def attach(
    backbone: str | os.PathLike[str],
    head: Head,
    path: str | os.PathLike[str],
    *,
    at: str | None = None,
    pool: Pool | None = None,
    normalize: bool = False,
    sample: Any = None,
) -> Attachment:
    """Write one model that goes from a backbone's inputs to a head's logits and probabilities.

    The head is composed at the opset of the backbone, whose inputs keep their names and whose outputs and
    unused nodes are left out. Weights stay inside the .onnx file unless those of the backbone lie beside it,
    or all are beyond the 2 GiB that such a file holds.

    Args:
        backbone: An .onnx file; of one that `attach` wrote, the head is replaced.
        head: The head.
        path: The .onnx file to write.
        at: The tensor that the head takes; None for the only output that fits it.
        pool: How that becomes [batch, F]: `mean`, over tokens or over places, without padding where the
            backbone has an input `attention_mask`; `cls`, the first token; `flatten`.
        normalize: Divide each row by its Euclidean norm, as sentence-transformers does.
        sample: Inputs to compare the model with its parts on, arrays by name; None to make some up.

    Raises:
        HeadError: `head` is no Head.
        ModelError: The backbone is broken, has no tensor that fits, or does not run on the sample.
        FeaturesError: The sample does not fit the backbone's inputs.
        WriteError: `path` does not end in .onnx or cannot be written.
        VerificationError: The model's answers are not those of its parts; nothing was replaced.
        ProviderError: onnxruntime is missing.

    Example:
        >>> import onnx
        >>> backbone = onnx.parser.parse_model('''<ir_version: 8, opset_import: ["": 17]>
        ...     network (float[N, 2] pixels) => (float[N, 2] hidden) { hidden = Relu(pixels) }''')
        >>> onnx.save(backbone, tmp / "backbone.onnx")
        >>> head = Head([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.5], labels=["left", "right"])
        >>> report = attach(tmp / "backbone.onnx", head, tmp / "whole.onnx")
        >>> report.at, report.opset
        ('hidden', 17)
    """
    if not isinstance(head, Head):
        raise HeadError(f"attach takes a Head, got {type(head).__name__}: pass onnxhead.read(it)")
    target = Path(path)
    model = open_backbone(backbone, target)
    form = form_of(model)
    if isinstance(model, WholeFile) and model.has_head and at is None and pool:
        raise ModelError(
            f"{model.path.name} makes rows of features already, got pool {pool}: leave --pool (pool=) out"
        )
    extractor = open_extractor(model, head.features, at, pool, normalize)
    tap = extractor.tap
    feeds, given = tap.part.try_sample(sample)
    pooling = extractor.pooling(given.ndim)

    def make_tail(data: DataFile | None) -> tuple[Tail, str]:
        place = Place("", data.align()) if data else None
        found = scan(head.matrix, head.bias, write=data.write if data else None)
        graph = compose(head, form, found.sha256, place).graph
        nodes, constants = pool_nodes(pooling, JOINT, tap.dtype, given.ndim, form.opset)
        start = None if nodes else FEATURES
        initializers = [*constants, *graph.initializer]
        return Tail(start, [*nodes, *graph.node], initializers, head.classes), found.sha256

    plan = Plan(
        model=model,
        tap=tap,
        pooling=pooling,
        make_tail=make_tail,
        head_bytes=head.matrix.nbytes,
        origin=head.origin,
        labels=head.labels,
        link=head.link,
        temperature=head.temperature,
        feeds=feeds,
        expected=_features(extractor, given, feeds, head),
    )
    return save_whole(plan, target)


def _features(extractor: Extractor, given: NDArray[Any], feeds: Feeds, head: Head) -> NDArray[np.float64]:
    """Return the features of a sample, from what the backbone gives for it."""
    rows, name = extractor.rows(given, feeds), extractor.tap.tensor
    if rows.shape[1:] != (head.features,):
        raise ModelError(
            f"a head takes rows of its {head.features} features, {name} gives {rows.shape[1:]} for a row: "
            "fit the head on those, or name another tensor with --at (at=)"
        )
    check_finite(rows, "features", name)
    return rows
