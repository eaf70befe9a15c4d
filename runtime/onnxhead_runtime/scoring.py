"""Score a file of any length in bounded memory: reading, running and writing overlap."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from onnxhead_runtime.answers import (
    Layout,
    Writer,
    answer,
    check_output,
    choose_layout,
    default_columns,
    open_writer,
    pyarrow_version,
)
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError, WriteError
from onnxhead_runtime.journal import Journal
from onnxhead_runtime.pipeline import Ahead, in_order
from onnxhead_runtime.providers import import_onnxruntime, one_line
from onnxhead_runtime.rows import Block, Rows, Selection, open_rows
from onnxhead_runtime.threads import thread_count

if TYPE_CHECKING:
    from onnxhead_runtime.classifier import Classifier
    from onnxhead_runtime.prediction import Prediction

BadRow = tuple[int, str]
Progress = Callable[[int, int | None], object]

_BLOCK_FEATURE_BYTES = 16 * 2**20
_BLOCK_OUTPUT_BYTES = 4 * 2**20  # logits that are still in the cache when the link reads them
_FEWEST_ROWS, _MOST_ROWS = 256, 65536
_LARGEST_OUTPUT_BYTES = 64 * 2**20
_COMMIT_BYTES, _COMMIT_ROWS = 32 * 2**20, 2**17
_MOST_WAITING = 16
_MOST_KEPT_ROWS, _MOST_KEPT_WAITING = 4096, 4
_PAGE_BYTES = 4096
_NAMED_ROWS = 20


@dataclass(frozen=True)
class Report:
    """What `score` did.

    Attributes:
        output: The file that was written.
        rows: How many rows it has.
        resumed_rows: How many of them an earlier run had done.
        bad_rows: How many of them have no answer.
        bad: The first of those: their numbers, counted from 0, and why.
        columns: The columns of the file, those that were carried through first.
        device: Where it ran: `cpu` or `cuda:N`.
    """

    output: Path
    rows: int
    resumed_rows: int
    bad_rows: int
    bad: tuple[BadRow, ...]
    columns: tuple[str, ...]
    device: str


def score(
    classify: Classifier,
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    top: int | None = None,
    threshold: float | None = None,
    features: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    on_bad_row: Literal["fail", "null"] = "fail",
    resume: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Run a model over a file of rows and write a file of answers.

    The output appears under its name when it is complete, in one step. A run that is interrupted, killed or
    out of space leaves what is done in the folder `.OUTPUT.partial` beside it, where `resume` goes on.

    Args:
        classify: The model.
        source: A .npy, .npz, .safetensors, .parquet, .arrow, .csv, .jsonl or .json file; also JSON text, or
            `-` for JSON from standard input.
        output: A .parquet, .arrow, .npz, .npy, .csv or .jsonl file; folders are made.
        columns: Some of `label`, `probability`, `logits`, `probabilities` and `top`. By default the first
            four; for more than 100 classes `label`, `probability` and `top`; for .npy `probabilities`.
        top: How many classes the column `top` lists, 5 by default.
        threshold: With the link `sigmoid`, above which probability a label is given.
        features: The names of the feature columns: one that holds lists, or one per feature. By default the
            column `features`, the only one of lists, or all that are not carried through.
        keep: Columns of the source to carry through.
        on_bad_row: A row with NaN, null, another width or a logit that overflows: `fail` ends the run, with
            `null` the row has no answer.
        resume: Go on where an earlier run of the same model, source and options ended. The file has then the
            same bytes as that of a run that was not interrupted, on the same machine.
        progress: Called with the rows done and, where it is known, their total.

    Raises:
        FeaturesError: The source is not of its format, or has a bad row.
        WriteError: The output cannot be written, or there is nothing to go on with that fits.
        ValueError: `threshold`, `top` or `on_bad_row` is none, or text is given for a list of names.

    Example:
        >>> from onnxhead_runtime import load
        >>> classify = load("models/abc.onnx", device="cpu")
        >>> report = score(classify, "[[0.5, 0.8, 1.2], [0, 0, 0]]", tmp / "answers.csv")
        >>> report.rows, report.columns
        (2, ('label', 'probability', 'logits', 'probabilities'))
    """
    if not isinstance(source, str) or os.path.isfile(source):  # noqa: PTH113  (Path.is_file raises for long names)
        source = str(Path(source).absolute())  # while it is read, the working directory may become another
    classify.check_takes_rows()
    path = Path(output)
    for name, names in (("columns", columns), ("features", features), ("keep", keep)):
        if isinstance(names, str):
            raise ValueError(f"{name} must be a list of names, got the text {names!r}")
    if on_bad_row not in ("fail", "null"):
        raise ValueError(f"on_bad_row must be fail or null, got {on_bad_row!r}")
    check_output(path)
    if "\0" in str(path) or path.is_dir():
        raise WriteError(f"answers go to a file, got {'a folder: ' if path.is_dir() else ''}{path}")
    # os.path.exists, since Path.exists raises for long names
    if path.exists() and os.path.exists(source) and path.samefile(source):  # noqa: PTH110
        raise WriteError(f"answers must not replace the rows that they are of, {path}: give another file")
    layout = choose_layout(
        classify.classes, classify.link, keep, default_columns(path) if columns is None else columns, top
    )
    rows = open_rows(source, Selection(classify.features, features, keep))
    run = _Run(classify, layout, threshold, source, on_bad_row == "fail")
    job = _describe_job(classify, run.described, path, layout, features, threshold)
    try:
        return _with_journal(run, rows, path, Journal(path, job, resume), progress)
    except WriteError:
        raise
    except OSError as cause:
        error = WriteError(
            f"predictions must go to a folder that is writable and has room, {path} was not "
            f"written: {cause.strerror or cause}"
        )
        for note in getattr(cause, "__notes__", ()):
            error.add_note(note)
        raise error from cause


def _with_journal(run: _Run, rows: Rows, path: Path, journal: Journal, progress: Progress | None) -> Report:
    try:
        return run.write(rows, path, journal, progress)
    except BaseException as error:
        if journal.leave():
            error.add_note(f"{journal.rows} rows are done: --resume goes on behind them")
        raise


class _Run:
    """One model, and how its answers are written."""

    def __init__(
        self, classify: Classifier, layout: Layout, threshold: float | None, source: str, fail: bool
    ) -> None:
        self._source, self.described = source, _describe_source(source)
        self._buffers = threading.local()
        # several blocks at once, each by one thread, keep every CPU busy while others read and write; and
        # their bits do not depend on the number of CPUs
        self._workers = thread_count() if classify.device == "cpu" else 1
        self._classify = classify.with_threads(1) if classify.device == "cpu" else classify
        self._layout, self._threshold, self._fail = layout, threshold, fail
        if threshold is not None:
            classify(np.zeros((0, classify.features), np.float32)).with_threshold(threshold)  # raises

    def write(self, rows: Rows, path: Path, journal: Journal, progress: Progress | None) -> Report:
        resumed = done = journal.rows
        bad: list[BadRow] = [(row, reason) for row, reason in journal.notes.get("bad", [])]
        bad_rows: int = journal.notes.get("bad_rows", 0)
        writer = open_writer(path, self._layout, journal)
        size = block_rows(self._classify.features, len(self._classify.classes))
        # so many blocks that the workers go on while rows are committed, and bounded memory holds them
        waiting = max(1, min(_MOST_WAITING, _LARGEST_OUTPUT_BYTES // (size * self._layout.row_bytes)))
        if self._layout.keep:  # whose rows may be large
            size, waiting = min(size, _MOST_KEPT_ROWS), min(waiting, _MOST_KEPT_WAITING)
        begun, pending = bool(done), 0
        if progress:
            progress(done, rows.total)
        with (
            Ahead(_touched(rows.blocks(done, size))) as blocks,
            Ahead(in_order(partial(self._answer, writer, path), blocks, self._workers), waiting) as answered,
        ):
            for count, found, encoded in answered:
                self._check(found, done)
                bad_rows += len(found)
                bad += [(done + row, reason) for row, reason in found[: _NAMED_ROWS - len(bad)]]
                with _writing(path):
                    pending += writer.write(encoded)
                begun, done = True, done + count
                if progress:
                    progress(done, rows.total)
                if pending >= _COMMIT_BYTES or done - journal.rows >= _COMMIT_ROWS:
                    with _writing(path):
                        writer.commit()
                    journal.notes = {"bad": bad, "bad_rows": bad_rows}
                    journal.commit(done)
                    pending = 0
        with _writing(path):
            if not begun:  # the file says which columns it has all the same
                no_rows = np.empty((0, self._classify.features), np.float32)
                kept: dict[str, Any] = {name: [] for name in self._layout.keep}
                writer.write(self._answer(writer, path, Block(no_rows, kept, {}))[2])
            writer.commit()
            whole = writer.finish()
        if _describe_source(self._source) != self.described:
            raise FeaturesError(f"rows must stay as they are while they are read, {self._source} has changed")
        journal.finish(whole)
        columns = (*self._layout.keep, *self._layout.columns)
        return Report(path, done, resumed, bad_rows, tuple(bad), columns, self._classify.device)

    def _answer(self, writer: Writer, path: Path, block: Block) -> tuple[int, list[BadRow], Any]:
        """Return how many rows a block has, the bad ones counted from its first, and what is written."""
        prediction = self._predict(block.features)
        if self._threshold is not None:
            prediction = prediction.with_threshold(self._threshold)
        answers = answer(prediction, block.kept, self._layout)
        found = [
            (row, block.bad.get(row) or describe_bad_row(block.features[row]))
            for row in np.flatnonzero(answers.undefined).tolist()
        ]
        with _writing(path):
            return len(answers), found, writer.encode(answers)

    def _predict(self, features: Any) -> Prediction:
        """Run a block in buffers of this thread: new ones for each would tear the heap into pieces."""
        rows, classes = len(features), len(self._classify.classes)
        buffers = getattr(self._buffers, "arrays", None)
        if buffers is None or len(buffers[0]) < rows:
            buffers = self._buffers.arrays = [np.empty((rows, classes), np.float32) for _ in range(2)]
        return self._classify.call_into(features, *buffers)

    def _check(self, found: list[BadRow], first: int) -> None:
        if found and self._fail:
            row, reason = found[0]
            raise FeaturesError(
                f"every row must have an answer, row {first + row}, counted from 0, has none: {reason}; mend "
                "the file and run anew, or give such rows no answer with --on-bad-row null"
            )


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the writers' packages raise for a column that they cannot write into a WriteError."""
    try:
        yield
    except (OSError, MemoryError, OnnxHeadError):
        raise
    except Exception as cause:  # pyarrow's exceptions are of many kinds
        raise WriteError(
            f"columns that are carried through must be of types that {path.suffix} holds, one is not: "
            f"{one_line(cause)}; leave it out of --keep, or convert it"
        ) from cause


def block_rows(features: int, classes: int) -> int:
    """Return how many rows are run at once: a power of two by which neither side leaves the cache."""
    rows = min(_BLOCK_FEATURE_BYTES // (4 * features), _BLOCK_OUTPUT_BYTES // (4 * classes))
    fewest = min(_FEWEST_ROWS, _LARGEST_OUTPUT_BYTES // (8 * classes))
    return 1 << (max(1, fewest, min(rows, _MOST_ROWS)).bit_length() - 1)


def _touched(blocks: Iterator[Block]) -> Iterator[Block]:
    """Read the pages of mapped rows, so that the disk is waited for here and not where they are run."""
    for block in blocks:
        if isinstance(block.features, np.memmap) or isinstance(block.features.base, np.memmap):
            memory = block.features.reshape(-1).view(np.uint8)
            memory[::_PAGE_BYTES].max(initial=0)
        yield block


def describe_bad_row(row: Any) -> str:
    """Say why a row of features has no answer."""
    for is_such, what in ((np.isnan, "NaN"), (np.isinf, "infinite")):
        if is_such(row).any():
            return f"column {int(is_such(row).argmax())} is {what}"
    return "a logit overflows"


def _describe_job(
    classify: Classifier,
    described: list[Any],
    output: Path,
    layout: Layout,
    features: Sequence[str] | None,
    threshold: float | None,
) -> dict[str, Any]:
    """Return what makes two runs write the same bytes."""
    with classify.path.open("rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()
    # what came over standard input cannot be read again
    where = [os.urandom(8).hex()] if described == ["-"] else described
    return {
        "model": model,
        "source file": where,
        "columns": [*layout.keep, *layout.columns, layout.top, output.suffix.lower()],
        "features": features and list(features),
        "threshold": threshold and float(threshold),
        "device": classify.device,
        "versions": [import_onnxruntime().__version__, np.__version__, pyarrow_version(output)],
    }


def _describe_source(source: str) -> list[Any]:
    """Return what changes when the rows do."""
    if not os.path.isfile(source):  # noqa: PTH113  (Path.is_file raises for long names)
        return [source]
    status = Path(source).stat()
    return [str(Path(source).absolute()), status.st_size, status.st_mtime_ns]
