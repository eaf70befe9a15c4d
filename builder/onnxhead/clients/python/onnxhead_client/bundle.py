"""The files of a bundle, as its head.json describes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Label = str | int | bool | float


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
    try:
        document = json.loads((folder / "head.json").read_bytes())
        problem = _problem(document)
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise BundleError(
            f"a bundle must have the head.json that onnxhead ships, {folder} has none: {cause!r}"
        ) from cause
    if problem:
        raise BundleError(f"head.json must be as onnxhead ships it, that of the bundle {folder} {problem}")
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


def _problem(document: dict[str, Any]) -> str | None:
    """Say what is wrong with the content of a head.json, if anything is."""
    if document["format"] != "1":
        return (
            f"is of format {document['format']!r} and this client reads 1: ship it again with the onnxhead "
            "that this client came with"
        )
    if document["model"] not in document["sha256"]:
        return f"states no hash of its model {document['model']!r}"
    if any(Path(name).name != name for name in document["sha256"]):
        return "names files of another folder"
    if len(document["inputs"]) != 1 or len(document["outputs"]) != 2:
        return "does not name one input and two outputs"
    if len(document["labels"]) != document["classes"]:
        return f"states {len(document['labels'])} labels for {document['classes']} classes"
    if document["link"] not in ("softmax", "sigmoid", "ovr") or not isinstance(document["features"], int):
        return "states another link than softmax, sigmoid and ovr, or no number of features"
    return None


def _check_hash(path: Path, stated: str) -> None:
    """Raise BundleError unless a file has the SHA-256 that is stated."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
    except OSError as cause:
        raise BundleError(
            f"a bundle must hold {path.name}, {path.parent} does not: {cause.strerror}"
        ) from cause
    if digest.hexdigest() != stated:
        raise BundleError(
            f"{path.name} must be the file that was shipped, its SHA-256 is {digest.hexdigest()} and "
            f"head.json states {stated}: copy the bundle again, as a whole"
        )
