"""Rows to answers, block by block, in bounded memory: reading, running and writing overlap."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.answers import Layout, Writer, answer, open_writer
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError, WriteError
from onnxhead_runtime.journal import Journal
from onnxhead_runtime.pipeline import Ahead, in_order
from onnxhead_runtime.providers import one_line
from onnxhead_runtime.rows import Block, Rows
from onnxhead_runtime.threads import thread_count

if TYPE_CHECKING:
    from onnxhead_runtime.classifier import Classifier
    from onnxhead_runtime.prediction import Prediction

NAMED_ROWS = 20
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


class Run:
    """One model, and how its answers are written."""

    def __init__(
        self, classify: Classifier, layout: Layout, threshold: float | None, workers: int | None = None
    ) -> None:
        """Open the model once more, to compute with one thread.

        Args:
            classify: The model.
            layout: The columns of the answers.
            threshold: Above which probability a label is given; None for the model's own.
            workers: How many blocks are run at once on a CPU; None for one per CPU of this process.

        Raises:
            ModelError: The file has been replaced since it was loaded.
            ValueError: `threshold` is none.
        """
        self._buffers = threading.local()
        # several blocks at once, each by one thread, keep every CPU busy while others read and write; and
        # their bits do not depend on the number of CPUs
        self._workers = workers or thread_count() if classify.device == "cpu" else 1
        self._classify = classify.with_threads(1) if classify.device == "cpu" else classify
        self._layout, self._threshold = layout, threshold
        check_threshold(classify, threshold)

    def write(
        self,
        rows: Rows,
        path: Path,
        journal: Journal,
        source: tuple[str, list[Any]],
        fail: bool,
        progress: Progress | None = None,
    ) -> Report:
        """Write the answers to rows, behind those that the journal has.

        Args:
            rows: The rows.
            path: The file of answers.
            journal: Its unfinished part.
            source: The file that the rows are of, and how `describe_source` described it.
            fail: Whether a row without an answer ends the run.
            progress: Called with the rows done and their total.
        """
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
                if found and fail:
                    raise no_answer(f"row {done + found[0][0]}", found[0][1])
                bad_rows += len(found)
                bad += [(done + row, reason) for row, reason in found[: NAMED_ROWS - len(bad)]]
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
        check_unchanged(*source)
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


def check_threshold(classify: Classifier, threshold: float | None) -> None:
    """Raise ValueError unless the model's labels can be given by this threshold."""
    if threshold is not None:
        classify(np.zeros((0, classify.features), np.float32)).with_threshold(threshold)


def no_answer(row: str, reason: str) -> FeaturesError:
    """Return the error of a row that has no answer."""
    return FeaturesError(
        f"every row must have an answer, {row}, counted from 0, has none: {reason}; mend "
        "the file and run anew, or give such rows no answer with --on-bad-row null"
    )


def check_unchanged(source: str, described: list[Any]) -> None:
    """Raise FeaturesError where a source is no longer what `describe_source` returned."""
    if describe_source(source) != described:
        raise FeaturesError(f"rows must stay as they are while they are read, {source} has changed")


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


def describe_source(source: str) -> list[Any]:
    """Return what changes when the rows do."""
    if not os.path.isfile(source):  # noqa: PTH113  (Path.is_file raises for long names)
        return [source]
    status = Path(source).stat()
    return [str(Path(source).absolute()), status.st_size, status.st_mtime_ns]
