"""Save over an old model and be killed before each operation on files in turn; check what is left each time.

    python kill_save.py IS_EXTERNAL

Prints the number of kills, and after how many of them the old and the new model were there. Every save and
every check runs in a fork of its own, so that this process never starts onnxruntime.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime  # noqa: F401  (loaded once, here)

import onnxhead
from onnxhead import storage

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "fcntl.flock", "os.listdir", "os.scandir"}
TARGET = Path("models") / "head.onnx"
OLD, NEW = (onnxhead.Head(np.full((40, 30), value), np.zeros(40)) for value in (1.0, 2.0))


def in_fork(work: Callable[[], int]) -> int:
    """Return what `work` returns in a child, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def save(head: onnxhead.Head, kill_before: int | None = None) -> int:
    count = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event == "open" and str(arguments[0]).endswith("/head.onnx"):
            # what a kill in the middle of a write would tear is never opened for writing
            assert not int(arguments[2]) & (os.O_WRONLY | os.O_RDWR), "the model is written in place"
        if event in EVENTS:
            count += 1
            if count == kill_before:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    sync = os.fsync  # not audited

    def audited_sync(descriptor: int) -> None:
        hook("os.rename", ())
        sync(descriptor)

    os.fsync = audited_sync
    onnxhead.save(head, TARGET)
    return 0


def which() -> int:
    """Return 1 if the old model is there, 2 if the new one is; fail if neither is whole."""
    assert onnxhead.verify(TARGET).findings == []
    return int(onnxhead.read(TARGET).weight[0, 0])


def save_again() -> int:
    onnxhead.save(NEW, TARGET)
    left = {path.name for path in TARGET.parent.iterdir()}
    data = {path.name for path in onnxhead.model.open_model(TARGET).data_paths}
    return 0 if left == {"head.onnx"} | data else 1


def main() -> None:
    if sys.argv[1] == "1":
        storage.EXTERNAL_THRESHOLD_BYTES = 0
    found = {1: 0, 2: 0}
    step = 0
    while True:
        step += 1
        assert in_fork(lambda: save(OLD)) == 0
        status = in_fork(lambda step=step: save(NEW, kill_before=step))
        if status == 0:
            break
        assert status == -signal.SIGKILL, status
        state = in_fork(which)
        assert state in found, f"step {step}: neither model is whole ({state})"
        found[state] += 1
        assert in_fork(save_again) == 0, f"step {step}: the next save leaves litter"
    print(step - 1, found[1], found[2])


main()
