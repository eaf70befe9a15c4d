"""What the head.json of a head states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxhead_client.bundle import Label, read_head

_FORMAT = "1"


@dataclass(frozen=True)
class Description:
    """What head.json says.

    Attributes:
        model: The .onnx file.
        inputs: The name of the model's input, in a list.
        outputs: The names of its outputs: logits, then probabilities.
        features: How many features a row has.
        labels: One per class.
        link: How logits become probabilities: softmax, sigmoid or ovr.
    """

    model: Path
    inputs: list[str]
    outputs: list[str]
    features: int
    labels: list[Label]
    link: str


def read_description(folder: Path) -> Description:
    """Read head.json, and hold the model's files to the hashes in it.

    Raises:
        BundleError: It is missing or malformed, or a file is not the one that was shipped.
    """
    document = read_head(folder, _FORMAT, _find_problem)
    return Description(
        model=folder / document["model"],
        inputs=document["inputs"],
        outputs=document["outputs"],
        features=document["features"],
        labels=document["labels"],
        link=document["link"],
    )


def _find_problem(document: dict[str, Any]) -> str | None:
    """Say what is wrong in what a head states of itself, if anything is."""
    if not isinstance(document.get("features"), int):
        return "it states no number of features"
    if len(document["inputs"]) != 1:
        return "it does not name one input"
    return None
