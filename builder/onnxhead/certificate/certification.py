"""The making of a certificate: one pass over the rows, in the memory of a few blocks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.certificate.comparison import ComparisonTally, check_comparable
from onnxhead.certificate.confusion import ConfusionTally
from onnxhead.certificate.opening import open_subject
from onnxhead.certificate.record import Certificate, Rows
from onnxhead.certificate.rounding import RoundingTally
from onnxhead.certificate.runtimes import Agreement, OtherRuntimes, decisions, own_trial
from onnxhead.certificate.sample import Part, Sample
from onnxhead.certificate.subject import Answer, Answering, Subject
from onnxhead.certificate.thresholds import Thresholds, Verdict
from onnxhead.check import Check
from onnxhead.reference import Reference
from onnxhead.shipping.bundle import MODEL, find_bundle
from onnxhead.verification import verify
from onnxhead.whole_check import WholeCheck
from onnxhead_runtime.errors import FeaturesError, ModelError, VerificationError
from onnxhead_runtime.pipeline import Ahead, in_order
from onnxhead_runtime.threads import thread_count

Progress = Callable[[int, int | None], object]
_NAMED_ROWS = 20
_NO_THRESHOLDS = Thresholds()


def certify(
    path: str | os.PathLike[str],
    rows: str | os.PathLike[str],
    labels: Any = None,
    *,
    label_column: str | None = None,
    features: Sequence[str] | None = None,
    against: str | os.PathLike[str] | None = None,
    thresholds: Thresholds = _NO_THRESHOLDS,
    on_bad_row: Literal["fail", "null"] = "fail",
    key: str | os.PathLike[str] | None = None,
    sample: Any = None,
    progress: Progress | None = None,
) -> Certificate:
    """Say what a model does on rows: rounding, quality, what an older model did otherwise, every runtime.

    `verify` comes first. The figures are those of the model's own float32 answers on the CPU; the bounds are
    those of `reference`. Memory does not grow with the rows but for some 40 bytes for each.

    Args:
        path: The .onnx file, or a folder that `ship` wrote.
        rows: A file of rows, as `score` takes them; of a whole model an .npz file with an array for each
            input.
        labels: The true labels, one per row: a file of `onnxhead calibrate`, a list or an array. With the
            link `sigmoid` the labels of each row, as lists of labels or as an array (rows, classes) of 0
            and 1.
        label_column: The column of `rows` that holds them, instead of `labels`.
        features: The names of the feature columns of `rows`, as for `score`.
        against: An older model to compare with.
        thresholds: What the model must hold to.
        on_bad_row: A row with NaN, null, another width or a logit that overflows: `fail` makes it a finding,
            with `null` it has no answer, and is in no figure either way.
        key: The public key of whoever signed the folder, as for `verify`.
        sample: Inputs that `verify` runs a whole model on.
        progress: Called with the rows done and, where it is known, their total.

    Raises:
        ModelError: A file is broken, onnxhead did not build it, or the older model cannot be compared with.
        VerificationError: The model is not as it was built.
        FeaturesError: The rows cannot be read, or none has an answer.
        SourceError: The labels cannot be read, are not the model's or not one per row.
        ProviderError: onnxruntime is missing.
        ValueError: A threshold has nothing to go by.

    Example:
        >>> certificate = certify("models/abc.onnx", "[[0.5, 0.8, 1.2], [1, 0, 0]]", ["C", "A"])
        >>> certificate.quality.accuracy, len(certificate.rounding.uncertain), certificate.findings
        (1.0, 0, ())
    """
    thresholds.check(labels is not None or label_column is not None, against is not None)
    check = _verify(path, key, sample)
    path = Path(path)
    subject = open_subject(find_bundle(path) / MODEL if path.is_dir() else path)
    older = None if against is None else _open_older(subject, Path(against))
    labelled = Sample(subject, os.fspath(rows), labels, label_column, features)
    return _Certification(subject, older, labelled).run(check, thresholds, on_bad_row, progress)


def _verify(
    path: str | os.PathLike[str], key: str | os.PathLike[str] | None, sample: Any
) -> Check | WholeCheck:
    verification = verify(path, key=key, sample=sample)
    if verification.findings or verification.check is None:
        raise VerificationError(
            f"a certificate is of a model that is as it was built, {path} is not: "
            f"{'; '.join(verification.findings)}"
        )
    return verification.check


def _open_older(subject: Subject, path: Path) -> Subject:
    if path.is_file() and path.samefile(subject.model.path):
        raise ModelError(f"a model must be compared with another, got {path} twice: give the older one")
    older = open_subject(path)
    damages = older.model.damages()
    if damages:
        raise ModelError(
            f"the model compared with must be as it was built, {path} is not: {'; '.join(damages)}"
        )
    check_comparable(subject, older)
    return older


class _Measured(NamedTuple):
    """A block, and the answers to those of its rows that have one."""

    part: Part
    good: NDArray[np.bool_]
    own: Answer
    exact: Reference


class _Certification:
    """One pass over the rows."""

    def __init__(self, subject: Subject, older: Subject | None, sample: Sample) -> None:
        self._subject, self._sample = subject, sample
        labels, link = subject.labels, subject.link
        self._answer, self._features = subject.open(), subject.open_features()
        self._older: tuple[Answering, ComparisonTally] | None = None
        if older:
            self._older = older.open(), ComparisonTally(subject, older)
        self._rounding = RoundingTally(labels, link)
        self._confusion = ConfusionTally(labels, link == "sigmoid")
        self._trial, self._others = own_trial(subject), OtherRuntimes(subject)
        self._bad: list[tuple[int, str]] = []
        self._count = self._unanswered = 0

    def run(
        self,
        check: Check | WholeCheck,
        thresholds: Thresholds,
        on_bad_row: Literal["fail", "null"],
        progress: Progress | None,
    ) -> Certificate:
        for measured in self._measured():
            self._add(measured)
            if progress:
                progress(self._count, self._sample.total)
        answered = self._count - self._unanswered
        if not answered:
            why = f", the first has none: {self._bad[0][1]}" if self._bad else ""
            raise FeaturesError(
                f"a certificate needs at least one row with an answer, got {self._count} rows{why}"
            )
        rounding, quality = self._rounding.rounding(), self._trial.quality
        comparison = self._older and self._older[1].comparison()
        runtimes = (self._trial.agreement(), *self._others.agreements())
        verdicts = thresholds.judge(rounding, answered, quality, comparison)
        sample = self._sample
        rows = Rows(sample.file, sample.labels_file, self._count, self._unanswered, tuple(self._bad))
        return Certificate(
            model=self._subject.facts,
            check=check,
            rows=rows,
            rounding=rounding,
            quality=quality,
            confusion=self._confusion.confusion(),
            comparison=comparison,
            runtimes=runtimes,
            verdicts=verdicts,
            findings=tuple(_findings(verdicts, runtimes, rows if on_bad_row == "fail" else None)),
        )

    def _measured(self) -> Iterator[_Measured]:
        """Yield the blocks with the model's own answers and the exact ones, several worked on at once."""
        workers = thread_count() if self._subject.is_light else 1
        with Ahead(self._sample.parts(), workers) as parts:
            yield from in_order(self._measure, parts, workers)

    def _measure(self, part: Part) -> _Measured:
        own, features = self._answer(part.feeds), self._features(part.feeds)
        good = np.asarray(np.logical_and.reduce([np.isfinite(one).all(axis=1) for one in (features, *own)]))
        good[list(part.bad)] = False
        return _Measured(part, good, own.of(good), self._subject.refer(features[good]))

    def _add(self, measured: _Measured) -> None:
        part, good, own, exact = measured
        self._add_bad(part, good)
        self._count += len(good)
        truth = None if part.truth is None else part.truth[good]
        self._rounding.add(good, exact)
        if not good.any():
            return
        self._confusion.add(truth, _given(own, self._subject))
        self._trial.add(own, own, exact, truth)
        self._others.add(part.feeds, good, own, exact, truth)
        if self._older:
            answer, tally = self._older
            numbers = np.flatnonzero(good).astype(np.int64) + part.start
            tally.add(numbers, own, answer(part.feeds).of(good), truth)

    def _add_bad(self, part: Part, good: NDArray[np.bool_]) -> None:
        bad = np.flatnonzero(~good).tolist()
        self._unanswered += len(bad)
        for row in bad[: _NAMED_ROWS - len(self._bad)]:
            reason = part.bad.get(row) or self._subject.describe_bad(part.feeds, row)
            self._bad.append((part.start + row, reason))


def _given(own: Answer, subject: Subject) -> NDArray[np.bool_]:
    """Return which labels are given, bool (rows, classes)."""
    found = decisions(own.logits, subject.link)
    if found.ndim == 2:
        return np.asarray(found)
    given = np.zeros(own.logits.shape, bool)
    given[np.arange(len(found)), found] = True
    return given


def _findings(verdicts: Sequence[Verdict], runtimes: Sequence[Agreement], rows: Rows | None) -> Iterator[str]:
    yield from filter(None, (one.finding for one in verdicts))
    yield from filter(None, (one.finding for one in runtimes))
    if rows and rows.unanswered:
        row, reason = rows.bad[0]
        yield (
            f"{rows.unanswered} of {rows.count} rows have no answer, the first is row {row}, counted from "
            f"0: {reason}"
        )
