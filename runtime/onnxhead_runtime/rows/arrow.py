"""Rows from .parquet and .arrow files, read batch by batch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.errors import FeaturesError, OnnxHeadError
from onnxhead_runtime.providers import one_line
from onnxhead_runtime.rows.block import SPAN_ROWS, Block, Rows, Selection, choose_columns, float32_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_parquet(path: Path, selection: Selection) -> Rows:
    """Read the columns that are needed, page by page."""
    with _requiring_pyarrow(path):
        import pyarrow.parquet

    def open_file() -> Any:
        # one page at a time: a row group may be as large as the file
        return pyarrow.parquet.ParquetFile(path, memory_map=True, pre_buffer=False)

    with _refusing(path), open_file() as file:
        schema = file.schema_arrow
        columns = _choose(schema, path, selection)
        group_rows = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]

    def batches(start: int, size: int) -> Iterator[Any]:
        with _refusing(path), open_file() as file:
            for first, groups in _spans(group_rows):
                if first + sum(group_rows[group] for group in groups) > start:
                    read = file.iter_batches(
                        size, groups, columns=[*columns, *selection.keep], use_threads=False
                    )
                    yield from _from_row(read, start - first)

    spans = [first for first, _ in _spans(group_rows)] or [0]
    return Rows(sum(group_rows), _blocks(batches, columns, selection, schema), spans)


def read_arrow(path: Path, selection: Selection) -> Rows:
    """Read an Arrow file or stream, mapped."""
    with _requiring_pyarrow(path):
        import pyarrow.ipc

    def open_file() -> Any:
        source = pyarrow.memory_map(str(path))
        try:
            return pyarrow.ipc.open_file(source)
        except pyarrow.ArrowInvalid:
            source.seek(0)
            return pyarrow.ipc.open_stream(source)

    with _refusing(path):
        file = open_file()
        schema = file.schema
        columns = _choose(schema, path, selection)
        total = file.count_rows() if hasattr(file, "count_rows") else None  # since pyarrow 25, and no stream

    def batches(start: int, size: int) -> Iterator[Any]:
        with _refusing(path):
            file = open_file()
            is_file = hasattr(file, "num_record_batches")
            read = (file.get_batch(i) for i in range(file.num_record_batches)) if is_file else iter(file)
            read = (_validated(batch.select([*columns, *selection.keep])) for batch in read)
            pieces = (batch.slice(at, size) for batch in read for at in range(0, batch.num_rows, size))
            yield from _from_row(pieces, start)

    return Rows(total, _blocks(batches, columns, selection, schema))


def _blocks(
    batches: Callable[[int, int], Iterator[Any]], columns: Sequence[str], selection: Selection, schema: Any
) -> Callable[[int, int], Iterator[Block]]:
    def block(batch: Any) -> Block:
        features, bad = _features(batch, columns, selection.width)
        return Block(features, {name: _plain(batch.column(name)) for name in selection.keep}, bad)

    def blocks(start: int, size: int) -> Iterator[Block]:
        batch = None
        for batch in batches(start, size):
            yield block(batch)
        if batch is None and not start:  # without rows, its columns have types all the same
            import pyarrow

            empty = [pyarrow.array([], field.type) for field in schema]
            yield block(pyarrow.record_batch(empty, schema=schema))

    return blocks


def _validated(batch: Any) -> Any:
    """Return a batch whose offsets lie in its buffers: what is mapped is not read, and so not checked."""
    batch.validate(full=True)
    return batch


def _features(batch: Any, columns: Sequence[str], width: int) -> tuple[NDArray[np.float32], dict[int, str]]:
    if len(columns) == 1 and _is_list(batch.schema.field(columns[0]).type):
        return _list_rows(batch.column(columns[0]), width)
    values, bad = [], {}
    for number, name in enumerate(columns):
        column = batch.column(name)
        if column.null_count:
            nulls = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
            bad.update({int(row): f"column {number} ({name}) is null" for row in nulls if row not in bad})
        values.append(_numbers(column))
    rounded, beyond = float32_rows(np.column_stack(values) if values else np.empty((batch.num_rows, 0)))
    rounded[list(bad)] = np.nan
    return rounded, {**beyond, **bad}


def _list_rows(column: Any, width: int) -> tuple[NDArray[np.float32], dict[int, str]]:
    """Return lists of numbers as rows, without a copy where all have the width and nothing is null."""
    import pyarrow
    from pyarrow import compute

    lengths = np.asarray(compute.list_value_length(column).fill_null(-1))
    good = lengths == width
    bad = {
        int(row): "it is null" if lengths[row] < 0 else f"it has {lengths[row]} features instead of {width}"
        for row in np.flatnonzero(~good)
    }
    items = (column if good.all() else column.filter(pyarrow.array(good))).flatten()
    rounded, beyond = float32_rows(_numbers(items).reshape(-1, width))
    if not bad and not items.null_count:
        return rounded, beyond
    features = np.full((len(column), width), np.nan, np.float32)
    features[good] = rounded
    rows = np.flatnonzero(good)
    bad.update({int(rows[row]): reason for row, reason in beyond.items()})
    if items.null_count:
        nulls = items.is_null().to_numpy(zero_copy_only=False).reshape(-1, width)
        for row in np.flatnonzero(nulls.any(axis=1)):
            features[rows[row]] = np.nan
            bad[int(rows[row])] = f"column {int(nulls[row].argmax())} is null"
    return features, bad


def _numbers(column: Any) -> NDArray[Any]:
    """Return numbers or booleans, NaN for null."""
    array: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return array.astype(np.float64) if array.dtype.kind == "O" else array  # booleans with nulls


def _choose(schema: Any, path: Path, selection: Selection) -> list[str]:
    kinds = {field.name: str(field.type) for field in schema}
    if len(kinds) < len(schema):
        raise FeaturesError(
            f"{path.name} must have distinct column names, it has {len(schema) - len(kinds)} twice"
        )
    lists = [field.name for field in schema if _is_list(field.type) and _is_number(field.type.value_type)]
    chosen, width = choose_columns(kinds, selection, path.name, lists), selection.width
    for name in chosen:
        kind = schema.field(name).type
        if not (_is_number(kind) or name in lists) or getattr(kind, "list_size", width) not in (width, -1):
            raise FeaturesError(f"{path.name}: features must be {width} numbers, column {name} is {kind}")
    return chosen


def _spans(group_rows: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield first row and numbers of the row groups that are read together: small ones are no batches."""
    first = rows = 0
    groups: list[int] = []
    for group, count in enumerate(group_rows):
        groups.append(group)
        rows += count
        if rows >= SPAN_ROWS or group == len(group_rows) - 1:
            yield first, groups
            first, rows, groups = first + rows, 0, []


def _from_row(batches: Iterator[Any], skip: int) -> Iterator[Any]:
    for batch in batches:
        if skip < batch.num_rows:
            yield batch.slice(max(skip, 0))
        skip -= batch.num_rows


def _plain(column: Any) -> Any:
    return column.dictionary_decode() if hasattr(column, "dictionary_decode") else column


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind))


@contextlib.contextmanager
def _requiring_pyarrow(path: Path) -> Iterator[None]:
    try:
        yield
    except ImportError as cause:
        raise FeaturesError(
            f'reading {path.suffix} needs the pyarrow package: pip install "onnxhead[arrow]"'
        ) from cause


@contextlib.contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn what pyarrow raises for a broken file into a FeaturesError."""
    try:
        yield
    except (OnnxHeadError, GeneratorExit):
        raise
    except Exception as cause:  # pyarrow's exceptions are of many kinds
        raise FeaturesError(
            f"{path.name} must be a readable {path.suffix} file: {one_line(cause)}"
        ) from cause
