"""The command line: it parses, calls and prints.

Results go to standard output, messages to standard error. Exit status 0; 1 for a finding (wrong numbers, a
row without an answer, a broken installation); 2 for bad usage or input.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import io
import json
import os
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

import onnxhead
from onnxhead import display
from onnxhead.calibration import calibrate as fit_temperature
from onnxhead.derivation import explain as derive
from onnxhead.doctor import diagnose
from onnxhead.progress import ended_by_signals, shown
from onnxhead.reliability import check_picture, draw
from onnxhead.sources.labels import parse_labels, read_labels, read_true_labels
from onnxhead.summary import inspect as summarise
from onnxhead_runtime.answers import check_output
from onnxhead_runtime.arrays import describe
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError, SourceError, VerificationError, WriteError
from onnxhead_runtime.prediction import to_document
from onnxhead_runtime.rows import read_features
from onnxhead_runtime.scoring import score

app = typer.Typer(
    help="A classification head's weight and bias as one portable ONNX file: logits and probabilities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Model = Annotated[Path, typer.Argument(help="The .onnx file.", show_default=False)]
Features = Annotated[
    str,
    typer.Argument(
        help="A .npy, .npz, .safetensors, .parquet, .arrow, .csv, .jsonl or .json file, an inline JSON array "
        "such as '[0.5, 0.8]', or - for JSON on standard input.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
WeightKey = Annotated[str | None, typer.Option(help="Which array of the source is the weight.")]
BiasKey = Annotated[str | None, typer.Option(help="Which array, or column of a .csv, is the bias.")]


@app.command()
def build(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="A file (.json .npz .csv .safetensors .skops .pt .pth .keras .weights.h5 .onnx), a Hugging "
            "Face folder, or two .npy files: weight and bias.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The file to write.", show_default="models/NAME.onnx"),
    ] = None,
    labels: Annotated[str | None, typer.Option(help="One per class, separated by commas.")] = None,
    labels_file: Annotated[
        Path | None, typer.Option(help="One label per line, or a .json array, which keeps types.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="classes-first or features-first: the axes of the weight.",
            show_default="classes-first; features-first for a key named kernel",
        ),
    ] = None,
    weight_key: WeightKey = None,
    bias_key: BiasKey = None,
    no_bias: Annotated[bool, typer.Option("--no-bias", help="The head has no bias: it is zero.")] = False,
    node: Annotated[
        str | None, typer.Option(help="Which node of an .onnx file is the head, where several could be.")
    ] = None,
    link: Annotated[
        str | None,
        typer.Option(help="softmax, sigmoid or ovr.", show_default="the source's, or softmax"),
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="Divisor of the logits before the link.")] = None,
    as_json: AsJson = False,
) -> None:
    """Build a model from a head's weight and bias, verify it and write it."""
    head = onnxhead.read(
        source[0] if len(source) == 1 else source,
        labels=_labels(labels, labels_file),
        layout=layout,
        weight_key=weight_key,
        bias_key=bias_key,
        no_bias=no_bias,
        node=node,
        link=link,
        temperature=temperature,
    )
    target = output or Path("models") / f"{source[0].resolve().stem}.onnx"
    _check_source_stays(source[0], target)
    report = onnxhead.save(head, target)
    _print(report, display.report_lines(report), as_json)


@app.command()
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
    if output is None:
        _check_needs_output(
            {"--columns": columns, "--features": feature_columns, "--keep": keep, "--resume": resume}
        )
        _show_prediction(onnxhead.load(model, device=device), features, top, threshold, as_json)
        return
    check_output(output)
    classify = onnxhead.load(model, device=device)
    with shown(quiet) as progress, ended_by_signals():
        try:
            report = score(
                classify,
                features,
                output,
                columns=_names(columns),
                top=top,
                threshold=threshold,
                features=_names(feature_columns),
                keep=_names(keep) or (),
                on_bad_row=on_bad_row,
                resume=resume,
                progress=progress,
            )
        except ValueError as error:
            if isinstance(error, OnnxHeadError):
                raise
            raise FeaturesError(str(error)) from error
        except KeyboardInterrupt as error:
            _say("; ".join(["interrupted", *getattr(error, "__notes__", ())]))
            raise typer.Exit(130) from None
    if as_json:
        _print_json(dataclasses.asdict(report))
        return
    for line in display.score_lines(report):
        _say(line)


@app.command()
def calibrate(
    model: Annotated[
        Path, typer.Argument(help="The .onnx file, or any source of `build`.", show_default=False)
    ],
    features: Features,
    labels: Annotated[
        Path,
        typer.Argument(
            help="The true labels: one per line, a .json array, or a .npy file; for the link sigmoid a .json "
            "array of arrays, or a .npy file (rows, classes) of 0 and 1.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The model file to write.", show_default=False)
    ],
    plot: Annotated[Path | None, typer.Option(help="Draw the reliability diagram to this .png file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit the temperature on held-out rows, and write the model with it; the logits stay what they were."""
    if plot:
        check_picture(plot)
    head = onnxhead.read(model)
    calibration = fit_temperature(head, read_features(features, head.features), read_true_labels(labels))
    _check_source_stays(model, output)
    report = onnxhead.save(calibration.head, output)
    if plot:
        draw(calibration, plot)
    if as_json:
        quality = {name: dataclasses.asdict(getattr(calibration, name)) for name in ("before", "after")}
        _print_json({**dataclasses.asdict(report), **quality})
        return
    _print_lines([*display.calibration_lines(calibration), "", *display.report_lines(report)])


@app.command()
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
    _print(derivation, display.derivation_lines(derivation), as_json)


@app.command()
def inspect(model: Model, as_json: AsJson = False) -> None:
    """Say what is in a model file and which runtimes load it."""
    summary = summarise(model)
    _print(summary, display.summary_lines(summary), as_json)


@app.command()
def verify(model: Model, as_json: AsJson = False) -> None:
    """Check a model's hashes, and its answers against float64."""
    verification = onnxhead.verify(model)
    _print(verification, display.verification_lines(verification), as_json)
    if verification.findings:
        raise typer.Exit(1)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say which onnxruntime is installed, which devices start, and what to do if one does not."""
    diagnosis = diagnose()
    _print(diagnosis, display.diagnosis_lines(diagnosis), as_json)
    if diagnosis.findings:
        raise typer.Exit(1)


def main() -> NoReturn:
    """Run the command line; a user's mistake is a message, never a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no bars still gets the numbers
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OnnxHeadError as error:
        _say(display.plain("; ".join([f"error: {error}", *getattr(error, "__notes__", ())])))
        sys.exit(1 if isinstance(error, VerificationError) else 2)
    except OSError as error:
        if error.filename is not None:
            _say(f"error: {display.plain(str(error.filename))}: {error.strerror}")
            sys.exit(2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to write at exit
        _say(f"error: standard output must be writable: {error.strerror}")
        sys.exit(2)
    sys.exit(0)


def _show_prediction(
    classify: onnxhead.Classifier, features: str, top: int | None, threshold: float | None, as_json: bool
) -> None:
    prediction = classify(read_features(features, classify.features))
    if threshold is not None:
        try:
            prediction = prediction.with_threshold(threshold)
        except ValueError as error:
            raise FeaturesError(f"--threshold: {error}") from error
    _say(f"device: {classify.device}")
    if as_json:
        print(json.dumps(to_document(prediction, top), ensure_ascii=False))
    else:
        _print_lines(display.prediction_lines(prediction, top))
    undefined = prediction.undefined_rows
    if undefined:
        numbers = ", ".join(map(str, undefined[:20])) + (", ..." if len(undefined) > 20 else "")
        _say(f"without an answer, as a feature is NaN or a logit overflows: rows {numbers}")
        raise typer.Exit(1)


def _names(text: str | None) -> list[str] | None:
    return [name.strip() for name in text.split(",")] if text else None


def _check_needs_output(options: dict[str, object]) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise WriteError(f"{', '.join(given)}: for answers that are written to a file, name it with -o")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"onnxhead {importlib.metadata.version('onnxhead')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _check_source_stays(source: Path, output: Path) -> None:
    if output.exists() and output.samefile(source):
        raise WriteError(f"a model must not replace its own source, {output}: give another file with -o")


def _labels(labels: str | None, labels_file: Path | None) -> list[Any] | None:
    if labels is not None and labels_file is not None:
        raise SourceError("labels must come from --labels or --labels-file, got both")
    if labels_file is not None:
        return read_labels(labels_file)
    return None if labels is None else parse_labels([label.strip() for label in labels.split(",")])


def _print(result: Any, lines: Iterable[str], as_json: bool) -> None:
    if as_json:
        _print_json(dataclasses.asdict(result))
    else:
        _print_lines(lines)


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, default=_encode, ensure_ascii=False))


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _encode(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value))
