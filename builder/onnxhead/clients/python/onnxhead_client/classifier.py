"""A head that is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onnxhead_client.bundle import BundleError
from onnxhead_client.description import read_description
from onnxhead_client.prediction import Prediction
from onnxhead_client.session import check_labels, open_session


class FeaturesError(ValueError):
    """Features have another width, or are no numbers."""


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
        # one thread: a head is small, and callers have threads of their own
        self._session = open_session(description.model, threads=1)
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
        check_labels(self._session, self.labels)

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
