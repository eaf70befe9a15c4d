"""A model repository of NVIDIA Triton Inference Server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from onnxhead.head import Head
from onnxhead.shipping.bundle import MODEL, check_labels
from onnxhead.shipping.vectors import class_labels
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES
from onnxhead_runtime.errors import ModelError

_LARGEST_BATCH = 1024
_CONFIG = """\
name: {name}
platform: "onnxruntime_onnx"
max_batch_size: {largest_batch}
input [ {{ name: "{features}", data_type: TYPE_FP32, dims: [{width}] }} ]
output [
  {{ name: "{logits}", data_type: TYPE_FP32, dims: [{classes}] }},
  {{ name: "{probabilities}", data_type: TYPE_FP32, dims: [{classes}], label_filename: "labels.txt" }}
]
dynamic_batching {{ }}
"""


def check_lines(head: Head) -> None:
    """Raise ModelError unless each label fits the one line that Triton gives it, and no two are the same."""
    check_labels(head)
    lines = [str(label) for label in class_labels(head)]
    bad = next((line for line in lines if not line.isprintable() or not line or line != line.strip()), None)
    if bad is not None or len(set(lines)) < len(lines):
        raise ModelError(
            "labels for triton must be distinct lines of printable text without spaces around them, got "
            f"{'two that are the same line' if bad is None else repr(bad)}: build the model with other labels"
        )


def write_repository(bundle: Path, name: str, head: Head) -> None:
    """Write `model_repository/NAME`: configuration, labels, and the model as version 1."""
    folder = bundle / "model_repository" / name
    version = folder / "1"
    version.mkdir(parents=True)
    for path in (bundle / MODEL, *bundle.glob("*.data")):
        shutil.copyfile(path, version / path.name)
    config = _CONFIG.format(
        name=json.dumps(name, ensure_ascii=False),
        largest_batch=_LARGEST_BATCH,
        features=FEATURES,
        width=head.features,
        logits=LOGITS,
        probabilities=PROBABILITIES,
        classes=head.classes,
    )
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")
    labels = "".join(f"{label}\n" for label in class_labels(head))
    (folder / "labels.txt").write_text(labels, encoding="utf-8")
