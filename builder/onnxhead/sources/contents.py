"""What a source holds, before it is decided which of it is the head."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

LABEL_KEYS = ("labels", "classes", "classes_")


class Entry(NamedTuple):
    """One named array, loaded when it is asked for.

    Attributes:
        description: Shape and dtype, for messages.
        load: Returns something array-like; raises SourceError.
    """

    description: str
    load: Callable[[], Any]


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
    """

    name: str
    entries: Mapping[str, Entry]
    labels: Sequence[Any] | None = None
    link: str = "softmax"
    temperature: float = 1.0
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """The arguments of `read` that say where in a source the head is; documented there."""

    layout: str | None = None
    weight_key: str | None = None
    bias_key: str | None = None
    no_bias: bool = False


def to_entry(value: Any) -> Entry:
    """Return the entry of something that is in memory already."""
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    description = f"of type {type(value).__name__}" if shape is None else f"{tuple(shape)} {dtype}"
    return Entry(description, lambda: value)
