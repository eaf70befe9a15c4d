"""Features from files, from JSON text and from standard input, block by block."""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.arrays import numpy_reason
from onnxhead_runtime.contract import FEATURES
from onnxhead_runtime.errors import FeaturesError
from onnxhead_runtime.rows.arrow import read_arrow, read_parquet
from onnxhead_runtime.rows.block import Block, Rows, Selection, one_array
from onnxhead_runtime.rows.numpy_files import read_npy, read_npz, read_safetensors
from onnxhead_runtime.rows.text import read_csv, read_jsonl

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Block", "Rows", "Selection", "open_rows", "read_features", "read_inputs"]

_BLOCK_ROWS = 4096
_SEVERAL = "; for a folder or a glob of files name a folder with -o, and --engine ray"


def open_rows(source: str, selection: Selection) -> Rows:
    """Open rows of features.

    Args:
        source: A .npy, .npz, .safetensors, .parquet, .arrow, .csv, .jsonl or .json file, JSON text such as
            `[0.5, 0.8]`, or `-` for JSON from standard input.
        selection: Which columns to read.

    Raises:
        FeaturesError: The source is missing, not of its format, or does not have the columns.
    """
    if source.lstrip().startswith(("[", "{")):
        return one_array(_parse_json(source, "the inline array"), selection, "the inline array")
    if source == "-":
        return one_array(_parse_json(_read_stdin(), "standard input"), selection, "standard input")
    path = Path(source)
    if not os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises for long names)
        several = os.path.isdir(path) or glob.has_magic(source)  # noqa: PTH112
        raise FeaturesError(
            "features must be a file, an inline JSON array such as '[0.5, 0.8]', or - for standard input, "
            f"there is no file {source}{_SEVERAL if several else ''}"
        )
    if path.suffix.lower() not in _READERS:
        raise FeaturesError(f"features must be a file in {', '.join(_READERS)}, got {path.name}")
    return _READERS[path.suffix.lower()](path, selection)


def read_features(source: str, width: int) -> NDArray[Any]:
    """Read all rows of a source of `open_rows` into memory, (rows, width).

    Raises:
        FeaturesError: As `open_rows`, or a row is not one of `width` numbers.
    """
    blocks, done = [], 0
    for block in open_rows(source, Selection(width, is_fixed=True)).blocks(0, _BLOCK_ROWS):
        for row, reason in block.bad.items():
            raise FeaturesError(
                f"every row must be one of {width} numbers, row {done + row}, counted from 0, is not: "
                f"{reason}"
            )
        blocks.append(block.features)
        done += len(block.features)
    return np.concatenate(blocks) if blocks else np.empty((0, width), np.float32)


def read_inputs(source: str) -> Any:
    """Read the inputs of a whole model: arrays by name, or the one array of a .npy file or of JSON text.

    Args:
        source: An .npz, .npy or .json file, JSON text such as `{"ids": [[1, 2]]}`, or `-` for JSON from
            standard input.

    Raises:
        FeaturesError: The source is missing or not of its format.
    """
    if source.lstrip().startswith(("[", "{")):
        return _json_document(source, "the inline text")
    if source == "-":
        return _json_document(_read_stdin(), "standard input")
    path = Path(source)
    if path.suffix.lower() not in (".npz", ".npy", ".json"):
        raise FeaturesError(
            f"inputs must be an .npz, .npy or .json file, inline JSON or - for standard input, got {source!r}"
        )
    try:
        if path.suffix.lower() == ".json":
            return _json_document(path.read_text(encoding="utf-8"), path.name)
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else dict(loaded)
    except FeaturesError:
        raise
    except Exception as cause:  # numpy and zipfile raise many kinds for a broken file
        raise FeaturesError(
            f"inputs must be a readable {path.suffix} file, {source} is not: {numpy_reason(cause)}"
        ) from cause


def _read_stdin() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as cause:
        raise FeaturesError(f"standard input must be JSON in UTF-8: {cause}") from cause


def _json_document(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise FeaturesError(f"inputs must be JSON, {name} is not: {cause}") from cause


def _parse_json(text: str, name: str) -> Any:
    """Return an array, or the one under `features` in an object."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise FeaturesError(f"features must be a JSON array of numbers, {name} is not: {cause}") from cause
    if isinstance(document, dict) and FEATURES in document:
        document = document[FEATURES]
    if not isinstance(document, list):
        raise FeaturesError(
            f'features must be a JSON array of numbers, or one under "{FEATURES}" in an object, {name} is a '
            f"{type(document).__name__}"
        )
    return document


def _read_json(path: Path, selection: Selection) -> Rows:
    try:
        return one_array(_parse_json(path.read_text("utf-8-sig"), path.name), selection, path.name)
    except (UnicodeDecodeError, OSError) as cause:
        raise FeaturesError(f"{path.name} must be JSON in UTF-8: {cause}") from cause


_READERS: dict[str, Callable[[Path, Selection], Rows]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".safetensors": read_safetensors,
    ".parquet": read_parquet,
    ".arrow": read_arrow,
    ".csv": read_csv,
    ".jsonl": read_jsonl,
    ".json": _read_json,
}
