"""Heads from CSV: one class per row, its label first, then its weights, its bias last.

With a header the bias is the column named `bias`, `intercept`, `intercept_` or `b`, or the one that is asked
for, wherever it stands. Without a header it is the last column.
"""

from __future__ import annotations

import csv
from pathlib import Path

from onnxhead.sources.contents import Contents, Entry, Request
from onnxhead.sources.labels import parse_labels
from onnxhead_runtime.arrays import is_decimal
from onnxhead_runtime.errors import SourceError

_BIAS_NAMES = ("bias", "intercept", "intercept_", "b")


def read(path: Path, request: Request) -> Contents:
    """Read a .csv file.

    Raises:
        SourceError: It is not a table of numbers with labels in the first column, or has no bias.
    """
    header, rows = _read_table(path)
    _check_labels(path, [row[0] for row in rows])
    if request.no_bias and header and set(header[1:]) & set(_BIAS_NAMES):
        raise SourceError(f"no_bias is for a source without bias, {path.name} has a column of that name")
    bias_column = None if request.no_bias else _find_bias(path, header, len(rows[0]), request.bias_key)
    labels = parse_labels([row[0] for row in rows])
    if not all(isinstance(label, int) for label in labels) and all(is_decimal(row[0]) for row in rows):
        raise SourceError(
            f"{path.name}: the first column must hold the labels, it holds numbers such as {rows[0][0]}: "
            "put a column of labels before the weights"
        )
    columns = [i for i in range(1, len(rows[0])) if i != bias_column]
    weight = [[_parse(path, row, number, i) for i in columns] for number, row in enumerate(rows, 1)]
    entries = {"weight": Entry((len(rows), len(columns)), "decimals", lambda: weight)}
    if bias_column is not None:
        bias = [_parse(path, row, number, bias_column) for number, row in enumerate(rows, 1)]
        entries[request.bias_key or "bias"] = Entry((len(rows),), "decimals", lambda: bias)
    return Contents(path.name, entries, labels)


def _read_table(path: Path) -> tuple[list[str] | None, list[list[str]]]:
    """Return the header, if there is one, and the rows, all of one length."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[cell.strip() for cell in row] for row in csv.reader(file, strict=True) if row]
    except (ValueError, OSError, csv.Error) as cause:
        raise SourceError(f"{path.name} must be comma-separated text in UTF-8: {cause}") from cause
    header = rows.pop(0) if rows and _is_header(rows[0][1:]) else None
    if not rows:
        raise SourceError(f"{path.name} must have one row per class, it has no row of numbers")
    for number, row in enumerate(rows, 1):
        if len(row) != len(header or rows[0]):
            raise SourceError(
                f"{path.name}: rows must have one length, the first has {len(header or rows[0])} cells and "
                f"class row {number} has {len(row)}"
            )
    if len(rows[0]) < 2:
        raise SourceError(
            f"{path.name}: a row must hold a label and its weights, separated by commas, got "
            f"{','.join(rows[0])[:40]!r}"
        )
    return header, rows


def _is_header(cells: list[str]) -> bool:
    """Tell names, or the 0, 1, 2, ... that pandas gives columns without names, from weights."""
    if len(cells) > 2 and cells == [str(i) for i in range(len(cells))]:
        return True
    return not any(map(is_decimal, cells))


def _check_labels(path: Path, labels: list[str]) -> None:
    if "" in labels:
        number = labels.index("") + 1
        raise SourceError(f"{path.name}: a row must begin with its label, class row {number} has none")
    for name in ("bias", "intercept", "intercept_"):
        if name in labels:
            raise SourceError(
                f"{path.name}: a row must be a class, one is named {name}: transpose the table, so that "
                "classes are rows and the bias is a column"
            )


def _find_bias(path: Path, header: list[str] | None, columns: int, name: str | None) -> int:
    if header is None:
        if name:
            raise SourceError(f"{path.name}: --bias-key {name} names a column, the file has no header")
        return columns - 1
    names = [name] if name else list(_BIAS_NAMES)
    found = [i for i, cell in enumerate(header) if i and cell in names]
    if len(found) != 1:
        raise SourceError(
            f"{path.name}: one column must be the bias, {len(found)} are named {' or '.join(names)}; the "
            f"header has {', '.join(header[1:])[:200]}: name it with --bias-key (bias_key=), or say "
            "--no-bias (no_bias=True) for a head without one"
        )
    return found[0]


def _parse(path: Path, row: list[str], number: int, column: int) -> float:
    if not is_decimal(row[column]):
        raise SourceError(
            f"{path.name}: weights and bias must be decimals, class row {number} has {row[column]!r} in "
            f"column {column + 1}"
        )
    return float(row[column])
