"""The inputs of a model, and whether what it is given fits them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.arrays import describe, to_numeric
from onnxhead_runtime.errors import FeaturesError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NAMES = {"float": "float32", "double": "float64", "string": "str"}  # onnxruntime's, where they are others
_NUMBERS = "bool float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64".split()  # noqa: SIM905


UNNAMED = "?"  # what some write for a length without a symbol
Axis = int | str | None  # a length; a symbol where it is free; None where it has not even that


@dataclass(frozen=True)
class Input:
    """One input of a model.

    Attributes:
        name: Its name.
        dtype: The name of its numpy dtype, such as `float32`; `str` for text.
        shape: Its axes.
    """

    name: str
    dtype: str
    shape: tuple[Axis, ...]

    @property
    def is_batched(self) -> bool:
        """Whether its first axis is one of any length, which is that of the rows."""
        return bool(self.shape) and not isinstance(self.shape[0], int)

    def __str__(self) -> str:
        axes = ["?" if axis is None else str(axis) for axis in self.shape]
        return f"{self.name} {self.dtype} [{', '.join(axes)}]"


Feeds = Mapping[str, "NDArray[Any]"]


def list_inputs(session: Any, path: str) -> tuple[Input, ...]:
    """Return the inputs of an `onnxruntime.InferenceSession`.

    Raises:
        ModelError: The file at `path`, which it was opened from, has one that numpy has no array for.
    """
    found = []
    for node in session.get_inputs():
        kind = re.sub(r"^tensor\((\w+)\)$", r"\1", node.type)
        dtype = _NAMES.get(kind, kind)
        if dtype not in (*_NUMBERS, "str"):
            raise ModelError(
                f"inputs must be tensors of numbers, booleans or text, {path} has {node.name} of type "
                f"{node.type}"
            )
        found.append(Input(node.name, dtype, tuple(node.shape)))
    return tuple(found)


def to_feeds(value: Any, inputs: tuple[Input, ...]) -> Feeds:
    """Return what a model with these inputs is given as arrays of its types.

    Args:
        value: Array-likes by the names of the inputs; of a model with one input also that alone. Where each
            has an axis too few, they are those of one row.
        inputs: The inputs.

    Raises:
        FeaturesError: An input is missing or there is none of that name, or type or shape are others.

    Example:
        >>> feeds = to_feeds({"ids": [1, 2]}, (Input("ids", "int64", ("batch", "tokens")),))
        >>> feeds["ids"]
        array([[1, 2]])
    """
    given = by_name(value, inputs)
    feeds = {one.name: _to_array(given[one.name], one) for one in inputs}
    if inputs and all(feeds[one.name].ndim == len(one.shape) - 1 for one in inputs):
        feeds = {name: array[np.newaxis] for name, array in feeds.items()}
    _check_shapes(feeds, inputs)
    return feeds


def describe_feeds(feeds: Feeds) -> str:
    """Return names and shapes for a message."""
    return ", ".join(f"{name} {array.shape}" for name, array in feeds.items())


def by_name(value: Any, inputs: tuple[Input, ...]) -> Mapping[str, Any]:
    """Return what is given for each input, by name; alone it is for the only one.

    Raises:
        FeaturesError: An input is missing, or there is none of that name.
    """
    names = [one.name for one in inputs]
    listed = "; ".join(map(str, inputs))
    if not isinstance(value, Mapping):
        if len(inputs) == 1:
            return {names[0]: value}
        raise FeaturesError(
            f"this model has {len(inputs)} inputs, {listed}: give an array for each by name, as a dict or a "
            f"JSON object, got {type(value).__name__}"
        )
    for name in names:
        if name not in value:
            raise FeaturesError(f"this model takes {listed}: {name} is missing, got {_some(value)}")
    for name in value:
        if name not in names:
            raise FeaturesError(f"this model takes {listed}, and no {name!r}: leave it out")
    return value


def _some(value: Mapping[str, Any]) -> str:
    return ", ".join(map(str, list(value)[:10])) or "nothing"


def _to_array(value: Any, wanted: Input) -> NDArray[Any]:
    if wanted.dtype == "str":
        return _to_text(value, wanted)
    array = to_numeric(value, wanted.name, FeaturesError)
    dtype = np.dtype(wanted.dtype)
    if array.dtype == dtype:
        return np.asarray(array, order="C")
    allowed = {"f": "biufV", "i": "biu", "u": "biu", "b": "b"}[dtype.kind]
    if array.dtype.kind not in allowed:
        raise FeaturesError(f"{wanted.name} must be {wanted.dtype}, got {describe(array)}: convert it first")
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.asarray(array.astype(dtype), order="C")
        lost = ~np.isfinite(converted) & np.isfinite(array) if dtype.kind == "f" else converted != array
    if lost.any():
        raise FeaturesError(f"{wanted.name} must fit {wanted.dtype}, got {array[lost][0]}")
    return converted


def _to_text(value: Any, wanted: Input) -> NDArray[Any]:
    array = np.asarray(value, dtype=object)
    if not all(isinstance(one, str) for one in array.flat):
        raise FeaturesError(f"{wanted.name} must be text, got others among it")
    return array


def _check_shapes(feeds: Feeds, inputs: tuple[Input, ...]) -> None:
    """Raise unless every axis is there, with the length that it must have, and a symbol means one length."""
    lengths: dict[str, tuple[int, str]] = {}
    for one in inputs:
        shape = feeds[one.name].shape
        fits = len(shape) == len(one.shape) and all(
            not isinstance(axis, int) or axis == length for axis, length in zip(one.shape, shape, strict=True)
        )
        if not fits:
            raise FeaturesError(f"this model takes {one}, got {describe(feeds[one.name])}")
        for axis, length in zip(one.shape, shape, strict=True):
            if not isinstance(axis, str) or axis == UNNAMED:
                continue
            known, name = lengths.setdefault(axis, (length, one.name))
            if length != known:
                raise FeaturesError(
                    f"{axis} is one length in all inputs of this model, got {known} in {name} and {length} "
                    f"in {one.name}"
                )
