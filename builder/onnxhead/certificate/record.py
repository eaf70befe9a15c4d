"""What a certificate says."""

from __future__ import annotations

from dataclasses import dataclass

from onnxhead.certificate.comparison import Comparison
from onnxhead.certificate.confusion import Confusion
from onnxhead.certificate.rounding import Rounding
from onnxhead.certificate.runtimes import Agreement
from onnxhead.certificate.sample import SampleFile
from onnxhead.certificate.subject import Facts
from onnxhead.certificate.thresholds import Verdict
from onnxhead.check import Check
from onnxhead.quality import Quality
from onnxhead.whole_check import WholeCheck


@dataclass(frozen=True)
class Rows:
    """The rows that a certificate is made on.

    Attributes:
        file: Where they are.
        labels_file: Where their true labels are; None without, and where those are a column of the rows.
        count: How many rows there are.
        unanswered: How many of them have no answer: they are in no figure.
        bad: The first of those: their numbers, counted from 0, and why.
    """

    file: SampleFile
    labels_file: SampleFile | None
    count: int
    unanswered: int
    bad: tuple[tuple[int, str], ...]


@dataclass(frozen=True, eq=False)
class Certificate:
    """What a model does on rows, and whether that is enough.

    Attributes:
        model: What it is.
        check: The comparison of the file with float64 that `verify` makes.
        rows: The rows.
        rounding: Which labels rounding alone could change.
        quality: How good the model's own answers are; None without true labels.
        confusion: Which labels are given where which are true.
        comparison: The answers beside those of an older model; None without one.
        runtimes: How far the answers of each runtime are from the exact ones; the first gave the model's own.
        verdicts: The thresholds, with the figures.
        findings: One sentence per defect and per threshold that is not met; empty for a model that passes.
    """

    model: Facts
    check: Check | WholeCheck
    rows: Rows
    rounding: Rounding
    quality: Quality | None
    confusion: Confusion
    comparison: Comparison | None
    runtimes: tuple[Agreement, ...]
    verdicts: tuple[Verdict, ...]
    findings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether there is no finding."""
        return not self.findings
