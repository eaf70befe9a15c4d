"""Heads from an .onnx file that onnxhead built."""

from __future__ import annotations

from pathlib import Path

from onnxhead.model import open_model
from onnxhead.sources.contents import Contents, Request, to_entry
from onnxhead_runtime.errors import ModelError


def read(path: Path, _: Request) -> Contents:
    """Read a model file back, bit for bit.

    Raises:
        ModelError: The file is broken or changed, or onnxhead did not build it.
    """
    model = open_model(path)
    damages = model.damages()
    if damages:
        raise ModelError(f"{path} must be as it was built: {damages[0]}")
    head = model.head()
    entries = {"weight": to_entry(head.weight), "bias": to_entry(head.bias)}
    return Contents(path.name, entries, head.labels, head.link, head.temperature)
