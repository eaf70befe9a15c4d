"""Answers as .parquet and .arrow."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.answers import thrift
from onnxhead_runtime.answers.columns import LABEL, PROBABILITY, TOP, Answers, Layout
from onnxhead_runtime.contract import LABELS_KEY, LOGITS, PROBABILITIES
from onnxhead_runtime.errors import WriteError
from onnxhead_runtime.journal import Journal

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCHEMA, _ROWS, _FOOTERS = "schema", "rows", "footers"
_MAGIC = b"PAR1"
_LENGTH = struct.Struct("<I")
# FileMetaData, RowGroup, ColumnChunk and ColumnMetaData of parquet.thrift
_NUM_ROWS, _ROW_GROUPS = 3, 4
_GROUP_COLUMNS, _GROUP_OFFSET, _GROUP_ORDINAL = 1, 5, 7
_CHUNK_OFFSET, _CHUNK_METADATA = 2, 3
_PAGE_OFFSETS = (9, 10, 11)  # of data, index and dictionary pages
_NESTED_LABELS = [f"{LABEL}.list.element", f"{TOP}.list.element.{LABEL}"]


class _TableWriter:
    """Collects rows as Arrow batches of one schema, which the first rows decide."""

    def __init__(self, layout: Layout, journal: Journal) -> None:
        self._layout, self._journal = layout, journal
        self._labels = _label_array(layout)
        self._schema: Any = None
        part = journal.part(_SCHEMA)
        if part.tell():
            import pyarrow

            self._schema = pyarrow.ipc.read_schema(pyarrow.py_buffer(journal.path(_SCHEMA).read_bytes()))

    def encode(self, answers: Answers) -> tuple[Any, Any]:
        """Return a block as a message of Arrow, and its schema."""
        import pyarrow

        columns = {name: _kept(column) for name, column in answers.kept.items()}
        columns |= {name: self._column(name, answers) for name in self._layout.columns}
        batch = pyarrow.record_batch(list(columns.values()), list(columns))
        return batch.serialize(), batch.schema

    def _batch(self, encoded: tuple[Any, Any]) -> Any:
        import pyarrow

        message, schema = encoded
        if self._schema is None:
            # a column of lines of JSON that begins with nulls alone is taken for text
            kinds = [
                (field.name, pyarrow.string() if field.type == pyarrow.null() else field.type)
                for field in schema
            ]
            labels = json.dumps(self._layout.classes, ensure_ascii=False)
            self._schema = pyarrow.schema(kinds, {LABELS_KEY: labels})
            self._journal.part(_SCHEMA).write(self._schema.serialize())
        batch = pyarrow.ipc.read_record_batch(message, schema)
        for column, there, field in zip(batch.columns, schema, self._schema, strict=True):
            if there.type != field.type and column.null_count < len(column):
                raise WriteError(
                    f"a column that is carried through must have one type, {field.name} has {there.type} "
                    f"after {field.type}: write .jsonl or .csv, or convert it"
                )
        return batch.cast(self._schema)

    def _column(self, name: str, answers: Answers) -> Any:
        import pyarrow

        mask = answers.undefined if answers.undefined.any() else None
        if name == LABEL:
            return self._label_column(answers, mask)
        if name == PROBABILITY:
            return pyarrow.array(answers.probability, mask=mask)
        there = slice(None) if mask is None else ~mask
        if name == TOP and answers.top is not None:
            classes, probabilities = (part[there] for part in answers.top)
            labels = self._labels.take(pyarrow.array(classes.ravel()))
            pairs = [labels, pyarrow.array(probabilities.ravel())]
            items = pyarrow.StructArray.from_arrays(pairs, [LABEL, PROBABILITY])
            return _lists(items, classes.shape[1], len(answers), mask)
        values = getattr(answers.prediction, name)
        return _lists(pyarrow.array(values[there].ravel()), values.shape[1], len(answers), mask)

    def _label_column(self, answers: Answers, mask: NDArray[np.bool_] | None) -> Any:
        import pyarrow

        if self._layout.link != "sigmoid":
            return self._labels.take(pyarrow.array(answers.best, mask=mask))
        chosen = answers.prediction.above_threshold & ~answers.undefined[:, np.newaxis]
        ends = chosen.sum(axis=1).cumsum()
        offsets = np.concatenate([[0], ends]).astype(np.int32)
        values = self._labels.take(pyarrow.array(np.nonzero(chosen)[1]))
        return pyarrow.ListArray.from_arrays(offsets, values, mask=pyarrow.array(answers.undefined))


class ArrowWriter(_TableWriter):
    """An Arrow file of one batch per block of rows.

    A file is a stream with a footer that lists its batches: to go on, the batches that are there are read
    and given to a new writer, which writes the same bytes again.
    """

    def __init__(self, layout: Layout, journal: Journal) -> None:
        """Begin the file, or go on with it."""
        super().__init__(layout, journal)
        self._part = journal.part(_ROWS)
        self._writer: Any = None
        if self._schema is not None:
            self._replay()

    def write(self, encoded: tuple[Any, Any]) -> int:
        """Add rows."""
        batch = self._batch(encoded)
        if self._writer is None:
            self._writer = self._open(self._part)
        self._writer.write_batch(batch)
        return int(batch.nbytes)

    def commit(self) -> None:
        """Everything is in the file already."""

    def finish(self) -> Path:
        """Write the footer."""
        self._writer.close()
        return self._journal.path(_ROWS)

    def _open(self, sink: Any) -> Any:
        import pyarrow

        return pyarrow.ipc.new_file(pyarrow.PythonFile(sink, "w"), self._schema)

    def _replay(self) -> None:
        import pyarrow

        written = self._part.tell()
        self._writer = self._open(_Skipping(self._part, written))
        if not written:
            return
        with pyarrow.memory_map(str(self._journal.path(_ROWS))) as file:
            file.seek(8)  # the file's magic number; the rest is a stream that lacks its end
            stream = pyarrow.ipc.open_stream(file)
            while file.tell() < written:
                self._writer.write_batch(stream.read_next_batch())


class ParquetWriter(_TableWriter):
    """A Parquet file of one row group per commit.

    Each row group is written as a file of its own, in memory. Its pages are added to the rows, its footer to
    the footers; the footer of the whole lists the row groups of all, their pages where they now are. So what
    is on the disk never changes, and a run can go on behind it.
    """

    def __init__(self, layout: Layout, journal: Journal) -> None:
        """Begin the file, or go on with it."""
        super().__init__(layout, journal)
        self._part, self._footers = journal.part(_ROWS), journal.part(_FOOTERS)
        if not self._part.tell():
            self._part.write(_MAGIC)
        self._batches: list[Any] = []

    def write(self, encoded: tuple[Any, Any]) -> int:
        """Collect rows."""
        self._batches.append(self._batch(encoded))
        return int(self._batches[-1].nbytes)

    def commit(self) -> None:
        """Write what was collected as a row group."""
        import pyarrow
        from pyarrow import parquet

        if not self._batches:
            return
        table = pyarrow.Table.from_batches(self._batches, self._schema)
        self._batches = []
        sink = pyarrow.BufferOutputStream()
        floats = (LOGITS, PROBABILITIES, PROBABILITY)
        repeating = [name for name in table.column_names if name not in floats] + _NESTED_LABELS
        parquet.write_table(table, sink, row_group_size=max(len(table), 1), use_dictionary=repeating)
        data = memoryview(sink.getvalue())
        (footer_bytes,) = _LENGTH.unpack(data[-8:-4])
        start = len(data) - 8 - footer_bytes
        shift = self._part.tell() - len(_MAGIC)
        self._part.write(data[len(_MAGIC) : start])
        self._footers.write(_LENGTH.pack(footer_bytes) + shift.to_bytes(8, "little"))
        self._footers.write(data[start:-8])

    def finish(self) -> Path:
        """Write the footer."""
        footer = _merge(self._journal.path(_FOOTERS).read_bytes())
        self._part.write(footer + _LENGTH.pack(len(footer)) + _MAGIC)
        return self._journal.path(_ROWS)


class _Skipping:
    """A file that is written again: what is there already is passed over."""

    closed = False

    def __init__(self, file: IO[bytes], there: int) -> None:
        self._file, self._left = file, there

    def write(self, data: bytes) -> int:
        skipped = min(self._left, len(data))
        self._left -= skipped
        self._file.write(memoryview(data)[skipped:])
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        """Leave the file open: it is the journal's."""


def _merge(footers: bytes) -> bytes:
    """Return the footer of the row groups of all footers."""
    merged: thrift.Struct = {}
    at = rows = 0
    groups: list[thrift.Struct] = []
    while at < len(footers):
        (size,) = _LENGTH.unpack_from(footers, at)
        shift = int.from_bytes(footers[at + 4 : at + 12], "little")
        footer = thrift.decode(footers[at + 12 : at + 12 + size])
        merged = merged or footer
        rows += footer[_NUM_ROWS][1]
        for group in footer[_ROW_GROUPS][1][1]:
            groups.append(_moved(group, shift, len(groups)))
        at += 12 + size
    merged[_NUM_ROWS] = (thrift.I64, rows)
    merged[_ROW_GROUPS] = (thrift.LIST, (thrift.STRUCT, groups))
    return thrift.encode(merged)


def _moved(group: thrift.Struct, shift: int, ordinal: int) -> thrift.Struct:
    """Return a row group whose pages lie `shift` bytes later."""
    _shift(group, _GROUP_OFFSET, shift)
    if _GROUP_ORDINAL in group:
        group[_GROUP_ORDINAL] = (thrift.I16, min(ordinal, 2**15 - 1))
    for chunk in group[_GROUP_COLUMNS][1][1]:
        if chunk[_CHUNK_OFFSET][1]:
            _shift(chunk, _CHUNK_OFFSET, shift)
        for field in _PAGE_OFFSETS:
            _shift(chunk[_CHUNK_METADATA][1], field, shift)
    return group


def _shift(message: thrift.Struct, field: int, shift: int) -> None:
    if field in message:
        kind, offset = message[field]
        message[field] = (kind, offset + shift)


def _label_array(layout: Layout) -> Any:
    import pyarrow

    kinds = {type(label) for label in layout.classes}
    try:
        return pyarrow.array(layout.classes if len(kinds) == 1 else [str(label) for label in layout.classes])
    except (pyarrow.ArrowException, OverflowError):  # integers beyond 64 bits
        return pyarrow.array([str(label) for label in layout.classes])


def _kept(column: Any) -> Any:
    import pyarrow

    return pyarrow.array(column) if isinstance(column, list | np.ndarray) else column


def _lists(items: Any, width: int, rows: int, mask: NDArray[np.bool_] | None) -> Any:
    """Return lists of `width` items; where the mask is, null and no items, as Parquet wants it."""
    import pyarrow

    if mask is None:
        return pyarrow.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * width, items)
    offsets = np.concatenate([[0], np.cumsum(~mask * width)]).astype(np.int32)
    return pyarrow.ListArray.from_arrays(offsets, items, mask=pyarrow.array(mask))
