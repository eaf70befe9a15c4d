"""Heads from JSON: `{"weight": [[...]], "bias": [...], "labels": [...]}`; `link`, `temperature` if any."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onnxhead.sources.contents import LABEL_KEYS, Contents, Request, to_entry
from onnxhead_runtime.errors import SourceError


def read(path: Path, _: Request) -> Contents:
    """Read a .json file; every list in its object is an array.

    Raises:
        SourceError: It is not a JSON object, has NaN, or has a key twice.
    """

    def refuse(constant: str) -> None:
        raise SourceError(f"{path.name}: numbers must be finite, got {constant}")

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document: dict[str, Any] = {}
        for key, value in pairs:
            if key in document:
                raise SourceError(f"{path.name}: keys must be distinct, got {key!r} twice")
            document[key] = value
        return document

    try:
        text = path.read_text("utf-8-sig")
        document = json.loads(text, parse_constant=refuse, object_pairs_hook=distinct)
    except (ValueError, RecursionError, OSError) as cause:
        if isinstance(cause, SourceError):
            raise
        raise SourceError(f"{path.name} must be JSON in UTF-8: {cause}") from cause
    if not isinstance(document, dict):
        raise SourceError(
            f'{path.name} must be an object such as {{"weight": [[...]], "bias": [...]}}, got '
            f"a {type(document).__name__}"
        )
    entries = {
        key: to_entry(value)
        for key, value in document.items()
        if (isinstance(value, list) and key not in LABEL_KEYS) or key == "intercept_"
    }
    known = {*entries, *LABEL_KEYS, "link", "temperature"}
    ignored = tuple(key for key in document if key not in known)
    labels = next((document[key] for key in LABEL_KEYS if key in document), None)
    return Contents(
        name=path.name,
        entries=entries,
        labels=labels,
        link=document.get("link", "softmax"),
        temperature=document.get("temperature", 1.0),
        ignored=ignored,
    )
