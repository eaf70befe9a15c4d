"""Commands that look at models and at the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import onnxhead
from onnxhead import display
from onnxhead.cli.common import AsJson, Model, Sample, print_result, read_sample
from onnxhead.doctor import diagnose
from onnxhead.summary import inspect as summarise


def inspect(model: Model, as_json: AsJson = False) -> None:
    """Say what is in a model file and which runtimes load it."""
    summary = summarise(model)
    print_result(summary, display.summary_lines(summary), as_json)


def verify(
    path: Annotated[
        Path, typer.Argument(help="The .onnx file, or a folder that `ship` wrote.", show_default=False)
    ],
    verify_key: Annotated[
        Path | None, typer.Option(help="Check the folder's signature with this public key (PEM).")
    ] = None,
    sample: Sample = None,
    as_json: AsJson = False,
) -> None:
    """Check hashes, and answers against float64; of a folder that was shipped, those of its bundle."""
    verification = onnxhead.verify(path, key=verify_key, sample=read_sample(sample))
    print_result(verification, display.verification_lines(verification), as_json)
    if verification.findings:
        raise typer.Exit(1)


def doctor(as_json: AsJson = False) -> None:
    """Say which onnxruntime is installed, which devices start, and what to do if one does not."""
    diagnosis = diagnose()
    print_result(diagnosis, display.diagnosis_lines(diagnosis), as_json)
    if diagnosis.findings:
        raise typer.Exit(1)
