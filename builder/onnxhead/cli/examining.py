"""Commands that look at models and at the machine."""

from __future__ import annotations

import typer

from onnxhead import display
from onnxhead.cli.common import AsJson, Model, print_result
from onnxhead.doctor import diagnose
from onnxhead.summary import inspect as summarise


def inspect(model: Model, as_json: AsJson = False) -> None:
    """Say what is in a model file and which runtimes load it."""
    summary = summarise(model)
    print_result(summary, display.summary_lines(summary), as_json)


def doctor(as_json: AsJson = False) -> None:
    """Say which onnxruntime is installed, which devices start, and what to do if one does not."""
    diagnosis = diagnose()
    print_result(diagnosis, display.diagnosis_lines(diagnosis), as_json)
    if diagnosis.findings:
        raise typer.Exit(1)
