"""A head alone as what a certificate is of: its rows are its features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from onnxhead.certificate.subject import Answer, Answering, Block, Facts, Source, Subject
from onnxhead.check import open_answers
from onnxhead.compatibility import refusing_runtimes
from onnxhead.model_file import ModelFile
from onnxhead.reference import Reference, refer
from onnxhead_runtime.contract import FEATURES
from onnxhead_runtime.inputs import Feeds
from onnxhead_runtime.rows import Selection, open_rows
from onnxhead_runtime.run import describe_bad_row

_MANY_CLASSES = 2**16  # of which the exact answers to a few rows are many MiB


class HeadAlone(Subject):
    """A model file that `build` wrote."""

    def __init__(self, model: ModelFile) -> None:
        """Take the head of a file.

        Raises:
            ModelError: The file is broken, or onnxhead did not build it.
        """
        self.model, self._form, self._head = model, model.form, model.head()
        head, form = self._head, self._form
        self.labels = head.class_labels
        self.takes = f"{head.features} features"
        self.refused_by = refusing_runtimes(form)
        self.failure = "failed"
        self.is_light = head.classes <= _MANY_CLASSES
        self.facts = Facts(
            name=model.path.name,
            sha256=model.sha256,
            weights_sha256=model.metadata.weights_sha256,
            graph_sha256=None,
            classes=head.classes,
            features=head.features,
            inputs=(),
            labels=head.labels,
            link=head.link,
            temperature=head.temperature,
            precision=form.precision,
            opset=form.opset,
            ir_version=form.ir_version,
            top_k=form.top_k,
        )

    def read(self, source: str, label_column: str | None, features: Sequence[str] | None) -> Source:
        """Open rows as `score` does."""
        keep = () if label_column is None else (label_column,)
        rows = open_rows(source, Selection(self._head.features, features, keep))

        def blocks(size: int) -> Iterator[Block]:
            for block in rows.blocks(0, size):
                feeds = {FEATURES: np.ascontiguousarray(block.features, np.float32)}
                yield Block(len(block.features), feeds, block.kept.get(label_column or ""), block.bad)

        return Source(rows.total, self._head.features, blocks)

    def open(self) -> Answering:
        """Return the answers of onnxruntime on the CPU.

        What is computed in bfloat16, for which that has no operators, is left to onnx's evaluator.
        """
        answers = open_answers(self.model.path, self._form)
        return lambda feeds: Answer(*answers(feeds[FEATURES]))

    def open_features(self) -> Callable[[Feeds], NDArray[np.float32]]:
        """Return the rows themselves."""
        return lambda feeds: feeds[FEATURES]

    def refer(self, features: NDArray[np.float32]) -> Reference:
        """Return the exact answers, with the bounds of the form."""
        return refer(self._head, features, self._form)

    def takes_rows_of(self, other: Subject) -> bool:
        """Return whether the other is a head of as many features."""
        return isinstance(other, HeadAlone) and other.facts.features == self.facts.features

    def describe_bad(self, feeds: Feeds, row: int) -> str:
        """Return which feature is no number, or that a logit overflows."""
        return describe_bad_row(feeds[FEATURES][row])
