"""What a model answers otherwise than an older one, on the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxhead.certificate.rounding import LISTED
from onnxhead.certificate.subject import Answer, Facts, Subject
from onnxhead.quality import Quality, Tally
from onnxhead_runtime.contract import Decision, Label
from onnxhead_runtime.errors import ModelError

_NAMED = 10


@dataclass(frozen=True)
class Change:
    """What is another in the model than in the older one, in words."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Flip:
    """A row with another label; None where the older model has no answer."""

    row: int
    before: Decision
    after: Decision


@dataclass(frozen=True)
class Transition:
    """How many rows changed so.

    With the link `sigmoid` a label that came has no `before`, and one that went no `after`.
    """

    before: Label | None
    after: Label | None
    count: int


@dataclass(frozen=True, eq=False)
class Comparison:
    """The answers of a model beside those of an older one.

    A decision is the label of a row, with the link `sigmoid` each label of each row.

    Attributes:
        older: What the older model is.
        changes: What is another in the model.
        flipped: int64, the numbers of the rows whose label is another.
        listed: The first thousand of them.
        transitions: From which label to which, the most frequent first.
        largest_change: The largest difference of a probability, of the labels that both have.
        mean_change: The mean of these differences.
        decisions: How many decisions there were.
        mended: How many were wrong and are right; None without true labels.
        broken: How many were right and are wrong.
        broken_rows: int64, the numbers of the rows with one that is broken.
        before: The quality of the older model; None without true labels, or where it has other labels.
    """

    older: Facts
    changes: tuple[Change, ...]
    flipped: NDArray[np.int64]
    listed: tuple[Flip, ...]
    transitions: tuple[Transition, ...]
    largest_change: float
    mean_change: float
    decisions: int
    mended: int | None
    broken: int | None
    broken_rows: NDArray[np.int64] | None
    before: Quality | None


def check_comparable(new: Subject, old: Subject) -> None:
    """Raise ModelError unless the same rows can be given to both and their labels mean the same."""
    name = old.model.path.name
    if not old.takes_rows_of(new):
        raise ModelError(
            f"the model compared with must take the same rows, {name} takes {old.takes} and "
            f"{new.model.path.name} {new.takes}: compare with one of the same backbone"
        )
    if (new.link == "sigmoid") != (old.link == "sigmoid"):
        raise ModelError(
            f"the model compared with must give labels of the same kind, {name} has the link "
            f"{old.link} and {new.model.path.name} {new.link}: one label per row, or any number"
        )
    if not set(new.labels) & set(_as_in(new.labels, old.labels)):
        raise ModelError(
            f"the model compared with must have some of the same labels, {name} has {_names(old.labels)} and "
            f"{new.model.path.name} {_names(new.labels)}: build it with those of the other"
        )


def _as_in(new: Sequence[Label], old: Sequence[Label]) -> tuple[Label, ...]:
    """Return labels with those of the same text as the new model has them: 7 where the older one has "7"."""
    texts = {str(label): label for label in new}
    if len(texts) < len(new) or len(set(map(str, old))) < len(old):  # 1 and "1" are two labels there
        return tuple(old)
    return tuple(texts.get(str(label), label) for label in old)


class ComparisonTally:
    """Compares answers that come block by block."""

    def __init__(self, new: Subject, old: Subject) -> None:
        """Begin with no rows; labels are told apart among those that one of the models has."""
        self._new, self._old = new, old
        self._is_many = new.link == "sigmoid"
        old_labels = _as_in(new.labels, old.labels)
        self._labels = (*new.labels, *(label for label in old_labels if label not in set(new.labels)))
        places = {label: place for place, label in enumerate(self._labels)}
        self._old_places = np.array([places[label] for label in old_labels])
        self._shared_old = np.flatnonzero(self._old_places < len(new.labels))
        self._shared_new = self._old_places[self._shared_old]
        self._flipped: list[NDArray[np.int64]] = []
        self._broken_rows: list[NDArray[np.int64]] = []
        self._listed: list[Flip] = []
        self._transitions: Counter[tuple[int, int]] = Counter()
        self._largest = self._sum = 0.0
        self._compared = self._decisions = self._mended = self._broken = 0
        has_same_labels = len(self._labels) == len(new.labels) == len(old.labels)
        self._tally = Tally(old.link, old.temperature) if has_same_labels else None
        self._has_truth = False

    def add(
        self, numbers: NDArray[np.int64], new: Answer, old: Answer, truth: NDArray[np.bool_] | None
    ) -> None:
        """Add a block.

        Args:
            numbers: The numbers of its rows.
            new: The answers of the model, none of them NaN.
            old: Those of the older model.
            truth: Which labels of the model are true, (rows, classes); None where that is not known.
        """
        answered = np.asarray(~np.isnan(old.probabilities).any(axis=1))
        before = self._given(old.logits, self._old_places)
        before[~answered] = False
        after = self._given(new.logits, np.arange(len(self._new.labels)))
        flipped = (before != after).any(axis=1) | ~answered
        self._flipped.append(numbers[flipped])
        self._add_transitions(before[flipped], after[flipped])
        for row in np.flatnonzero(flipped)[: LISTED - len(self._listed)].tolist():
            was = self._decision(before[row]) if answered[row] else None
            self._listed.append(Flip(int(numbers[row]), was, self._decision(after[row])))
        self._add_changes(new.probabilities[answered], old.probabilities[answered])
        if truth is not None:
            self._add_truth(numbers, before, after, truth)
            if self._tally and answered.all():
                order = np.argsort(self._old_places)
                self._tally.add(old.logits[:, order], old.probabilities[:, order], truth)
            else:
                self._tally = None  # a row without an answer has no likelihood

    def comparison(self) -> Comparison:
        """Return what was found, of at least one row."""
        most = sorted(self._transitions.items(), key=lambda item: (-item[1], item[0]))
        counts = (self._mended, self._broken) if self._has_truth else (None, None)
        return Comparison(
            older=self._old.facts,
            changes=tuple(_changes(self._old.facts, self._new.facts)),
            flipped=np.concatenate(self._flipped),
            listed=tuple(self._listed),
            transitions=tuple(
                Transition(self._label(before), self._label(after), count) for (before, after), count in most
            ),
            largest_change=self._largest,
            mean_change=self._sum / max(1, self._compared),
            decisions=self._decisions,
            mended=counts[0],
            broken=counts[1],
            broken_rows=np.concatenate(self._broken_rows) if self._has_truth else None,
            before=self._tally.quality() if self._tally and self._has_truth else None,
        )

    def _given(self, logits: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which of all labels are given, bool (rows, labels)."""
        given = np.zeros((len(logits), len(self._labels)), bool)
        if self._is_many:
            given[:, places] = logits > 0
        else:
            given[np.arange(len(logits)), places[logits.argmax(axis=1)]] = True
        return given

    def _decision(self, given: NDArray[np.bool_]) -> Decision:
        labels = tuple(self._labels[place] for place in np.flatnonzero(given))
        return labels if self._is_many else labels[0]

    def _label(self, place: int) -> Label | None:
        return None if place < 0 else self._labels[place]

    def _add_transitions(self, before: NDArray[np.bool_], after: NDArray[np.bool_]) -> None:
        if self._is_many:
            for place, count in enumerate((after & ~before).sum(axis=0).tolist()):
                self._transitions[-1, place] += count
            for place, count in enumerate((before & ~after).sum(axis=0).tolist()):
                self._transitions[place, -1] += count
            self._transitions = +self._transitions  # without zeros
            return
        was = np.where(before.any(axis=1), before.argmax(axis=1), -1)
        self._transitions.update(zip(was.tolist(), after.argmax(axis=1).tolist(), strict=True))

    def _add_changes(self, new: NDArray[np.float32], old: NDArray[np.float32]) -> None:
        theirs = old[:, self._shared_old].astype(np.float64)
        changes = np.abs(new[:, self._shared_new] - theirs)
        self._largest = max(self._largest, float(changes.max(initial=0.0)))
        self._sum += float(changes.sum())
        self._compared += changes.size

    def _add_truth(
        self,
        numbers: NDArray[np.int64],
        before: NDArray[np.bool_],
        after: NDArray[np.bool_],
        truth: NDArray[np.bool_],
    ) -> None:
        self._has_truth = True
        classes = truth.shape[1]
        if self._is_many:
            was, is_now = before[:, :classes] == truth, after[:, :classes] == truth
        else:
            was = (before[:, :classes] & truth).any(axis=1, keepdims=True)
            is_now = (after[:, :classes] & truth).any(axis=1, keepdims=True)
        self._decisions += was.size
        self._mended += int((is_now & ~was).sum())
        broken = was & ~is_now
        self._broken += int(broken.sum())
        self._broken_rows.append(numbers[broken.any(axis=1)])


def _changes(before: Facts, after: Facts) -> Iterator[Change]:
    """Yield what is another, in words."""
    for what, name in (
        ("graph", "graph_sha256"),
        ("weights", "weights_sha256"),
        ("features", "features"),
        ("labels", "labels"),
        ("link", "link"),
        ("temperature", "temperature"),
        ("precision", "precision"),
        ("opset", "opset"),
        ("IR version", "ir_version"),
        ("top classes", "top_k"),
    ):
        was, is_now = getattr(before, name), getattr(after, name)
        if was != is_now:
            yield Change(what, _in_words(name, was), _in_words(name, is_now))


def _in_words(name: str, value: object) -> str:
    if name.endswith("sha256") and value is not None:
        return str(value)[:12]
    if name == "labels":
        return _names(value) if isinstance(value, tuple) else "numbers"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _names(labels: tuple[Label, ...]) -> str:
    more = f", ... ({len(labels)} in all)" if len(labels) > _NAMED else ""
    return ", ".join(map(str, labels[:_NAMED])) + more
