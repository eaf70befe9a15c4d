"""Folders for unfinished files, of which none outlives its process for longer than until the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch(parent: Path, purpose: str) -> Iterator[Path]:
    """Make a folder `.onnxhead-PURPOSE.XXXX` in `parent`, and remove it with all that is in it at the end.

    Those that killed processes left are removed first: each is locked while its process lives.
    """
    prefix = f".onnxhead-{purpose}."
    with contextlib.ExitStack() as lock:
        with _locked(parent):  # so that no other process finds the new folder before it is locked
            for path in parent.glob(f"{prefix}*"):
                with contextlib.suppress(OSError), _locked(path, fcntl.LOCK_NB):
                    shutil.rmtree(path)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            lock.enter_context(_locked(folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path, options: int = 0) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | options)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child that was forked meanwhile has it open too
    finally:
        os.close(descriptor)
