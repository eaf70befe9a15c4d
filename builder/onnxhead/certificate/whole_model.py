"""A whole model as what a certificate is of: what its backbone gives are the features."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from onnxhead.certificate.subject import Answer, Answering, Facts, Source, Subject
from onnxhead.certificate.whole_rows import batch_of, read_whole_rows
from onnxhead.compatibility import refusing_runtimes
from onnxhead.reference import Reference
from onnxhead.summary import Tensor
from onnxhead.whole_check import refer_whole
from onnxhead.whole_file import WholeFile, opset_of
from onnxhead_runtime import load
from onnxhead_runtime.errors import FeaturesError
from onnxhead_runtime.inputs import Feeds, Input


class WholeModel(Subject):
    """A model file that `attach` wrote, with a head that is known or without."""

    def __init__(self, model: WholeFile) -> None:
        """Take what a file says about itself.

        Raises:
            ModelError: The file is broken, or onnxruntime refuses it.
        """
        self.model, self._whole = model, model
        self._inputs, self._batch = model.inputs, batch_of(model)
        form = model.form if model.has_head else None
        self.labels = model.labels
        self.takes = f"the inputs {'; '.join(map(str, self._inputs))}"
        self.refused_by = refusing_runtimes(form) if form else ()
        self.failure = (
            "not for this form"  # no defect of the model: what a network needs not every runtime has
        )
        self.is_light = False
        self.facts = Facts(
            name=model.path.name,
            sha256=model.sha256,
            weights_sha256=model.metadata.weights_sha256 if form else None,
            graph_sha256=model.metadata.graph_sha256,
            classes=model.classes,
            features=model.head().features if form else None,
            inputs=tuple(map(_tensor, self._inputs)),
            labels=model.metadata.labels,
            link=model.metadata.link,
            temperature=model.metadata.temperature,
            precision=form.precision if form else None,
            opset=opset_of(model.proto),
            ir_version=model.proto.ir_version,
            top_k=form.top_k if form else None,
        )

    def read(self, source: str, label_column: str | None, features: Sequence[str] | None) -> Source:
        """Open an .npz file with an array for each input."""
        if features is not None:
            raise FeaturesError(
                f"feature columns are those of a head alone, {self.model.path.name} takes {self.takes}: "
                "leave --features out"
            )
        return read_whole_rows(source, self._inputs, self._batch, label_column)

    def open(self) -> Answering:
        """Return the answers of onnxruntime on the CPU."""
        classify = load(self.model.path, device="cpu")

        def call(feeds: Feeds) -> Answer:
            prediction = classify(feeds)
            rows = self._batch.rows(feeds)
            if len(prediction.logits) != rows:
                raise FeaturesError(
                    f"a certificate needs one answer per row, {self.model.path.name} gives "
                    f"{len(prediction.logits)} to {rows} rows: the first axis of its inputs is not that "
                    "of the rows"
                )
            return Answer(prediction.logits, prediction.probabilities)

        return call

    def open_features(self) -> Callable[[Feeds], NDArray[np.float32]]:
        """Return what the backbone gives, run by itself: the logits where no head is known."""
        model = self._whole
        part = model.open_backbone()
        return lambda feeds: part.run({one.name: feeds[one.name] for one in part.inputs})[0]

    def refer(self, features: NDArray[np.float32]) -> Reference:
        """Return the exact answers, with bounds that allow for a backbone that rounds otherwise."""
        return refer_whole(self._whole, features)

    def takes_rows_of(self, other: Subject) -> bool:
        """Return whether the other has inputs of the same names and types, with no axis of another length."""
        if not isinstance(other, WholeModel):
            return False
        mine, its = self._batch, other._batch
        if mine.size != its.size or set(mine.names) != set(its.names):
            return False
        theirs = {one.name: one for one in other._inputs}
        return theirs.keys() == {one.name for one in self._inputs} and all(
            _fits(one, theirs[one.name]) for one in self._inputs
        )

    def describe_bad(self, feeds: Feeds, row: int) -> str:
        """Return which input is no number, or that the answer is none."""
        for name in self._batch.names:
            array = feeds[name]
            if array.dtype.kind == "f" and not np.isfinite(array[row]).all():
                return f"{name} holds NaN or infinity"
        return "its features or its answer are NaN or infinite"


def _fits(one: Input, other: Input) -> bool:
    if one.dtype != other.dtype or len(one.shape) != len(other.shape):
        return False
    pairs = zip(one.shape, other.shape, strict=True)
    return all(a == b for a, b in pairs if isinstance(a, int) and isinstance(b, int))


def _tensor(one: Input) -> Tensor:
    return Tensor(one.name, one.dtype, tuple("?" if axis is None else axis for axis in one.shape))
