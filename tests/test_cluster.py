"""The engine for many machines: its answers are those of the local one, whatever happens to its workers."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import networks
import numpy as np
import pyarrow
import pytest
from conftest import ROOT
from pyarrow import parquet

import onnxhead
from onnxhead_runtime import cluster
from onnxhead_runtime.cluster import session
from onnxhead_runtime.cluster.models import found, send
from onnxhead_runtime.cluster.pieces import Piece, cut, find_files, open_piece
from onnxhead_runtime.cluster.worker import Scorer
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError, ProviderError, WriteError
from onnxhead_runtime.rows import Selection, open_rows
from onnxhead_runtime.scoring import score

SPAN = 2**17
PROGRAM = Path(sys.executable).with_name("onnxhead")


@pytest.fixture(scope="module")
def ray() -> Iterator[object]:
    """A Ray that belongs to this process, with two CPUs."""
    pytest.importorskip("ray.data", reason="ray is not installed")
    with session.connected(None) as started:
        yield started
        assert started.is_initialized(), "what the user has connected to is left alone"


@pytest.fixture
def model(random_head, tmp_path) -> onnxhead.Classifier:
    onnxhead.save(random_head(labels=("ja", "nein", "ä", "")), tmp_path / "model.onnx")
    return onnxhead.load(tmp_path / "model.onnx", device="cpu")


def random_rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 5)).astype(np.float32)


def write_parquet(path: Path, rows: np.ndarray, ids: object = None, group: int = 50_000) -> None:
    lists = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.ravel()), rows.shape[1])
    ids = np.arange(len(rows)) if ids is None else ids
    parquet.write_table(pyarrow.table({"id": ids, "embedding": lists}), path, row_group_size=group)


def write_folder(folder: Path, suffix: str) -> list[Path]:
    """Write files of several spans, of no row and of a few rows."""
    folder.mkdir()
    for name, count in (("a", 300_001), ("b", 0), ("c", 10), ("d", SPAN)):
        rows = random_rows(count, ord(name))
        if suffix == ".npy":
            np.save(folder / f"{name}.npy", rows)
        else:
            write_parquet(folder / f"{name}.parquet", rows, group=70_000 if name == "a" else 3_001)
    (folder / "_SUCCESS").touch()
    (folder / ".a.parquet").write_bytes(b"unfinished")
    return sorted(folder.glob(f"[a-d]{suffix}"))


def local_answers(model: onnxhead.Classifier, files: list[Path], **options: object) -> pyarrow.Table:
    tables = []
    for number, file in enumerate(files):
        output = file.parent.parent / f"local {number}.parquet"
        score(model, file, output, **options)
        tables.append(parquet.read_table(output))
    return pyarrow.concat_tables(tables)


def same(folder: Path, expected: pyarrow.Table) -> bool:
    """Tell whether a folder holds the very rows, by their bits, with the schema and the metadata."""
    answers = parquet.read_table(folder)
    schemas = {parquet.read_schema(path) for path in folder.iterdir()}
    return schemas == {expected.schema} and answers.equals(expected, check_metadata=True)


def children(what: str) -> set[int]:
    """Return the processes of this machine whose command line begins so."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(what.encode()):
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


def marked(mark: str) -> set[int]:
    """Return the processes that have this in their environment."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.add(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


@pytest.mark.ray
@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
@pytest.mark.usefixtures("ray")
def test_the_answers_are_those_of_the_local_engine(suffix, workers, model, tmp_path) -> None:
    files = write_folder(tmp_path / "in", suffix)
    options = {"keep": ["id"], "top": 2} if suffix == ".parquet" else {"columns": ["logits", "label"]}
    told: list[tuple[int, int | None]] = []
    report = cluster.score(
        model,
        tmp_path / "in",
        tmp_path / "out",
        workers=workers,
        progress=lambda *done: told.append(done),
        **options,
    )
    assert same(tmp_path / "out", local_answers(model, files, **options))
    rows = 300_001 + 10 + SPAN
    assert (report.rows, report.resumed_rows, report.bad_rows) == (rows, 0, 0)
    assert (report.output, report.device) == (tmp_path / "out", "cpu")
    assert told[0] == (0, rows)
    assert told[-1] == (rows, rows)
    assert len(told) > 4
    assert not list(tmp_path.glob(".*"))


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_a_glob_a_file_and_independent_labels(random_head, tmp_path) -> None:
    onnxhead.save(random_head(link="sigmoid"), tmp_path / "model.onnx")
    model = onnxhead.load(tmp_path / "model.onnx", device="cpu")
    files = write_folder(tmp_path / "in", ".npy")
    cluster.score(model, f"{tmp_path}/in/[cd].npy", tmp_path / "out", threshold=0.3)
    assert same(tmp_path / "out", local_answers(model, files[2:], threshold=0.3))
    cluster.score(model, files[2], tmp_path / "one")
    assert same(tmp_path / "one", local_answers(model, files[2:3]))
    assert len(pytest.importorskip("pandas").read_parquet(tmp_path / "one")) == 10


def write_bad_rows(folder: Path) -> list[Path]:
    folder.mkdir()
    for name, bad in (("a", [SPAN + 7]), ("b", [3, 5])):
        rows = random_rows(SPAN + 10)
        rows[bad, 2] = np.nan
        np.save(folder / f"{name}.npy", rows)
    return [folder / "a.npy", folder / "b.npy"]


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_rows_without_an_answer_are_named_by_file_or_are_null(model, tmp_path) -> None:
    files = write_bad_rows(tmp_path / "in")
    with pytest.raises(FeaturesError) as of_many:
        cluster.score(model, tmp_path / "in", tmp_path / "out")
    assert f"row {SPAN + 7} of a.npy, counted from 0, has none: column 2 is NaN; mend" in str(of_many.value)
    assert of_many.value.__notes__ == [
        f"{SPAN} rows are done: --resume goes on behind them if the rows stay as they are"
    ]
    report = cluster.score(model, tmp_path / "in", tmp_path / "out", on_bad_row="null", resume=True)
    assert report.resumed_rows == SPAN
    assert report.bad_rows == 3
    assert report.bad == (
        (SPAN + 7, f"column 2 is NaN (row {SPAN + 7} of a.npy)"),
        (SPAN + 13, "column 2 is NaN (row 3 of b.npy)"),
        (SPAN + 15, "column 2 is NaN (row 5 of b.npy)"),
    )
    assert same(tmp_path / "out", local_answers(model, files, on_bad_row="null"))


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_the_errors_of_one_file_are_those_of_the_local_engine(model, tmp_path) -> None:
    (bad, _) = write_bad_rows(tmp_path / "in")
    np.save(tmp_path / "wide.npy", random_rows(4)[:, :4])
    write_parquet(tmp_path / "in.parquet", random_rows(4))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    cases = [
        (bad, {}),
        (tmp_path / "wide.npy", {}),
        (tmp_path / "broken.parquet", {}),
        (tmp_path / "in.parquet", {"keep": ["url"]}),
        (tmp_path / "in.parquet", {"features": ["id"]}),
        (tmp_path / "in.parquet", {"features": "embedding"}),
        (tmp_path / "in.parquet", {"columns": ["labels"]}),
        (tmp_path / "in.parquet", {"top": 0}),
        (tmp_path / "in.parquet", {"threshold": 0.5}),
        (tmp_path / "in.parquet", {"on_bad_row": "skip"}),
    ]
    for source, options in cases:
        with pytest.raises((OnnxHeadError, ValueError)) as of_local:
            score(model, source, tmp_path / "out.parquet", **options)
        with pytest.raises((OnnxHeadError, ValueError)) as of_ray:
            cluster.score(model, source, tmp_path / "out", **options)
        assert (of_ray.type, str(of_ray.value)) == (of_local.type, str(of_local.value))
        assert not (tmp_path / "out").exists()


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_a_model_with_a_backbone_is_refused_as_by_the_local_engine(random_head, tmp_path) -> None:
    onnxhead.attach(networks.save("older", tmp_path), random_head(3, 4), tmp_path / "whole.onnx")
    with pytest.raises(FeaturesError, match="rows of features are for a head alone"):
        cluster.score(onnxhead.load(tmp_path / "whole.onnx", device="cpu"), tmp_path, tmp_path / "out")


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_a_column_that_is_carried_through_has_one_type_in_all_files(model, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    write_parquet(tmp_path / "in/a.parquet", random_rows(5))
    write_parquet(tmp_path / "in/b.parquet", random_rows(5), ids=list("abcde"))
    with pytest.raises(WriteError, match=r"must have one type, id of .*/b.parquet has string after int64"):
        cluster.score(model, tmp_path / "in", tmp_path / "out", keep=["id"])


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_what_finds_no_room_is_refused_at_once(model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", random_rows(4))
    for options, message in (
        ({"workers": 1000}, r"1000 workers must find room: each takes half a CPU, and half a CPU stays free"),
        (
            {"device": "cuda"},
            r"takes one GPU for each worker, no host of this Ray has a free one: ask for --device cpu",
        ),
        ({"device": "cuda", "workers": 1}, r"no host of this Ray has a free one"),
    ):
        with pytest.raises(ProviderError, match=message):
            cluster.score(model, tmp_path / "in.npy", tmp_path / "out", **options)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "model.onnx"]


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_a_worker_that_is_killed_loses_and_doubles_nothing(model, tmp_path, capsys) -> None:
    rows = random_rows(64 * SPAN)
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in/rows.npy", rows)
    killed: list[tuple[int, int]] = []
    seen: set[int] = set()

    def kill(done: int, _: int | None) -> None:
        now = children("ray::MapWorker")
        if done and not killed:
            victim = min(now)
            os.kill(victim, signal.SIGKILL)
            killed.append((victim, done))
            seen.update(now)
        elif killed:
            seen.update(now)

    report = cluster.score(model, tmp_path / "in", tmp_path / "out", workers=2, progress=kill)
    assert report.rows == len(rows)
    ((_, done),) = killed
    assert 0 < done < len(rows) / 2, "it was killed in the middle"
    assert len(seen) == 3, "another took its place"
    assert same(tmp_path / "out", local_answers(model, [tmp_path / "in/rows.npy"]))
    assert capsys.readouterr() == ("", ""), "Ray does not talk"


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
@pytest.mark.parametrize("begun", [True, False])
def test_workers_that_always_die_end_the_run(begun, model, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cluster.scoring, "_START_SECONDS", 5)
    np.save(tmp_path / "in.npy", random_rows(SPAN))
    ended = threading.Event()

    def kill_all() -> None:
        """Kill those that have begun with the rows, or all."""
        seen = set[Path]()
        while not ended.wait(0.005):
            folders = set(tmp_path.glob(".out.partial/workers/*"))
            if not begun or folders - seen:
                for worker in children("ray::MapWorker"):
                    os.kill(worker, signal.SIGKILL)
            seen = folders

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        with pytest.raises(
            ProviderError, match=r"a cluster must keep a worker for as long .* row 0 on ended so"
        ):
            cluster.score(model, tmp_path / "in.npy", tmp_path / "out", workers=1)
    finally:
        ended.set()
        killer.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "model.onnx"]


@pytest.mark.ray
def test_a_model_that_a_worker_does_not_see_is_sent(ray, random_head, tmp_path) -> None:
    head = random_head(features=1200, classes=20_000)  # its weights are a file of their own
    onnxhead.save(head, tmp_path / "model.onnx")
    expected = onnxhead.load(tmp_path / "model.onnx", device="cpu").logits(np.ones(1200, np.float32))
    files = send(tmp_path / "model.onnx", ray.put)
    assert len(files.hashes) == 2
    with found(files) as path:
        assert path == tmp_path / "model.onnx"
    (tmp_path / "model.onnx").write_bytes(b"another")
    with found(files) as path:
        assert path.parent != tmp_path
        classify = onnxhead.load(path, device="cpu")
    assert not path.exists()
    assert np.array_equal(classify.logits(np.ones(1200, np.float32)), expected)


def task_of(model: onnxhead.Classifier, folder: Path):
    """Return the task of a run that was interrupted before its first piece ended."""
    tasks = []

    class StopError(Exception):
        pass

    def stop(*_: object) -> None:
        raise StopError

    original = cluster.scoring._prepare

    def prepare(journal, task) -> None:
        tasks.append(task)
        original(journal, task)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cluster.scoring, "_prepare", prepare)
        with pytest.raises(StopError):
            cluster.score(model, folder / "in.npy", folder / "out", progress=stop)
    return tasks[0]


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_a_worker_that_does_not_see_the_files_says_so(model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", random_rows(4))
    (piece,) = cut([str(tmp_path / "in.npy")], Selection(5))
    task = dataclasses.replace(task_of(model, tmp_path), folder=tmp_path)

    def error_of(piece: Piece) -> list[str]:
        (outcome,) = Scorer(task)({"piece": [json.dumps(dataclasses.asdict(piece))]})["outcome"]
        return json.loads(outcome)["error"]

    for name in ("parts", "workers"):
        (tmp_path / name).mkdir()
    (tmp_path / "token").write_text("that of another run")
    name, message = error_of(piece)
    assert name == "WriteError"
    assert re.search(r"on a file system that all share, \S+ does not see .*: put it there", message)
    (tmp_path / "token").write_text(task.token)
    assert error_of(piece) is None
    name, message = error_of(dataclasses.replace(piece, file="/nowhere/in.npy"))
    assert name == "FeaturesError"
    assert re.search(r"on a file system that all share, \S+ has no file /nowhere/in.npy", message)
    np.save(tmp_path / "in.npy", random_rows(5))
    name, message = error_of(piece)
    assert (name, message.split(",")[0]) == (
        "FeaturesError",
        "rows must stay as they are while they are read",
    )


def command(*arguments: object, mark: str = "", **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "HOME": "/proc/home", "PYTHONWARNINGS": "error", "MARK": mark},
        **options,
    )


@pytest.mark.ray
def test_the_command_starts_a_ray_says_nothing_of_it_and_stops_it(model, tmp_path) -> None:
    """The home folder cannot be written."""
    pytest.importorskip("ray.data", reason="ray is not installed")
    files = write_folder(tmp_path / "in", ".parquet")
    mark = uuid.uuid4().hex
    done = command(
        *("run", model.path, "in", "-o", "out", "--engine", "ray", "--keep", "id", "--quiet"),
        mark=mark,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "device: cpu",
        "wrote 431083 rows to out: id, label, probability, logits, probabilities",
    ]
    assert not marked(mark), "no process of Ray is left"
    assert same(tmp_path / "out", local_answers(model, files, keep=["id"]))


def start_long_run(model: onnxhead.Classifier, folder: Path, mark: str) -> subprocess.Popen[str]:
    """Start a run, and return when a part of it is done."""
    if not (folder / "in").exists():
        (folder / "in").mkdir()
        np.save(folder / "in/rows.npy", random_rows(64 * SPAN))
    program = [PROGRAM, "run", model.path, "in", "-o", "out", "--engine", "ray", "--workers", "2"]
    environment = {**os.environ, "MARK": mark}
    began = time.time()
    running = subprocess.Popen(program, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    journal = folder / ".out.partial/journal.json"
    wait_until(lambda: journal.exists() and journal.stat().st_mtime > began)
    return running


@pytest.mark.ray
def test_a_driver_that_is_killed_is_gone_on_from_and_one_that_is_ended_ends_its_ray(model, tmp_path) -> None:
    pytest.importorskip("ray.data", reason="ray is not installed")
    mark = uuid.uuid4().hex
    running = start_long_run(model, tmp_path, mark)
    running.kill()
    running.communicate()
    wait_until(lambda: not marked(mark) & children("ray::MapWorker"))
    assert not (tmp_path / "out").exists()
    arguments = ("run", model.path, "in", "-o", "out", "--engine", "ray", "--json", "--resume", "--quiet")
    refused = command(*arguments, "--columns", "label", cwd=tmp_path)
    assert refused.returncode == 2
    assert "there is another columns: run without --resume to begin anew" in refused.stderr
    mark = uuid.uuid4().hex  # agents of the Ray whose driver was killed notice it late
    running = start_long_run(model, tmp_path, mark)  # without --resume it begins anew
    running.terminate()
    _, said = running.communicate()
    assert running.returncode == 130
    assert re.search(r"^interrupted; \d+ rows are done: --resume goes on behind them$", said, re.MULTILINE)
    assert len(said.splitlines()) < 3, said
    assert not marked(mark)
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert 0 < report["resumed_rows"] < report["rows"] == 64 * SPAN
    assert same(tmp_path / "out", local_answers(model, [tmp_path / "in/rows.npy"]))


@pytest.mark.ray
def test_an_address_where_nothing_is_is_an_error(model, tmp_path) -> None:
    pytest.importorskip("ray.data", reason="ray is not installed")
    np.save(tmp_path / "in.npy", random_rows(4))
    done = command(
        *("run", model.path, "in.npy", "-o", "out", "--engine", "ray", "--address", "127.0.0.1:9"),
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "error: --address must be that of a running Ray" in done.stderr
    assert "127.0.0.1:9 is not" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_ray_the_engine_names_the_extra(model, tmp_path) -> None:
    program = (
        "import sys; sys.modules['ray'] = None; sys.argv[1:] = "
        f"['run', {str(model.path)!r}, 'in', '-o', 'out', '--engine', 'ray']\nimport onnxhead.cli as c; c.main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        'error: the ray engine needs the packages ray and pyarrow: pip install "onnxhead[ray]"\n'
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "2", "-o", "out"], "--address and --workers are of Ray, this engine is local: add"),
        (["--address", "auto"], "--address and --workers are of Ray"),
        (["--engine", "ray"], "--engine ray: for answers that are written to a file, name it with -o"),
        (
            ["-o", "out.csv"],
            "there is no file in; for a folder or a glob of files name a folder with -o, and",
        ),
        (["--engine", "spark", "-o", "out"], "'spark' is not one of 'local', 'ray'"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments, message, model, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    done = command("run", model.path, "in", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.ray
@pytest.mark.usefixtures("ray")
def test_outputs_and_sources_that_do_not_fit_are_refused(model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", random_rows(4))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/answers.csv").touch()
    for output, message in (
        ("out.csv", r"the ray engine writes a folder of .parquet files, got .*out.csv: leave out .csv"),
        ("in.npy", r"the ray engine writes a folder of .parquet files, got .*in.npy"),
        ("model.onnx", r".*model.onnx is a file: give another name"),
        ("full", r"answers go to a folder that is new, .*full has files in it: remove it or give another"),
    ):
        with pytest.raises(WriteError, match=message):
            cluster.score(model, tmp_path / "in.npy", tmp_path / output)
    for device in ("auto", "cuda:1"):
        with pytest.raises(ProviderError, match="device must be cpu or cuda for the ray engine"):
            cluster.score(model, tmp_path / "in.npy", tmp_path / "out", device=device)
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        cluster.score(model, tmp_path / "in.npy", tmp_path / "out", workers=0)
    with pytest.raises(
        WriteError, match="full has files in it, perhaps a run that has ended and has nothing left"
    ):
        cluster.score(model, tmp_path / "in.npy", tmp_path / "full", resume=True)
    (tmp_path / "empty").mkdir()
    cluster.score(model, tmp_path / "in.npy", tmp_path / "empty")
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["part-000000.parquet"]


def test_files_are_found_in_the_order_of_their_names(tmp_path) -> None:
    for name in ("b.parquet", "a.parquet", "c.npy", "_d.parquet", ".e.parquet", "f.csv"):
        (tmp_path / name).touch()
    assert find_files(f"{tmp_path}/*.parquet") == [
        str(tmp_path / name) for name in ("_d.parquet", "a.parquet", "b.parquet")
    ]
    for source, message in (
        (
            f"{tmp_path}/[ac].*",
            r"all of one kind, .* has .npy, .parquet: convert them, or leave out --engine ray",
        ),
        (tmp_path, r"files alone, .* also holds f\.csv: name the files with a glob"),
        (
            tmp_path / "f.csv",
            r"must be .npy or .parquet files for the ray engine, all of one kind, .* has .csv",
        ),
        (
            tmp_path / "g.npy",
            r"must be .npy or .parquet files for the ray engine: .*, there is no file .*g.npy",
        ),
        ("[[1, 2]]", r"there is no file \[\[1, 2\]\]"),
    ):
        with pytest.raises(FeaturesError, match=message):
            find_files(source)
    (tmp_path / "c.npy").unlink()
    (tmp_path / "f.csv").unlink()
    assert find_files(tmp_path) == [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]


@pytest.mark.parametrize("suffix", [".npy", ".parquet"])
def test_pieces_have_every_row_once_in_the_blocks_of_the_file(suffix, tmp_path) -> None:
    files = [str(path) for path in write_folder(tmp_path / "in", suffix)]
    pieces = cut(files, Selection(5))
    assert [piece.number for piece in pieces] == list(range(len(pieces)))
    assert len(pieces) > len(files)
    for file in files:
        whole = [block.features for block in open_rows(file, Selection(5)).blocks(0, 4096)]
        cuts = [
            block.features
            for piece in pieces
            if piece.file == file
            for block in open_piece(piece, Selection(5)).blocks(0, 4096)
        ]
        assert len(cuts) == len(whole)
        assert all(map(np.array_equal, cuts, whole))


def test_the_recipe_for_spark_gives_the_local_answers(abc, tmp_path) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    (recipe,) = re.findall(r"```py\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.DOTALL)
    assert len([line for line in recipe.splitlines() if line.strip()]) <= 15
    (tmp_path / "models").mkdir()
    onnxhead.save(abc, tmp_path / "models/abc.onnx")
    rows = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    parquet.write_table(
        pyarrow.table({"id": np.arange(1000), "features": list(rows)}), tmp_path / "rows.parquet"
    )
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    subprocess.run([sys.executable, "-c", recipe], check=True, cwd=tmp_path, env=environment)
    answers = parquet.read_table(tmp_path / "answers").sort_by("id")
    assert answers["id"].to_pylist() == list(range(1000))
    expected = onnxhead.load(tmp_path / "models/abc.onnx", device="cpu").probabilities(rows)
    assert np.abs(np.array(answers["probabilities"].to_pylist()) - expected).max() < 1e-6


def test_what_is_no_rows_is_not_passed_over_in_a_folder(tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(FeaturesError, match=r"a folder or a glob of them, the folder .*in has none"):
        find_files(folder)
    np.save(folder / "a.npy", random_rows(4))
    (folder / "_SUCCESS").write_text("")
    assert find_files(folder) == [str(folder / "a.npy")]
    for name in ("b.csv", "c"):
        (folder / name).mkdir() if name == "c" else (folder / name).write_text("1")
    with pytest.raises(
        FeaturesError, match=r"files alone, .*in also holds b\.csv and others: name the files with a glob"
    ):
        find_files(folder)
    assert find_files(folder / "*.npy") == [str(folder / "a.npy")]


def test_of_several_files_the_one_that_does_not_fit_is_named(tmp_path) -> None:
    np.save(tmp_path / "a.npy", random_rows(4))
    np.save(tmp_path / "b.npy", random_rows(4)[:, :3])
    with pytest.raises(FeaturesError, match=r"b\.npy: features must be \(5,\) or \(batch, 5\)"):
        cut(find_files(tmp_path), Selection(5))
