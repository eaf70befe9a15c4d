"""What a source holds, before it is decided which of it is the head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Folding, Stored
from onnxhead_runtime.contract import Link

LABEL_KEYS = ("labels", "classes", "classes_")


class Entry(NamedTuple):
    """One named array, loaded when it is asked for.

    Attributes:
        shape: Its shape; None where it has none, or it is not known before it is loaded.
        dtype: Its element type or kind, for messages.
        load: Returns something array-like; raises SourceError.
        stored: Where it lies as float32 in row order.
    """

    shape: tuple[int, ...] | None
    dtype: str
    load: Callable[[], Any]
    stored: Stored | None = None

    def __str__(self) -> str:
        return self.dtype if self.shape is None else f"{self.shape} {self.dtype}"


@dataclass(frozen=True)
class Contents:
    """What a source holds.

    Attributes:
        name: The source's name for messages, such as the file name.
        entries: The arrays by key.
        labels: The labels that the source states.
        link: The link that the source states, or softmax.
        temperature: The temperature that the source states, or 1.
        ignored: Keys that are no arrays and mean nothing here.
        weight_key: The weight, where the source says which it is.
        bias_key: The same for the bias.
        is_model: The source is a whole model, not arrays by name: the layout of its weight is known, and
            where its weight has no bias there is none.
        folding: What was multiplied into the weight.
    """

    name: str
    entries: Mapping[str, Entry]
    labels: Sequence[Any] | None = None
    link: str = "softmax"
    temperature: float = 1.0
    ignored: tuple[str, ...] = ()
    weight_key: str | None = None
    bias_key: str | None = None
    is_model: bool = False
    folding: Folding | None = None


@dataclass(frozen=True, eq=False)
class Linear:
    """One linear layer, as a whole model computes it: scores, and the link to its probabilities.

    Attributes:
        weight: (rows, features); one row for two classes, whose score is that of the second.
        bias: (rows,).
        labels: One per class; None where they are numbered.
        link: The link; None where the model has no probabilities.
        keys: What weight and bias are in the model.
        temperature: The divisor of the scores before the link.
        steps: What was folded, in the order in which a row goes through it.
    """

    weight: NDArray[Any]
    bias: NDArray[Any]
    labels: Sequence[Any] | None
    link: Link | None
    keys: tuple[str, str]
    temperature: float = 1.0
    steps: tuple[str, ...] = ()

    def logits(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logits of rows, float64 (rows, classes): [0, d] of a single row of weights."""
        scores = rows @ np.asarray(self.weight, np.float64).T + self.bias
        return np.concatenate([np.zeros_like(scores), scores], axis=1) if len(self.weight) == 1 else scores

    def to_contents(self, name: str, folding: Folding | None) -> Contents:
        """Return it as the contents of the source `name`."""
        weight_key, bias_key = self.keys
        return Contents(
            name=name,
            entries={weight_key: to_entry(self.weight), bias_key: to_entry(self.bias)},
            labels=self.labels,
            link=self.link or "softmax",
            temperature=self.temperature,
            weight_key=weight_key,
            bias_key=bias_key,
            is_model=True,
            folding=folding,
        )


@dataclass(frozen=True)
class Request:
    """The arguments of `read` that say where in a source the head is; documented there."""

    layout: str | None = None
    weight_key: str | None = None
    bias_key: str | None = None
    no_bias: bool = False
    node: str | None = None
    link: str | None = None


def to_entry(value: Any) -> Entry:
    """Return the entry of something that is in memory already."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None:
        return Entry(None, f"of type {type(value).__name__}", lambda: value)
    return Entry(tuple(shape), str(dtype), lambda: value)


def unit_link(link: str, units: int) -> tuple[str, list[int] | None]:
    """Return link and labels of a layer; a single unit with a sigmoid tells two classes apart."""
    return ("softmax", [0, 1]) if link == "sigmoid" and units == 1 else (link, None)


def from_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return bfloat16 numbers as float32, of which they are the upper half."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
