"""The files of a bundle, held to what its head.json states."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Label = str | int | bool | float

_KEYS = ("format", "model", "sha256", "inputs", "outputs", "classes", "labels", "link")


class BundleError(Exception):
    """A folder is no bundle, or its files are not those that were shipped."""


def read_head(
    folder: Path, wanted: str, find_problem: Callable[[dict[str, Any]], str | None]
) -> dict[str, Any]:
    """Read head.json, and hold the model's files to the hashes in it.

    Args:
        folder: The bundle.
        wanted: The format that the bundle must have.
        find_problem: Says what is wrong in a head.json beyond what bundles of every format state; None where
            nothing is.

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
    if document.get("format", wanted) != wanted:
        raise BundleError(
            f"this client reads bundles of format {wanted}, {folder} states {document['format']}: ship it "
            "again with the onnxhead that this client came with, and take the client that is shipped there: "
            "heads alone (format 1) and models with a backbone (format 2) have one each"
        )
    try:
        problem = _find_problem(document) or find_problem(document)
    except TypeError as cause:
        raise malformed(path, str(cause)) from cause
    if problem:
        raise malformed(path, problem)
    for name, stated in document["sha256"].items():
        _check_hash(folder / name, stated)
    return document


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file of a bundle.

    Raises:
        BundleError: It is missing, or no JSON object.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as cause:
        raise unreadable(path, cause) from cause
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


def unreadable(path: Path, cause: OSError) -> BundleError:
    """Return the error of a file that cannot be read."""
    return BundleError(
        f"a bundle must hold {path}, it cannot be read ({cause.strerror}): copy the bundle again, as a whole"
    )


def _find_problem(document: dict[str, Any]) -> str | None:
    """Say what is wrong in what bundles of every format state, if anything is."""
    missing = [key for key in _KEYS if key not in document]
    if missing:
        return f"it states no {missing[0]}"
    if document["model"] not in document["sha256"]:
        return f"it states no hash of its model {document['model']!r}"
    if any(Path(name).name != name for name in document["sha256"]):
        return "it names files of another folder"
    if len(document["outputs"]) != 2:
        return "it does not name two outputs"
    if len(document["labels"]) != document["classes"]:
        return f"it states {len(document['labels'])} labels for {document['classes']} classes"
    if document["link"] not in ("softmax", "sigmoid", "ovr"):
        return "it states another link than softmax, sigmoid and ovr"
    return None


def _check_hash(path: Path, stated: str) -> None:
    """Raise BundleError unless a file has the SHA-256 that is stated."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
    except OSError as cause:
        raise unreadable(path, cause) from cause
    if digest.hexdigest() != stated:
        raise BundleError(
            f"{path.name} must be the file that was shipped, its SHA-256 is {digest.hexdigest()} and "
            f"head.json states {stated}: copy the bundle again, as a whole"
        )
