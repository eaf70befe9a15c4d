"""Commands that answer rows of features."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

import onnxhead
from onnxhead import display
from onnxhead.cli.common import (
    AsJson,
    Features,
    Model,
    column_names,
    print_json,
    print_lines,
    print_result,
    say,
)
from onnxhead.derivation import explain as derive
from onnxhead.progress import ended_by_signals, shown
from onnxhead_runtime.answers import check_output
from onnxhead_runtime.arrays import describe
from onnxhead_runtime.cluster import score as score_on_ray
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError, ProviderError, WriteError
from onnxhead_runtime.prediction import to_document
from onnxhead_runtime.rows import read_features, read_inputs
from onnxhead_runtime.run import Report
from onnxhead_runtime.scoring import score


def run(
    model: Model,
    features: Features,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="Write all answers to a .parquet, .arrow, .npz, .npy, .csv or .jsonl file."
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda or cuda:N. cuda never falls back to the CPU.")
    ] = "auto",
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(
            help="ray: many workers, from a file, folder or glob of .npy or .parquet to a folder of .parquet."
        ),
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Of a Ray cluster.", show_default="a Ray on this machine, for this run alone"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many Ray workers.", show_default="by its CPUs or GPUs")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Show the K most probable classes of each row.", metavar="K")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="With the link sigmoid: give labels above this probability.", show_default="0.5"),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="What to write: some of label,probability,logits,probabilities,top.",
            show_default="the first four; label,probability,top for more than 100 classes",
        ),
    ] = None,
    feature_columns: Annotated[
        str | None,
        typer.Option(
            "--features",
            help="The feature columns of a table: one that holds lists, or one per feature.",
            show_default="the column features, the only one of lists, or all that are not kept",
        ),
    ] = None,
    keep: Annotated[str, typer.Option(help="Columns of a table to carry through to the output.")] = "",
    on_bad_row: Annotated[
        Literal["fail", "null"],
        typer.Option(help="fail, or null: a row with NaN, null or another width then gets no answer."),
    ] = "fail",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted run to the same output ended.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a model: logits, probabilities and the decision for each row."""
    if engine == "local" and (address is not None or workers is not None):
        raise ProviderError("--address and --workers are of Ray, this engine is local: add --engine ray")
    if output is None:
        _check_needs_output(
            {
                "--columns": columns,
                "--features": feature_columns,
                "--keep": keep,
                "--resume": resume,
                "--engine ray": engine == "ray",
            }
        )
        _show_prediction(onnxhead.load(model, device=device), features, top, threshold, as_json)
        return
    classify, run_all = _open_engine(engine, model, output, device, address, workers)
    with shown(quiet) as progress, ended_by_signals():
        try:
            report = run_all(
                classify,
                features,
                output,
                columns=column_names(columns),
                top=top,
                threshold=threshold,
                features=column_names(feature_columns),
                keep=column_names(keep) or (),
                on_bad_row=on_bad_row,
                resume=resume,
                progress=progress,
            )
        except ValueError as error:
            if isinstance(error, OnnxHeadError):
                raise
            raise FeaturesError(str(error)) from error
        except KeyboardInterrupt as error:
            say("; ".join(["interrupted", *getattr(error, "__notes__", ())]))
            raise typer.Exit(130) from None
    if as_json:
        print_json(dataclasses.asdict(report))
        return
    for line in display.score_lines(report):
        say(line)


def explain(
    model: Annotated[
        Path, typer.Argument(help="The .onnx file, or any source of `build`.", show_default=False)
    ],
    features: Features,
    row: Annotated[int, typer.Option(min=0, help="Which row of several, counted from 0.")] = 0,
    terms: Annotated[int, typer.Option(min=1, help="How many products to list per class.")] = 8,
    classes: Annotated[int, typer.Option(min=1, help="How many classes to list, the most probable.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Derive one row's probabilities step by step: products, sum, bias, logit, exp, decision."""
    head = onnxhead.read(model)
    rows = read_features(features, head.features)
    if row >= len(rows):
        raise FeaturesError(f"--row must be one of the rows of features, got {row} for {describe(rows)}")
    derivation = derive(head, rows[row], terms=terms, classes=classes)
    print_result(derivation, display.derivation_lines(derivation), as_json)


def _show_prediction(
    classify: onnxhead.Classifier, features: str, top: int | None, threshold: float | None, as_json: bool
) -> None:
    rows = read_features(features, classify.features) if classify.features else read_inputs(features)
    prediction = classify(rows)
    if threshold is not None:
        try:
            prediction = prediction.with_threshold(threshold)
        except ValueError as error:
            raise FeaturesError(f"--threshold: {error}") from error
    say(f"device: {classify.device}")
    if as_json:
        print(json.dumps(to_document(prediction, top), ensure_ascii=False))
    else:
        print_lines(display.prediction_lines(prediction, top))
    undefined = prediction.undefined_rows
    if undefined:
        numbers = ", ".join(map(str, undefined[:20])) + (", ..." if len(undefined) > 20 else "")
        say(f"without an answer, as a feature is NaN or a logit overflows: rows {numbers}")
        raise typer.Exit(1)


def _open_engine(
    engine: str, model: Path, output: Path, device: str, address: str | None, workers: int | None
) -> tuple[onnxhead.Classifier, Callable[..., Report]]:
    """Return the model, and what runs it over files."""
    if engine == "local":
        check_output(output)
        return onnxhead.load(model, device=device), score
    # this machine opens the model for what is in it; all workers run it on the same device
    device = "cpu" if device == "auto" else device
    return onnxhead.load(model, device="cpu"), partial(
        score_on_ray, address=address, workers=workers, device=device
    )


def _check_needs_output(options: dict[str, object]) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise WriteError(f"{', '.join(given)}: for answers that are written to a file, name it with -o")
