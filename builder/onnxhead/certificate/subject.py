"""What a certificate is of: a model that answers rows, and the exact answers it is held to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.model_file import ModelFile
from onnxhead.reference import Reference
from onnxhead.summary import Tensor
from onnxhead_runtime.contract import Label, Link
from onnxhead_runtime.inputs import Feeds


class Answer(NamedTuple):
    """What a runtime makes of rows, float32 (rows, classes)."""

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def of(self, rows: NDArray[np.bool_]) -> Answer:
        """Return the answers to some of the rows."""
        return self if rows.all() else Answer(self.logits[rows], self.probabilities[rows])


Answering = Callable[[Feeds], Answer]


class Block(NamedTuple):
    """Consecutive rows.

    Attributes:
        rows: How many there are.
        feeds: What the model takes, by name.
        labels: What is in the column of their true labels; None without one.
        bad: Why a row of the block, counted from 0, is none.
    """

    rows: int
    feeds: Feeds
    labels: Any
    bad: Mapping[int, str]


class Source(NamedTuple):
    """A file of rows for a model.

    Attributes:
        total: How many there are; None where only reading all of it tells.
        width: How many numbers a row has.
        blocks: Yields all rows, in blocks of at most so many.
    """

    total: int | None
    width: int
    blocks: Callable[[int], Iterator[Block]]


@dataclass(frozen=True)
class Facts:
    """What a model is.

    Attributes:
        name: Its file name.
        sha256: Hexadecimal SHA-256 of the .onnx file.
        weights_sha256: That of the weights of its head, wherever they lie; None without a head that is known.
        graph_sha256: That of a whole model's graph, and of the weights beside it; None for a head alone.
        classes: How many classes it has.
        features: How many features its head takes; None without a head that is known.
        inputs: What a whole model takes; empty for a head alone, which takes the features.
        labels: Their labels, None where classes are numbered from 0.
        link: How logits become probabilities.
        temperature: The divisor of the logits before the link.
        precision: What the weight is kept in and W f + b computed in; None without a head that is known.
        opset: The version of the ai.onnx operators.
        ir_version: The version of the ONNX file format.
        top_k: How many classes its top outputs have; None without them.
    """

    name: str
    sha256: str
    weights_sha256: str | None
    graph_sha256: str | None
    classes: int
    features: int | None
    inputs: tuple[Tensor, ...]
    labels: tuple[Label, ...] | None
    link: Link
    temperature: float
    precision: str | None
    opset: int
    ir_version: int
    top_k: int | None


class Subject(ABC):
    """A model that answers rows.

    Attributes:
        model: The file.
        facts: What it is.
        labels: The label of each class; its number where the file names none.
        takes: What it takes, in words.
        refused_by: The runtimes that do not run its form, or not within its bound, as in `compatibility`.
        failure: What it means where another runtime fails.
        is_light: Whether several blocks may be worked on at once.
    """

    model: ModelFile
    facts: Facts
    labels: tuple[Label, ...]
    takes: str
    refused_by: tuple[str, ...]
    failure: Literal["failed", "not for this form"]
    is_light: bool

    @property
    def link(self) -> Link:
        """How logits become probabilities."""
        return self.facts.link

    @property
    def temperature(self) -> float:
        """The divisor of the logits before the link."""
        return self.facts.temperature

    @abstractmethod
    def read(self, source: str, label_column: str | None, features: Sequence[str] | None) -> Source:
        """Open a file of rows.

        Args:
            source: The file.
            label_column: The column that holds their true labels.
            features: The names of the feature columns.

        Raises:
            FeaturesError: It cannot be read, or its rows are not for this model.
        """

    @abstractmethod
    def open(self) -> Answering:
        """Return the model's own answers."""

    @abstractmethod
    def open_features(self) -> Callable[[Feeds], NDArray[np.float32]]:
        """Return what the exact answers to rows are worked out from, (rows, any)."""

    @abstractmethod
    def refer(self, features: NDArray[np.float32]) -> Reference:
        """Return the exact answers for some of what `open_features` gives, and their bounds."""

    @abstractmethod
    def takes_rows_of(self, other: Subject) -> bool:
        """Return whether the blocks of another model's rows can be given to this one."""

    @abstractmethod
    def describe_bad(self, feeds: Feeds, row: int) -> str:
        """Return why a row of a block has no answer."""
