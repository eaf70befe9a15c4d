"""Heads from folders of Hugging Face's transformers: config.json beside the weights, in one file or many."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from onnxhead.sources import safetensors, torch_file
from onnxhead.sources.contents import Contents, Entry, Request
from onnxhead_runtime.errors import SourceError

_LINKS = {
    "None": "softmax",
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
}
# transformers prefers them in this order
_READERS: dict[str, Callable[[Path, Request], Contents]] = {
    "model.safetensors": safetensors.read,
    "pytorch_model.bin": torch_file.read,
}


def read(folder: Path, request: Request) -> Contents:
    """Read a folder as `save_pretrained` writes it.

    Raises:
        SourceError: It is none, a part is missing, or it is not a classifier's.
    """
    name = folder.resolve().name
    config = _read_json(folder, "config.json")
    link = _LINKS.get(str(config.get("problem_type")))
    labels = _labels(folder, config.get("id2label"))
    if link is None or (labels is not None and len(labels) == 1 and request.link is None):
        raise SourceError(
            f"a head must be a classifier's, {name}/config.json states problem_type "
            f"{config.get('problem_type')!r} and {'no' if labels is None else len(labels)} labels, which "
            "transformers takes for a regression"
        )
    models = config.get("architectures")
    is_classifier = not isinstance(models, list) or any("Classification" in str(model) for model in models)
    if not is_classifier and request.weight_key is None:
        raise SourceError(
            f"a head must be a classifier's, {name}/config.json states the architecture "
            f"{', '.join(map(str, models or []))}: name the weight of its last layer with --weight-key "
            "(weight_key=) if it has one"
        )
    return Contents(name, _entries(folder, request), labels, link, is_model=True)


def _entries(folder: Path, request: Request) -> Mapping[str, Entry]:
    for name, reader in _READERS.items():
        if (folder / name).is_file():
            return reader(folder / name, request).entries
        if (folder / f"{name}.index.json").is_file():
            shards = _shards(folder, f"{name}.index.json")
            found = [reader(shard, request).entries for shard in shards]
            return {key: entry for entries in found for key, entry in entries.items()}
    raise SourceError(
        f"a folder must hold {' or '.join(_READERS)}, or its index, beside config.json; {folder} holds none"
    )


def _shards(folder: Path, index: str) -> list[Path]:
    places = _read_json(folder, index).get("weight_map")
    names = list(places.values()) if isinstance(places, dict) else []
    for name in names:
        if not isinstance(name, str) or name in (".", "..") or set(name) & set("/\\\0"):
            raise SourceError(f"{folder.name}/{index} must name files in its folder, got {name!r}")
        if not os.path.isfile(folder / name):  # noqa: PTH113  (Path.is_file raises for long names)
            raise SourceError(f"{folder.name}/{index} names {name}, which is not there: copy all parts")
    if not names:
        raise SourceError(f"{folder.name}/{index} must have a weight_map of keys to files")
    return [folder / name for name in sorted(set(names))]


def _labels(folder: Path, id2label: Any) -> list[Any] | None:
    if id2label is None:
        return None
    numbers = [str(number) for number in range(len(id2label))] if isinstance(id2label, dict) else None
    if numbers is None or set(numbers) != set(id2label):
        raise SourceError(f"{folder.name}/config.json: id2label must number the labels from 0")
    return [id2label[number] for number in numbers]


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        document = json.loads((folder / name).read_text("utf-8"))
    except FileNotFoundError as cause:
        raise SourceError(
            f"a folder must be a Hugging Face model with {name}, {folder} has none; for a file give its path"
        ) from cause
    except (ValueError, OSError, RecursionError) as cause:
        raise SourceError(f"{folder.name}/{name} must be JSON: {cause}") from cause
    if not isinstance(document, dict):
        raise SourceError(f"{folder.name}/{name} must be a JSON object, got a {type(document).__name__}")
    return document
