"""Certificates, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from onnxhead.certificate import Certificate
from onnxhead.certificate.comparison import Comparison
from onnxhead.certificate.confusion import Confusion
from onnxhead.certificate.rounding import Rounding
from onnxhead.certificate.runtimes import Agreement
from onnxhead.display.text import count, head_text, link_text, plain, show, table
from onnxhead.quality import Quality

_LISTED = 10
_LISTED_KINDS = 5


def certificate_lines(certificate: Certificate, page: Path | None) -> Iterator[str]:
    """Say what a model does on rows, and whether that is enough."""
    model, rows, quality = certificate.model, certificate.rows, certificate.quality
    unanswered = f", {rows.unanswered:,} of them without an answer" if rows.unanswered else ""
    yield from table(
        [
            (
                "model",
                f"{plain(model.name)}: {head_text(model.classes, model.features, model.precision)}, "
                f"{link_text(model.link, model.temperature)}",
            ),
            *([("inputs", plain("; ".join(map(str, model.inputs))))] if model.inputs else []),
            ("as built", f"largest error against float64: {certificate.check}"),
            ("rows", f"{rows.count:,} of {plain(rows.file.name)}{unanswered}"),
            *_rounding_rows(certificate.rounding),
            *([("quality", _quality_text(quality))] if quality else []),
            *_confusion_rows(certificate.confusion),
            *(_comparison_rows(certificate.comparison) if certificate.comparison else []),
        ]
    )
    yield ""
    yield from _runtime_lines(certificate.runtimes)
    yield ""
    if not certificate.verdicts:
        yield "no threshold was given: only a defect would fail"
    for verdict in certificate.verdicts:
        option = f"--{verdict.name.replace('_', '-')} {verdict.limit:g}"
        yield f"{option}: {'met' if verdict.met else 'NOT MET'}, {verdict.figure:.6g}"
    yield from (f"FOUND: {plain(finding)}" for finding in certificate.findings)
    if page:
        yield f"page: {plain(str(page))}"
    yield "passed" if certificate.passed else f"FAILED: {count(len(certificate.findings), 'finding')}"


def _quality_text(quality: Quality) -> str:
    return (
        f"accuracy {quality.accuracy:.4f}, negative log-likelihood {quality.nll:.4f}, expected calibration "
        f"error {quality.calibration_error:.4f}"
    )


def _rounding_rows(rounding: Rounding) -> Iterator[tuple[str, str]]:
    yield "rounding", f"a logit by {rounding.largest:.2g} at most, in the median row by {rounding.median:.2g}"
    rows = _row_list([one.row for one in rounding.listed], len(rounding.uncertain))
    yield "uncertain", f"by that alone {count(len(rounding.uncertain), 'row')} could change the label{rows}"


def _confusion_rows(confusion: Confusion) -> Iterator[tuple[str, str]]:
    wrong = sorted(
        (cell for cell in confusion.cells or () if cell.true != cell.predicted), key=lambda cell: -cell.count
    )
    listed = [f"{show(cell.true)} as {show(cell.predicted)} {cell.count:,}" for cell in wrong[:_LISTED_KINDS]]
    more = [f"{len(wrong) - _LISTED_KINDS:,} more kinds"] if len(wrong) > _LISTED_KINDS else []
    if wrong:
        yield "confused", "; ".join([*listed, *more])


def _comparison_rows(comparison: Comparison) -> Iterator[tuple[str, str]]:
    changes = [f"{one.what} {plain(one.before)} -> {plain(one.after)}" for one in comparison.changes]
    yield "against", f"{plain(comparison.older.name)}: {'; '.join(changes) or 'the same model'}"
    rows = _row_list([flip.row for flip in comparison.listed], len(comparison.flipped))
    yield "flipped", f"{count(len(comparison.flipped), 'row')} with another label{rows}"
    yield (
        "probabilities",
        f"by {comparison.largest_change:.2g} at most, {comparison.mean_change:.2g} on average",
    )
    if comparison.mended is not None:
        yield "mended", f"{comparison.mended:,} wrong before and right now"
        yield "broken", f"{comparison.broken:,} right before and wrong now"


def _runtime_lines(runtimes: Sequence[Agreement]) -> Iterator[str]:
    has_truth = any(one.quality for one in runtimes)
    quality_header = ("accuracy", "NLL") if has_truth else ()
    header = ("runtime", "logits / bound", "probabilities / bound", "other labels", *quality_header)
    lines: list[tuple[str, ...]] = [header]
    for runtime in runtimes:
        name = " ".join([runtime.name, runtime.version or ""]).rstrip()
        if runtime.state != "ran":
            lines.append((name, plain(runtime.reason or "")))
            continue
        quality = runtime.quality
        figures = [f"{quality.accuracy:.4f}", f"{quality.nll:.4f}"] if quality else [""] * 2 * has_truth
        ratios = [
            "NaN" if ratio is None else f"{ratio:.2g}" for ratio in (runtime.logits, runtime.probabilities)
        ]
        lines.append((name, *ratios, f"{runtime.other_labels:,}", *figures))
    full = [line for line in lines if len(line) > 2]
    widths = [max(len(line[column]) for line in full) for column in range(len(header))]
    widths[0] = max(len(line[0]) for line in lines)
    for line in lines:
        if line not in full:
            yield f"{line[0]:<{widths[0]}}  {line[1]}"
            continue
        cells = [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
        yield "  ".join([f"{line[0]:<{widths[0]}}", *cells]).rstrip()


def _row_list(rows: Sequence[int], total: int) -> str:
    """Return the numbers of the first rows, in a sentence that goes on."""
    listed = ", ".join(map(str, rows[:_LISTED])) + (", ..." if total > _LISTED else "")
    return f": {listed}" if rows else ""
