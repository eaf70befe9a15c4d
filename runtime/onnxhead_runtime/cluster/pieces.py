"""Files cut into pieces, each of which a worker reads alone."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxhead_runtime.errors import FeaturesError
from onnxhead_runtime.rows import Block, Rows, Selection, open_rows
from onnxhead_runtime.run import describe_source

_FORMATS = (".npy", ".parquet")


@dataclass(frozen=True)
class Piece:
    """Consecutive rows of a file: one span, so that their blocks are those of the whole file.

    Attributes:
        number: Its place among all pieces, counted from 0.
        file: The absolute path of the file.
        described: What changes when the file does.
        first: Its first row in the file.
        rows: How many it has.
    """

    number: int
    file: str
    described: list[Any]
    first: int
    rows: int


def find_files(source: str | os.PathLike[str]) -> list[str]:
    """Return the absolute paths of a file, of the files in a folder or of those of a glob, sorted by name.

    Raises:
        FeaturesError: There is none, or they are not of one format that can be read in pieces.
    """
    name = os.fspath(source)
    if os.path.isdir(name):  # noqa: PTH112  (Path.is_dir raises for long names)
        # names that begin so are unfinished or about other files, by the custom of Hadoop
        found = [str(path) for path in Path(name).iterdir() if not path.name.startswith((".", "_"))]
        others = sorted(path for path in found if _format(path) not in _FORMATS or not os.path.isfile(path))  # noqa: PTH113
        if others:
            raise FeaturesError(
                f"a folder of rows must hold {' or '.join(_FORMATS)} files alone, {name} also holds "
                f"{Path(others[0]).name}{' and others' if others[1:] else ''}: name the files with a glob, "
                f"such as {Path(name) / '*'}{_FORMATS[0]}"
            )
    elif os.path.isfile(name):  # noqa: PTH113
        found = [name]
    else:
        found = glob.glob(name, recursive=True)  # noqa: PTH207  (Path.glob takes no absolute patterns)
    files = sorted(str(Path(path).absolute()) for path in found if Path(path).is_file())
    formats = {_format(path) for path in files}
    if not files:
        there = f"the folder {name} has none" if os.path.isdir(name) else f"there is no file {name}"  # noqa: PTH112
        raise FeaturesError(
            f"features must be {' or '.join(_FORMATS)} files for the ray engine: one, a folder or a glob of "
            f"them, {there}"
        )
    if len(formats) > 1 or formats - {*_FORMATS}:
        raise FeaturesError(
            f"features must be {' or '.join(_FORMATS)} files for the ray engine, all of one kind, {name} has "
            f"{', '.join(sorted(formats)) or 'others'}: convert them, or leave out --engine ray"
        )
    return files


def cut(files: Sequence[str], selection: Selection) -> list[Piece]:
    """Cut files into their spans, of which headers and footers alone are read.

    Raises:
        FeaturesError: A file is not of its format, or does not have the columns.
    """
    pieces: list[Piece] = []
    for file in files:
        try:
            described, rows = describe_source(file), open_rows(file, selection)
        except FeaturesError as error:
            if len(files) == 1 or Path(file).name in str(error):
                raise
            raise FeaturesError(f"{file}: {error}") from error
        for first, end in itertools.pairwise([*rows.spans, rows.total or 0]):
            pieces.append(Piece(len(pieces), file, described, first, end - first))
    return pieces


def open_piece(piece: Piece, selection: Selection) -> Rows:
    """Open the rows of a piece."""
    rows = open_rows(piece.file, selection)

    def blocks(start: int, size: int) -> Iterator[Block]:
        left = piece.rows - start
        for block in rows.blocks(piece.first + start, size):
            yield block
            left -= len(block.features)
            if left <= 0:
                return

    return Rows(piece.rows, blocks)


def _format(path: str) -> str:
    return Path(path).suffix.lower()
