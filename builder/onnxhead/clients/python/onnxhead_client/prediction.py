"""What a classifier answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnxhead_client.bundle import Label


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
