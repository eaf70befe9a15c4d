"""The command line: it parses, calls and prints.

Results go to standard output, messages to standard error. Exit status 0; 1 for a finding (wrong numbers, a
row without an answer, a broken installation); 2 for bad usage or input.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import sys
from typing import Annotated, NoReturn

import typer

from onnxhead import display
from onnxhead.cli import attaching, building, examining, running, verifying
from onnxhead.cli.common import say
from onnxhead_runtime.errors import OnnxHeadError, VerificationError

app = typer.Typer(
    help="A classification head's weight and bias as one portable ONNX file: logits and probabilities.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (
    building.build,
    running.run,
    building.calibrate,
    attaching.features,
    attaching.attach,
    building.ship,
    running.explain,
    examining.inspect,
    verifying.verify,
    examining.doctor,
):
    app.command()(command)


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
        say(display.plain("; ".join([f"error: {error}", *getattr(error, "__notes__", ())])))
        sys.exit(1 if isinstance(error, VerificationError) else 2)
    except OSError as error:
        if error.filename is not None:
            say(f"error: {display.plain(str(error.filename))}: {error.strerror}")
            sys.exit(2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to write at exit
        say(f"error: standard output must be writable: {error.strerror}")
        sys.exit(2)
    sys.exit(0)


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
