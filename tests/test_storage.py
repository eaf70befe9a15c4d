"""Saving is all or nothing: what was there stays whole until what is new is whole."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import onnxhead
from onnxhead import replacement, storage
from onnxhead.check import Check, checking_rows, near_decision
from onnxhead.graph import compose
from onnxhead.reference import Deviation, refer
from onnxhead_runtime.errors import HeadError, VerificationError, WriteError

HERE = Path(__file__).parent


@pytest.fixture
def external(monkeypatch) -> None:
    """Every weight goes to a data file."""
    monkeypatch.setattr(storage, "EXTERNAL_THRESHOLD_BYTES", 0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_report_says_what_was_written(abc, tmp_path) -> None:
    report = onnxhead.save(abc, tmp_path / "new" / "folder" / "abc.onnx")
    content = report.path.read_bytes()
    assert (report.size_bytes, report.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert (report.classes, report.features, report.labels) == (3, 3, ("A", "B", "C"))
    assert 0 < report.check.logits.error <= report.check.logits.bound
    assert 0 < report.check.probabilities.error <= report.check.probabilities.bound
    assert report.rounding == pytest.approx(abs(1.2 - float(np.float32(1.2))))
    assert names(report.path.parent) == ["abc.onnx"]


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_the_rounding_of_integers_is_reported(dtype, tmp_path) -> None:
    head = onnxhead.Head(np.array([[2**24 + 1, 0], [1, 2]], dtype), np.zeros(2))
    assert onnxhead.save(head, tmp_path / "head.onnx").rounding == 1


def test_the_rounding_of_the_bias_is_reported(tmp_path) -> None:
    report = onnxhead.save(onnxhead.Head(np.eye(2), np.array([1.2, 0])), tmp_path / "head.onnx")
    assert report.rounding == pytest.approx(abs(1.2 - float(np.float32(1.2))))


def test_saving_twice_gives_the_same_bytes(random_head, tmp_path) -> None:
    reports = [onnxhead.save(random_head(), tmp_path / name) for name in ("a.onnx", "b.onnx", "a.onnx")]
    assert len({report.sha256 for report in reports}) == 1


def test_a_weight_of_64_mib_goes_to_a_data_file_named_after_its_content(tmp_path) -> None:
    weight = np.random.default_rng(0).normal(size=(4096, 4096)).astype(np.float32)
    assert weight.nbytes == storage.EXTERNAL_THRESHOLD_BYTES
    report = onnxhead.save(onnxhead.Head(weight, np.zeros(4096)), tmp_path / "big.onnx")
    digest = hashlib.sha256(weight.tobytes()).hexdigest()[:12]
    assert names(tmp_path) == [f"big.{digest}.data", "big.onnx"]
    assert report.data_path == tmp_path / f"big.{digest}.data"
    assert report.data_path.read_bytes() == weight.tobytes()
    assert report.path.stat().st_size < 20_000
    assert report.size_bytes == report.path.stat().st_size + weight.nbytes
    assert onnxhead.verify(report.path).findings == []
    smaller = onnxhead.Head(weight[:4095], np.zeros(4095))
    assert onnxhead.save(smaller, tmp_path / "small.onnx").data_path is None


@pytest.mark.usefixtures("external")
def test_files_have_the_mode_that_the_user_asks_for(random_head, tmp_path) -> None:
    previous = os.umask(0o022)
    try:
        onnxhead.save(random_head(), tmp_path / "head.onnx")
    finally:
        os.umask(previous)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


@pytest.mark.usefixtures("external")
def test_old_data_goes_once_the_new_pair_is_there(random_head, tmp_path) -> None:
    for seed in (0, 1, 1, 0):
        report = onnxhead.save(random_head(seed=seed), tmp_path / "head.onnx")
        assert names(tmp_path) == [report.data_path.name, "head.onnx"]
        assert onnxhead.verify(report.path).findings == []


@pytest.mark.usefixtures("external")
def test_data_that_another_model_uses_stays(random_head, tmp_path) -> None:
    first = onnxhead.save(random_head(), tmp_path / "head.onnx")
    (tmp_path / "copy.onnx").write_bytes(first.path.read_bytes())
    onnxhead.save(random_head(seed=1), tmp_path / "head.onnx")
    assert first.data_path.exists()
    assert onnxhead.verify(tmp_path / "copy.onnx").findings == []


@pytest.mark.usefixtures("external")
def test_what_is_no_file_is_in_nobodys_way(random_head, tmp_path) -> None:
    first = onnxhead.save(random_head(), tmp_path / "head.onnx")
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "folder.onnx").mkdir()
    os.mkfifo(tmp_path / "pipe.onnx")
    second = onnxhead.save(random_head(seed=1), tmp_path / "head.onnx")
    assert onnxhead.verify(second.path).findings == []
    assert not first.data_path.exists(), "neither a folder nor a pipe can use the old data"


@pytest.mark.usefixtures("external")
def test_data_that_an_unreadable_file_may_use_stays(random_head, tmp_path, monkeypatch) -> None:
    first = onnxhead.save(random_head(), tmp_path / "head.onnx")
    (tmp_path / "other.onnx").write_bytes(b"somebody's")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(replacement.mmap, "mmap", refuse)
    second = onnxhead.save(random_head(seed=1), tmp_path / "head.onnx")
    monkeypatch.undo()
    assert onnxhead.verify(second.path).findings == []
    assert first.data_path.exists()


@pytest.mark.usefixtures("external")
def test_a_very_large_file_is_no_model_that_uses_data(random_head, tmp_path) -> None:
    first = onnxhead.save(random_head(), tmp_path / "head.onnx")
    with (tmp_path / "video.bin").open("wb") as file:
        file.write(first.data_path.name.encode())
        file.truncate(replacement._SEARCHED_BYTES + 1)
    onnxhead.save(random_head(seed=1), tmp_path / "head.onnx")
    assert not first.data_path.exists()


@pytest.mark.usefixtures("external")
def test_what_a_rename_makes_visible_is_on_the_disk_before_and_the_rename_after(
    random_head, tmp_path, monkeypatch
) -> None:
    steps: list[tuple[str, str]] = []
    sync, replace = os.fsync, Path.replace

    def spy_sync(descriptor: int) -> None:
        sync(descriptor)
        steps.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))

    def spy_replace(path: Path, target: Path) -> Path:
        steps.append(("rename", path.name))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", spy_sync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    assert steps == [
        step
        for name in (".head.data.tmp", ".head.onnx.tmp")
        for step in (("sync", name), ("rename", name), ("sync", tmp_path.name))
    ]


def test_a_small_head_over_a_large_one_leaves_no_data(random_head, tmp_path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(storage, "EXTERNAL_THRESHOLD_BYTES", 0)
        onnxhead.save(random_head(), tmp_path / "head.onnx")
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    assert names(tmp_path) == ["head.onnx"]


@pytest.mark.parametrize("is_external", [False, True])
def test_wrong_numbers_are_never_saved(random_head, tmp_path, monkeypatch, is_external) -> None:
    if is_external:
        monkeypatch.setattr(storage, "EXTERNAL_THRESHOLD_BYTES", 0)
    old = onnxhead.save(random_head(), tmp_path / "head.onnx")
    before = names(tmp_path), old.path.read_bytes()
    wrong = Check(1, 4, False, Deviation(2.0, 1.0), Deviation(0.0, 1.0), 0.0)
    monkeypatch.setattr(storage, "check_model", lambda *_: wrong)
    with pytest.raises(VerificationError, match=r"logits 2 \(bound 1\).* was not written"):
        onnxhead.save(random_head(seed=1), tmp_path / "head.onnx")
    assert (names(tmp_path), old.path.read_bytes()) == before


def test_the_uncertainty_is_that_of_rows_near_the_decision(random_head, tmp_path) -> None:
    head = onnxhead.Head(1000 * random_head().weight, np.zeros(4))
    found = onnxhead.save(head, tmp_path / "head.onnx").check.uncertainty
    bounds = [refer(head, rows(head)).probabilities_bound.max() for rows in (near_decision, checking_rows)]
    assert found == bounds[0] < bounds[1] / 10


def test_a_graph_with_wrong_numbers_is_found_before_it_is_saved(random_head, tmp_path, monkeypatch) -> None:
    """The check itself, not a stand-in: the composed graph forgets the bias."""

    def compose_without_bias(head: onnxhead.Head, *_: object):
        model = compose(head)
        model.graph.initializer[1].raw_data = bytes(4 * head.classes)
        return model

    monkeypatch.setattr(storage, "compose", compose_without_bias)
    with pytest.raises(VerificationError, match="must be within rounding of float64"):
        onnxhead.save(random_head(), tmp_path / "head.onnx")
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["head", "head.ort", "head.onnx.gz"])
def test_another_ending_is_refused(random_head, tmp_path, name) -> None:
    with pytest.raises(WriteError, match=r"a model's file name must end in \.onnx, got"):
        onnxhead.save(random_head(), tmp_path / name)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["a\\b.onnx", "a\0b.onnx", "a\nb.onnx", "a\udcff.onnx"])
def test_names_that_could_not_be_read_back_are_refused(random_head, tmp_path, name) -> None:
    with pytest.raises(
        WriteError, match="a model's file name must be printable text without backslashes, got"
    ):
        onnxhead.save(random_head(), tmp_path / name)
    assert names(tmp_path) == []


@pytest.mark.usefixtures("external")
def test_a_planted_link_is_not_written_through(random_head, tmp_path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    for temporary in (".head.onnx.tmp", ".head.data.tmp"):
        (tmp_path / temporary).symlink_to(victim)
    report = onnxhead.save(random_head(), tmp_path / "head.onnx")
    assert victim.read_text() == "mine"
    assert not report.path.is_symlink()
    assert names(tmp_path) == [report.data_path.name, "head.onnx", "victim.txt"]


@pytest.mark.usefixtures("external")
def test_data_that_a_backup_uses_stays(random_head, tmp_path) -> None:
    first = onnxhead.save(random_head(), tmp_path / "head.onnx")
    (tmp_path / "head.onnx.bak").write_bytes(first.path.read_bytes())
    onnxhead.save(random_head(seed=1), tmp_path / "head.onnx")
    assert first.data_path.exists()


def test_what_is_no_head_is_refused(tmp_path) -> None:
    with pytest.raises(HeadError, match=r"save takes a Head, got tuple: pass onnxhead\.Head\(weight, bias\)"):
        onnxhead.save((np.eye(2), np.zeros(2)), tmp_path / "head.onnx")


def test_a_folder_in_the_way_is_an_error(random_head, tmp_path) -> None:
    (tmp_path / "head.onnx").mkdir()
    with pytest.raises(WriteError, match="was not written and what was there is unchanged: Is a directory"):
        onnxhead.save(random_head(), tmp_path / "head.onnx")
    assert names(tmp_path) == ["head.onnx"]


def test_a_file_as_the_folder_is_an_error(random_head, tmp_path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="was not written and what was there is unchanged"):
        onnxhead.save(random_head(), tmp_path / "file" / "head.onnx")


@pytest.mark.parametrize("is_external", [False, True])
def test_a_full_disk_is_an_error_and_leaves_the_old_model(tmp_path, is_external) -> None:
    """The kernel refuses every byte beyond a limit on the size of files."""
    program = f"""
import numpy, onnxhead, resource, signal
from onnxhead import storage
from onnxhead_runtime.errors import WriteError
if {is_external}: storage.EXTERNAL_THRESHOLD_BYTES = 0
onnxhead.save(onnxhead.Head(numpy.eye(3), numpy.zeros(3)), "head.onnx")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    onnxhead.save(onnxhead.Head(numpy.ones((200, 200)), numpy.zeros(200)), "head.onnx")
except WriteError as error:
    print(error)
assert onnxhead.load("head.onnx", device="cpu").features == 3
assert onnxhead.verify("head.onnx").findings == []
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "what was there is unchanged: File too large" in done.stdout
    assert len(names(tmp_path)) == (2 if is_external else 1)


@pytest.mark.parametrize("is_external", [False, True])
def test_killed_at_every_step_the_old_or_the_new_model_is_whole(tmp_path, is_external) -> None:
    """SIGKILL before each of the operations on files that `save` makes, counted by an audit hook."""
    done = subprocess.run(
        [sys.executable, HERE / "kill_save.py", str(int(is_external))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    killed, old, new = map(int, done.stdout.split()[-3:])
    assert killed == old + new
    assert old >= 3, "no kill before the rename was tried"
    assert new >= 1, "no kill after the rename was tried"


SAVE_FOREVER = """
import sys, numpy, onnxhead
from onnxhead import storage
storage.EXTERNAL_THRESHOLD_BYTES = 0
random = numpy.random.default_rng(int(sys.argv[1]))
while True:
    onnxhead.save(onnxhead.Head(random.normal(size=(300, 300)), numpy.zeros(300)), "head.onnx")
"""


def test_killed_at_any_time_with_others_saving_the_model_is_whole(random_head, tmp_path) -> None:
    """Two processes save to one path all the time; one of them is killed now and then."""

    def start(seed: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SAVE_FOREVER, str(seed)]
        return subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)

    workers = [start(0), start(1)]
    try:
        deadline = time.monotonic() + 30
        while not (tmp_path / "head.onnx").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for seed in range(2, 8):
            time.sleep(0.1 + 0.05 * seed)
            workers[0].kill()
            workers[0].wait()
            workers = [workers[1], start(seed)]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert onnxhead.verify(tmp_path / "head.onnx").findings == []
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    assert names(tmp_path) == ["head.onnx"], "what a killed process left is removed by the next save"


TAKE_TURNS = """
import sys, time, numpy, onnxhead
from onnxhead import storage
from pathlib import Path
storage.EXTERNAL_THRESHOLD_BYTES = 0
heads = [onnxhead.Head(numpy.full((40, 40), i + 2 * int(sys.argv[1])), numpy.zeros(40)) for i in range(2)]
Path(f"ready-{sys.argv[1]}").touch()
while not Path("go").exists():
    time.sleep(0.001)
for number in range(60):
    onnxhead.save(heads[number % 2], "models/head.onnx")
"""


def test_processes_that_save_to_one_path_take_turns(tmp_path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", TAKE_TURNS, str(i)], cwd=tmp_path) for i in range(4)]
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("ready-*"))) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        (tmp_path / "go").touch()
        assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0, 0]
    finally:
        for worker in workers:
            worker.kill()
    assert onnxhead.verify(tmp_path / "models" / "head.onnx").findings == []
    assert len(names(tmp_path / "models")) == 2
