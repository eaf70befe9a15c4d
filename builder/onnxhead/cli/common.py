"""What the commands share: their arguments, and how they print."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from onnxhead_runtime.rows import read_inputs

Model = Annotated[Path, typer.Argument(help="The .onnx file.", show_default=False)]
Features = Annotated[
    str,
    typer.Argument(
        help="A .npy, .npz, .safetensors, .parquet, .arrow, .csv, .jsonl or .json file, an inline JSON array "
        "such as '[0.5, 0.8]', or - for JSON on standard input.",
        show_default=False,
    ),
]
Sample = Annotated[
    str | None,
    typer.Option(
        help="Inputs to try a whole model on: an .npz file with an array for each.", show_default="made up"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def read_sample(source: str | None) -> Any:
    """Read the inputs of a sample."""
    return None if source is None else read_inputs(source)


def print_result(result: Any, lines: Iterable[str], as_json: bool) -> None:
    """Print a result as lines for people, or as JSON."""
    if as_json:
        print_json(dataclasses.asdict(result))
    else:
        print_lines(lines)


def print_json(document: dict[str, Any]) -> None:
    """Print a document as one line of JSON."""
    print(json.dumps(document, default=_encode, ensure_ascii=False))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to standard output."""
    for line in lines:
        print(line)


def say(message: str) -> None:
    """Print a message to standard error."""
    print(message, file=sys.stderr)


def column_names(text: str | None) -> list[str] | None:
    """Return names that are separated by commas; None for none."""
    return [name.strip() for name in text.split(",")] if text else None


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):  # NaN, which JSON lacks, is null
        values = value.astype(object)
        values[~np.isfinite(value)] = None
        return values.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value))
