"""Replace files in one step: beside them, then by a rename, whatever happens meanwhile.

Of a model the target is replaced by the rename of the .onnx, so that a kill at any moment leaves the old
model or the new one, each whole. What is too large for it goes to a data file named after its content: the
new pair lies complete beside the old one before that rename, and old data is removed only after it.

Two processes that write to one path take turns, so that whatever temporary file one finds is left by a dead
one.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from onnxhead_runtime.errors import WriteError

_SEARCHED_BYTES = 256 * 2**20  # of files that are no models by their name


def replace_file(path: Path, what: str, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file and rename it to `path`; folders are made.

    Args:
        path: The file.
        what: What it is, for the message, such as `a picture`.
        write: Called with the name of the temporary file.

    Raises:
        WriteError: The file cannot be written; what was at `path` is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as cause:
        raise WriteError(
            f"{what} must go to a folder that is writable and has room, {path} was not "
            f"written: {cause.strerror or cause}"
        ) from cause


def check_name(target: Path) -> None:
    """Raise WriteError for a name that no model file may have."""
    if target.suffix != ".onnx":
        raise WriteError(f"a model's file name must end in .onnx, got {target}")
    check_text(target)


def is_same_file(target: Path, path: Path) -> bool:
    """Tell whether a name, which may be too long for one, is that of a file."""
    return os.path.exists(target) and target.samefile(path)  # noqa: PTH110  (Path.exists raises for long names)


def check_text(path: Path) -> None:
    """Raise WriteError for a name that other systems cannot have, or a terminal cannot show."""
    name = str(path)
    if "\0" in name or "\\" in path.name or not name.isprintable():
        raise WriteError(f"a model's file name must be printable text without backslashes, got {name!r}")


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[None]:
    """Hold a model's place: folders are made, nobody else writes it, and leftovers are removed.

    Raises:
        WriteError: The folder cannot be written; also for an OSError of what is done meanwhile.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(target):
            try:
                yield
            finally:
                _remove_leftovers(target)
    except OSError as cause:
        raise WriteError(
            f"a model must be saved to a folder that is writable and has room, {target} was not written and "
            f"what was there is unchanged: {cause.strerror or cause}"
        ) from cause


@contextlib.contextmanager
def unfinished_data(target: Path) -> Iterator[IO[bytes]]:
    """Open the data file of a model under another name; it is removed unless `keep_data` has named it."""
    with _temporary(_data_temporary(target)) as file:
        yield file


@contextlib.contextmanager
def unfinished_model(target: Path, content: bytes) -> Iterator[Path]:
    """Write a model under another name; it is removed unless `keep_model` has named it."""
    with _temporary(_model_temporary(target)) as file:
        file.write(content)
        _sync(file)
        yield Path(file.name)


def keep_data(file: IO[bytes], target: Path, digest: str) -> Path:
    """Name a data file of a model after the hexadecimal SHA-256 of its content, and return its path."""
    _sync(file)
    path = target.with_name(f"{target.stem}.{digest[:12]}.data")
    Path(file.name).replace(path)
    _sync_folder(target.parent)
    return path


def keep_model(unfinished: Path, target: Path) -> None:
    """Put a model in the place of its target."""
    unfinished.replace(target)
    _sync_folder(target.parent)


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that is removed unless it has been renamed."""
    path.unlink(missing_ok=True)  # a killed process's, or somebody's link to elsewhere
    try:
        with path.open("xb") as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _exclusive(target: Path) -> Iterator[None]:
    """Hold the lock file of `target`, which is removed before it is given up."""
    path = target.with_name(f".{target.name}.lock")
    while True:
        file = path.open("ab")
        fcntl.flock(file, fcntl.LOCK_EX)
        if _is_at(file, path):
            break
        file.close()  # its last holder removed it: take the one that is there now
    with file:
        try:
            yield
        finally:
            path.unlink()
            fcntl.flock(file, fcntl.LOCK_UN)  # a child that was forked meanwhile has the file open too


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _model_temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.tmp")


def _data_temporary(target: Path) -> Path:
    return target.with_name(f".{target.stem}.data.tmp")


def _remove_leftovers(target: Path) -> None:
    """Remove what older and killed saves left: temporary files, and data that no file in the folder names.

    That is housekeeping: the model has been replaced or not, and what cannot be removed stays.
    """
    with contextlib.suppress(OSError):
        for temporary in (_model_temporary(target), _data_temporary(target)):
            temporary.unlink(missing_ok=True)
        name = re.compile(re.escape(target.stem) + r"\.[0-9a-f]{12}\.data")
        files = [path for path in target.parent.iterdir() if path.is_file()]  # no folders, no pipes
        unused = [path for path in files if name.fullmatch(path.name)]
        for other in (path for path in files if unused and path not in unused):
            unused = [path for path in unused if not _contains(other, path.name.encode())]
        for path in unused:
            path.unlink(missing_ok=True)


def _contains(path: Path, text: bytes) -> bool:
    """Search a file for a name; one that cannot be read may contain it, a very large one is no model."""
    try:
        if path.suffix != ".onnx" and path.stat().st_size > _SEARCHED_BYTES:
            return False
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(text) >= 0
    except ValueError:  # an empty file has no map
        return False
    except OSError:
        return True


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that may be written need not be readable
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
