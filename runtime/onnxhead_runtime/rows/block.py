"""What every reader yields: blocks of rows, and which of them are no rows of features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.arrays import round_to_float32, to_batch, to_numeric
from onnxhead_runtime.contract import FEATURES
from onnxhead_runtime.errors import FeaturesError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# a column that is carried through: an array of numpy or Arrow, or a list
Column = Any

SPAN_ROWS = 2**17  # a second of work


@dataclass(frozen=True)
class Block:
    """Consecutive rows.

    Attributes:
        features: (rows, features), numbers; NaN in a bad row.
        kept: The columns that are carried through, by name.
        bad: Why a row of the block, counted from 0, is no row of features.
    """

    features: NDArray[Any]
    kept: Mapping[str, Column]
    bad: Mapping[int, str]


@dataclass(frozen=True)
class Rows:
    """A source of rows.

    Attributes:
        total: How many rows it has; None where only reading all of it tells.
        blocks: Yields the rows from one on in blocks of a size. Where a block begins depends on the source
            and the size alone, so that reading can go on at the beginning of any block.
        spans: The first rows of the spans, `SPAN_ROWS` or a few more, that can be read without what lies
            before them. The blocks of each begin anew.
    """

    total: int | None
    blocks: Callable[[int, int], Iterator[Block]]
    spans: Sequence[int] = (0,)


@dataclass(frozen=True)
class Selection:
    """Which columns of a source are read.

    Attributes:
        width: How many features a row has.
        features: The names of the feature columns: one that holds lists, or one per feature; None to take
            what the source makes plain.
        keep: The names of the columns that are carried through.
        is_fixed: Whether the user has no way to name columns, for messages.
    """

    width: int
    features: Sequence[str] | None = None
    keep: Sequence[str] = ()
    is_fixed: bool = False

    @property
    def remedy(self) -> str:
        """What to do where it does not fit the columns of a source."""
        if self.is_fixed:
            return "write a file with the features alone"
        return "name them with --features, and those to carry through with --keep"


def float32_rows(values: NDArray[Any]) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Return rows as float32, with the reason for each row that holds a value beyond its range."""
    rounded, lost = round_to_float32(values)
    bad = {}
    if lost is not None:
        for row in np.flatnonzero(lost.any(axis=1)).tolist():
            column = int(lost[row].argmax())
            bad[row] = f"{values[row, column]:.4g} in column {column} is beyond float32"
            rounded[row] = np.nan
    return rounded, bad


def rows_of_lists(lists: Sequence[Any], width: int) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Return rows given as lists of numbers, with the reason for each that is none."""
    features = np.full((len(lists), width), np.nan, np.float64)
    bad = {}
    for row, values in enumerate(lists):
        reason = _list_problem(values, width)
        if reason is None:
            features[row] = values
        else:
            bad[row] = reason
    rounded, beyond = float32_rows(features)
    return rounded, bad | beyond


def choose_columns(
    columns: Mapping[str, str], selection: Selection, name: str, list_columns: Sequence[str]
) -> list[str]:
    """Return the names of the feature columns: a single one of lists, or one per feature.

    Args:
        columns: What each column of the source holds, in words, in the order of the source.
        selection: What the user asked for.
        name: The source, for the message.
        list_columns: Those that hold lists of numbers.

    Raises:
        FeaturesError: A column that was named is not there, or nothing makes plain which ones are meant.
    """
    missing = [column for column in (*(selection.features or ()), *selection.keep) if column not in columns]
    if missing:
        raise FeaturesError(
            f"{name} must have the columns that are named, it has no {', '.join(missing)}: it has "
            f"{_listed(columns)}"
        )
    if selection.features is not None:
        chosen = list(selection.features)
    elif FEATURES in columns:
        chosen = [FEATURES]
    elif len(list_columns) == 1:
        chosen = list(list_columns)
    else:
        chosen = [column for column in columns if column not in selection.keep]
    if len(chosen) == 1 and (chosen[0] in list_columns or selection.width == 1):
        return chosen
    if len(chosen) != selection.width or set(chosen) & set(list_columns):
        raise FeaturesError(
            f"{name} must have one column of lists or {selection.width} columns of numbers as features, "
            f"{'named' if selection.features else 'left'} are {len(chosen)}: "
            f"{selection.remedy}; it has {_listed(columns)}"
        )
    return chosen


def one_array(features: Any, selection: Selection, name: str) -> Rows:
    """Return the rows of an array: one row (features,) or several (rows, features)."""
    if selection.keep or selection.features is not None:
        raise FeaturesError(f"{name} must have named columns for --features and --keep, it is one array")
    array = to_numeric(features, "features", FeaturesError)
    return array_rows(to_batch(array, selection.width, FeaturesError), {})


def array_rows(matrix: Any, kept: Mapping[str, Any]) -> Rows:
    """Return the rows of (rows, features), in memory or with slices that are read from a file."""

    def blocks(start: int, size: int) -> Iterator[Block]:
        total = len(matrix)
        # a source without rows is one block without rows: its columns have types all the same
        starts = range(start, total, size) if total else [0]
        for part in (slice(at, min(at + size, total)) for at in starts):
            features, bad = float32_rows(matrix[part])
            yield Block(features, {name: column[part] for name, column in kept.items()}, bad)

    return Rows(len(matrix), blocks)


def _list_problem(values: Any, width: int) -> str | None:
    if not isinstance(values, list):
        return "it is null" if values is None else f"it is {values!r:.40} instead of a list"
    if len(values) != width:
        return f"it has {len(values)} features instead of {width}"
    for column, value in enumerate(values):
        if isinstance(value, bool | int | float):
            if isinstance(value, int) and abs(value) > 1e308:
                return f"{value!r:.40} in column {column} is beyond float32"
        else:
            return f"column {column} is {'null' if value is None else f'{value!r:.40}'}"
    return None


def _listed(columns: Mapping[str, str]) -> str:
    named = [f"{column} ({kind})" for column, kind in columns.items()]
    return ", ".join(named[:20]) + (f" and {len(named) - 20} more" if len(named) > 20 else "")
