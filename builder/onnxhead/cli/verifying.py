"""The command that verifies a model, and certifies what it does on rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import onnxhead
from onnxhead import display
from onnxhead.certificate import Thresholds, certify
from onnxhead.certificate.page import check_page, write_page
from onnxhead.cli.common import (
    AsJson,
    Sample,
    column_names,
    print_json,
    print_lines,
    print_result,
    read_sample,
    say,
)
from onnxhead.progress import ended_by_signals, shown
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError


def verify(
    path: Annotated[
        Path, typer.Argument(help="The .onnx file, or a folder that `ship` wrote.", show_default=False)
    ],
    verify_key: Annotated[
        Path | None, typer.Option(help="Check the folder's signature with this public key (PEM).")
    ] = None,
    sample: Sample = None,
    rows: Annotated[
        str | None,
        typer.Option(
            help="Certify what the model does on these rows, as `run` takes them; a whole model an .npz file."
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="The true labels of the rows: a file as `calibrate` takes it.")
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="The column of the rows that holds them, instead of --labels.")
    ] = None,
    feature_columns: Annotated[
        str | None,
        typer.Option("--features", help="The feature columns of the rows, as for `run`.", show_default=False),
    ] = None,
    against: Annotated[Path | None, typer.Option(help="An older model to compare the answers with.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the certificate as this .html page.")] = None,
    min_accuracy: Annotated[float | None, typer.Option(help="The least accuracy, from 0 to 1.")] = None,
    max_nll: Annotated[
        float | None, typer.Option(help="The largest mean negative log-likelihood, in nats.")
    ] = None,
    max_calibration_error: Annotated[
        float | None, typer.Option(help="The largest expected calibration error, from 0 to 1.")
    ] = None,
    max_uncertain: Annotated[
        float | None,
        typer.Option(help="The largest share of rows whose label rounding alone could change, such as 0."),
    ] = None,
    max_flips: Annotated[
        float | None,
        typer.Option(help="The largest share of rows with another label than that of --against."),
    ] = None,
    max_regressions: Annotated[
        float | None,
        typer.Option(help="The largest share that --against had right and the model has wrong."),
    ] = None,
    on_bad_row: Annotated[
        Literal["fail", "null"],
        typer.Option(help="fail: a row without an answer is a finding; null: it is only counted."),
    ] = "fail",
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check hashes, and answers against float64; with --rows, certify what the model does on rows."""
    limits = {
        "min_accuracy": min_accuracy,
        "max_nll": max_nll,
        "max_calibration_error": max_calibration_error,
        "max_uncertain": max_uncertain,
        "max_flips": max_flips,
        "max_regressions": max_regressions,
    }
    options: dict[str, Any] = {
        "labels": labels,
        "label_column": label_column,
        "features": column_names(feature_columns),
        "against": against,
    }
    if rows is None:
        _check_needs_rows({**options, "report": report, **limits})
        verification = onnxhead.verify(path, key=verify_key, sample=read_sample(sample))
        print_result(verification, display.verification_lines(verification), as_json)
        if verification.findings:
            raise typer.Exit(1)
        return
    if report:
        check_page(report, [path, against, labels, rows])
    try:
        thresholds = Thresholds(**limits)
        with shown(quiet) as progress, ended_by_signals():
            certificate = certify(
                path,
                rows,
                **options,
                thresholds=thresholds,
                on_bad_row=on_bad_row,
                key=verify_key,
                sample=read_sample(sample),
                progress=progress,
            )
    except ValueError as error:
        if isinstance(error, OnnxHeadError):
            raise
        raise FeaturesError(str(error)) from error
    except KeyboardInterrupt:
        say("interrupted; nothing was written")
        raise typer.Exit(130) from None
    if report:
        write_page(certificate, report)
    if as_json:
        print_json({**dataclasses.asdict(certificate), "passed": certificate.passed})
    else:
        print_lines(display.certificate_lines(certificate, report))
    if not certificate.passed:
        raise typer.Exit(1)


def _check_needs_rows(options: dict[str, object]) -> None:
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise FeaturesError(f"{', '.join(given)}: for a certificate, give the rows it is made on with --rows")
