"""The file contract: the names inside the file and its metadata, spelled here and nowhere else.

docs/format.md is the specification; this module is what the builder writes with and the runtime reads with.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from onnxhead_runtime.errors import ModelError, OnnxHeadError

FEATURES = "features"
WEIGHT = "weight"
BIAS = "bias"
TEMPERATURE = "temperature"
LOGITS = "logits"
PROBABILITIES = "probabilities"
TOP_PROBABILITIES = "top_probabilities"
TOP_CLASSES = "top_classes"

FORMAT = "1"
PREFIX = "onnxhead."
FORMAT_KEY = PREFIX + "format"
LABELS_KEY = PREFIX + "labels"
GRAPH_KEY = PREFIX + "graph_sha256"

Label = str | int | bool | float
# One row's answer: a label, or with the link `sigmoid` several; None where it is undefined.
Decision = Label | tuple[Label, ...] | None
Link = Literal["softmax", "sigmoid", "ovr"]
LINKS: tuple[Link, ...] = get_args(Link)


@dataclass(frozen=True)
class Metadata:
    """What the file's `metadata_props` say about the head.

    Attributes:
        labels: One label per class, or None where the classes are numbered 0 to C-1.
        link: How logits become probabilities.
        temperature: The divisor of the logits before the link, exactly representable in float32.
        weights_sha256: Hexadecimal SHA-256 of the weight's bytes, of the scales that int8 has, and of the
            bias's, each as the file keeps it: little-endian in row order. Empty for a model without a head
            that is known.
        graph_sha256: Of a whole model the hexadecimal SHA-256 of its graph, and of all weights beside it;
            empty for a head alone.
    """

    labels: tuple[Label, ...] | None
    link: Link
    temperature: float
    weights_sha256: str
    graph_sha256: str = ""

    def to_props(self) -> dict[str, str]:
        """Return the `metadata_props` in the order in which they are written."""
        props = {"format": FORMAT}
        if self.labels is not None:
            props["labels"] = json.dumps(self.labels, ensure_ascii=False, separators=(",", ":"))
        props["link"] = self.link
        props["temperature"] = str(np.float32(self.temperature))
        if self.weights_sha256:
            props["weights_sha256"] = self.weights_sha256
        if self.graph_sha256:
            props["graph_sha256"] = self.graph_sha256
        return {PREFIX + key: value for key, value in props.items()}

    @classmethod
    def from_props(cls, props: Mapping[str, str], classes: int) -> Metadata | None:
        """Read the `metadata_props` of a file with `classes` classes.

        Returns:
            The metadata, or None for a file that states no `onnxhead.format`: onnxhead did not build it.

        Raises:
            ModelError: A value is missing or malformed, or the format is newer than this version.
        """
        values = {k.removeprefix(PREFIX): v for k, v in props.items() if k.startswith(PREFIX)}
        if "format" not in values:
            return None
        if values["format"] != FORMAT:
            raise ModelError(
                f"this version reads file format {FORMAT}, the file states {values['format']!r}: "
                "upgrade with pip install --upgrade onnxhead"
            )
        labels = values.get("labels")
        return cls(
            labels=None if labels is None else _parse_labels(labels, classes),
            link=check_link(values.get("link"), ModelError),
            temperature=_parse_temperature(values.get("temperature", "")),
            weights_sha256=values.get("weights_sha256", ""),
            graph_sha256=values.get("graph_sha256", ""),
        )


def check_link(link: object, error: type[OnnxHeadError]) -> Link:
    """Return `link` if it is one of `LINKS`, raise `error` otherwise."""
    for known in LINKS:
        if link == known:
            return known
    raise error(f"link must be one of {', '.join(LINKS)}, got {link!r}")


def check_temperature(temperature: float, error: type[OnnxHeadError]) -> float:
    """Return `temperature` rounded to float32, raise `error` unless that is positive and finite."""
    try:
        with np.errstate(over="ignore", under="ignore"):
            rounded = float(np.float32(temperature))
    except (TypeError, ValueError, OverflowError) as cause:
        raise error(f"temperature must be a number, got {temperature!r}") from cause
    if not (math.isfinite(rounded) and rounded >= np.finfo(np.float32).tiny):
        raise error(f"temperature must be positive and finite in float32, got {temperature!r}")
    return rounded


def list_labels(labels: object, error: type[OnnxHeadError]) -> list[Label]:
    """Return labels as plain Python values, numpy scalars unwrapped.

    Raises:
        error: They are not a sequence of strings, integers, booleans and finite floats.
    """
    if isinstance(labels, str | bytes | Mapping | Set) or not isinstance(labels, Iterable):
        raise error(f"labels must be a sequence with one label per class, in their order, got {labels!r}")
    if isinstance(labels, np.ndarray) and labels.ndim != 1:
        raise error(
            f"labels must be a sequence with one label per class, got an array of shape {labels.shape}"
        )
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    for label in plain:
        _check_label(label, error)
    return plain


def check_labels(labels: Sequence[Label], classes: int, error: type[OnnxHeadError]) -> None:
    """Raise `error` unless the labels are one per class and distinct."""
    if len(labels) != classes:
        raise error(f"labels must be one per class: got {len(labels)} labels for {classes} classes")
    if len(set(labels)) != len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise error(f"labels must be distinct, got {twice!r} {labels.count(twice)} times")


def _check_label(label: object, error: type[OnnxHeadError]) -> None:
    if not isinstance(label, Label):
        raise error(
            "labels must be strings, integers, booleans or floats, "
            f"got {label!r} of type {type(label).__name__}"
        )
    if isinstance(label, float) and not math.isfinite(label):
        raise error(f"labels must be finite, got {label!r}")
    if isinstance(label, str) and not label.isascii():
        try:
            label.encode()
        except UnicodeEncodeError as cause:
            raise error(f"labels must be text that UTF-8 can hold, got {label!r}") from cause


def _parse_labels(text: str, classes: int) -> tuple[Label, ...]:
    try:
        labels = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise ModelError("the file's onnxhead.labels must be a JSON array, it is not JSON") from cause
    if not isinstance(labels, list):
        raise ModelError(f"the file's onnxhead.labels must be a JSON array, it is a {type(labels).__name__}")
    listed = list_labels(labels, ModelError)
    check_labels(listed, classes, ModelError)
    return tuple(listed)


def _parse_temperature(text: str) -> float:
    try:
        return check_temperature(float(text), ModelError)
    except ValueError as cause:
        raise ModelError(
            f"the file's onnxhead.temperature must be a positive decimal, it is {text!r}"
        ) from cause
