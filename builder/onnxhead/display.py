"""Results as text for people; each function returns lines and prints nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from onnxhead.calibration import Calibration
from onnxhead.check import Check
from onnxhead.derivation import ClassSteps, Derivation
from onnxhead.doctor import Diagnosis
from onnxhead.form import Form
from onnxhead.head import Folding
from onnxhead.precision import Price
from onnxhead.shipping import Shipment
from onnxhead.shipping.signing import SIGNATURE
from onnxhead.shipping.targets import TARGETS
from onnxhead.storage import Report
from onnxhead.summary import Summary
from onnxhead.verification import Verification
from onnxhead_runtime import Prediction
from onnxhead_runtime.contract import Decision, Label
from onnxhead_runtime.scoring import Report as ScoreReport

_BAR_CELLS = 40
_LISTED_CLASSES = 10
_LISTED_ROWS = 20
_LARGEST_UNCERTAINTY = 0.01


def report_lines(report: Report) -> Iterator[str]:
    """Say what `save` did."""
    yield from _table(
        [
            ("source", plain(report.origin)),
            *_folding_rows(report.folding),
            ("head", f"{report.classes} classes x {report.features} features, {report.form.precision}"),
            ("rounding", f"{report.rounding:.2g} at most" if report.rounding else "none"),
            ("labels", _label_list(report.labels)),
            ("link", _link_text(report.link, report.temperature)),
            ("largest error", f"against float64: {report.check}"),
            *_warning_rows(report.check),
            ("file", f"{plain(str(report.path))} ({report.size_bytes:,} bytes)"),
            *([("data file", plain(str(report.data_path)))] if report.data_path else []),
            ("sha256", report.sha256),
        ]
    )


def price_lines(price: Price, form: Form, rows: str | None) -> Iterator[str]:
    """Say what a precision costs, beside float32."""
    source = "random rows at the scale of the weight" if rows is None else f"rows of {plain(rows)}"
    share = price.size_bytes / price.float32_bytes
    yield from _table(
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
    return f"{price.speed:.2f} of float32, on this CPU" if price.speed else "not measured: it is for GPUs"


def prediction_lines(prediction: Prediction, top: int | None) -> Iterator[str]:
    """Show one row with a bar per class, or a batch with a line per row."""
    if len(prediction.logits) == 1:
        yield from _row_lines(prediction, top)
        return
    listed = dataclasses.replace(
        prediction,
        logits=prediction.logits[:_LISTED_ROWS],
        probabilities=prediction.probabilities[:_LISTED_ROWS],
    )
    for number, (label, best) in enumerate(zip(listed.labels, listed.top(top or 1), strict=True)):
        chances = ", ".join(f"{show(name)} ({decimal(probability)})" for name, probability in best)
        is_decision = best and (top is not None or label == best[0][0])
        yield f"row {number}: {chances if is_decision else show(label)}"
    if len(prediction.logits) > _LISTED_ROWS:
        yield f"... and {len(prediction.logits) - _LISTED_ROWS} more rows: -o FILE keeps them all"


def score_lines(report: ScoreReport) -> Iterator[str]:
    """Say what `score` did."""
    yield f"device: {report.device}"
    yield f"wrote {_count(report.rows, 'row')} to {plain(str(report.output))}: {', '.join(report.columns)}"
    if report.resumed_rows:
        yield f"of them {report.resumed_rows:,} were done before"
    if report.bad_rows:
        listed = "; ".join(f"row {row}: {reason}" for row, reason in report.bad)
        more = "; ..." if report.bad_rows > len(report.bad) else ""
        yield plain(f"without an answer: {_count(report.bad_rows, 'row')}, counted from 0: {listed}{more}")


def shipment_lines(shipment: Shipment) -> Iterator[str]:
    """Say what was shipped, and what to type there."""
    vectors = f"{_count(shipment.rows, 'row')} in {_count(shipment.cases, 'case')}"
    yield from _table(
        [
            ("project", f"{plain(str(shipment.path))} ({TARGETS[shipment.target].description})"),
            ("vectors", vectors),
            ("largest error", f"against float64: {shipment.check}"),
            *([("signature", SIGNATURE)] if shipment.signed else []),
            ("next", f"{plain(str(shipment.path / 'README.md'))} says what is needed there"),
            *([("then", " && ".join(shipment.commands))] if shipment.commands else []),
        ]
    )


def derivation_lines(derivation: Derivation) -> Iterator[str]:
    """Show the steps from features to decision."""
    yield f"features f = {_vector(derivation.features[:_LISTED_CLASSES])}" + (
        f" and {len(derivation.features) - _LISTED_CLASSES} more"
        if len(derivation.features) > _LISTED_CLASSES
        else ""
    )
    for steps in derivation.classes:
        yield from _class_lines(steps)
    if derivation.other_classes:
        yield f"\nnot listed: {_count(derivation.other_classes, 'less probable class')}"
    yield ""
    yield from _link_lines(derivation)
    yield ""
    yield f"decision: {show(derivation.decision)}"


def calibration_lines(calibration: Calibration) -> Iterator[str]:
    """Say what the fitted temperature changes."""
    before, after = calibration.before, calibration.after
    rows = [
        ("negative log-likelihood", before.nll, after.nll),
        ("accuracy", before.accuracy, after.accuracy),
        ("expected calibration error", before.calibration_error, after.calibration_error),
    ]
    yield f"temperature {calibration.head.temperature:.6g}, fitted on {_count(calibration.rows, 'row')}"
    yield f"{'':<26}  {'before':>8}  {'after':>8}"
    yield from (f"{name:<26}  {old:>8.4f}  {new:>8.4f}" for name, old, new in rows)


def summary_lines(summary: Summary) -> Iterator[str]:
    """Say what is in a model file."""
    ours = summary.link is not None
    oldest = summary.oldest_onnxruntime
    data = "".join(f" + {plain(path.name)}" for path in summary.data_paths)
    yield from _table(
        [
            ("file", f"{plain(str(summary.path))}{data} ({summary.size_bytes:,} bytes)"),
            ("inputs", plain("; ".join(map(str, summary.inputs)))),
            ("outputs", plain("; ".join(map(str, summary.outputs)))),
            ("operators", plain(" -> ".join(summary.operators[:20]))),
            ("opset", f"{summary.opset}, IR version {summary.ir_version}"),
            *([("precision", summary.form.precision)] if summary.form else []),
            ("labels", _label_list(summary.labels) if ours else "not stated"),
            ("link", _link_text(str(summary.link), summary.temperature or 1) if ours else "not stated"),
            ("weights sha256", summary.weights_sha256 or "not stated"),
            ("file sha256", summary.sha256),
            (
                "loads in",
                f"onnxruntime {oldest} or newer, also in Node and browsers" if oldest else "-",
            ),
            *([("beside ai.onnx", plain(", ".join(summary.other_domains)))] if summary.other_domains else []),
            *(("obstacle", plain(obstacle)) for obstacle in summary.obstacles),
        ]
    )
    if summary.obstacles and not ours:
        yield f"without them: onnxhead build {plain(str(summary.path))}, of its last linear layer"


def verification_lines(verification: Verification) -> Iterator[str]:
    """Say whether a model is as it was built."""
    if verification.check:
        yield f"largest error against float64: {verification.check}"
    for finding in verification.findings:
        yield f"FOUND: {plain(finding)}"
    if verification.findings:
        again = (
            "build it again" if verification.path.is_file() else "copy it again as a whole, or ship it again"
        )
        yield f"{plain(str(verification.path))} is not as it was built: {again}"
        return
    what = "files, vectors" if verification.path.is_dir() else "weights, graph"
    yield f"{plain(str(verification.path))}: {what} and answers are as they were built"
    if verification.signed:
        yield "the signature holds"
    elif verification.signed is None:
        yield f"{SIGNATURE} is there and was not checked: give the public key with --verify-key"


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Say what is installed and what starts."""
    onnxruntimes: Mapping[str, str | None] = diagnosis.onnxruntimes or {"onnxruntime": None}
    packages = {**diagnosis.packages, **onnxruntimes}
    yield from _table(
        [
            ("python", diagnosis.python),
            *((name, version or "not installed") for name, version in packages.items()),
            *((device.name, device.problem or "starts and answers") for device in diagnosis.devices),
        ]
    )
    yield from (f"FOUND: {finding}" for finding in diagnosis.findings)


def show(label: Decision) -> str:
    """Return a label, or a set of them, as printable text."""
    if label is None:
        return "undefined"
    if isinstance(label, tuple):
        return "{" + ", ".join(map(show, label)) + "}"
    return plain(str(label))


def plain(text: str) -> str:
    """Return text in which control characters, which can rewrite a terminal, are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def decimal(value: float) -> str:
    """Return a number with three decimals and no trailing zeros, a tiny one with an exponent.

    Example:
        >>> [decimal(value) for value in (0.5, 0.11623, 12.0, 3e-7, float("nan"))]
        ['0.5', '0.116', '12', '3.00e-07', 'nan']
    """
    if not math.isfinite(value) or 0 < abs(value) < 0.0005:
        return f"{value:.2e}"
    return f"{value + 0.0:.3f}".rstrip("0").rstrip(".")  # + 0.0 turns -0.0 into 0.0


def _folding_rows(folding: Folding | None) -> Iterator[tuple[str, str]]:
    if folding is not None:
        if folding.steps:
            yield "folded", plain(", ".join(folding.steps))
        errors = {"logits": folding.logits_error, "probabilities": folding.probabilities_error}
        listed = ", ".join(f"{name} {error:.2g}" for name, error in errors.items() if error is not None)
        yield "source error", f"against the source itself: {listed}, on {folding.rows} random rows"


def _warning_rows(check: Check) -> Iterator[tuple[str, str]]:
    if check.uncertainty > _LARGEST_UNCERTAINTY:
        yield (
            "WARNING",
            f"near a decision float32 may change probabilities by {min(check.uncertainty, 1):.2g}, as "
            "features or weights are far from zero: center and scale the features, and fit the head on those",
        )


def _row_lines(prediction: Prediction, top: int | None) -> Iterator[str]:
    best = prediction.top(top or _LISTED_CLASSES)[0]
    if len(prediction.classes) <= _LISTED_CLASSES:
        yield f"logits         {_vector(prediction.logits[0].tolist())}"
        yield f"probabilities  {_vector(prediction.probabilities[0].tolist())}"
    yield f"decision       {show(prediction.labels[0])}"
    yield ""
    if top is None and len(prediction.classes) <= _LISTED_CLASSES:
        best = list(zip(prediction.classes, prediction.probabilities[0].tolist(), strict=True))
    width = max((len(show(label)) for label, _ in best), default=0)
    for label, probability in best:
        yield f"{show(label):<{width}}  {decimal(probability):>8}  {_bar(probability)}".rstrip()


def _class_lines(steps: ClassSteps) -> Iterator[str]:
    yield f"\n{show(steps.label)}"
    products = [term.product for term in steps.terms]
    digits = max(len(f"{value:+f}") for value in [*products, steps.rest, steps.bias, steps.logit])
    for term in steps.terms:
        factors = f"W[{term.feature}] f[{term.feature}] = {term.weight:.6g} * {term.value:.6g}"
        yield f"  {factors:<36}  {term.product:>+{digits}f}"
    if steps.rest_count:
        yield f"  {_count(steps.rest_count, 'smaller product'):<36}  {steps.rest:>+{digits}f}"
    yield f"  {'sum':<36}  {steps.total:>+{digits}f}"
    yield f"  {'+ b':<36}  {steps.bias:>+{digits}f}"
    yield f"  {'logit z':<36}  {steps.logit:>+{digits}f}"


def _link_lines(derivation: Derivation) -> Iterator[str]:
    tempered = "z" if derivation.temperature == 1 else f"z / {derivation.temperature:g}"
    argument = f"log sigmoid({tempered})" if derivation.link == "ovr" else tempered
    shift = f" - {derivation.shift:.3f}" if derivation.shift else ""
    header = ["class", argument, f"exp({argument}{shift})", "P = exp / sum"]
    if derivation.link == "sigmoid":
        header = ["class", argument, f"P = 1 / (1 + exp(-({argument})))"]
    rows = [tuple(header)]
    for steps in derivation.classes:
        exponential = () if steps.exponential is None else (f"{steps.exponential:f}",)
        is_logit = derivation.link != "ovr" and derivation.temperature == 1
        scaled = f"{steps.logit:f}" if is_logit else f"{steps.scaled:.{_places(steps.logit)}f}"
        rows.append((show(steps.label), scaled, *exponential, f"{steps.probability:.3f}"))
    if derivation.other_classes and derivation.other_exponentials is not None:
        rows.append((f"{derivation.other_classes} more", "", f"{derivation.other_exponentials:f}", ""))
    if derivation.exponential_sum is not None:
        rows.append(("sum", "", f"{derivation.exponential_sum:f}", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()


def _count(number: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number} {noun if number == 1 else plural}"


def _places(number: Decimal) -> int:
    return -int(number.as_tuple().exponent)


def _table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max(len(name) for name, _ in rows)
    return (f"{name:<{width}}  {value}" for name, value in rows)


def _vector(values: Sequence[float]) -> str:
    return "[" + ", ".join(map(decimal, values)) + "]"


def _bar(probability: float) -> str:
    if not math.isfinite(probability):
        return ""
    eighths = round(probability * _BAR_CELLS * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _label_list(labels: Sequence[Label] | None) -> str:
    if labels is None:
        return "none: classes are numbered from 0"
    more = f", ... ({len(labels)} in all)" if len(labels) > _LISTED_CLASSES else ""
    return ", ".join(map(show, labels[:_LISTED_CLASSES])) + more


def _link_text(link: str, temperature: float) -> str:
    return link if temperature == 1 else f"{link} of logits / {temperature:g}"
