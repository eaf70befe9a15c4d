"""Ship a model: a project in another language, with the bundle that proves its numbers there."""

from __future__ import annotations

import dataclasses
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from onnxhead.check import Check, check_model
from onnxhead.compatibility import check_runtime
from onnxhead.form import Form
from onnxhead.head import Head
from onnxhead.model import open_model
from onnxhead.model_file import ModelFile
from onnxhead.scratch import scratch
from onnxhead.shipping.bundle import BUNDLE, MODEL, answer_findings, write_bundle, write_sums
from onnxhead.shipping.signing import check_key
from onnxhead.shipping.signing import sign as sign_bundle
from onnxhead.shipping.targets import CLIENTS, TARGETS
from onnxhead.shipping.vectors import make_cases
from onnxhead.storage import save
from onnxhead_runtime.contract import TOP_CLASSES, TOP_PROBABILITIES
from onnxhead_runtime.errors import ModelError, OnnxHeadError, VerificationError, WriteError


@dataclass(frozen=True)
class Shipment:
    """What `ship` wrote.

    Attributes:
        path: The folder.
        target: What it is for, such as `rust`.
        cases: How many batches its vectors have.
        rows: How many rows they have in all.
        check: The comparison of the model's answers with float64.
        signed: Whether the bundle is signed.
        left_out: Outputs of the model that the clients do not use, and that the shipped one does not have.
        commands: What a user types in the folder to build and test it.
    """

    path: Path
    target: str
    cases: int
    rows: int
    check: Check
    signed: bool
    left_out: tuple[str, ...]
    commands: tuple[str, ...]


def ship(
    model: str | os.PathLike[str],
    target: str,
    folder: str | os.PathLike[str],
    *,
    sign: str | os.PathLike[str] | None = None,
) -> Shipment:
    """Write a project that runs a model in another language and proves its numbers there.

    The folder appears in one step when it is complete and its answers are within rounding of float64.

    Args:
        model: An .onnx file that onnxhead built.
        target: A key of `TARGETS`: a language, `triton`, `ort`, or `bundle` for the model with its vectors
            alone.
        folder: Where to write; it must not exist, or be empty.
        sign: An elliptic-curve private key as PEM, to sign the bundle with. Needs the extra `sign`.

    Raises:
        ModelError: The model is broken, or onnxhead did not build it.
        WriteError: There is no such target, the folder holds files or cannot be written, or the key is none.
        VerificationError: The model's answers are beyond the bound of rounding; nothing was written.
        ProviderError: onnxruntime is missing.

    Example:
        >>> shipment = ship("models/abc.onnx", "python", tmp / "python")
        >>> shipment.commands, shipment.rows
        (("pip install '.[test]'", 'pytest'), 33)
    """
    return write(prepare(model, target, folder, sign=sign))


@dataclass(frozen=True, eq=False)
class Order:
    """A shipment of which everything is checked.

    Attributes:
        path: The folder to write.
        target: What it is for.
        model: The model file.
        head: Its head.
        key: The private key to sign with, or None.
    """

    path: Path
    target: str
    model: ModelFile
    head: Head
    key: Path | None


def prepare(
    model: str | os.PathLike[str],
    target: str,
    folder: str | os.PathLike[str],
    *,
    sign: str | os.PathLike[str] | None = None,
) -> Order:
    """Check what `ship` is given, before anything is written."""
    path, key = Path(folder), None if sign is None else Path(sign)
    _check_target(target, path)
    opened = open_model(model)
    head = opened.head()
    damages = opened.damages()
    if damages:
        raise ModelError(f"a model to ship must be as it was built, {opened.path}: {'; '.join(damages)}")
    if not opened.path.stem.isprintable():
        raise ModelError(f"a model to ship must have a printable name, got {opened.path.name!r}: rename it")
    check_runtime(TARGETS[target].runtime, opened.form)
    TARGETS[target].check_head(head)
    if key is not None:
        check_key(key)
    return Order(path, target, opened, head, key)


def write(order: Order) -> Shipment:
    """Write what was prepared."""
    path, target = order.path, TARGETS[order.target]
    cases = make_cases(order.head, order.model.form)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(path.parent, "ship") as temporary:
            model = _gather(order, temporary)
            project = temporary / "project"
            _copy(CLIENTS / order.target, project)
            bundle = project / BUNDLE
            write_bundle(model, order.head, cases, bundle)
            if target.add_files:
                target.add_files(bundle, order.model.path.stem, order.head)
            write_sums(bundle)
            check = _prove(bundle, order.head, order.model.form)
            if order.key is not None:
                sign_bundle(bundle, order.key)
            project.rename(path)
    except OnnxHeadError:
        raise
    except OSError as cause:
        raise WriteError(
            f"a project must be shipped to a folder that is writable and has room, {path} was not written: "
            f"{cause.strerror or cause}"
        ) from cause
    rows = sum(len(case.features) for case in cases)
    left_out = () if order.model.form.top_k is None else (TOP_PROBABILITIES, TOP_CLASSES)
    signed = order.key is not None
    return Shipment(path, order.target, len(cases), rows, check, signed, left_out, target.commands)


def _gather(order: Order, folder: Path) -> ModelFile:
    """Return a model with weights of its own and the outputs of the contract alone."""
    model = order.model
    if not model.is_in_place and model.form.top_k is None:
        return model
    form = dataclasses.replace(model.form, top_k=None)
    return open_model(save(order.head, folder / model.path.name, form=form).path)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder's files, read-only as they may be, without what Python's tools leave beside them."""
    target.mkdir()
    for path in sorted(source.iterdir()):
        if path.is_file():
            shutil.copyfile(path, target / path.name)
        elif not path.name.endswith(("_cache", "__pycache__")):
            _copy(path, target / path.name)


def _check_target(target: str, path: Path) -> None:
    """Raise WriteError unless a project for `target` can be written to `path`."""
    if target not in TARGETS:
        raise WriteError(f"a model is shipped to one of {', '.join(TARGETS)}, got {target!r}")
    if "\0" in str(path) or not path.name:
        raise WriteError(f"a project is shipped to a folder that has a name, got {str(path)!r}")
    # os.path, since Path.is_dir raises for long names
    if os.path.lexists(path) and (path.is_symlink() or not path.is_dir() or any(path.iterdir())):
        raise WriteError(
            f"a project is shipped to a folder that is new or empty, {path} is neither: give another one; "
            "for a new model in a project that is there, replace its bundle folder with the new one"
        )


def _prove(bundle: Path, head: Head, form: Form) -> Check:
    """Do with the bundle what `verify` does; its hashes are those of the files as they were read back."""
    check = check_model(bundle / MODEL, head, form)
    findings = answer_findings(bundle, head, form)
    if not check.passed:
        findings.append(f"the largest errors are {check}")
    if findings:
        raise VerificationError(
            f"what is shipped must answer within rounding of float64, it does not: {'; '.join(findings)}; "
            "nothing was written: run onnxhead doctor and try another onnxruntime"
        )
    return check
