"""A classification head: weight, bias, labels and link, checked and immutable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.encoding import Storage
from onnxhead.parameters import Weight, read_only, to_bias
from onnxhead_runtime.contract import Label, Link, check_labels, check_link, check_temperature, list_labels
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


class Stored(NamedTuple):
    """Where a parameter lies in a file as it is: float32 in row order.

    Attributes:
        path: The file.
        offset: Its first byte.
    """

    path: Path
    offset: int


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Head:
    """The last linear layer of a classifier, z = W f + b, and how z becomes probabilities.

    Attributes:
        weight: All of the weight, float32 (classes, features), read-only.
        bias: float32 (classes,), read-only.
        labels: One string, integer, boolean or float per class; None where classes are numbered from 0.
        link: `softmax`, `sigmoid` (independent labels) or `ovr` (one-vs-rest, normalised).
        temperature: The logits are divided by it before the link.
        matrix: The weight, to be read a block of classes at a time.
        bias_rounding: The largest change that rounding to float32 made to the bias; 0 if none.
        origin: Where the numbers came from, for reports; not saved.
        folding: What was folded into them, for reports; not saved. None where they are as they were found.
        stored: Where weight and bias lie as they are, for a model in place to refer to. None where the weight
            lies nowhere so; the bias may be None alone.

    Args:
        weight: Real numbers (classes, features). An array that is float32 in row order already is not
            copied: do not change it afterwards. One of 64 MiB or more, as float32, may be a map of a file: it
            is rounded and checked when it is saved, in one pass, and never copied as a whole.
        bias: Real numbers (classes,).
        labels: One per class. Two labels with a single row of weights make a binary head: its logit d
            becomes the logits [0, d], whose softmax is [1 - sigmoid(d), sigmoid(d)].
        link: See above.
        temperature: Positive; rounded to float32.
        origin: See above.
        folding: See above.
        stored: See above.
        bias_rounding: What was changed of the bias before.

    Raises:
        HeadError: The arrays do not fit each other, hold NaN, infinity or values beyond float32 (in a large
            weight this is found when it is saved), labels are not one per class and distinct, or link or
            temperature are not allowed.

    Example:
        >>> Head([[1.0, -1.0, 0.5], [0.8, 0.5, -0.3]], [0.2, -0.1], labels=["cat", "dog"])
        Head(classes=2, features=3, labels=('cat', 'dog'), link='softmax')
        >>> Head([[1.0, -1.0, 0.5]], [0.2], labels=["no", "yes"]).weight
        array([[ 0. ,  0. ,  0. ],
               [ 1. , -1. ,  0.5]], dtype=float32)
    """

    matrix: Weight
    bias: NDArray[np.float32]
    labels: tuple[Label, ...] | None
    link: Link
    temperature: float
    bias_rounding: float
    origin: str
    folding: Folding | None
    stored: tuple[Stored, Stored | None] | None

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
        stored: tuple[Stored, Stored | None] | None = None,
        bias_rounding: float = 0.0,
    ) -> None:
        matrix = weight if isinstance(weight, Weight) else Weight(weight)
        biases, rounding = to_bias(bias)
        _check_bias(biases, matrix.shape)
        checked_link = check_link(link, HeadError)
        listed = None if labels is None else list_labels(labels, HeadError)
        if len(biases) == 1 and listed is not None and len(listed) == 2:
            if checked_link != "softmax":
                raise HeadError(
                    "a single row of weights with two labels is a binary head, whose link is softmax (its "
                    f"probabilities are the sigmoid of one logit), got link {checked_link}: leave the link "
                    "out, or for the probability of one label alone give that label and link sigmoid"
                )
            row = matrix.whole()
            matrix, stored = Weight(np.concatenate([np.zeros_like(row), row])), None
            biases = read_only(np.concatenate([np.zeros_like(biases), biases]))
        if listed is not None:
            check_labels(listed, len(biases), HeadError)
        if len(biases) == 1 and checked_link != "sigmoid":
            raise HeadError(
                f"link {checked_link} must have at least 2 classes (of one class it is always 1), got "
                "weight with 1 row; for a binary head with the logit d give its two labels, negative "
                'first; for the probability of one label use link "sigmoid"'
            )
        values = {
            "matrix": matrix,
            "bias": biases,
            "labels": None if listed is None else tuple(listed),
            "link": checked_link,
            "temperature": check_temperature(temperature, HeadError),
            "bias_rounding": max(bias_rounding, rounding),
            "origin": origin,
            "folding": folding,
            "stored": stored,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        labels = "" if self.labels is None else f"labels={self.labels!r}, "
        return f"Head(classes={self.classes}, features={self.features}, {labels}link={self.link!r})"

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.matrix.shape[0]

    @property
    def features(self) -> int:
        """The number of features."""
        return self.matrix.shape[1]

    @property
    def class_labels(self) -> tuple[Label, ...]:
        """One label per class: the head's own, or the classes' numbers."""
        return tuple(range(self.classes)) if self.labels is None else self.labels

    def stored_as(self, weights: Storage, bias: Storage = "float32") -> Head:
        """Return the head with its weight and bias rounded to what they are kept as.

        Raises:
            HeadError: One of them is beyond it.

        Example:
            >>> Head([[1.0, 0.3], [0.5, -0.1]], [0.0, 0.0]).stored_as("float16").weight
            array([[ 1.        ,  0.30004883],
                   [ 0.5       , -0.09997559]], dtype=float32)
        """
        rounded, bias_rounding = to_bias(self.bias, bias)
        return Head(
            self.matrix.stored_as(weights),
            rounded,
            labels=self.labels,
            link=self.link,
            temperature=self.temperature,
            origin=self.origin,
            folding=self.folding,
            stored=self.stored if weights == "float32" else None,
            bias_rounding=max(bias_rounding, self.bias_rounding),
        )

    @property
    def weight(self) -> NDArray[np.float32]:
        """See above."""
        return self.matrix.whole()


def _check_bias(bias: NDArray[np.float32], shape: tuple[int, int]) -> None:
    classes, features = shape
    if bias.shape == (classes,):
        return
    if bias.shape == (features,):
        raise HeadError(
            f"bias must be ({classes},) for weight {shape}, got shape {bias.shape}; it fits weight "
            "as (features, classes): pass weight.T, or layout features-first where you read it"
        )
    hint = "; pass bias.ravel()" if bias.size == classes else ""
    raise HeadError(f"bias must be ({classes},) for weight {shape}, got shape {bias.shape}{hint}")
