"""A whole model that is loaded: a network with its head."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxhead_client.bundle import BundleError
from onnxhead_client.description import Input, read_description
from onnxhead_client.prediction import Prediction
from onnxhead_client.session import check_labels, open_session

_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}  # onnxruntime's, where they are others
_FLOAT32 = "float32"


class InputsError(ValueError):
    """Inputs that are not those of the model, or that it does not run on."""


class Classifier:
    """A model that is loaded. Several threads may call it at once.

    Attributes:
        inputs: What the model takes.
        labels: One per class.
        link: How logits become probabilities: softmax, sigmoid or ovr.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Load a bundle.

        Raises:
            BundleError: The folder is no bundle, or its files are not those that were shipped.
        """
        description = read_description(Path(folder))
        self.inputs, self.labels, self.link = description.inputs, description.labels, description.link
        self._listed = "; ".join(map(str, self.inputs))
        self._outputs = description.outputs
        self._session = open_session(description.model, threads=0)
        self._check_signature()
        check_labels(self._session, self.labels)

    def __call__(self, inputs: Mapping[str, npt.ArrayLike] | npt.ArrayLike) -> list[Prediction]:
        """Answer a batch.

        Args:
            inputs: Arrays by the names of the model's inputs; of a model with one input also that alone.

        Returns:
            One prediction per row.

        Raises:
            InputsError: They are not those of the model, or it does not run on them.
        """
        feeds = self.to_feeds(inputs)
        shown = "; ".join(f"{name} {_describe(array)}" for name, array in feeds.items())
        try:
            logits, probabilities = self._session.run(self._outputs, feeds)
        except Exception as cause:  # onnxruntime's exceptions have no public base
            raise InputsError(
                f"the model must run on {shown}, onnxruntime fails ({cause}): pass other shapes or values"
            ) from cause
        if logits.shape != probabilities.shape or logits.shape[1:] != (len(self.labels),):
            raise InputsError(
                f"logits and probabilities must be [rows, {len(self.labels)}], the model answers "
                f"{list(logits.shape)} and {list(probabilities.shape)} to {shown}: pass other shapes"
            )
        return [Prediction(z, p, self.labels) for z, p in zip(logits, probabilities, strict=True)]

    def to_feeds(self, inputs: Mapping[str, npt.ArrayLike] | npt.ArrayLike) -> dict[str, npt.NDArray[Any]]:
        """Return inputs as arrays by name, without running the model.

        Raises:
            InputsError: They are not those of the model.
        """
        given = self._by_name(inputs)
        return {one.name: _to_array(given[one.name], one) for one in self.inputs}

    def _by_name(self, inputs: Mapping[str, npt.ArrayLike] | npt.ArrayLike) -> Mapping[str, npt.ArrayLike]:
        names = [one.name for one in self.inputs]
        if not isinstance(inputs, Mapping):
            if len(names) == 1:
                return {names[0]: inputs}
            raise InputsError(
                f"this model takes {self._listed}: pass a dict with an array for each, got "
                f"{type(inputs).__name__}"
            )
        missing = [name for name in names if name not in inputs]
        if missing:
            raise InputsError(f"this model takes {self._listed}: pass an array for {missing[0]} too")
        unknown = [name for name in inputs if name not in names]
        if unknown:
            raise InputsError(f"this model takes {self._listed}, and no {unknown[0]!r}: leave it out")
        return inputs

    def _check_signature(self) -> None:
        """Raise BundleError unless the model has the inputs and outputs of head.json."""
        found = [
            (node.name, _dtype(node), tuple(axis if isinstance(axis, int) else None for axis in node.shape))
            for node in self._session.get_inputs()
        ]
        stated = [(one.name, one.dtype, one.shape) for one in self.inputs]
        found_outputs = [(node.name, _dtype(node), node.shape[1:]) for node in self._session.get_outputs()]
        stated_outputs = [(name, _FLOAT32, [len(self.labels)]) for name in self._outputs]
        if (found, found_outputs) != (stated, stated_outputs):
            raise BundleError(
                f"the model must have the inputs and outputs of head.json, {stated} and {stated_outputs}, it "
                f"has {found} and {found_outputs}: copy the bundle again, as a whole"
            )


def _dtype(node: Any) -> str:
    kind: str = node.type
    return _DTYPES.get(kind, kind.removeprefix("tensor(").removesuffix(")"))


def _to_array(value: npt.ArrayLike, wanted: Input) -> npt.NDArray[Any]:
    try:
        array = np.asarray(value)
    except ValueError as cause:
        raise InputsError(f"this model takes {wanted}, this is no array ({cause}): convert it") from cause
    if array.dtype != wanted.dtype:
        raise InputsError(
            f"this model takes {wanted}, got {_describe(array)}: convert it, with numpy.asarray(array, "
            f"numpy.{wanted.dtype})"
        )
    fits = array.ndim == len(wanted.shape) and all(
        length > 0 and axis in (None, length) for length, axis in zip(array.shape, wanted.shape, strict=True)
    )
    if not fits:
        raise InputsError(
            f"this model takes {wanted}, got {_describe(array)}: pass an array with as many axes, of the "
            "lengths that are fixed, and none of length 0"
        )
    return np.ascontiguousarray(array) if array.ndim else array


def _describe(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"
