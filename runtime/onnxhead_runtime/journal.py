"""The unfinished part of a file, or of a folder of files, and how far it is.

Beside OUT lies the folder `.OUT.partial`: the parts of the file, which only grow, and `journal.json`, which
says how many rows and how many bytes of each part are done. It is replaced in one step after the parts were
written, so whenever a run ends, what the journal says is there; what lies behind it is cut off by the run
that goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from onnxhead_runtime.errors import WriteError

_JOURNAL, _LOCK = "journal.json", "lock"
_FORMAT = 1


class Journal:
    """The parts of one unfinished file.

    Attributes:
        rows: How many rows are done.
        notes: What the run notes for the one that goes on, JSON data.
    """

    def __init__(self, output: Path, job: Mapping[str, Any], resume: bool) -> None:
        """Begin, or go on with what an earlier run left.

        Args:
            output: The file that is to be.
            job: What makes two runs the same, JSON data.
            resume: Whether to go on.

        Raises:
            WriteError: The folder cannot be written, another run is writing it, or there is an unfinished
                run of another job.
        """
        self._output, self._job = output.absolute(), json.loads(json.dumps(job))
        self._folder = self._output.with_name(f".{output.name}.partial")
        self._parts: dict[str, IO[bytes]] = {}
        self._sizes: dict[str, int] = {}
        self.rows, self.notes = 0, dict[str, Any]()
        self._lock = self._take_lock()
        try:
            self._remove_litter()
            earlier = self._read() if resume else None
            if earlier is not None:
                self._go_on(earlier)
            else:
                self._clear()
        except BaseException:
            self._lock.close()
            raise

    def path(self, name: str) -> Path:
        """Return where a part is; what was written to it so far can be read there."""
        if name in self._parts and not self._parts[name].closed:
            self._parts[name].flush()
        return self._folder / name

    def part(self, name: str) -> IO[bytes]:
        """Return a part to write to, at its end."""
        if name not in self._parts:
            self._parts[name] = (self._folder / name).open("ab")
        return self._parts[name]

    def commit(self, rows: int) -> None:
        """Note that all that was written is done: the first `rows` rows."""
        for name, part in self._parts.items():
            part.flush()
            self._sizes[name] = part.tell()
        self.rows = rows
        document = {
            "format": _FORMAT,
            "job": self._job,
            "rows": rows,
            "parts": self._sizes,
            "notes": self.notes,
        }
        temporary = self._folder / f"{_JOURNAL}.tmp"
        temporary.write_text(json.dumps(document))
        temporary.replace(self._folder / _JOURNAL)

    def finish(self, whole: Path) -> None:
        """Give the complete file or folder its name, and remove the rest."""
        self._close()
        handle = os.open(whole, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        whole.replace(self._output)
        self._remove()
        self._lock.close()

    def leave(self) -> bool:
        """Leave the unfinished parts for a run that goes on; return whether there are any."""
        with contextlib.suppress(OSError):  # a full disk has no room for what was not written either
            self._close()
        if not self.rows:
            self._remove()
        self._lock.close()
        return self.rows > 0

    def _take_lock(self) -> IO[bytes]:
        path = self._folder / _LOCK
        while True:
            self._output.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._folder.mkdir(exist_ok=True)
                lock = path.open("ab")
            except (FileNotFoundError, FileExistsError):
                if self._folder.exists() and not self._folder.is_dir():
                    raise
                continue  # another run has just ended, and removed its folder
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as cause:
                lock.close()
                raise WriteError(
                    f"one run at a time writes a file, another is writing {self._output}: wait for it, or "
                    "give another file"
                ) from cause
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                    return lock
            lock.close()

    def _remove(self) -> None:
        """Remove the folder under another name: a run that begins now makes its own."""
        removed = self._folder.with_name(f"{self._folder.name}.{os.getpid()}.{id(self)}")
        with contextlib.suppress(OSError):
            self._folder.rename(removed)
            shutil.rmtree(removed)

    def _remove_litter(self) -> None:
        """Remove what runs left that were killed while they removed their folder."""
        for path in self._folder.parent.iterdir():
            if path.name.startswith(f"{self._folder.name}."):
                shutil.rmtree(path, ignore_errors=True)

    def _read(self) -> dict[str, Any] | None:
        """Return what an earlier run left; None where there is nothing whole."""
        try:
            document = json.loads((self._folder / _JOURNAL).read_bytes())
            sizes = {name: (self._folder / name).stat().st_size for name in document["parts"]}
            whole = all(sizes[name] >= size for name, size in document["parts"].items())
            whole = whole and document["format"] == _FORMAT
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return document if whole else None

    def _go_on(self, document: dict[str, Any]) -> None:
        job = document["job"]
        others = [key for key in self._job if job.get(key) != self._job[key]]
        if others:
            raise WriteError(
                f"an unfinished run goes on with what it began with, since that of {self._output} there is "
                f"another {', '.join(others)}: run without --resume to begin anew"
            )
        self.rows, self.notes, self._sizes = document["rows"], document["notes"], document["parts"]
        for name, size in self._sizes.items():
            os.truncate(self._folder / name, size)
            self.part(name)

    def _clear(self) -> None:
        for path in self._folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != _LOCK:
                path.unlink()

    def _close(self) -> None:
        for part in self._parts.values():
            part.close()
