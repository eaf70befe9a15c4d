"""The models that `compat.py` wrote, and what they must answer; needs numpy alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Model(NamedTuple):
    """A model file, and the exact answers for rows with their bounds."""

    path: Path
    expected: dict[str, np.ndarray]

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(".onnx")

    @property
    def form(self) -> tuple[int, int] | None:
        """Opset and IR version, of a model that is there to show them."""
        kind, *numbers = self.name.split("-")
        return (int(numbers[0]), int(numbers[1])) if kind == "form" else None

    @property
    def may_be_refused(self) -> bool:
        """Whether a runtime may lack the types that the model needs, so that this is what is asked."""
        return self.name.startswith("precision-")

    def check(self, logits: np.ndarray, probabilities: np.ndarray) -> None:
        """Stop unless answers are within their bounds."""
        assert self._is_within("logits", logits), self.name
        assert self._is_within("probabilities", probabilities), self.name
        wrong = self.expected["logits"] + 2 * self.expected["logits_bound"]
        assert not self._is_within("logits", wrong.astype(np.float32)), "must fail"

    def _is_within(self, name: str, result: np.ndarray) -> bool:
        error = np.abs(result - self.expected[name])
        return result.dtype == np.float32 and bool((error <= self.expected[f"{name}_bound"]).all())


def read_models(folder: Path) -> Iterator[Model]:
    for path in sorted(folder.glob("*.onnx")):
        if path.stem.startswith("foreign-"):
            continue
        yield Model(path, dict(np.load(path.with_name(f"{path.name.removesuffix('.onnx')}.npz"))))
