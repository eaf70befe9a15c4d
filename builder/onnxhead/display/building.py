"""What was built, shipped and calibrated, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from onnxhead.calibration import Calibration
from onnxhead.check import Check
from onnxhead.compatibility import refusing_runtimes
from onnxhead.display.text import count, label_list, link_text, plain, table
from onnxhead.form import Form
from onnxhead.head import Folding
from onnxhead.precision import Price
from onnxhead.shipping import Shipment
from onnxhead.shipping.signing import SIGNATURE
from onnxhead.shipping.targets import TARGETS
from onnxhead.storage import Report

_LARGEST_UNCERTAINTY = 0.01


def report_lines(report: Report) -> Iterator[str]:
    """Say what `save` did."""
    yield from table(
        [
            ("source", plain(report.origin)),
            *_folding_rows(report.folding),
            ("head", f"{report.classes} classes x {report.features} features, {report.form.precision}"),
            ("rounding", f"{report.rounding:.2g} at most" if report.rounding else "none"),
            ("labels", label_list(report.labels)),
            ("link", link_text(report.link, report.temperature)),
            ("largest error", f"against float64: {report.check}"),
            *_warning_rows(report.check, report.form),
            *_refusal_rows(report.form),
            ("file", f"{plain(str(report.path))} ({report.size_bytes:,} bytes)"),
            *([("data file", plain(str(report.data_path)))] if report.data_path else []),
            ("sha256", report.sha256),
        ]
    )


def price_lines(price: Price, form: Form, rows: str | None) -> Iterator[str]:
    """Say what a precision costs, beside float32."""
    source = (
        "random rows, which say little of yours: give some with --rows"
        if rows is None
        else f"rows of {plain(rows)}"
    )
    share = price.size_bytes / price.float32_bytes
    yield from table(
        [
            ("precision", form.precision),
            ("compared", f"with float32 on {price.rows:,} {source}"),
            ("logits", _change(price.largest_logit, price.mean_logit)),
            ("probabilities", _change(price.largest_probability, price.mean_probability)),
            ("labels", f"{price.flips:.2%} of the rows have another"),
            ("size", f"{price.size_bytes:,} bytes, {share:.2f} of float32"),
            ("speed", _speed(price)),
        ]
    )
    yield ""


def _change(largest: float, mean: float) -> str:
    return f"changed by {largest:.2g} at most, {mean:.2g} on average"


def _speed(price: Price) -> str:
    if not price.speed:
        return "not measured: it is for GPUs"
    return f"{price.speed:.2f} times that of float32 on this CPU{', slower' if price.speed < 0.9 else ''}"


def shipment_lines(shipment: Shipment) -> Iterator[str]:
    """Say what was shipped, and what to type there."""
    vectors = f"{count(shipment.rows, 'row')} in {count(shipment.cases, 'case')}"
    yield from table(
        [
            ("project", f"{plain(str(shipment.path))} ({TARGETS[shipment.target].description})"),
            *([("left out", ", ".join(shipment.left_out))] if shipment.left_out else []),
            ("vectors", vectors),
            ("largest error", f"{shipment.check.against}: {shipment.check}"),
            *([("signature", SIGNATURE)] if shipment.signed else []),
            ("next", f"{plain(str(shipment.path / 'README.md'))} says what is needed there"),
            *([("then", " && ".join(shipment.commands))] if shipment.commands else []),
        ]
    )


def calibration_lines(calibration: Calibration) -> Iterator[str]:
    """Say what the fitted temperature changes."""
    before, after = calibration.before, calibration.after
    rows = [
        ("negative log-likelihood", before.nll, after.nll),
        ("accuracy", before.accuracy, after.accuracy),
        ("expected calibration error", before.calibration_error, after.calibration_error),
    ]
    yield f"temperature {calibration.head.temperature:.6g}, fitted on {count(calibration.rows, 'row')}"
    yield f"{'':<26}  {'before':>8}  {'after':>8}"
    yield from (f"{name:<26}  {old:>8.4f}  {new:>8.4f}" for name, old, new in rows)


def _folding_rows(folding: Folding | None) -> Iterator[tuple[str, str]]:
    if folding is not None:
        if folding.steps:
            yield "folded", plain(", ".join(folding.steps))
        errors = {"logits": folding.logits_error, "probabilities": folding.probabilities_error}
        listed = ", ".join(f"{name} {error:.2g}" for name, error in errors.items() if error is not None)
        yield "source error", f"against the source itself: {listed}, on {folding.rows} random rows"


def _warning_rows(check: Check, form: Form) -> Iterator[tuple[str, str]]:
    # what another precision costs on rows is said by its price
    if check.uncertainty > _LARGEST_UNCERTAINTY and form.is_float32:
        yield (
            "WARNING",
            f"near a decision float32 may change probabilities by {min(check.uncertainty, 1):.2g}, as "
            "features or weights are far from zero: center and scale the features, and fit the head on those",
        )


def _refusal_rows(form: Form) -> Iterator[tuple[str, str]]:
    refusing = refusing_runtimes(form)
    if refusing:
        yield "not for", ", ".join(refusing)
