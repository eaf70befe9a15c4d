"""The comparison of a whole model with its parts: the backbone run by itself, the head in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, TensorProto

from onnxhead.part import Part
from onnxhead.reference import (
    Deviation,
    Reference,
    deviation,
    link_bound,
    link_deviation,
    probabilities_bound,
    refer,
    refer_logits,
)
from onnxhead.whole_file import WholeFile
from onnxhead_runtime import Classifier, Prediction, links, load
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES
from onnxhead_runtime.errors import ModelError
from onnxhead_runtime.inputs import Feeds, Input

# Of the largest number of a row: how far a backbone that is run in two ways may be from itself. Its own bound
# is not known; in float32 networks of a dozen layers come to a hundredth of this.
_ROUNDING, _HALF_ROUNDING = 2.0**-14, 2.0**-6
_SMALLEST_NORMAL = 2.0**-126  # what is below may be flushed to zero
_HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


@dataclass(frozen=True)
class WholeCheck:
    """The comparison of a whole model with its parts, on a few rows.

    Attributes:
        rows: How many rows were compared.
        head: The logit that uses most of its bound, against the head in float64 on the features that the
            model itself computed; None for a model without a head that is known.
        link: The same of the probabilities, against the link in float64 of the model's own logits.
        apart: The same of the logits, against the backbone run by itself and then the head in float64. The
            bound allows for a backbone that rounds otherwise.
        alone: The logits of the first row without the others, against those with them, by the same bound;
            None where there is one row, or the number of rows is fixed. It is beyond its bound where a
            backbone lets rows depend on each other, as with dynamic quantisation: no error of the model.
    """

    against: ClassVar = "against float64 and the parts run apart"

    rows: int
    head: Deviation | None
    link: Deviation
    apart: Deviation
    alone: Deviation | None

    @property
    def passed(self) -> bool:
        """Whether everything is within its bound."""
        return all(one is None or one.ratio <= 1 for one in (self.head, self.link, self.apart))

    def __str__(self) -> str:
        named = {"logits": self.head, "probabilities": self.link, "logits of the parts": self.apart}
        errors = [f"{name} {one.error:.2g} (bound {one.bound:.2g})" for name, one in named.items() if one]
        return f"{', '.join(errors)}, on {self.rows} rows"


def check_whole(model: WholeFile, sample: Any = None, expected: NDArray[Any] | None = None) -> WholeCheck:
    """Run a whole model and its parts on the CPU, and compare them.

    Args:
        model: The model.
        sample: Inputs to run it on; None to make some up.
        expected: What the backbone is known to give for just these; None to run that part of the model.

    Raises:
        FeaturesError: The sample does not fit the inputs.
        ModelError: The model does not run.
        ProviderError: onnxruntime is missing.
    """
    feeds, given = (sample, expected) if expected is not None else model.open_backbone().try_sample(sample)
    check_numbers(model, given)
    exact = refer_whole(model, given)
    classify = load(model.path, device="cpu", mmap=True)  # which does not pack the weights
    answer = classify(feeds)
    link = link_deviation(
        model.metadata.link, model.metadata.temperature, answer.logits, answer.probabilities
    )
    apart = deviation(answer.logits, exact.logits, exact.logits_bound)
    alone = _alone(classify, feeds, answer, exact)
    del classify  # one session of a large network at a time
    inside = _inside(model, feeds) if model.has_head else None
    return WholeCheck(len(given), inside, link, apart, alone)


def first_row(feeds: Feeds, inputs: Sequence[Input]) -> Feeds | None:
    """Return the first row of a batch; None where it has no others, or their number is fixed."""
    if not all(one.is_batched for one in inputs) or min(len(array) for array in feeds.values()) < 2:
        return None
    return {name: array[:1] for name, array in feeds.items()}


def _alone(classify: Classifier, feeds: Feeds, answer: Prediction, exact: Reference) -> Deviation | None:
    first = first_row(feeds, classify.inputs)
    if first is None:
        return None
    alone = classify(first).logits
    return deviation(alone, answer.logits[: len(alone)].astype(np.float64), exact.logits_bound[: len(alone)])


def check_numbers(model: WholeFile, given: NDArray[Any]) -> None:
    """Raise ModelError unless what a backbone gives for a sample is numbers, which alone prove something."""
    if not np.isfinite(given).all():
        raise ModelError(
            f"a model is compared on numbers, what {model.path} makes of the sample has NaN or infinity: "
            "give other inputs with --sample FILE.npz (sample=)"
        )


def refer_whole(model: WholeFile, given: NDArray[Any]) -> Reference:
    """Return the answers of a whole model in float64, from what its backbone gives.

    The bounds allow for a backbone that another runtime, or the same in one piece, rounds otherwise.

    Args:
        model: The model.
        given: The features (batch, F); the logits (batch, classes) of a model without a head that is known.
    """
    largest = np.abs(given).max(axis=1, keepdims=True, initial=_SMALLEST_NORMAL)
    rounding = np.maximum(rounding_of(model.proto.graph) * largest.astype(np.float64), _SMALLEST_NORMAL)
    metadata = model.metadata
    if model.has_head:
        head = model.head()
        logits, bound = refer_logits(head, given, np.arange(head.classes), model.form)
        bound += rounding * np.abs(head.weight).sum(axis=1, dtype=np.float64)
    else:
        logits, bound = given.astype(np.float64), np.broadcast_to(rounding, given.shape)
    probabilities = links.probabilities(logits, metadata.link, metadata.temperature)
    tolerance = probabilities_bound(bound, metadata.temperature) + link_bound(probabilities, metadata.link)
    return Reference(logits, probabilities, bound, tolerance)


def _inside(model: WholeFile, feeds: Feeds) -> Deviation:
    """Compare the logits with float64 on the very features that they come from."""
    head = model.head()
    features, logits, _ = Part(model.path, model.proto, [FEATURES, LOGITS, PROBABILITIES]).run(feeds)
    exact = refer(head, features, model.form)
    return deviation(logits, exact.logits, exact.logits_bound)


def rounding_of(graph: GraphProto) -> float:
    """Return how far a backbone that is run in two ways may be from itself, of the largest of a row."""
    is_half = any(tensor.data_type in _HALVES for tensor in graph.initializer)
    return _HALF_ROUNDING if is_half else _ROUNDING
