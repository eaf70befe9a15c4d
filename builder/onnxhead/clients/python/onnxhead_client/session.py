"""A model in onnxruntime."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from onnxhead_client.bundle import BundleError, Label

# onnxruntime 1.29 and newer send usage data unless this is set before it is imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime


def open_session(model: Path, threads: int) -> Any:
    """Return an `onnxruntime.InferenceSession` on the CPU.

    Args:
        model: The .onnx file.
        threads: How many threads a call computes with; 0 for one per core.

    Raises:
        BundleError: onnxruntime refuses the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # onnxruntime's exceptions have no public base
        raise BundleError(
            f"{model} must load in onnxruntime, {onnxruntime.__version__} refuses it ({cause}): take a newer "
            "onnxruntime, or copy the bundle again, as a whole"
        ) from cause


def check_labels(session: Any, labels: list[Label]) -> None:
    """Raise BundleError unless a model's metadata state these labels, or none where they are numbers."""
    text = session.get_modelmeta().custom_metadata_map.get("onnxhead.labels")
    stated = list(range(len(labels))) if text is None else json.loads(text)
    if stated != labels:
        raise BundleError(
            "the labels in head.json must be those in the model's metadata, they are others: copy the "
            "bundle again, as a whole"
        )
