"""The bundle: a model with all that another language needs to run it and to prove its numbers.

docs/bundle.md is its specification.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxhead_runtime
from onnxhead.head import Head
from onnxhead.model import ModelFile, file_sha256
from onnxhead.reference import deviation
from onnxhead.shipping.signing import SIGNATURE
from onnxhead.shipping.vectors import (
    VECTORS,
    Case,
    class_labels,
    read_cases,
    restore_case,
    states_the_same,
    write_cases,
)
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES
from onnxhead_runtime.errors import ModelError

BUNDLE = "bundle"
MODEL = "model.onnx"
DESCRIPTION = "head.json"
_SUMS = "SHA256SUMS"
_FORMAT = "1"
_LARGEST_INTEGER = 2**53  # beyond it JavaScript has no integers


def write_bundle(model: ModelFile, head: Head, cases: Sequence[Case], folder: Path) -> None:
    """Write the bundle of a model to a new folder.

    Raises:
        ModelError: A label is an integer that not every language holds.
    """
    _check_labels(head)
    folder.mkdir()
    for source, name in [(model.path, MODEL), *((path, path.name) for path in model.data_paths)]:
        shutil.copyfile(source, folder / name)
    text = json.dumps(_describe(head, folder), ensure_ascii=False, indent=2)
    (folder / DESCRIPTION).write_text(f"{text}\n", encoding="utf-8")
    write_cases(cases, folder)
    (folder / _SUMS).write_text(_sums(folder), encoding="utf-8")


def find_bundle(folder: Path) -> Path:
    """Return the bundle that a folder is, or that is in it.

    Raises:
        ModelError: There is none.
    """
    for bundle in (folder, folder / BUNDLE):
        if (bundle / DESCRIPTION).is_file():
            return bundle
    raise ModelError(
        f"a folder to verify must be what onnxhead ship writes, {folder} has no {BUNDLE}/{DESCRIPTION}"
    )


def bundle_damages(bundle: Path) -> list[str]:
    """Compare the files of a bundle with the hashes that it states; one sentence per difference."""
    try:
        stated = dict(line.split("  ")[::-1] for line in (bundle / _SUMS).read_text("utf-8").splitlines())
    except (OSError, ValueError) as cause:
        return [f"{_SUMS} must hold a hash per file, it is missing or malformed: {cause}"]
    found = dict(line.split("  ")[::-1] for line in _sums(bundle).splitlines())
    return [
        *(f"{name} is stated in {_SUMS} and is not there" for name in sorted(stated.keys() - found.keys())),
        *(f"{name} is there and not stated in {_SUMS}" for name in sorted(found.keys() - stated.keys())),
        *(
            f"the SHA-256 of {name} is {found[name]}, {_SUMS} states {stated[name]}"
            for name in sorted(found.keys() & stated.keys())
            if found[name] != stated[name]
        ),
    ]


def answer_findings(bundle: Path, head: Head) -> list[str]:
    """Compare what a bundle states with its head, and with what onnxruntime answers; one sentence each.

    Raises:
        ModelError: The description or the vectors are malformed.
    """
    try:
        description = json.loads((bundle / DESCRIPTION).read_bytes())
        documents = read_cases(bundle)
        cases = [restore_case(document, head) for document in documents]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise ModelError(f"{bundle} must hold what docs/bundle.md says, it does not: {cause!r}") from cause
    findings = []
    if description != _describe(head, bundle):
        findings.append(f"{DESCRIPTION} does not describe the head in {MODEL}")
    classify = onnxhead_runtime.load(bundle / MODEL, device="cpu")
    for document, case in zip(documents, cases, strict=True):
        if not states_the_same(document, case):
            findings.append(f"{VECTORS} states other answers than float64 for the case {case.name}")
        prediction = classify(case.features)
        exact = case.exact
        largest = max(
            deviation(prediction.logits, exact.logits, exact.logits_bound).ratio,
            deviation(prediction.probabilities, exact.probabilities, exact.probabilities_bound).ratio,
        )
        if largest > 1:
            findings.append(f"the largest error of the case {case.name} is {largest:.3g} of its tolerance")
    return findings


def _describe(head: Head, folder: Path) -> dict[str, Any]:
    """Return the content of head.json."""
    files = [MODEL, *sorted(path.name for path in folder.glob("*.data"))]
    return {
        "format": _FORMAT,
        "model": MODEL,
        "sha256": {name: file_sha256(folder / name) for name in files},
        "inputs": [FEATURES],
        "outputs": [LOGITS, PROBABILITIES],
        "features": head.features,
        "classes": head.classes,
        "labels": list(class_labels(head)),
        "link": head.link,
        "temperature": head.temperature,
    }


def _sums(folder: Path) -> str:
    """Return the hash of every file but the list itself and the signature, as sha256sum prints it."""
    left_out = (folder / _SUMS, folder / SIGNATURE)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path not in left_out)
    return "".join(f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)


def _check_labels(head: Head) -> None:
    for label in class_labels(head):
        if isinstance(label, int) and abs(label) > _LARGEST_INTEGER:
            raise ModelError(
                f"integers among the labels must be within 2**53 for every language to hold them, got "
                f"{label}: build the model with labels that are text"
            )
