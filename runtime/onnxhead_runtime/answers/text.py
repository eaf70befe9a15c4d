"""Answers as .csv and .jsonl."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxhead_runtime.answers.columns import (
    LABEL,
    PROBABILITY,
    TOP,
    Answers,
    Layout,
    as_list,
    check_distinct,
    label_text,
)
from onnxhead_runtime.contract import LOGITS, PROBABILITIES
from onnxhead_runtime.journal import Journal

if TYPE_CHECKING:
    import numpy as np

_PART = "rows"


class _TextWriter:
    """Lines, in one part that is the file."""

    def __init__(self, layout: Layout, journal: Journal) -> None:
        """Begin the file, or go on with it."""
        self._layout, self._journal = layout, journal
        self._part = journal.part(_PART)

    def write(self, encoded: bytes) -> int:
        """Add rows."""
        return self._part.write(encoded)

    def commit(self) -> None:
        """Everything is in the file already."""

    def finish(self) -> Path:
        """Return the file."""
        return self._journal.path(_PART)


class CsvWriter(_TextWriter):
    """One line per row, below a header; a row without an answer has empty cells."""

    def __init__(self, layout: Layout, journal: Journal) -> None:
        """Begin the file with its header, or go on with it."""
        super().__init__(layout, journal)
        header = _header(layout)
        check_distinct(header)
        self._answer_cells = len(header) - len(layout.keep)
        if not self._part.tell():
            self.write(_csv_bytes([header]))

    def encode(self, answers: Answers) -> bytes:
        """Return the lines of a block."""
        columns: list[Iterable[list[str]]] = [
            ([_cell(value)] for value in as_list(column)) for column in answers.kept.values()
        ]
        columns += [_cells(answers, name, self._layout) for name in self._layout.columns]
        rows = []
        for undefined, cells in zip(answers.undefined, zip(*columns, strict=True), strict=True):
            row = [cell for group in cells for cell in group]
            rows.append(row[: len(self._layout.keep)] + [""] * self._answer_cells if undefined else row)
        return _csv_bytes(rows)


class JsonlWriter(_TextWriter):
    """One object per row; null where a row has no answer."""

    def encode(self, answers: Answers) -> bytes:
        """Return the lines of a block."""
        names = [*answers.kept, *self._layout.columns]
        columns = [_without_nan(as_list(column)) for column in answers.kept.values()]
        columns += [_values(answers, name, self._layout) for name in self._layout.columns]
        lines = (
            json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=_text)
            for row in zip(*columns, strict=True)
        )
        return "".join(f"{line}\n" for line in lines).encode()


def _header(layout: Layout) -> list[str]:
    names = {
        LABEL: ["label"],
        PROBABILITY: ["probability"],
        LOGITS: [f"logits {label}" for label in layout.classes],
        PROBABILITIES: [f"probabilities {label}" for label in layout.classes],
        TOP: [f"top{n} {what}" for n in range(1, layout.top + 1) for what in (LABEL, PROBABILITY)],
    }
    return [*layout.keep, *(name for column in layout.columns for name in names[column])]


def _csv_bytes(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cells(answers: Answers, name: str, layout: Layout) -> Iterator[list[str]]:
    """Yield the cells of one column for each row."""
    prediction = answers.prediction
    if name == LABEL:
        return ([label_text(label)] for label in prediction.labels)
    if name == PROBABILITY:
        return ([str(value)] for value in answers.probability)
    if name == TOP:
        return ([text for pair in row for text in map(str, pair)] for row in _top(answers, layout))
    return ([str(value) for value in row] for row in getattr(prediction, name))


def _values(answers: Answers, name: str, layout: Layout) -> list[Any]:
    """Return the values of one column for each row, None where a row has no answer."""
    values: list[Any]
    if name == LABEL:
        values = answers.prediction.labels
    elif name == PROBABILITY:
        values = [_shortest(value) for value in answers.probability]
    elif name == TOP:
        values = [[[label, _shortest(value)] for label, value in row] for row in _top(answers, layout)]
    else:
        values = [[_shortest(value) for value in row] for row in getattr(answers.prediction, name)]
    return [None if bad else value for bad, value in zip(answers.undefined, values, strict=True)]


def _top(answers: Answers, layout: Layout) -> Iterator[list[tuple[Any, np.float32]]]:
    if answers.top is None:
        return
    for classes, probabilities in zip(*answers.top, strict=True):
        yield [(layout.classes[i], value) for i, value in zip(classes, probabilities, strict=True)]


def _shortest(value: np.float32) -> float | None:
    """Return the float with the fewest digits that is this float32 when it is read again."""
    return float(str(value)) if math.isfinite(value) else None


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_text)
    return _text(value)


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _without_nan(value: Any) -> Any:
    """Return JSON data with null for what JSON lacks."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return {name: _without_nan(item) for name, item in value.items()} if isinstance(value, dict) else value
