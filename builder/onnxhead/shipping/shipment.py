"""Ship a model: a project in another language, with the bundle that proves its numbers there."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from onnxhead.check import Check, check_model
from onnxhead.head import Head
from onnxhead.model import open_model
from onnxhead.shipping.bundle import BUNDLE, MODEL, answer_findings, write_bundle
from onnxhead.shipping.signing import sign as sign_bundle
from onnxhead.shipping.targets import CLIENTS, TARGETS
from onnxhead.shipping.vectors import make_cases
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
        commands: What a user types in the folder to build and test it.
    """

    path: Path
    target: str
    cases: int
    rows: int
    check: Check
    signed: bool
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
        (("pip install '.[test]'", 'pytest'), 25)
    """
    path = Path(folder)
    check_target(target, path)
    opened = open_model(model)
    head = opened.head()
    damages = opened.damages()
    if damages:
        raise ModelError(f"a model to ship must be as it was built, {opened.path}: {'; '.join(damages)}")
    cases = make_cases(head)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
            project = Path(temporary) / path.name
            # an installed package has compiled what is Python
            shutil.copytree(CLIENTS / target, project, ignore=shutil.ignore_patterns("__pycache__"))
            bundle = project / BUNDLE
            write_bundle(opened, head, cases, bundle)
            add_files = TARGETS[target].add_files
            if add_files:
                add_files(project, opened.path.stem, head)
            check = _prove(bundle, head)
            if sign is not None:
                sign_bundle(bundle, Path(sign))
            project.rename(path)
    except OnnxHeadError:
        raise
    except OSError as cause:
        raise WriteError(
            f"a project must be shipped to a folder that is writable and has room, {path} was not written: "
            f"{cause.strerror or cause}"
        ) from cause
    rows = sum(len(case.features) for case in cases)
    return Shipment(path, target, len(cases), rows, check, sign is not None, TARGETS[target].commands)


def check_target(target: str, path: Path) -> None:
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


def _prove(bundle: Path, head: Head) -> Check:
    """Run the copied model on its vectors and on the rows of `verify`."""
    check = check_model(bundle / MODEL, head)
    findings = answer_findings(bundle, head)
    if findings or not check.passed:
        raise VerificationError(
            f"a model's answers must be within rounding of float64, the largest errors are {check}"
            f"{''.join(f'; {finding}' for finding in findings)}; nothing was written: run onnxhead doctor "
            "and try another onnxruntime"
        )
    return check
