"""What the head.json of a whole model states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxhead_client.bundle import Label, read_head

_FORMAT = "2"
_DTYPES = (
    *("float32", "float64", "bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
)


@dataclass(frozen=True)
class Input:
    """One input of a model.

    Attributes:
        name: Its name.
        dtype: The name of its numpy dtype.
        shape: The length of each axis; None where it is free.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        """Return all of it, with ? for an axis that is free."""
        axes = ", ".join("?" if axis is None else str(axis) for axis in self.shape)
        return f"{self.name} {self.dtype} [{axes}]"


@dataclass(frozen=True)
class Description:
    """What head.json says.

    Attributes:
        model: The .onnx file.
        inputs: What the model takes.
        outputs: The names of its outputs: logits, then probabilities.
        labels: One per class.
        link: How logits become probabilities: softmax, sigmoid or ovr.
    """

    model: Path
    inputs: tuple[Input, ...]
    outputs: list[str]
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
        inputs=tuple(Input(one["name"], one["dtype"], tuple(one["shape"])) for one in document["inputs"]),
        outputs=document["outputs"],
        labels=document["labels"],
        link=document["link"],
    )


def _find_problem(document: dict[str, Any]) -> str | None:
    """Say what is wrong in the inputs, if anything is."""
    inputs = document["inputs"]
    if not isinstance(inputs, list) or not inputs or not all(map(_is_input, inputs)):
        return f"it states inputs without name, dtype and shape, or none: {inputs}"
    if len({one["name"] for one in inputs}) < len(inputs):
        return "it states two inputs of one name"
    return None


def _is_input(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("name"), str)
        and one.get("dtype") in _DTYPES
        and isinstance(one.get("shape"), list)
        and all(axis is None or (type(axis) is int and axis > 0) for axis in one["shape"])
    )
