"""The bundle: a model with all that another language needs to run it and to prove its numbers.

docs/bundle.md is its specification.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from onnxhead.external import is_named_after
from onnxhead.model_file import ModelFile
from onnxhead.shipping.content import Content
from onnxhead.shipping.signing import SIGNATURE
from onnxhead.shipping.whole_vectors import read_sample
from onnxhead_runtime.contract import Label
from onnxhead_runtime.errors import ModelError, OnnxHeadError
from onnxhead_runtime.weights import file_sha256

BUNDLE = "bundle"
MODEL = "model.onnx"
_DESCRIPTION = "head.json"
_SUMS = "SHA256SUMS"
_SHOWN = 3  # files in a finding
_LARGEST_INTEGER = 2**53  # beyond it JavaScript has no integers


def write_bundle(model: ModelFile, content: Content, folder: Path) -> list[int]:
    """Write the bundle of a model to a new folder, but for the list of hashes.

    Returns:
        How many rows each case of its vectors has.

    Raises:
        ModelError: The model was changed meanwhile.
    """
    folder.mkdir()
    for source, name in [(model.path, MODEL), *((path, path.name) for path in model.data_paths)]:
        shutil.copyfile(source, folder / name)
    description = _describe(content, folder)
    copied = dict(description["sha256"])
    if copied.pop(MODEL) != model.sha256 or any(not is_named_after(*item) for item in copied.items()):
        raise ModelError(f"a model must stay as it is while it is shipped, {model.path} has changed")
    text = json.dumps(description, ensure_ascii=False, indent=2)
    (folder / _DESCRIPTION).write_text(f"{text}\n", encoding="utf-8")
    return content.write_cases(folder)


def write_sums(folder: Path) -> None:
    """Write the list of the hashes of all files."""
    sums = [f"{digest}  {name}\n" for name, digest in _hashes(folder).items()]
    (folder / _SUMS).write_text("".join(sums), encoding="utf-8")


def find_bundle(folder: Path) -> Path:
    """Return the bundle that a folder is, or that is in it.

    Raises:
        ModelError: There is none.
    """
    for bundle in (folder, folder / BUNDLE):
        if (bundle / _DESCRIPTION).is_file():
            return bundle
    raise ModelError(
        f"a folder to verify must be what onnxhead ship writes, {folder} has no {BUNDLE}/{_DESCRIPTION}"
    )


def bundle_damages(bundle: Path) -> list[str]:
    """Compare the files of a bundle with the hashes that it states; one sentence per kind of difference."""
    for path in bundle.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            return [f"{path.relative_to(bundle).as_posix()} must be a file, it is a link or something else"]
    try:
        lines = (bundle / _SUMS).read_text(encoding="utf-8").splitlines()
        stated = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as cause:
        reason = cause.strerror if isinstance(cause, OSError) else "it is malformed"
        return [f"{_SUMS} must hold a hash per file: {reason}"]
    found = _hashes(bundle)
    changed = {name for name in found.keys() & stated.keys() if found[name] != stated[name]}
    differences = {
        f"stated in {_SUMS} and not there": stated.keys() - found.keys(),
        f"there and not stated in {_SUMS}": found.keys() - stated.keys(),
        f"another SHA-256 than {_SUMS} states": changed,
    }
    return [f"{what}: {_some(sorted(names))}" for what, names in differences.items() if names]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def answer_findings(bundle: Path, content: Content) -> list[str]:
    """Compare what a bundle states with what it is of, and with onnxruntime's answers; one sentence each.

    Raises:
        ModelError: The description or the vectors are malformed.
    """
    findings = []
    with _as_specified(bundle):
        stated = json.loads((bundle / _DESCRIPTION).read_bytes())
        if json.dumps(stated) != json.dumps(_describe(content, bundle)):
            findings.append(f"{_DESCRIPTION} does not describe what is in {MODEL}")
        findings += content.findings(bundle, bundle / MODEL)
    return findings + [
        f"{path.relative_to(bundle).as_posix()} is not the model in {MODEL}"
        for path in sorted([*bundle.glob("model_repository/*/*/*"), *bundle.glob("*.ort")])
        if not _is_model(path, bundle, content)
    ]


def read_own_sample(bundle: Path) -> dict[str, NDArray[Any]]:
    """Return the inputs of a whole model that are in its bundle.

    Raises:
        ModelError: The vectors are malformed.
    """
    with _as_specified(bundle):
        return read_sample(bundle)


@contextmanager
def _as_specified(bundle: Path) -> Iterator[None]:
    """Raise ModelError for what goes wrong where a bundle is read."""
    try:
        yield
    except (OSError, ArithmeticError, LookupError, ValueError, TypeError, RecursionError) as cause:
        if isinstance(cause, OnnxHeadError):
            raise
        raise ModelError(f"{bundle} must hold what docs/bundle.md says, it does not: {cause!r}") from cause


def _is_model(path: Path, bundle: Path, content: Content) -> bool:
    """Tell whether a file for `triton` or `ort` is the model or its data, or answers as the model does."""
    if path.suffix == ".ort":
        return content.check(path).passed
    return (bundle / path.name).is_file() and file_sha256(path) == file_sha256(bundle / path.name)


def _describe(content: Content, folder: Path) -> dict[str, Any]:
    """Return the content of head.json."""
    files = [MODEL, *sorted(path.name for path in folder.glob("*.data"))]
    return {
        "format": content.format,
        "model": MODEL,
        "sha256": {name: file_sha256(folder / name) for name in files},
        **content.describe(),
    }


def _hashes(folder: Path) -> dict[str, str]:
    """Return the hash of every file, by name, but of the list of hashes and of the signature."""
    left_out = (folder / _SUMS, folder / SIGNATURE)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in left_out)
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}


def check_labels(labels: Sequence[Label]) -> None:
    """Raise ModelError for a label that not every language holds."""
    for label in labels:
        if isinstance(label, int) and abs(label) > _LARGEST_INTEGER:
            raise ModelError(
                f"integers among the labels must be within 2**53 for every language to hold them, got "
                f"{label}: build the model with labels that are text"
            )
