"""A model repository of NVIDIA Triton Inference Server."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from onnxhead.head import Head
from onnxhead.shipping.bundle import BUNDLE, MODEL
from onnxhead.shipping.vectors import class_labels
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES
from onnxhead_runtime.errors import WriteError

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


def write_repository(project: Path, name: str, head: Head) -> None:
    """Write `model_repository/NAME`: configuration, labels, and the model as version 1.

    Raises:
        WriteError: A label does not fit the one line that Triton gives it.
    """
    labels = [str(label) for label in class_labels(head)]
    broken = next((label for label in labels if len(label.splitlines()) > 1 or label != label.strip()), None)
    if broken is not None:
        raise WriteError(
            f"labels for triton must be one line each, without spaces around them, got {broken!r}: build the "
            "model with other labels"
        )
    folder = project / "model_repository" / name
    version = folder / "1"
    version.mkdir(parents=True)
    bundle = project / BUNDLE
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
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
