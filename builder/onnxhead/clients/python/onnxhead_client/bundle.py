"""The files of a bundle, as its head.json describes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Label = str | int | bool | float

_KEYS = ("format", "model", "sha256", "inputs", "outputs", "features", "classes", "labels", "link")


class BundleError(Exception):
    """A folder is no bundle, or its files are not those that were shipped."""


@dataclass(frozen=True)
class Description:
    """What head.json says.

    Attributes:
        model: The .onnx file.
        inputs: The name of the model's input, in a list.
        outputs: The names of its outputs: logits, then probabilities.
        features: How many features a row has.
        labels: One per class.
        link: How logits become probabilities: softmax, sigmoid or ovr.
    """

    model: Path
    inputs: list[str]
    outputs: list[str]
    features: int
    labels: list[Label]
    link: str


def read_description(folder: Path) -> Description:
    """Read head.json, and hold the model's files to the hashes in it.

    Raises:
        BundleError: It is missing or malformed, or a file is not the one that was shipped.
    """
    path = folder / "head.json"
    if not path.exists():
        raise BundleError(
            f"a bundle must have a head.json, {folder} has none: name the bundle's folder, or copy the "
            "bundle again, as a whole"
        )
    document = read_object(path)
    if document.get("format", "1") != "1":
        raise BundleError(
            f"this client reads bundles of format 1, {folder} states {document['format']}: ship it again "
            "with the onnxhead that this client came with"
        )
    try:
        problem = _problem(document)
    except TypeError as cause:
        raise malformed(path, str(cause)) from cause
    if problem:
        raise malformed(path, problem)
    for name, stated in document["sha256"].items():
        _check_hash(folder / name, stated)
    return Description(
        model=folder / document["model"],
        inputs=document["inputs"],
        outputs=document["outputs"],
        features=document["features"],
        labels=document["labels"],
        link=document["link"],
    )


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file of a bundle.

    Raises:
        BundleError: It is missing, or no JSON object.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as cause:
        raise _unreadable(path, cause) from cause
    except ValueError as cause:
        raise malformed(path, str(cause)) from cause
    if not isinstance(document, dict):
        raise malformed(path, "it is no JSON object")
    return document


def malformed(path: Path, reason: str) -> BundleError:
    """Return the error of a file that is there and not as it was shipped."""
    return BundleError(
        f"{path} must be as onnxhead ships it, it is not ({reason}): copy the bundle again, as a whole"
    )


def _unreadable(path: Path, cause: OSError) -> BundleError:
    return BundleError(
        f"a bundle must hold {path}, it cannot be read ({cause.strerror}): copy the bundle again, as a whole"
    )


def _problem(document: dict[str, Any]) -> str | None:
    """Say what is wrong with the content of a head.json, if anything is."""
    missing = [key for key in _KEYS if key not in document]
    if missing:
        return f"it states no {missing[0]}"
    if document["model"] not in document["sha256"]:
        return f"it states no hash of its model {document['model']!r}"
    if any(Path(name).name != name for name in document["sha256"]):
        return "it names files of another folder"
    if len(document["inputs"]) != 1 or len(document["outputs"]) != 2:
        return "it does not name one input and two outputs"
    if len(document["labels"]) != document["classes"]:
        return f"it states {len(document['labels'])} labels for {document['classes']} classes"
    if document["link"] not in ("softmax", "sigmoid", "ovr") or not isinstance(document["features"], int):
        return "it states another link than softmax, sigmoid and ovr, or no number of features"
    return None


def _check_hash(path: Path, stated: str) -> None:
    """Raise BundleError unless a file has the SHA-256 that is stated."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
    except OSError as cause:
        raise _unreadable(path, cause) from cause
    if digest.hexdigest() != stated:
        raise BundleError(
            f"{path.name} must be the file that was shipped, its SHA-256 is {digest.hexdigest()} and "
            f"head.json states {stated}: copy the bundle again, as a whole"
        )
