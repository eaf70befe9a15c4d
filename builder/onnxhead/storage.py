"""Save a head: write beside the target, verify what was written, then rename.

The target is replaced in one step, the rename of the .onnx, so that a kill at any moment leaves the old
model or the new one, each whole. Large weights go to a data file named after its content: the new pair lies
complete beside the old one before that rename, and old data is removed only after it.

Two processes that save to one path take turns, so that whatever temporary file one finds is left by a dead
one.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import mmap
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from onnxhead.check import Check, check_model
from onnxhead.form import DEFAULT, Form
from onnxhead.graph import Place, check_shape, compose
from onnxhead.head import Folding, Head, Stored
from onnxhead.parameters import LARGE_BYTES
from onnxhead.scan import Progress, Scan, scan
from onnxhead_runtime.contract import Label, Link
from onnxhead_runtime.errors import HeadError, VerificationError, WriteError

EXTERNAL_THRESHOLD_BYTES = LARGE_BYTES
_SEARCHED_BYTES = 256 * 2**20  # a model whose weight is elsewhere is smaller


@dataclass(frozen=True)
class Report:
    """What `save` wrote.

    Attributes:
        path: The .onnx file.
        data_path: The data file beside it that holds the weight, or None where the weight is inside.
        size_bytes: The size of what was written: both, or in place the .onnx file alone.
        sha256: Hexadecimal SHA-256 of the .onnx file.
        origin: Where the head came from.
        folding: What was folded into weight and bias, and with what error; None where they were found so.
        classes: The number of classes.
        features: The number of features.
        labels: One per class; None where classes are numbered from 0.
        link: How logits become probabilities.
        temperature: The divisor of the logits before the link.
        form: How the head is written.
        rounding: The largest change that rounding made to a weight or bias.
        check: The comparison of the written file's answers with float64.
    """

    path: Path
    data_path: Path | None
    size_bytes: int
    sha256: str
    origin: str
    folding: Folding | None
    classes: int
    features: int
    labels: tuple[Label, ...] | None
    link: Link
    temperature: float
    form: Form
    rounding: float
    check: Check


def save(
    head: Head,
    path: str | os.PathLike[str],
    *,
    form: Form = DEFAULT,
    in_place: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Compose the head's model, verify it in onnxruntime, and write it to `path`.

    Folders that are missing are made. A weight of 64 MiB or more goes to `NAME.<hash>.data` beside the model.
    What was at `path` stays whole until it is replaced, whatever happens; a symbolic link there is replaced,
    not followed.

    Args:
        head: The head. A large weight is read once, a block at a time.
        path: The .onnx file.
        form: How the head is written.
        in_place: Write the .onnx file alone, which refers to weight and bias in the .safetensors file that
            the head was read from, in the same folder.
        progress: Called as a large weight is read, with the number of classes read and of all.

    Raises:
        HeadError: `head` is no Head, `form.top_k` is beyond its classes, or a large weight holds NaN,
            infinity or values beyond float32.
        WriteError: `path` does not end in .onnx or cannot be written, or the head is not in place.
        VerificationError: The model's answers are beyond the bound of rounding; nothing was replaced.
        ProviderError: onnxruntime is missing.

    Example:
        >>> report = save(Head([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0]), tmp / "small.onnx")
        >>> report.path.name, report.data_path, report.check.passed
        ('small.onnx', None, True)
    """
    if not isinstance(head, Head):
        raise HeadError(f"save takes a Head, got {type(head).__name__}: pass onnxhead.Head(weight, bias)")
    target = Path(path)
    check_name(target)
    check_shape(head, form)
    if in_place:
        check_in_place(form)
    head = head.stored_as(form.weights, form.bias)
    places = _places(head, target) if in_place else None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(target):
            try:
                return _replace(head, target, form, places, progress)
            finally:
                _remove_leftovers(target)
    except OSError as cause:
        raise WriteError(
            f"a model must be saved to a folder that is writable and has room, {target} was not written and "
            f"what was there is unchanged: {cause.strerror or cause}"
        ) from cause


def check_in_place(form: Form) -> None:
    """Raise WriteError for a form whose weight is not as it lies in a file of float32."""
    if form.weights != "float32":
        raise WriteError(
            f"a model in place refers to float32 weights, got weights in {form.weights}: save it without "
            "in_place (--in-place), or in float32"
        )


def check_name(target: Path) -> None:
    """Raise WriteError for a name that no model file may have."""
    if target.suffix != ".onnx":
        raise WriteError(f"a model's file name must end in .onnx, got {target}")
    _check_text(target)


def _check_text(path: Path) -> None:
    name = str(path)
    if "\0" in name or "\\" in path.name or not name.isprintable():
        raise WriteError(f"a model's file name must be printable text without backslashes, got {name!r}")


def _places(head: Head, target: Path) -> tuple[Place, Place | None]:
    """Return where weight and bias lie beside the model; raise WriteError where they do not."""
    if head.stored is None:
        raise WriteError(
            "a model in place refers to a float32 weight, classes first, in a .safetensors file, this head "
            f"has none ({head.origin or 'its arrays come from no file'}): save it without in_place "
            "(--in-place)"
        )
    weight, bias = head.stored
    return _place(weight, target), bias and _place(bias, target)


def _place(stored: Stored, target: Path) -> Place:
    path = stored.path
    if path.is_symlink():
        raise WriteError(
            f"a model in place refers to a file, {path} is a link: build it in the folder of "
            f"{path.resolve()}, or copy that here"
        )
    if path.parent.resolve() != target.parent.resolve():
        raise WriteError(
            f"a model in place lies in the folder of the file that it refers to, {target} does not lie "
            f"beside {path}: give a file in that folder (-o), or copy the weights"
        )
    _check_text(path)
    return Place(path.name, stored.offset)


def _replace(
    head: Head,
    target: Path,
    form: Form,
    places: tuple[Place, Place | None] | None,
    progress: Progress | None,
) -> Report:
    data_path, data_bytes = None, 0
    if places:
        data_path = target.with_name(places[0].location)
        found = scan(head.matrix, head.bias, progress=progress)
    elif head.matrix.nbytes >= EXTERNAL_THRESHOLD_BYTES:
        data_path, found = _write_data(head, target, form, progress)
        data_bytes = head.matrix.stored_bytes
        places = Place(data_path.name, 0), None
    else:
        found = scan(head.matrix, head.bias, form.bias)
    model = compose(head, form, found.sha256, *(places or ()))
    content = model.SerializeToString(deterministic=True)
    with _temporary(_model_temporary(target)) as file:
        file.write(content)
        _sync(file)
        check = check_model(Path(file.name), head, form)
        if not check.passed:
            raise VerificationError(
                "a model's answers must be within rounding of float64, the largest errors are "
                f"{check}; {target} was not written: run onnxhead doctor and try another onnxruntime"
            )
        Path(file.name).replace(target)
    _sync_folder(target.parent)
    return Report(
        path=target,
        data_path=data_path,
        size_bytes=len(content) + data_bytes,
        sha256=hashlib.sha256(content).hexdigest(),
        origin=head.origin,
        folding=head.folding,
        classes=head.classes,
        features=head.features,
        labels=head.labels,
        link=head.link,
        temperature=head.temperature,
        form=form,
        rounding=max(found.rounding, head.bias_rounding),
        check=check,
    )


def _write_data(head: Head, target: Path, form: Form, progress: Progress | None) -> tuple[Path, Scan]:
    with _temporary(_data_temporary(target)) as file:
        found = scan(head.matrix, head.bias, form.bias, file.write, progress)
        _sync(file)
        path = target.with_name(f"{target.stem}.{found.weight_sha256[:12]}.data")
        Path(file.name).replace(path)
    _sync_folder(target.parent)
    return path, found


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
    """Search a file for a name; one that cannot be read may contain it, a very large one does not."""
    try:
        if path.stat().st_size > _SEARCHED_BYTES:
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
