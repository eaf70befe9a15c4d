"""A head that is loaded, and what it answers."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onnxhead_client.bundle import BundleError, Label, read_description

# onnxruntime 1.29 and newer send usage data unless this is set before it is imported
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime


class FeaturesError(ValueError):
    """Features have another width, or are no numbers."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The answer for one row.

    Attributes:
        logits: float32 (classes,).
        probabilities: float32 (classes,).
        labels: One per class.
    """

    logits: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    labels: list[Label]

    @property
    def label(self) -> Label | None:
        """The label with the largest logit; None where a probability is NaN."""
        return self.labels[int(self.logits.argmax())] if self._is_defined() else None

    def above(self, threshold: float) -> list[Label]:
        """Return the labels with a probability above a threshold, for heads whose labels are independent."""
        if not self._is_defined():
            return []
        return [self.labels[i] for i in np.flatnonzero(self.probabilities > threshold)]

    def top(self, k: int) -> list[tuple[Label, float]]:
        """Return the k most probable labels with their probabilities, most probable first.

        Raises:
            ValueError: k is less than 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if not self._is_defined():
            return []
        order = np.argsort(-self.logits, kind="stable")[:k]
        return [(self.labels[i], float(self.probabilities[i])) for i in order]

    def _is_defined(self) -> bool:
        return not bool(np.isnan(self.probabilities).any())


class Classifier:
    """A head that is loaded. Several threads may call it at once.

    Attributes:
        features: How many features a row has.
        labels: One per class.
        link: How logits become probabilities: softmax, sigmoid or ovr.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Load a bundle.

        Raises:
            BundleError: The folder is no bundle, or its files are not those that were shipped.
        """
        description = read_description(Path(folder))
        self.features, self.labels, self.link = description.features, description.labels, description.link
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # a head is small, and callers have threads of their own
        try:
            self._session = onnxruntime.InferenceSession(
                str(description.model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as cause:  # onnxruntime's exceptions have no public base
            raise BundleError(
                f"{description.model} must load in onnxruntime, {onnxruntime.__version__} refuses it "
                f"({cause}): take a newer onnxruntime, or copy the bundle again, as a whole"
            ) from cause
        self._input, self._outputs = description.inputs[0], description.outputs
        values = [*self._session.get_inputs(), *self._session.get_outputs()]
        found = [(value.name, value.shape[-1]) for value in values]
        stated = [
            *((name, self.features) for name in description.inputs),
            *((name, len(self.labels)) for name in description.outputs),
        ]
        if found != stated:
            raise BundleError(
                f"the model must have the inputs and outputs of head.json, {stated}, it has {found}: copy "
                "the bundle again, as a whole"
            )
        self._check_labels()

    def classify(self, row: npt.ArrayLike) -> Prediction:
        """Answer one row of features.

        Raises:
            FeaturesError: It is no row of numbers, or has another width.
        """
        return self.classify_batch(np.asarray(row)[np.newaxis])[0]

    def classify_batch(self, rows: npt.ArrayLike) -> list[Prediction]:
        """Answer a batch of rows, (batch, features).

        Raises:
            FeaturesError: They are no rows of numbers, or have another width.
        """
        try:
            batch = np.ascontiguousarray(rows, np.float32)
        except (TypeError, ValueError) as cause:
            raise FeaturesError(
                f"features must be rows of numbers, all of one width, these are not ({cause}): convert them"
            ) from cause
        if batch.shape == (0,):
            return []
        if batch.ndim != 2 or batch.shape[1] != self.features:
            raise FeaturesError(
                f"a row must have {self.features} features, got a batch of shape {batch.shape}: pass those "
                "that the head was trained on, in their order"
            )
        logits, probabilities = self._session.run(self._outputs, {self._input: batch})
        return [Prediction(z, p, self.labels) for z, p in zip(logits, probabilities, strict=True)]

    def _check_labels(self) -> None:
        text = self._session.get_modelmeta().custom_metadata_map.get("onnxhead.labels")
        stated = list(range(len(self.labels))) if text is None else json.loads(text)
        if stated != self.labels:
            raise BundleError(
                "the labels in head.json must be those in the model's metadata, they are others: copy the "
                "bundle again, as a whole"
            )
