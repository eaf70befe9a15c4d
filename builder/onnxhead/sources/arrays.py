"""Heads from arrays in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxhead.sources.contents import LABEL_KEYS, Contents, to_entry
from onnxhead.sources.torch import is_tensor, tensor_entry
from onnxhead_runtime.errors import SourceError


def from_mapping(arrays: Mapping[str, Any]) -> Contents:
    """Return the contents of a mapping of names to array-likes or tensors; labels may be among them.

    Raises:
        SourceError: A key is no text.
    """
    if not all(isinstance(key, str) for key in arrays):
        raise SourceError(f"a mapping must have names as keys, got {', '.join(map(repr, arrays))}")
    entries = {
        key: tensor_entry(value) if is_tensor(value) else to_entry(value)
        for key, value in arrays.items()
        if key not in LABEL_KEYS
    }
    labels = next((arrays[key] for key in LABEL_KEYS if key in arrays), None)
    return Contents("the mapping", entries, labels)
