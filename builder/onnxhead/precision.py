"""What a smaller or faster form of a head costs: how far its answers are from those in float32."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnxhead.check import Answers, open_answers
from onnxhead.encoding import Storage, round_to
from onnxhead.form import Form
from onnxhead.head import Head
from onnxhead.rows import usual_rows
from onnxhead.scratch import scratch
from onnxhead.storage import save
from onnxhead_runtime import links
from onnxhead_runtime.errors import FeaturesError, WriteError

_ROWS = 1000
_ANSWERS = 2**22  # of one block: rows by classes
_TURNS = 9
_TURN_SECONDS = 0.02


@dataclass(frozen=True)
class Price:
    """The answers of a form beside those of float32, on some rows.

    Attributes:
        rows: How many rows there were.
        largest_logit: The largest change of a logit.
        mean_logit: The mean change of the logits.
        largest_probability: The largest change of a probability.
        mean_probability: The mean change of the probabilities.
        flips: The share of rows whose label changes; with the link `sigmoid`, one of their labels.
        size_bytes: The size of the form's file, with its data file.
        float32_bytes: The size in float32.
        speed: The time of the rows in float32 by that of the form, on this CPU; None where it is for a GPU.
    """

    rows: int
    largest_logit: float
    mean_logit: float
    largest_probability: float
    mean_probability: float
    flips: float
    size_bytes: int
    float32_bytes: int
    speed: float | None


def price(
    head: Head, form: Form, rows: NDArray[np.float32] | None = None, folder: Path | None = None
) -> Price:
    """Build a head in a form and in float32, in a temporary folder, and compare their answers.

    What is computed in float16 or bfloat16 is rounded as on a GPU, which sums in float32: features, weights
    and logits.

    Args:
        head: The head.
        form: The form.
        rows: float32 (rows, features) to compare on; None for 1000 random ones at the scale of the weight.
        folder: Where to put the temporary folder, which takes the size of both files.

    Raises:
        HeadError: The form cannot hold the head.
        WriteError: The folder cannot be written.
        FeaturesError: There are no rows, or one has no answer in one of the two forms.
        ProviderError: onnxruntime is missing.

    Example:
        >>> head = Head([[1.0, -1.0, 0.5], [0.8, 0.5, -0.3], [-0.5, 1.2, 1.0]], [0.2, -0.1, 0.5])
        >>> found = price(head, Form(weights="float16"))
        >>> found.rows, found.flips, found.largest_probability < 1e-3
        (1000, 0.0, True)
    """
    if rows is None:
        rows = usual_rows(head.matrix.largest.max(), head.features, head.temperature, _ROWS)
    if not len(rows):
        raise FeaturesError("rows to compare on must be at least one, got none")
    undefined = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if undefined.size:
        raise FeaturesError(
            f"rows to compare on must be finite, row {undefined[0]}, counted from 0, has NaN or infinity"
        )
    plain = replace(form, weights="float32", compute="float32", top_k=None)
    with _scratch(folder or Path(tempfile.gettempdir())) as temporary:
        whole = save(head, temporary / "whole.onnx", form=plain)
        other = save(head, temporary / "other.onnx", form=form)
        before = open_answers(whole.path, plain)
        is_for_gpus = form.compute in ("float16", "bfloat16")
        after = _rounded_answers(head, form.bias) if is_for_gpus else open_answers(other.path, form)
        speed = None if is_for_gpus else _speed(rows, before, after, head)
        return _compare(rows, before, after, head, form, (whole.size_bytes, other.size_bytes), speed)


def _multiply(rows: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
    """Return W f + b without a copy of all of W."""
    logits = np.empty((len(rows), head.classes), np.float32)
    step = max(1, _ANSWERS // head.features)
    for start in range(0, head.classes, step):
        block = slice(start, start + step)
        logits[:, block] = rows @ head.matrix.some(block).T + head.bias[block]
    return logits


@contextlib.contextmanager
def _scratch(parent: Path) -> Iterator[Path]:
    try:
        with scratch(parent, "price") as folder:
            yield folder
    except OSError as cause:
        raise WriteError(
            f"to work out a price both models are written to a folder, {parent} must be writable and have "
            f"room for them: {cause.strerror or cause}"
        ) from cause


def _rounded_answers(head: Head, kind: Storage) -> Answers:
    """Return what a GPU gives that computes W f + b in a type and sums in float32."""
    kept = head.stored_as(kind, kind)

    def call(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with np.errstate(invalid="ignore", over="ignore"):
            logits = round_to(_multiply(round_to(rows, kind), kept), kind)
        return logits, links.probabilities(logits, head.link, head.temperature).astype(np.float32)

    return call


def _compare(
    rows: NDArray[np.float32],
    before: Answers,
    after: Answers,
    head: Head,
    form: Form,
    sizes: tuple[int, int],
    speed: float | None,
) -> Price:
    largest, sums, flips = np.zeros(2), np.zeros(2), 0
    for block in _blocks(rows, head.classes):
        old, new = before(block), after(block)
        _check_answers(old[0], "float32")
        _check_answers(new[0], form.precision)
        changes = [np.abs(a.astype(np.float64) - b) for a, b in zip(old, new, strict=True)]
        largest = np.maximum(largest, [change.max() for change in changes])
        sums += [change.sum() for change in changes]
        flips += int((_decisions(old, head) != _decisions(new, head)).any(axis=1).sum())
    means = sums / (len(rows) * head.classes)
    return Price(
        rows=len(rows),
        largest_logit=float(largest[0]),
        mean_logit=float(means[0]),
        largest_probability=float(largest[1]),
        mean_probability=float(means[1]),
        flips=flips / len(rows),
        size_bytes=sizes[1],
        float32_bytes=sizes[0],
        speed=speed,
    )


def _check_answers(logits: NDArray[np.float32], precision: str) -> None:
    if not np.isfinite(logits).all():
        raise FeaturesError(
            f"rows to compare on must have answers, in {precision} logits overflow: take rows of usual size, "
            "or a precision with a larger range, such as bfloat16"
        )


def _decisions(answer: tuple[NDArray[np.float32], NDArray[np.float32]], head: Head) -> NDArray[np.intp]:
    """Return what a label depends on, (rows, 1) or (rows, classes)."""
    logits, _ = answer
    return (logits > 0).astype(np.intp) if head.link == "sigmoid" else logits.argmax(axis=1)[:, np.newaxis]


def _blocks(rows: NDArray[np.float32], classes: int) -> Iterator[NDArray[np.float32]]:
    step = max(1, _ANSWERS // classes)
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _speed(rows: NDArray[np.float32], before: Answers, after: Answers, head: Head) -> float:
    """Return the median time of one by that of the other, on one block; turns alternate."""
    block = next(_blocks(rows, head.classes))
    count = max(1, int(_TURN_SECONDS / _seconds(before, block, 1)))
    turns = [(_seconds(before, block, count), _seconds(after, block, count)) for _ in range(_TURNS)]
    old, new = (statistics.median(values) for values in zip(*turns, strict=True))
    return float(old / new)


def _seconds(answers: Answers, block: NDArray[np.float32], count: int) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        answers(block)
    return time.perf_counter() - begun
