"""Answers to files, row by row, so that a run that was interrupted can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from onnxhead_runtime.answers.arrow import ArrowWriter, ParquetWriter
from onnxhead_runtime.answers.columns import COLUMNS, Answers, Layout, answer, choose_layout
from onnxhead_runtime.answers.numpy_files import NpyWriter, NpzWriter
from onnxhead_runtime.answers.text import CsvWriter, JsonlWriter
from onnxhead_runtime.contract import PROBABILITIES
from onnxhead_runtime.errors import WriteError
from onnxhead_runtime.journal import Journal

__all__ = [
    "COLUMNS",
    "Answers",
    "Layout",
    "Writer",
    "answer",
    "check_output",
    "choose_layout",
    "default_columns",
    "open_writer",
    "pyarrow_version",
]

_ARROW_FORMATS = (".parquet", ".arrow")


class Writer(Protocol):
    """What every format does."""

    def __init__(self, layout: Layout, journal: Journal) -> None:
        """Begin a file, or go on where the journal was committed."""

    def encode(self, answers: Answers) -> Any:
        """Return what is to be written of a block of rows, in memory of its own.

        Called from several threads at once; the arrays of the answers are used again for later blocks.
        """

    def write(self, encoded: Any) -> int:
        """Add the rows of a block; return about how many bytes they are."""

    def commit(self) -> None:
        """Bring all rows so far to the journal's parts."""

    def finish(self) -> Path:
        """Complete the file and return where it is."""


def check_output(path: Path) -> None:
    """Raise WriteError unless the format of `path` is known and what it needs is installed."""
    if path.suffix.lower() not in _WRITERS:
        raise WriteError(f"predictions are written to a file in {', '.join(_WRITERS)}, got {path}")
    if path.suffix.lower() in _ARROW_FORMATS:
        try:
            import pyarrow  # noqa: F401
        except ImportError as cause:
            raise WriteError(
                f'writing {path.suffix} needs the pyarrow package: pip install "onnxhead[arrow]"'
            ) from cause


def pyarrow_version(path: Path) -> str | None:
    """Return the version of pyarrow where it writes the format of `path`."""
    if path.suffix.lower() not in _ARROW_FORMATS:
        return None
    import pyarrow

    return str(pyarrow.__version__)


def default_columns(path: Path) -> tuple[str, ...] | None:
    """Return the columns of a format that cannot hold the usual ones."""
    return (PROBABILITIES,) if path.suffix.lower() == ".npy" else None


def open_writer(path: Path, layout: Layout, journal: Journal) -> Writer:
    """Begin the format of `path`, or go on with it."""
    return _WRITERS[path.suffix.lower()](layout, journal)


_WRITERS: dict[str, type[Writer]] = {
    ".parquet": ParquetWriter,
    ".arrow": ArrowWriter,
    ".npz": NpzWriter,
    ".npy": NpyWriter,
    ".csv": CsvWriter,
    ".jsonl": JsonlWriter,
}
