"""The bundle of every head, and bundles that are wrong on purpose."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

import onnxhead
from clients.heads import save_forms, save_heads
from clients.wholes import save_wholes

_AGAIN = "copy the bundle again, as a whole"
_RANDOM = ("random", "sample")  # of heads, of whole models
_ROW = 2

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

# the same of whole models, and what is wrong with the files of their inputs
WHOLE_REFUSALS = {
    **REFUSALS,
    "other-format": ("this client reads bundles of format 2", "1", "ship it again with the onnxhead that"),
    "no-input": ("a bundle must hold", "input_0.bin", _AGAIN),
    "half-an-input": ("input_0.bin must be as onnxhead ships it", "has not", _AGAIN),
    "input-elsewhere": ("vectors.json must be as onnxhead ships it", "is in a test_data_set", _AGAIN),
    "other-input": ("the model must have the inputs and outputs of head.json", _AGAIN),
}


@dataclass(frozen=True)
class Bundles:
    """What one kind of client is held to.

    Attributes:
        passing: What it must pass, by the name of the model.
        mutants: What must fail, each wrong in one way: a number of the model, an answer, a label.
        refused: What it must refuse.
        refusals: What it must say of each of those: the rule and the remedy.
    """

    passing: dict[str, Path]
    mutants: dict[str, Path]
    refused: dict[str, Path]
    refusals: dict[str, tuple[str, ...]]


def ship_heads(folder: Path) -> Bundles:
    """Ship heads, and break them."""
    passing = ship_bundles(folder / "bundles")
    spoiled = passing["multilabel"]
    refused = _ship_refused(folder / "refused", spoiled, REFUSALS)
    _change_head(refused["other-format"], format="2", model={"name": "model.onnx"})
    return Bundles(passing, _ship_mutants(folder / "mutants", spoiled), refused, REFUSALS)


def ship_wholes(folder: Path) -> Bundles:
    """Ship whole models, and break them."""
    shutil.rmtree(folder, ignore_errors=True)
    passing = _ship_all(save_wholes(folder / "models"), folder / "bundles")
    spoiled = passing["dtypes"]
    refused = _ship_refused(folder / "refused", spoiled, WHOLE_REFUSALS)
    _change_head(refused["other-format"], format="1", model={"name": "model.onnx"})
    (refused["no-input"] / "test_data_set_0" / "input_0.bin").unlink()
    with (refused["half-an-input"] / "test_data_set_0" / "input_0.bin").open("r+b") as file:
        file.truncate(4)
    shutil.copy(refused["input-elsewhere"] / "test_data_set_0" / "input_0.bin", folder / "refused")
    _change_case(refused["input-elsewhere"], lambda case: case["inputs"][0].update(file="../input_0.bin"))
    inputs = json.loads((spoiled / "head.json").read_bytes())["inputs"]
    _change_head(refused["other-input"], inputs=[{**inputs[0], "dtype": "float64"}, *inputs[1:]])
    return Bundles(passing, _ship_mutants(folder / "mutants", spoiled), refused, WHOLE_REFUSALS)


def ship_bundles(folder: Path) -> dict[str, Path]:
    """Return the bundle of each head by its name."""
    shutil.rmtree(folder, ignore_errors=True)
    return _ship_all(save_heads(folder / "models") | save_forms(folder / "models"), folder)


def _ship_all(models: dict[str, Path], folder: Path) -> dict[str, Path]:
    return {
        name: onnxhead.ship(path, "bundle", folder / name).path / "bundle" for name, path in models.items()
    }


def _ship_mutants(folder: Path, bundle: Path) -> dict[str, Path]:
    mutants = _copy(bundle, folder, ("model", "vector", "probability", "label"))
    _change_weight(mutants["model"])
    _state_hash(mutants["model"])
    _change_vectors(mutants["vector"], "logits")
    _change_vectors(mutants["probability"], "probabilities")
    _change_labels(mutants["label"])
    return mutants


def _ship_refused(folder: Path, bundle: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return bundles of these names, and break those that are broken in every format alike."""
    refused = _copy(bundle, folder, names)
    _change_weight(refused["changed-model"])
    (refused["no-head"] / "head.json").unlink()
    (refused["no-model"] / "model.onnx").unlink()
    (refused["no-vectors"] / "vectors.json").unlink()
    for name, file in (("half-a-head", "head.json"), ("half-the-vectors", "vectors.json")):
        content = (refused[name] / file).read_bytes()
        (refused[name] / file).write_bytes(content[: len(content) // 2])
    _change_head(refused["no-labels"], labels=[])
    vectors = json.loads((bundle / "vectors.json").read_bytes())
    (refused["no-cases"] / "vectors.json").write_text(json.dumps({**vectors, "cases": []}))
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
    """Make one number of one case larger by a thousandth, in vectors.json and, where it is there, as raw float32."""

    def change(case: Any) -> None:
        case[key][_ROW][1] += 1e-3

    number, case = _change_case(bundle, change)
    raw = bundle / f"test_data_set_{number}" / f"{key}.f32"
    if raw.exists():
        np.array(case[key], "<f4").tofile(raw)


def _change_labels(bundle: Path) -> None:
    """State no label for a row that has some, and whose numbers are right."""

    def change(case: Any) -> None:
        row = next(i for i, labels in enumerate(case["labels"]) if labels)
        case["labels"][row] = []

    _change_case(bundle, change)


def _change_case(bundle: Path, change: Callable[[Any], None]) -> tuple[int, Any]:
    """Change the case of random rows; return its number and what it is now."""
    document = json.loads((bundle / "vectors.json").read_bytes())
    number, case = next(pair for pair in enumerate(document["cases"]) if pair[1]["name"] in _RANDOM)
    change(case)
    (bundle / "vectors.json").write_text(json.dumps(document))
    return number, case
