"""Rows from .csv and .jsonl files."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.arrays import is_decimal
from onnxhead_runtime.errors import FeaturesError
from onnxhead_runtime.rows.block import Block, Rows, Selection, choose_columns, float32_rows, rows_of_lists

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_csv(path: Path, selection: Selection) -> Rows:
    """Read one row per line; a first line without numbers is a header."""
    by_name = selection.features is not None or bool(selection.keep)
    header, width = _csv_head(path, by_name)
    positions = list(range(width))
    kept: dict[str, int] = {}
    if header is not None and by_name:
        chosen = choose_columns(dict.fromkeys(header, "text"), selection, path.name, ())
        positions = [header.index(name) for name in chosen]
        kept = {name: header.index(name) for name in selection.keep}
    if len(positions) != selection.width:
        named = f": {', '.join(header[:20])}{', ...' * (len(header) > 20)}" if header else ""
        raise FeaturesError(
            f"{path.name} must have {selection.width} columns of features, it has {len(positions)}{named}; "
            f"{selection.remedy}"
        )

    def blocks(start: int, size: int) -> Iterator[Block]:
        with _csv_lines(path) as lines:
            rows = itertools.islice(lines, start + (header is not None), None)
            while block := list(itertools.islice(rows, size)):
                cells = [[_cell(line, at) for at in positions] for line in block]
                features, bad = _parse_cells(cells, [len(line) for line in block], width)
                columns = {name: [_cell(line, at) for line in block] for name, at in kept.items()}
                yield Block(features, columns, bad)

    return Rows(None, blocks)


def read_jsonl(path: Path, selection: Selection) -> Rows:
    """Read one row per line: an array of numbers, or an object with the features among its values."""
    with _json_lines(path) as lines:
        first = next(lines, None)
    if first is None:
        raise FeaturesError(f"{path.name} must hold rows of features, it holds none")
    row = _row_of(first, selection, path.name)

    def blocks(start: int, size: int) -> Iterator[Block]:
        with _json_lines(path) as lines:
            documents = itertools.islice(lines, start, None)
            while block := list(itertools.islice(documents, size)):
                features, bad = rows_of_lists([row(document) for document in block], selection.width)
                kept = {
                    name: [line.get(name) if isinstance(line, dict) else None for line in block]
                    for name in selection.keep
                }
                yield Block(features, kept, bad)

    return Rows(None, blocks)


def _row_of(first: Any, selection: Selection, name: str) -> Callable[[Any], Any]:
    """Return what takes the features out of a document that is as the first one."""
    if not isinstance(first, dict):
        if selection.features is not None or selection.keep:
            raise FeaturesError(f"{name} must hold objects for --features and --keep, it holds arrays")
        return lambda document: document
    kinds = {key: _kind(value) for key, value in first.items()}
    list_columns = [key for key, kind in kinds.items() if kind == "list"]
    chosen = choose_columns(kinds, selection, name, list_columns)
    one_list = chosen[0] in list_columns

    def row(document: Any) -> Any:
        if not isinstance(document, dict):
            return None
        return document.get(chosen[0]) if one_list else [document.get(name) for name in chosen]

    return row


@contextlib.contextmanager
def _csv_lines(path: Path) -> Iterator[Iterator[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield (line for line in csv.reader(file, strict=True) if line)
    except (UnicodeDecodeError, csv.Error, OSError) as cause:
        raise FeaturesError(
            f"{path.name} must be readable, comma-separated text in UTF-8: {cause}"
        ) from cause


def _csv_head(path: Path, by_name: bool) -> tuple[list[str] | None, int]:
    """Return the header, if there is one, and how many columns there are.

    Where columns are named, the first line is the header, whatever it holds.
    """
    with _csv_lines(path) as lines:
        first, second = next(lines, None), next(lines, None)
    if first is None:
        raise FeaturesError(f"{path.name} must hold rows of features, it holds none")
    if not by_name and len(first) > 2 and first == [str(i) for i in range(len(first))]:
        raise FeaturesError(
            f"{path.name}: the first line is 0, 1, 2, ...: is it a header? Give the columns names, or save "
            "the rows as .npy"
        )
    is_header = by_name or (second is not None and not any(is_decimal(cell) for cell in first))
    if is_header and len(set(first)) < len(first):
        twice = sorted({name for name in first if first.count(name) > 1})
        raise FeaturesError(f"{path.name} must have distinct column names, it has {', '.join(twice)} twice")
    return (first if is_header else None), len(first)


def _cell(line: list[str], at: int) -> str:
    return line[at] if at < len(line) else ""


def _parse_cells(
    cells: list[list[str]], lengths: Sequence[int], width: int
) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Return rows of text as float32, with the reason for each that is none."""
    bad = {
        row: f"it has {length} columns instead of {width}"
        for row, length in enumerate(lengths)
        if length != width
    }
    features = np.full((len(cells), len(cells[0])), np.nan)
    for row, line in enumerate(cells):
        if row not in bad:
            column = next((at for at, cell in enumerate(line) if not is_decimal(cell)), None)
            if column is None:
                features[row] = [float(cell) for cell in line]
            else:
                bad[row] = f"it has {line[column][:40]!r} in column {column} instead of a number"
    rounded, beyond = float32_rows(features)
    return rounded, bad | beyond


@contextlib.contextmanager
def _json_lines(path: Path) -> Iterator[Iterator[Any]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield (_parse_line(line, number, path) for number, line in enumerate(file) if line.strip())
    except (UnicodeDecodeError, OSError) as cause:
        raise FeaturesError(f"{path.name} must be JSON in UTF-8: {cause}") from cause


def _parse_line(line: str, number: int, path: Path) -> Any:
    try:
        document = json.loads(line.strip())
    except (ValueError, RecursionError) as cause:
        raise FeaturesError(
            f"{path.name} must hold JSON in each line, line {number + 1} is not: {cause}"
        ) from cause
    if number == 0 and not isinstance(document, list | dict):
        raise FeaturesError(
            f"{path.name} must hold an array of numbers or an object in each line, line 1 is a "
            f"{type(document).__name__}"
        )
    return document


def _kind(value: Any) -> str:
    if isinstance(value, list) and not all(isinstance(item, int | float) for item in value):
        return "list of others"
    return type(value).__name__
