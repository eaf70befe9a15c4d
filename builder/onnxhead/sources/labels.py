"""Labels from text, which knows no types."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxhead_runtime.arrays import numpy_reason
from onnxhead_runtime.errors import SourceError


def parse_labels(texts: Sequence[str]) -> list[str] | list[int]:
    """Return integers where every text is one as Python writes it, the texts otherwise.

    Example:
        >>> parse_labels(["0", "1", "-2"]), parse_labels(["007", "8"])
        ([0, 1, -2], ['007', '8'])
    """
    try:
        numbers = [int(text) for text in texts]
    except ValueError:
        return list(texts)
    return numbers if [str(number) for number in numbers] == list(texts) else list(texts)


def read_labels(path: Path) -> list[Any]:
    """Read labels from a .json array, which keeps types, or from text with one label per line.

    Raises:
        SourceError: The file is unreadable, or its JSON is no array.
    """
    try:
        text = path.read_text("utf-8-sig")
        if path.suffix.lower() != ".json":
            return parse_labels([line.strip() for line in text.rstrip().splitlines()])
        labels = json.loads(text)
    except (ValueError, OSError, RecursionError) as cause:
        reason = getattr(cause, "strerror", None) or cause
        raise SourceError(f"labels must be text in UTF-8 or a JSON array, {path} is not: {reason}") from cause
    if not isinstance(labels, list):
        raise SourceError(f"labels must be a JSON array, {path} holds a {type(labels).__name__}")
    return labels


def read_true_labels(path: Path) -> Any:
    """Read the labels of rows, as `read_labels` does, or from an .npy file.

    Raises:
        SourceError: The file is unreadable.
    """
    if path.suffix.lower() != ".npy":
        return read_labels(path)
    try:
        with path.open("rb") as file:
            return np.load(file, allow_pickle=False)
    except Exception as cause:  # numpy raises many kinds for a broken file
        raise SourceError(
            f"labels must be an .npy file of numbers or text, {path} is not: {numpy_reason(cause)}; save "
            "numpy.asarray(labels, dtype=str)"
        ) from cause
