"""A model repository of NVIDIA Triton Inference Server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from onnxhead.shipping.bundle import MODEL, check_labels
from onnxhead.shipping.content import Content
from onnxhead_runtime.contract import LOGITS, PROBABILITIES, Label
from onnxhead_runtime.errors import ModelError
from onnxhead_runtime.inputs import Input

_LARGEST_BATCH = 1024
_CONFIG = """\
name: {name}
platform: "onnxruntime_onnx"
max_batch_size: {largest_batch}
input [
{inputs}
]
output [
  {{ name: "{logits}", data_type: TYPE_FP32, dims: [{classes}] }},
  {{ name: "{probabilities}", data_type: TYPE_FP32, dims: [{classes}], label_filename: "labels.txt" }}
]
dynamic_batching {{ }}
"""


_TYPES = {"float32": "TYPE_FP32", "float64": "TYPE_FP64", "bool": "TYPE_BOOL"}


def _input(one: Input) -> str:
    """Return an input without its first axis, which is the batch."""
    dims = ", ".join(str(axis) if isinstance(axis, int) else "-1" for axis in one.shape[1:])
    kind = _TYPES.get(one.dtype, f"TYPE_{one.dtype.upper()}")
    return f"  {{ name: {json.dumps(one.name, ensure_ascii=False)}, data_type: {kind}, dims: [{dims}] }}"


def check_lines(labels: Sequence[Label]) -> None:
    """Raise ModelError unless each label fits the one line that Triton gives it, and no two are the same."""
    check_labels(labels)
    lines = [str(label) for label in labels]
    bad = next((line for line in lines if not line.isprintable() or not line or line != line.strip()), None)
    if bad is not None or len(set(lines)) < len(lines):
        raise ModelError(
            "labels for triton must be distinct lines of printable text without spaces around them, got "
            f"{'two that are the same line' if bad is None else repr(bad)}: build the model with other labels"
        )


def write_repository(bundle: Path, name: str, content: Content) -> None:
    """Write `model_repository/NAME`: configuration, labels, and the model as version 1.

    Raises:
        ModelError: An input's first axis is not the batch, of any size.
    """
    for one in content.inputs:
        if not one.is_batched or one.shape[0] != content.batch:
            raise ModelError(
                "Triton batches along the first axis, which must be that of the answers in every input, and "
                f"of any length, {one} has another: export the backbone so"
            )
    folder = bundle / "model_repository" / name
    version = folder / "1"
    version.mkdir(parents=True)
    for path in (bundle / MODEL, *bundle.glob("*.data")):
        shutil.copyfile(path, version / path.name)
    config = _CONFIG.format(
        name=json.dumps(name, ensure_ascii=False),
        largest_batch=_LARGEST_BATCH,
        inputs=",\n".join(map(_input, content.inputs)),
        logits=LOGITS,
        probabilities=PROBABILITIES,
        classes=len(content.labels),
    )
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")
    labels = "".join(f"{label}\n" for label in content.labels)
    (folder / "labels.txt").write_text(labels, encoding="utf-8")
