"""Score a file of any length in bounded memory, so that a run that ends in the middle can go on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from onnxhead_runtime.answers import Layout, check_output, choose_layout, default_columns, pyarrow_version
from onnxhead_runtime.errors import FeaturesError, WriteError
from onnxhead_runtime.journal import Journal
from onnxhead_runtime.providers import import_onnxruntime
from onnxhead_runtime.rows import Selection, open_rows
from onnxhead_runtime.run import Progress, Report, Run, describe_source
from onnxhead_runtime.weights import file_sha256

if TYPE_CHECKING:
    from onnxhead_runtime.classifier import Classifier


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
    check_options(columns, features, keep, on_bad_row)
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
    described = describe_source(source)
    run = Run(classify, layout, threshold)
    job = describe_job(classify, described, path, layout, features, threshold)
    with writing_to(path), going_on(Journal(path, job, resume)) as journal:
        return run.write(rows, path, journal, (source, described), on_bad_row == "fail", progress)


def check_options(
    columns: Sequence[str] | None, features: Sequence[str] | None, keep: Sequence[str], on_bad_row: str
) -> None:
    """Raise ValueError where text is given for a list of names, or a rule for bad rows that is none."""
    for name, names in (("columns", columns), ("features", features), ("keep", keep)):
        if isinstance(names, str):
            raise ValueError(f"{name} must be a list of names, got the text {names!r}")
    if on_bad_row not in ("fail", "null"):
        raise ValueError(f"on_bad_row must be fail or null, got {on_bad_row!r}")


@contextlib.contextmanager
def going_on(journal: Journal) -> Iterator[Journal]:
    """Leave what is done where the block fails, and say how to go on."""
    try:
        yield journal
    except BaseException as error:
        if journal.leave():
            condition = " if the rows stay as they are" if isinstance(error, FeaturesError) else ""
            error.add_note(f"{journal.rows} rows are done: --resume goes on behind them{condition}")
        raise


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn what the system raises where a file cannot be written into a WriteError."""
    try:
        yield
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


def describe_job(
    classify: Classifier,
    described: list[Any],
    output: Path,
    layout: Layout,
    features: Sequence[str] | None,
    threshold: float | None,
) -> dict[str, Any]:
    """Return what makes two runs write the same bytes."""
    # what came over standard input cannot be read again
    where = [os.urandom(8).hex()] if described == ["-"] else described
    return {
        "model": file_sha256(classify.path),
        "source file": where,
        "columns": [*layout.keep, *layout.columns, layout.top, output.suffix.lower()],
        "features": features and list(features),
        "threshold": threshold and float(threshold),
        "device": classify.device,
        "versions": [import_onnxruntime().__version__, np.__version__, pyarrow_version(output)],
    }
