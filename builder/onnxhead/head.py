"""A classification head: weight, bias, labels and link, checked and immutable."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead_runtime.arrays import describe, to_float32, to_numeric
from onnxhead_runtime.contract import (
    BIAS,
    WEIGHT,
    Label,
    Link,
    Metadata,
    check_labels,
    check_link,
    check_temperature,
    list_labels,
)
from onnxhead_runtime.errors import HeadError


@dataclass(frozen=True)
class Folding:
    """What stood before the last layer and was multiplied into its weight and bias, in float64.

    Attributes:
        steps: What was folded, in the order in which a row goes through it; may be empty.
        logits_error: The largest difference between the logits of weight and bias, before they are rounded
            to float32, and those of the source itself; None where the source shows none.
        probabilities_error: The same of the probabilities.
        rows: On how many random rows that was found.
    """

    steps: tuple[str, ...]
    logits_error: float | None
    probabilities_error: float | None
    rows: int


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Head:
    """The last linear layer of a classifier, z = W f + b, and how z becomes probabilities.

    Attributes:
        weight: float32 (classes, features), read-only.
        bias: float32 (classes,), read-only.
        labels: One string, integer, boolean or float per class; None where classes are numbered from 0.
        link: `softmax`, `sigmoid` (independent labels) or `ovr` (one-vs-rest, normalised).
        temperature: The logits are divided by it before the link.
        rounding: The largest change that rounding to float32 made to a weight or bias; 0 if none.
        origin: Where the numbers came from, for reports; not saved.
        folding: What was folded into them, for reports; not saved. None where they are as they were found.

    Args:
        weight: Real numbers (classes, features). An array that is float32 in row order already is not
            copied: do not change it afterwards.
        bias: Real numbers (classes,).
        labels: One per class. Two labels with a single row of weights make a binary head: its logit d
            becomes the logits [0, d], whose softmax is [1 - sigmoid(d), sigmoid(d)].
        link: See above.
        temperature: Positive; rounded to float32.
        origin: See above.
        folding: See above.

    Raises:
        HeadError: The arrays do not fit each other, hold NaN, infinity or values beyond float32, labels
            are not one per class and distinct, or link or temperature are not allowed.

    Example:
        >>> Head([[1.0, -1.0, 0.5], [0.8, 0.5, -0.3]], [0.2, -0.1], labels=["cat", "dog"])
        Head(classes=2, features=3, labels=('cat', 'dog'), link='softmax')
        >>> Head([[1.0, -1.0, 0.5]], [0.2], labels=["no", "yes"]).weight
        array([[ 0. ,  0. ,  0. ],
               [ 1. , -1. ,  0.5]], dtype=float32)
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    labels: tuple[Label, ...] | None
    link: Link
    temperature: float
    rounding: float = field(default=0.0)
    origin: str = ""
    folding: Folding | None = None

    def __init__(
        self,
        weight: Any,
        bias: Any,
        *,
        labels: Iterable[Any] | None = None,
        link: str = "softmax",
        temperature: float = 1.0,
        origin: str = "",
        folding: Folding | None = None,
    ) -> None:
        weights, weight_rounding = _to_parameter(weight, WEIGHT)
        biases, bias_rounding = _to_parameter(bias, BIAS)
        _check_shapes(weights, biases)
        checked_link = check_link(link, HeadError)
        listed = None if labels is None else list_labels(labels, HeadError)
        if len(weights) == 1 and listed is not None and len(listed) == 2:
            if checked_link != "softmax":
                raise HeadError(
                    "a single row of weights with two labels is a binary head, whose link is softmax (its "
                    f"probabilities are the sigmoid of one logit), got link {checked_link}: leave the link "
                    "out, or for the probability of one label alone give that label and link sigmoid"
                )
            weights = np.concatenate([np.zeros_like(weights), weights])
            biases = np.concatenate([np.zeros_like(biases), biases])
        if listed is not None:
            check_labels(listed, len(weights), HeadError)
        if len(weights) == 1 and checked_link != "sigmoid":
            raise HeadError(
                f"link {checked_link} must have at least 2 classes (of one class it is always 1), got "
                "weight with 1 row; for a binary head with the logit d give its two labels, negative "
                'first; for the probability of one label use link "sigmoid"'
            )
        values = {
            "weight": _read_only(weights),
            "bias": _read_only(biases),
            "labels": None if listed is None else tuple(listed),
            "link": checked_link,
            "temperature": check_temperature(temperature, HeadError),
            "rounding": max(weight_rounding, bias_rounding),
            "origin": origin,
            "folding": folding,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        labels = "" if self.labels is None else f"labels={self.labels!r}, "
        return f"Head(classes={self.classes}, features={self.features}, {labels}link={self.link!r})"

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.weight.shape[0])

    @property
    def features(self) -> int:
        """The number of features."""
        return int(self.weight.shape[1])

    def metadata(self) -> Metadata:
        """Return what the file says about this head; hashes the weights."""
        digest = weights_sha256(self.weight, self.bias)
        return Metadata(self.labels, self.link, self.temperature, digest)


def weights_sha256(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
    """Return the hexadecimal SHA-256 of the weight's bytes followed by the bias's, both little-endian."""
    digest = hashlib.sha256()
    for array in (weight, bias):
        digest.update(little_endian_bytes(array))
    return digest.hexdigest()


def little_endian_bytes(array: NDArray[np.float32]) -> memoryview:
    """Return the bytes of an array in row order, without a copy on a little-endian machine."""
    return np.ascontiguousarray(array, "<f4").data.cast("B")


def _to_parameter(value: Any, name: str) -> tuple[NDArray[np.float32], float]:
    """Return the value as float32 and the largest rounding error of that."""
    if value is None:
        raise HeadError(f"{name} must be an array, got None; a head without bias has numpy.zeros(classes)")
    array = to_numeric(value, name, HeadError)
    if array.dtype.kind == "b":
        raise HeadError(f"{name} must be real numbers, got {describe(array)}")
    rounded = to_float32(array, name, HeadError)
    _check_finite(rounded, name)
    if rounded.size == 0 or (array.dtype.itemsize <= 4 and array.dtype.kind not in "iu"):
        return rounded, 0.0  # float16, bfloat16 and float32 are exact in float32
    wide = np.result_type(array.dtype, np.float64) if array.dtype.kind == "f" else np.float64
    return rounded, float(np.abs(array.astype(wide) - rounded).max())


def _check_finite(array: NDArray[np.float32], name: str) -> None:
    # NaN and infinities all show in the minimum or the maximum, at no cost in memory
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise HeadError(f"{name} must be finite, got {array[where]} at {list(where)}")


def _check_shapes(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
    if weight.ndim != 2:
        hint = f"; for one class pass shape (1, {weight.size})" if weight.ndim == 1 else ""
        raise HeadError(f"weight must be 2-D (classes, features), got shape {weight.shape}{hint}")
    if weight.size == 0:
        raise HeadError(f"weight must have at least one class and feature, got shape {weight.shape}")
    classes, features = weight.shape
    if bias.shape == (classes,):
        return
    if bias.shape == (features,):
        raise HeadError(
            f"bias must be ({classes},) for weight {weight.shape}, got shape {bias.shape}; it fits weight "
            "as (features, classes): pass weight.T, or layout features-first where you read it"
        )
    hint = "; pass bias.ravel()" if bias.size == classes else ""
    raise HeadError(f"bias must be ({classes},) for weight {weight.shape}, got shape {bias.shape}{hint}")


def _read_only(array: NDArray[np.float32]) -> NDArray[np.float32]:
    view = array.view()
    view.flags.writeable = False
    return view
