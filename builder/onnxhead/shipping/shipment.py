"""Ship a model: a project in another language, with the bundle that proves its numbers there."""

from __future__ import annotations

import dataclasses
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxhead.check import Check
from onnxhead.compatibility import check_runtime
from onnxhead.model import open_model
from onnxhead.model_file import ModelFile
from onnxhead.scratch import scratch
from onnxhead.shipping.bundle import BUNDLE, MODEL, answer_findings, write_bundle, write_sums
from onnxhead.shipping.content import Content, content_of
from onnxhead.shipping.signing import check_key
from onnxhead.shipping.signing import sign as sign_bundle
from onnxhead.shipping.targets import CLIENTS, TARGETS, WHOLE_CLIENTS
from onnxhead.shipping.whole_vectors import check_inputs
from onnxhead.storage import save
from onnxhead.whole_check import WholeCheck
from onnxhead.whole_file import WholeFile
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
    check: Check | WholeCheck
    signed: bool
    left_out: tuple[str, ...]
    commands: tuple[str, ...]


def ship(
    model: str | os.PathLike[str],
    target: str,
    folder: str | os.PathLike[str],
    *,
    sign: str | os.PathLike[str] | None = None,
    sample: Any = None,
) -> Shipment:
    """Write a project that runs a model in another language and proves its numbers there.

    The folder appears in one step when it is complete and its answers are within rounding of float64.

    Args:
        model: An .onnx file that onnxhead built.
        target: A key of `TARGETS`: a language, `triton`, `ort`, or `bundle` for the model with its vectors
            alone.
        folder: Where to write; it must not exist, or be empty.
        sign: An elliptic-curve private key as PEM, to sign the bundle with. Needs the extra `sign`.
        sample: Inputs for the vectors of a whole model, arrays by name; None to make some up.

    Raises:
        ModelError: The model is broken, or onnxhead did not build it; or a sample is given for a head alone.
        FeaturesError: The sample does not fit the model's inputs.
        WriteError: There is no such target, the folder holds files or cannot be written, or the key is none.
        VerificationError: The model's answers are beyond the bound of rounding; nothing was written.
        ProviderError: onnxruntime is missing.

    Example:
        >>> shipment = ship("models/abc.onnx", "python", tmp / "python")
        >>> shipment.commands, shipment.rows
        (("pip install '.[test]'", 'pytest'), 33)
    """
    return write(prepare(model, target, folder, sign=sign, sample=sample))


@dataclass(frozen=True, eq=False)
class Order:
    """A shipment of which everything is checked.

    Attributes:
        path: The folder to write.
        target: What it is for.
        model: The model file.
        content: What its bundle is of.
        key: The private key to sign with, or None.
    """

    path: Path
    target: str
    model: ModelFile
    content: Content
    key: Path | None


def prepare(
    model: str | os.PathLike[str],
    target: str,
    folder: str | os.PathLike[str],
    *,
    sign: str | os.PathLike[str] | None = None,
    sample: Any = None,
) -> Order:
    """Check what `ship` is given, before anything is written."""
    path, key = Path(folder), None if sign is None else Path(sign)
    _check_target(target, path)
    opened = open_model(model)
    content = content_of(opened, sample)
    damages = opened.damages()
    if damages:
        raise ModelError(f"a model to ship must be as it was built, {opened.path}: {'; '.join(damages)}")
    if not opened.path.stem.isprintable():
        raise ModelError(f"a model to ship must have a printable name, got {opened.path.name!r}: rename it")
    _check_fits(target, opened, content)
    if key is not None:
        check_key(key)
    return Order(path, target, opened, content, key)


def write(order: Order) -> Shipment:
    """Write what was prepared."""
    path, target, content = order.path, TARGETS[order.target], order.content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(path.parent, "ship") as temporary:
            model = _gather(order, temporary)
            project = temporary / "project"
            _copy_client(order, project)
            bundle = project / BUNDLE
            case_rows = write_bundle(model, content, bundle)
            if target.add_files:
                target.add_files(bundle, order.model.path.stem, content)
            write_sums(bundle)
            check = _prove(bundle, content)
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
    left_out = (TOP_PROBABILITIES, TOP_CLASSES) if _has_top(order.model) else ()
    signed = order.key is not None
    return Shipment(
        path, order.target, len(case_rows), sum(case_rows), check, signed, left_out, target.commands
    )


def _check_fits(target: str, model: ModelFile, content: Content) -> None:
    """Raise where a model cannot be shipped to a target."""
    TARGETS[target].check_labels(content.labels)
    if isinstance(model, WholeFile):
        if not TARGETS[target].takes_whole:
            known = ", ".join(name for name, one in TARGETS.items() if one.takes_whole)
            raise WriteError(
                f"a model with a backbone is shipped to {known}, got {target}: take one of them, or bundle "
                "and the onnxruntime of your language"
            )
        check_inputs(content.inputs)
    else:
        check_runtime(TARGETS[target].runtime, model.form)


def _copy_client(order: Order, project: Path) -> None:
    """Copy the client of a target; that for whole models differs from it in some files."""
    _copy(CLIENTS / order.target, project)
    differing = WHOLE_CLIENTS / order.target
    if isinstance(order.model, WholeFile) and differing.is_dir():
        _copy(differing, project)


def _has_top(model: ModelFile) -> bool:
    return not isinstance(model, WholeFile) and model.form.top_k is not None


def _gather(order: Order, folder: Path) -> ModelFile:
    """Return a model with weights of its own and the outputs of the contract alone."""
    model = order.model
    if not _has_top(model) and not model.is_in_place:
        return model
    form = dataclasses.replace(model.form, top_k=None)
    return open_model(save(model.head(), folder / model.path.name, form=form).path)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder's files, read-only as they may be, without what Python's tools leave beside them."""
    target.mkdir(exist_ok=True)
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


def _prove(bundle: Path, content: Content) -> Check | WholeCheck:
    """Do with the bundle what `verify` does; its hashes are those of the files as they were read back."""
    check = content.check(bundle / MODEL)
    findings = answer_findings(bundle, content)
    if not check.passed:
        findings.append(f"the largest errors are {check}")
    if findings:
        raise VerificationError(
            f"what is shipped must answer within rounding of float64, it does not: {'; '.join(findings)}; "
            "nothing was written: run onnxhead doctor and try another onnxruntime"
        )
    return check
