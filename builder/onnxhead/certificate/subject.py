"""What a certificate is of: a model that answers rows, and the exact answers it is held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.check import open_answers
from onnxhead.form import Form
from onnxhead.head import Head
from onnxhead.model import open_model
from onnxhead.model_file import ModelFile
from onnxhead.reference import Reference, refer
from onnxhead_runtime.contract import Label, Link


class Answer(NamedTuple):
    """What a runtime makes of rows, all float32.

    Attributes:
        features: (rows, features), what the head gets: the rows themselves where the model is the head alone.
        logits: (rows, classes).
        probabilities: (rows, classes).
    """

    features: NDArray[np.float32]
    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]


Answering = Callable[[NDArray[np.float32]], Answer]


@dataclass(frozen=True, eq=False)
class Subject:
    """A model file with its head.

    Attributes:
        model: The file.
        head: Its head.
        form: How the head is written.
    """

    model: ModelFile
    head: Head
    form: Form

    @property
    def labels(self) -> tuple[Label, ...]:
        """The label of each class; its number where the file names none."""
        return tuple(range(self.head.classes)) if self.head.labels is None else self.head.labels

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return self.head.features

    def refer(self, features: NDArray[np.float32]) -> Reference:
        """Return the exact answers for what the head gets, and their bounds."""
        return refer(self.head, features, self.form)

    def open(self) -> Answering:
        """Return the model's own answers: those of onnxruntime on the CPU.

        What is computed in bfloat16, for which that has no operators, is left to onnx's evaluator.
        """
        answers = open_answers(self.model.path, self.form)
        return lambda rows: Answer(rows, *answers(rows))


def open_subject(path: Path) -> Subject:
    """Open a model that onnxhead built.

    Raises:
        ModelError: The file is broken, or onnxhead did not build it.
    """
    model = open_model(path)
    return Subject(model, model.head(), model.form)


@dataclass(frozen=True)
class Facts:
    """What a model is.

    Attributes:
        name: Its file name.
        sha256: Hexadecimal SHA-256 of the .onnx file.
        weights_sha256: That of its weights, wherever they lie.
        classes: How many classes it has.
        features: How many features a row has.
        labels: Their labels, None where classes are numbered from 0.
        link: How logits become probabilities.
        temperature: The divisor of the logits before the link.
        precision: What the weight is kept in and W f + b computed in.
        opset: The version of the ai.onnx operators.
        ir_version: The version of the ONNX file format.
        top_k: How many classes its top outputs have; None without them.
    """

    name: str
    sha256: str
    weights_sha256: str
    classes: int
    features: int
    labels: tuple[Label, ...] | None
    link: Link
    temperature: float
    precision: str
    opset: int
    ir_version: int
    top_k: int | None


def facts_of(subject: Subject) -> Facts:
    """Return what a model is."""
    head, form = subject.head, subject.form
    return Facts(
        name=subject.model.path.name,
        sha256=subject.model.sha256,
        weights_sha256=subject.model.metadata.weights_sha256,
        classes=head.classes,
        features=head.features,
        labels=head.labels,
        link=head.link,
        temperature=head.temperature,
        precision=form.precision,
        opset=form.opset,
        ir_version=form.ir_version,
        top_k=form.top_k,
    )
