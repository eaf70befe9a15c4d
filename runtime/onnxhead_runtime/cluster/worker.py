"""What runs in each worker: one classifier, which answers piece after piece."""

from __future__ import annotations

import dataclasses
import json
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from onnxhead_runtime import errors
from onnxhead_runtime.answers import Layout
from onnxhead_runtime.classifier import Classifier
from onnxhead_runtime.cluster.models import ModelFiles, found
from onnxhead_runtime.cluster.pieces import Piece, open_piece
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError, WriteError
from onnxhead_runtime.journal import Journal
from onnxhead_runtime.rows import Selection
from onnxhead_runtime.run import BadRow, Run, check_unchanged
from onnxhead_runtime.scoring import going_on, writing_to

PARTS, WORKERS, TOKEN = "parts", "workers", "token"
_SHARED = (
    "every worker must reach the rows and the answers under the same path, on a file system that all share"
)


@dataclass(frozen=True)
class Task:
    """What a worker is to do with every piece.

    Attributes:
        model: The model.
        options: Device, threads, TF32 and mapping, as `Classifier` takes them.
        layout: The columns of the answers.
        threshold: Above which probability a label is given; None for the model's own.
        selection: Which columns are read.
        folder: The unfinished answers.
        token: What its file `token` holds in this run.
    """

    model: ModelFiles
    options: tuple[str, int | None, bool, bool | Literal["auto"]]
    layout: Layout
    threshold: float | None
    selection: Selection
    folder: Path
    token: str


@dataclass(frozen=True)
class Outcome:
    """What became of a piece.

    Attributes:
        rows: How many rows were written.
        bad_rows: How many of them have no answer.
        bad: The first of those, counted from the first row of the piece, and why.
        kinds: The type of each column that is carried through.
        error: The class and the text of the error that ended it; None where it is written.
    """

    rows: int = 0
    bad_rows: int = 0
    bad: tuple[BadRow, ...] = ()
    kinds: dict[str, str] = dataclasses.field(default_factory=dict)
    error: tuple[str, str] | None = None

    def check(self) -> None:
        """Raise the error that ended the piece, if one did."""
        if self.error is not None:
            name, message = self.error
            raise getattr(errors, name)(message)


class Scorer:
    """The actor: opens the model with its first piece, and keeps it."""

    def __init__(self, task: Task) -> None:
        """Take the task; nothing is opened yet, so that what fails is an outcome."""
        self._task = task
        self._run: Run | None = None
        # of its own: where a worker is given up and lives on, its rows are run by two at once
        self._folder = task.folder / WORKERS / secrets.token_hex(8)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Answer pieces, given and returned as JSON: what travels is small and holds no code."""
        return {"outcome": [self._outcome(Piece(**json.loads(text))) for text in batch["piece"]]}

    def _outcome(self, piece: Piece) -> str:
        try:
            outcome = self._answer(piece)
        except OnnxHeadError as error:
            outcome = Outcome(error=(type(error).__name__, str(error)))
        return json.dumps(dataclasses.asdict(outcome))

    def _answer(self, piece: Piece) -> Outcome:
        from pyarrow import parquet

        self._check_token()
        self._run = self._run or self._open()
        if not Path(piece.file).is_file():
            raise FeaturesError(f"{_SHARED}, {socket.gethostname()} has no file {piece.file}: put it there")
        check_unchanged(piece.file, piece.described)
        name = part_name(piece.number)
        path = self._folder / name
        rows = open_piece(piece, self._task.selection)
        with writing_to(self._task.folder / PARTS / name):
            with going_on(Journal(path, {}, resume=False)) as journal:
                report = self._run.write(rows, path, journal, (piece.file, piece.described), fail=False)
            schema = parquet.read_schema(path)
            self._check_token()  # a worker that was given up must not write into a later run
            path.replace(self._task.folder / PARTS / name)
        kinds = {column: str(schema.field(column).type) for column in self._task.layout.keep}
        return Outcome(report.rows, report.bad_rows, report.bad, kinds)

    def _open(self) -> Run:
        with found(self._task.model) as path:
            classify = Classifier(path, *self._task.options)
            return Run(classify, self._task.layout, self._task.threshold, workers=1)

    def _check_token(self) -> None:
        try:
            token = (self._task.folder / TOKEN).read_text()
        except OSError:
            token = ""
        if token != self._task.token:
            raise WriteError(
                f"{_SHARED}, {socket.gethostname()} does not see {self._task.folder}: put it there"
            )


def part_name(number: int) -> str:
    """Return the name of the answers to a piece; names sort as the rows do."""
    return f"part-{number:06}.parquet"
