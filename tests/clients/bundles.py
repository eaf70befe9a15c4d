"""The bundle of every head, and bundles that are wrong on purpose."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import onnxhead
from clients.heads import save_heads


def ship_bundles(folder: Path) -> dict[str, Path]:
    """Return the bundle of each head by its name."""
    shutil.rmtree(folder, ignore_errors=True)
    models = save_heads(folder / "models")
    return {
        name: onnxhead.ship(path, "bundle", folder / name).path / "bundle" for name, path in models.items()
    }


def ship_mutants(folder: Path, bundles: dict[str, Path]) -> dict[str, Path]:
    """Return bundles of which each is wrong in one way: numbers, a label, a hash, or no cases."""
    shutil.rmtree(folder, ignore_errors=True)
    mutants = {
        name: Path(shutil.copytree(bundles["multilabel"], folder / name))
        for name in ("model", "vector", "probability", "label", "hash", "cases")
    }
    for name in ("model", "hash"):
        _change_weight(mutants[name])
    _state_hash(mutants["model"])
    _change_vectors(mutants["vector"], "logits")
    _change_vectors(mutants["probability"], "probabilities")
    _change_labels(mutants["label"])
    (mutants["cases"] / "vectors.json").write_text('{"format": "1", "cases": []}')
    return mutants


def _change_weight(bundle: Path) -> None:
    """Make one weight larger by a thousandth of the largest."""
    model = onnx.load(bundle / "model.onnx")
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == "weight")
    values = np.frombuffer(weight.raw_data, "<f4").copy()
    values[0] += np.abs(values).max() / 1000
    weight.raw_data = values.tobytes()
    (bundle / "model.onnx").write_bytes(model.SerializeToString())


def _state_hash(bundle: Path) -> None:
    description = json.loads((bundle / "head.json").read_bytes())
    digest = hashlib.sha256((bundle / "model.onnx").read_bytes()).hexdigest()
    description["sha256"]["model.onnx"] = digest
    (bundle / "head.json").write_text(json.dumps(description))


def _change_vectors(bundle: Path, key: str) -> None:
    """Make one number of one case larger by a thousandth, in vectors.json and as raw float32."""
    number, document, case = _random_case(bundle)
    case[key][5][1] += 1e-3
    (bundle / "vectors.json").write_text(json.dumps(document))
    raw = bundle / f"test_data_set_{number}" / f"{key}.f32"
    np.array(case[key], "<f4").tofile(raw)


def _change_labels(bundle: Path) -> None:
    """State no label for a row that has some, and whose numbers are right."""
    _, document, case = _random_case(bundle)
    row = next(i for i, labels in enumerate(case["labels"]) if labels)
    case["labels"][row] = []
    (bundle / "vectors.json").write_text(json.dumps(document))


def _random_case(bundle: Path) -> tuple[int, Any, Any]:
    document = json.loads((bundle / "vectors.json").read_bytes())
    number, case = next(pair for pair in enumerate(document["cases"]) if pair[1]["name"] == "random")
    return number, document, case
