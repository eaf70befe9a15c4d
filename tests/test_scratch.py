"""Folders for unfinished files: gone at the end, also where the end was a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from onnxhead.scratch import scratch

_HOLDER = """
import sys, time
from pathlib import Path
from onnxhead.scratch import scratch
with scratch(Path(sys.argv[1]), "price") as folder:
    (folder / "half").write_text("...")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_a_folder_is_gone_at_the_end(tmp_path) -> None:
    with scratch(tmp_path, "price") as folder:
        (folder / "deep").mkdir()
        assert folder.parent == tmp_path
        assert folder.name.startswith(".onnxhead-price.")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(holder, tmp_path) -> None:
    with scratch(tmp_path, "price") as folder:
        assert len(list(tmp_path.iterdir())) == 2, "that of a process that lives stays"
    assert not folder.exists()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert len(list(tmp_path.iterdir())) == 1
    with scratch(tmp_path, "ship"):
        assert len(list(tmp_path.iterdir())) == 2, "only that of the same purpose is removed"
    with scratch(tmp_path, "price"):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_price_ended_by_a_signal_leaves_nothing(tmp_path) -> None:
    import numpy as np

    np.savez(tmp_path / "head.npz", weight=np.ones((4000, 2000), np.float32), bias=np.zeros(4000))
    command = [sys.executable, "-m", "onnxhead", "build", "head.npz", "-o", "head.onnx", "--weights", "int8"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not list(Path(tmp_path).glob(".onnxhead-price.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    assert process.wait() != 0
    assert [path.name for path in tmp_path.iterdir()] == ["head.npz"]
