"""Save a head: write beside the target, verify what was written, then rename.

Large weights are read once: they are checked, hashed and written to their data file in one pass, and the
model is composed after it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from onnxhead.check import Check, check_model
from onnxhead.form import DEFAULT, Form
from onnxhead.graph import Place, check_shape, compose
from onnxhead.head import Folding, Head, Stored
from onnxhead.parameters import LARGE_BYTES
from onnxhead.replacement import (
    check_name,
    check_text,
    keep_data,
    keep_model,
    replacing,
    unfinished_data,
    unfinished_model,
)
from onnxhead.scan import Progress, Scan, scan
from onnxhead_runtime.contract import Label, Link
from onnxhead_runtime.errors import HeadError, VerificationError, WriteError
from onnxhead_runtime.weights import is_whole

EXTERNAL_THRESHOLD_BYTES = LARGE_BYTES


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
        WriteError: `path` does not end in .onnx or cannot be written, a model with a backbone is there, or
            the head is not in place.
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
    if is_whole(target):
        raise WriteError(
            f"a head alone does not take the place of a model with a backbone, {target}: give another file, "
            "or remove that one"
        )
    check_shape(head, form)
    if in_place:
        check_in_place(form)
    head = head.stored_as(form.weights, form.bias)
    places = _places(head, target) if in_place else None
    with replacing(target):
        return _replace(head, target, form, places, progress)


def check_in_place(form: Form) -> None:
    """Raise WriteError for a form whose weight is not as it lies in a file of float32."""
    if form.weights != "float32":
        raise WriteError(
            f"a model in place refers to float32 weights, got weights in {form.weights}: save it without "
            "in_place (--in-place), or in float32"
        )


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
    check_text(path)
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
    with unfinished_model(target, content) as unfinished:
        check = check_model(unfinished, head, form)
        if not check.passed:
            raise VerificationError(
                "a model's answers must be within rounding of float64, the largest errors are "
                f"{check}; {target} was not written: run onnxhead doctor and try another onnxruntime"
            )
        keep_model(unfinished, target)
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
    with unfinished_data(target) as file:
        found = scan(head.matrix, head.bias, form.bias, file.write, progress)
        return keep_data(file, target, found.weight_sha256), found
