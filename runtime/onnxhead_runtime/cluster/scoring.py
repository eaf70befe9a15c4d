"""Score files with many workers: the driver cuts, places, collects and says how far it is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from onnxhead_runtime.answers import choose_layout
from onnxhead_runtime.cluster.models import send
from onnxhead_runtime.cluster.pieces import Piece, cut, find_files
from onnxhead_runtime.cluster.session import WORKER_CPUS, connected, import_ray, place
from onnxhead_runtime.cluster.worker import PARTS, TOKEN, WORKERS, Outcome, Scorer, Task, part_name
from onnxhead_runtime.errors import ProviderError, WriteError
from onnxhead_runtime.journal import Journal
from onnxhead_runtime.providers import one_line
from onnxhead_runtime.rows import Selection
from onnxhead_runtime.run import NAMED_ROWS, Progress, Report, check_threshold, no_answer
from onnxhead_runtime.scoring import check_options, describe_job, going_on, writing_to

if TYPE_CHECKING:
    from onnxhead_runtime.classifier import Classifier

_TASK_RETRIES = 3
_START_SECONDS = 120
_STALL_SECONDS = 600
_SLOWEST_FLOPS = 1e9


def score(
    classify: Classifier,
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    address: str | None = None,
    workers: int | None = None,
    device: str = "cpu",
    columns: Sequence[str] | None = None,
    top: int | None = None,
    threshold: float | None = None,
    features: Sequence[str] | None = None,
    keep: Sequence[str] = (),
    on_bad_row: Literal["fail", "null"] = "fail",
    resume: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Run a model over files of rows on a Ray cluster and write a folder of .parquet files.

    Its rows, read in the order of the files' names, are those that `onnxhead_runtime.score` writes for each
    file of the source, one after the other. A worker that dies is replaced and its rows are run again. The
    folder appears under its name when it is complete, in one step.

    Args:
        classify: The model; workers open its file, or a copy that is sent to them.
        source: A .npy or .parquet file, a folder or a glob of such, where every worker can read it.
        output: A folder that is to be, where every worker can write.
        address: That of a Ray cluster, as `ray.init` takes it; None for the one that this process is
            connected to, or else one on this machine, which ends with the call.
        workers: How many, each with one thread; None for one per free CPU but one, or per free GPU.
        device: `cpu`, or `cuda` for one GPU per worker.
        columns: As for `onnxhead_runtime.score`, like all that follow.
        top: How many classes the column `top` lists.
        threshold: Above which probability a label is given.
        features: The names of the feature columns.
        keep: Columns of the source to carry through, of one type in all files.
        on_bad_row: `fail` or `null`. Rows of several files are named by file, too.
        resume: Go on where an earlier run ended; `address` and `workers` may be others.
        progress: Called with the rows done and their total.

    Raises:
        FeaturesError: As for `onnxhead_runtime.score`; or a worker does not see a file.
        WriteError: The same of the folder; or it has something in it already.
        ProviderError: Ray is missing, does not start, or has no room for the workers.
        ValueError: An option is none.

    Example, with Ray:

        classify = onnxhead_runtime.load("model.onnx")
        report = cluster.score(classify, "rows/*.parquet", "answers", workers=2)
    """
    import_ray()
    classify.check_takes_rows()
    check_options(columns, features, keep, on_bad_row)
    check_threshold(classify, threshold)
    if device not in ("cpu", "cuda"):
        raise ProviderError(
            f"device must be cpu or cuda for the ray engine, which gives out GPUs, got {device!r}"
        )
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    path = _check_folder(Path(output).absolute(), resume)
    layout = choose_layout(classify.classes, classify.link, keep, columns, top)
    selection = Selection(classify.features, features, keep)
    pieces = cut(find_files(source), selection)
    named = Path(part_name(0))
    job = describe_job(classify, [_describe(pieces)], named, layout, features, threshold) | {"device": device}
    _, (_, _, _, *memory) = classify.__reduce__()
    with writing_to(path), going_on(Journal(path, job, resume)) as journal, connected(address) as ray:
        task = Task(
            send(classify.path, ray.put if len(ray.nodes()) > 1 else None),
            (device, 1, *memory),
            layout,
            threshold,
            selection,
            journal.path("."),
            secrets.token_hex(8),
        )
        _prepare(journal, task)
        run = _Collection(pieces, journal, on_bad_row == "fail", progress)
        resumed = journal.rows
        run.collect(ray, task, workers)
        journal.finish(journal.path(PARTS))
    notes = journal.notes
    bad = tuple((row, reason) for row, reason in notes["bad"])
    shown = (*layout.keep, *layout.columns)
    return Report(Path(output), journal.rows, resumed, notes["bad_rows"], bad, shown, device)


class _LostError(Exception):
    """Ray gave up."""


class _Collection:
    """The outcomes of all pieces, in their order."""

    def __init__(
        self, pieces: Sequence[Piece], journal: Journal, fail: bool, progress: Progress | None
    ) -> None:
        self._pieces, self._journal, self._fail, self._progress = pieces, journal, fail, progress
        self._total = sum(piece.rows for piece in pieces)
        self._has_files = len({piece.file for piece in pieces}) > 1

    def collect(self, ray: Any, task: Task, workers: int | None) -> None:
        """Run what is left; where Ray gives up, anew with the workers that then find room."""
        notes, count = self._journal.notes, place(ray, workers, task.options[0])
        self._report()
        while (before := notes["pieces"]) < len(self._pieces):
            try:
                for outcome in _outcomes(ray, self._pieces[before:], task, count):
                    self._take(outcome)
            except _LostError as cause:
                if notes["pieces"] == before:
                    raise ProviderError(
                        "a cluster must keep a worker for as long as a piece of the rows takes, and have "
                        f"onnxhead[ray] on each host, here {self._pieces[before].file} from row "
                        f"{self._pieces[before].first} on ended so: {cause}"
                    ) from cause
                count = min(count, place(ray, None, task.options[0]))

    def _take(self, outcome: Outcome) -> None:
        outcome.check()
        journal, notes = self._journal, self._journal.notes
        piece = self._pieces[notes["pieces"]]
        for row, reason in outcome.bad:
            name = f"row {piece.first + row}" + (f" of {Path(piece.file).name}" if self._has_files else "")
            if self._fail:
                raise no_answer(name, reason)
            if len(notes["bad"]) < NAMED_ROWS:
                notes["bad"].append((journal.rows + row, f"{reason} ({name})" if self._has_files else reason))
        first = notes["kinds"] or outcome.kinds
        for column, kind in outcome.kinds.items():
            if kind != first[column]:
                raise WriteError(
                    f"a column that is carried through must have one type, {column} of {piece.file} has "
                    f"{kind} after {first[column]}: convert it"
                )
        notes.update(pieces=piece.number + 1, kinds=first, bad_rows=notes["bad_rows"] + outcome.bad_rows)
        journal.commit(journal.rows + outcome.rows)
        self._report()

    def _report(self) -> None:
        if self._progress:
            self._progress(self._journal.rows, self._total)


def _outcomes(ray: Any, pieces: Sequence[Piece], task: Task, workers: int) -> Iterator[Outcome]:
    """Yield what becomes of pieces, in their order; Ray Data hands them out and replaces workers."""
    items = [{"piece": json.dumps(dataclasses.asdict(piece))} for piece in pieces]
    rows = ray.data.from_items(items, override_num_blocks=len(items))
    work = 2 * max(piece.rows for piece in pieces) * task.selection.width * len(task.layout.classes)
    context = rows.context
    context.enable_progress_bars = context.print_on_execution_start = False
    context.execution_options.preserve_order = True
    context.wait_for_min_actors_s = _START_SECONDS
    context.execution_no_progress_timeout_s = _STALL_SECONDS + work / _SLOWEST_FLOPS
    answered = rows.map_batches(
        Scorer,
        fn_constructor_args=(task,),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2),
        num_cpus=WORKER_CPUS,
        num_gpus=1 if task.options[0] == "cuda" else None,
        max_task_retries=_TASK_RETRIES,
    )
    try:
        for row in answered.iter_rows():
            yield Outcome(**json.loads(row["outcome"]))
    except GeneratorExit:
        raise
    except Exception as cause:  # Ray's exceptions are of many kinds, some of them an OSError
        raise _LostError(one_line(cause)) from cause


def _check_folder(path: Path, resume: bool) -> Path:
    if path.suffix.lower() in (".arrow", ".npz", ".npy", ".csv", ".jsonl"):
        raise WriteError(
            f"the ray engine writes a folder of .parquet files, got {path}: leave out {path.suffix}"
        )
    if path.exists() and not path.is_dir():
        raise WriteError(
            f"the ray engine writes a folder of .parquet files, {path} is a file: give another name"
        )
    if path.is_dir() and any(path.iterdir()):
        ended = ", perhaps a run that has ended and has nothing left to do" if resume else ""
        raise WriteError(
            f"answers go to a folder that is new, {path} has files in it{ended}: remove it or give another"
        )
    return path


def _describe(pieces: Sequence[Piece]) -> str:
    text = json.dumps([dataclasses.asdict(piece) for piece in pieces])
    return hashlib.sha256(text.encode()).hexdigest()


def _prepare(journal: Journal, task: Task) -> None:
    """Make the folders of the parts, or check those of the run that is gone on with."""
    if not journal.rows:
        journal.notes = {"pieces": 0, "bad_rows": 0, "bad": [], "kinds": {}}
    missing = [
        n for n in range(journal.notes["pieces"]) if not journal.path(f"{PARTS}/{part_name(n)}").is_file()
    ]
    if missing:
        raise WriteError(
            f"an unfinished run goes on with its parts, {part_name(missing[0])} is missing: run "
            "without --resume to begin anew"
        )
    shutil.rmtree(journal.path(WORKERS), ignore_errors=True)
    for name in (PARTS, WORKERS):
        journal.path(name).mkdir(exist_ok=True)
    journal.path(TOKEN).write_text(task.token)
