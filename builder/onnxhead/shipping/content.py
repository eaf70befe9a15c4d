"""What a bundle is of: a head alone, or a whole model; what it says, its cases, and their proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnxhead.check import Check, check_model, open_answers
from onnxhead.form import Form
from onnxhead.head import Head
from onnxhead.model import open_whole
from onnxhead.model_file import ModelFile
from onnxhead.shipping.vectors import FORMAT, case_findings, make_cases, write_cases
from onnxhead.shipping.whole_vectors import FORMAT as WHOLE_FORMAT
from onnxhead.shipping.whole_vectors import make_whole_cases, whole_case_findings, write_whole_cases
from onnxhead.whole_check import WholeCheck, check_whole
from onnxhead.whole_file import WholeFile
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES
from onnxhead_runtime.errors import ModelError
from onnxhead_runtime.inputs import Axis, Input


class HeadContent:
    """A head alone.

    Attributes:
        format: The format of its bundles.
        labels: One per class.
        inputs: What the model takes.
        batch: The symbol of the rows of its answers.
    """

    format = FORMAT
    batch: Axis = "batch"

    def __init__(self, head: Head, form: Form) -> None:
        self._head, self._form = head, form
        self.labels = head.class_labels
        self.inputs = (Input(FEATURES, "float32", ("batch", head.features)),)

    def describe(self) -> dict[str, Any]:
        """Return what head.json says beside its format and its files."""
        return {
            "inputs": [FEATURES],
            "outputs": [LOGITS, PROBABILITIES],
            "features": self._head.features,
            "classes": self._head.classes,
            "labels": list(self.labels),
            "link": self._head.link,
            "temperature": self._head.temperature,
        }

    def write_cases(self, folder: Path) -> list[int]:
        """Write the vectors to a bundle, and return how many rows each case has."""
        cases = make_cases(self._head, self._form)
        write_cases(cases, folder)
        return [len(case.features) for case in cases]

    def check(self, path: Path) -> Check:
        """Compare a model file's answers with float64."""
        return check_model(path, self._head, self._form)

    def findings(self, bundle: Path, model: Path) -> list[str]:
        """Compare the vectors in a bundle with the head and with the model, one sentence each."""
        return case_findings(bundle, self._head, self._form, open_answers(model, self._form))


class WholeContent:
    """A whole model.

    Attributes:
        format: The format of its bundles.
        labels: One per class.
        inputs: What the model takes.
        batch: The symbol of the rows of its answers; None where it has none, as for its inputs.
    """

    format = WHOLE_FORMAT

    def __init__(self, model: WholeFile, sample: Any = None) -> None:
        """Open what its vectors are made of.

        Args:
            model: The model.
            sample: Inputs for the vectors; None to make some up.
        """
        self._model, self._sample = model, sample
        self.labels = model.labels
        self.inputs, self.batch = model.inputs, model.batch

    def describe(self) -> dict[str, Any]:
        """Return what head.json says beside its format and its files."""
        inputs = [
            {
                "name": one.name,
                "dtype": one.dtype,
                "shape": [axis if isinstance(axis, int) else None for axis in one.shape],
            }
            for one in self.inputs
        ]
        return {
            "inputs": inputs,
            "outputs": [LOGITS, PROBABILITIES],
            "classes": self._model.classes,
            "labels": list(self.labels),
            "link": self._model.metadata.link,
            "temperature": self._model.metadata.temperature,
        }

    def write_cases(self, folder: Path) -> list[int]:
        """Write the vectors to a bundle, and return how many rows each case has."""
        cases = make_whole_cases(self._model, self._sample)
        write_whole_cases(cases, folder)
        return [len(case.exact.logits) for case in cases]

    def check(self, path: Path) -> WholeCheck:
        """Compare a model file's answers with those of its parts."""
        return check_whole(open_whole(path), self._sample)

    def findings(self, bundle: Path, model: Path) -> list[str]:
        """Compare the vectors in a bundle with the model there, one sentence each."""
        return whole_case_findings(bundle, open_whole(model))


Content = HeadContent | WholeContent


def content_of(model: ModelFile, sample: Any = None) -> Content:
    """Return what a bundle of a model is of.

    Args:
        model: The model.
        sample: Inputs for the vectors of a whole model.

    Raises:
        ModelError: A sample is given for a head alone.
    """
    if isinstance(model, WholeFile):
        return WholeContent(model, sample)
    if sample is not None:
        raise ModelError(
            f"a sample is for a model with a backbone, {model.path} is a head alone: leave it out"
        )
    return HeadContent(model.head(), model.form)
