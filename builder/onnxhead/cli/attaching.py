"""The command that makes whole models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast

import typer

import onnxhead
from onnxhead import display
from onnxhead.cli.building import Labels, LabelsFile, Link, check_source_stays, given_labels
from onnxhead.cli.common import AsJson, Sample, print_result, read_sample
from onnxhead.completing import complete
from onnxhead.pooling import Pool
from onnxhead.progress import ended_by_signals
from onnxhead_runtime import contract
from onnxhead_runtime.errors import ModelError, SourceError


def attach(
    backbone: Annotated[Path, typer.Argument(help="The .onnx file of a network.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.", show_default=False)],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="The head: a model of onnxhead, or any source of `build`. Without one, a classifier gets "
            "the output that it lacks: probabilities, or logits.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            help="The tensor of the network that the head takes; without a head, its logits or "
            "probabilities.",
            show_default="the only output that fits",
        ),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(help="How that becomes rows of features: mean, cls (the first token) or flatten."),
    ] = None,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Divide each row of features by its Euclidean norm.")
    ] = False,
    labels: Labels = None,
    labels_file: LabelsFile = None,
    link: Link = None,
    sample: Sample = None,
    as_json: AsJson = False,
) -> None:
    """Join a network and a head into one model; or give a classifier both outputs."""
    given, inputs = given_labels(labels, labels_file), read_sample(sample)
    if backbone.suffix != ".onnx":
        raise ModelError(f"the network comes first, an .onnx file, and then the head, got {backbone} first")
    if source is not None:
        check_source_stays(source, output)
    with ended_by_signals():  # what is unfinished is removed
        if source is None:
            if pool or normalize:
                raise ModelError(
                    "--pool and --normalize make features for a head: name one, or leave them out"
                )
            chosen = cast("contract.Link | None", link)
            report = complete(backbone, output, at=at, link=chosen, labels=given, sample=inputs)
        else:
            head = _read_head(source, given, link)
            report = onnxhead.attach(
                backbone,
                head,
                output,
                at=at,
                pool=cast("Pool | None", pool),
                normalize=normalize,
                sample=inputs,
            )
    print_result(report, display.attachment_lines(report), as_json)


def _read_head(source: Path, labels: list[Any] | None, link: str | None) -> onnxhead.Head:
    try:
        return onnxhead.read(source, labels=labels, link=link)
    except SourceError as error:
        error.add_note("attach takes what onnxhead build builds, which has options for every source")
        raise
