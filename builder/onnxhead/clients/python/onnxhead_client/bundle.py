"""The files of a bundle, as its head.json describes them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

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
        if document["format"] != "1":
            raise BundleError(
                f"this client reads bundles of format 1, {folder} states {document['format']!r}: ship it "
                "again with the onnxhead that this client came with"
            )
        description = Description(
            model=folder / document["model"],
            inputs=document["inputs"],
            outputs=document["outputs"],
            features=document["features"],
            labels=document["labels"],
            link=document["link"],
        )
        hashes = dict(document["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise BundleError(
            f"a bundle must have the head.json that onnxhead ships, {folder} has none: {cause!r}"
        ) from cause
    for name, stated in hashes.items():
        _check_hash(folder / name, stated)
    return description


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
