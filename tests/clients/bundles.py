"""The bundle of every head, and bundles that are wrong on purpose."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import onnxhead
from clients.heads import save_forms, save_heads

_AGAIN = "copy the bundle again, as a whole"

# what a client must say of each bundle that it refuses: the rule and the remedy
REFUSALS = {
    "changed-model": ("model.onnx must be the file that was shipped", _AGAIN),
    "no-head": ("a bundle must have a head.json", "none", _AGAIN),
    "no-model": ("a bundle must hold", "model.onnx", _AGAIN),
    "no-vectors": ("a bundle must hold", "vectors.json", _AGAIN),
    "half-a-head": ("head.json must be as onnxhead ships it", _AGAIN),
    "half-the-vectors": ("vectors.json must be as onnxhead ships it", _AGAIN),
    "no-labels": ("head.json must be as onnxhead ships it", _AGAIN),
    "no-cases": ("vectors.json must be as onnxhead ships it", "it has no cases", _AGAIN),
    "other-format": ("this client reads bundles of format 1", "2", "ship it again with the onnxhead that"),
}


def ship_bundles(folder: Path) -> dict[str, Path]:
    """Return the bundle of each head by its name."""
    shutil.rmtree(folder, ignore_errors=True)
    models = save_heads(folder / "models") | save_forms(folder / "models")
    return {
        name: onnxhead.ship(path, "bundle", folder / name).path / "bundle" for name, path in models.items()
    }


def ship_mutants(folder: Path, bundles: dict[str, Path]) -> dict[str, Path]:
    """Return bundles that fail, of which each is wrong in one way: a number of the model, an answer, a label."""
    mutants = _copy(bundles["multilabel"], folder, ("model", "vector", "probability", "label"))
    _change_weight(mutants["model"])
    _state_hash(mutants["model"])
    _change_vectors(mutants["vector"], "logits")
    _change_vectors(mutants["probability"], "probabilities")
    _change_labels(mutants["label"])
    return mutants


def ship_refused(folder: Path, bundles: dict[str, Path]) -> dict[str, Path]:
    """Return the bundles of `REFUSALS`."""
    refused = _copy(bundles["multilabel"], folder, REFUSALS)
    _change_weight(refused["changed-model"])
    (refused["no-head"] / "head.json").unlink()
    (refused["no-model"] / "model.onnx").unlink()
    (refused["no-vectors"] / "vectors.json").unlink()
    for name, file in (("half-a-head", "head.json"), ("half-the-vectors", "vectors.json")):
        content = (refused[name] / file).read_bytes()
        (refused[name] / file).write_bytes(content[: len(content) // 2])
    _change_head(refused["no-labels"], labels=[])
    _change_head(refused["other-format"], format="2", model={"name": "model.onnx"})
    (refused["no-cases"] / "vectors.json").write_text('{"format": "1", "cases": []}')
    return refused


def _copy(bundle: Path, folder: Path, names: Iterable[str]) -> dict[str, Path]:
    shutil.rmtree(folder, ignore_errors=True)
    return {name: Path(shutil.copytree(bundle, folder / name)) for name in names}


def _change_weight(bundle: Path) -> None:
    """Make one weight larger by a thousandth of the largest."""
    model = onnx.load(bundle / "model.onnx")
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == "weight")
    values = np.frombuffer(weight.raw_data, "<f4").copy()
    values[0] += np.abs(values).max() / 1000
    weight.raw_data = values.tobytes()
    (bundle / "model.onnx").write_bytes(model.SerializeToString())


def _state_hash(bundle: Path) -> None:
    digest = hashlib.sha256((bundle / "model.onnx").read_bytes()).hexdigest()
    _change_head(bundle, sha256={"model.onnx": digest})


def _change_head(bundle: Path, **changes: Any) -> None:
    description = json.loads((bundle / "head.json").read_bytes())
    (bundle / "head.json").write_text(json.dumps({**description, **changes}))


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
