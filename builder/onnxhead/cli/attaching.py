"""Commands that join networks and heads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from numpy.typing import NDArray

import onnxhead
from onnxhead import display
from onnxhead.cli.building import Labels, LabelsFile, Link, check_source_stays, given_labels
from onnxhead.cli.common import AsJson, Sample, print_json, print_result, read_sample, say
from onnxhead.completing import complete
from onnxhead.features import features as extract
from onnxhead.pooling import Pool
from onnxhead.progress import ended_by_signals, shown
from onnxhead.replacement import is_same_file, replace_file
from onnxhead_runtime import contract
from onnxhead_runtime.errors import ModelError, SourceError, WriteError
from onnxhead_runtime.rows import read_inputs

Network = Annotated[Path, typer.Argument(help="The .onnx file of a network.", show_default=False)]
At = Annotated[
    str | None,
    typer.Option(
        help="The tensor of the network that the head takes; without a head, its logits or probabilities.",
        show_default="the only output that fits",
    ),
]
PoolBy = Annotated[
    str | None, typer.Option("--pool", help="How that becomes rows: mean, cls (the first token) or flatten.")
]
Normalize = Annotated[
    bool, typer.Option("--normalize", help="Divide each row of features by its Euclidean norm.")
]


def attach(
    backbone: Network,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.", show_default=False)],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="The head: a model of onnxhead, or any source of `build`. Without one, a classifier gets "
            "the output that it lacks: probabilities, or logits.",
            show_default=False,
        ),
    ] = None,
    at: At = None,
    pool: PoolBy = None,
    normalize: Normalize = False,
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


def features(
    backbone: Network,
    inputs: Annotated[
        str,
        typer.Argument(
            help="An .npz file with an array for each input, a .npy or .json file, or JSON text.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The .npy file to write.", show_default=False)
    ],
    at: At = None,
    pool: PoolBy = None,
    normalize: Normalize = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the features that a head attached to a network gets: what to fit that head on."""
    if output.suffix != ".npy":
        raise WriteError(f"features go to a .npy file, got {output}")
    if os.path.isfile(inputs) and is_same_file(output, Path(inputs)):  # noqa: PTH113  (raises for long names)
        raise WriteError(
            f"features must not replace the inputs that they are of, {output}: give another file"
        )
    with shown(quiet) as progress, ended_by_signals():
        rows = extract(
            backbone,
            read_inputs(inputs),
            at=at,
            pool=cast("Pool | None", pool),
            normalize=normalize,
            progress=progress,
        )
    replace_file(output, "features", lambda path: _save(rows, path))
    if as_json:
        print_json({"output": output, "rows": rows.shape[0], "features": rows.shape[1]})
    else:
        say(f"wrote {rows.shape[0]} rows of {rows.shape[1]} features to {output}")


def _save(rows: NDArray[np.float32], path: Path) -> None:
    with path.open("wb") as file:  # numpy adds .npy to other names
        np.save(file, rows)
