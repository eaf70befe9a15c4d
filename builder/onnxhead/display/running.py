"""Answers and how they come about, as lines of text."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from onnxhead.derivation import ClassSteps, Derivation
from onnxhead.display.text import LISTED_CLASSES, bar, count, decimal, places, plain, show, vector
from onnxhead_runtime import Prediction
from onnxhead_runtime.run import Report

_LISTED_ROWS = 20


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


def score_lines(report: Report) -> Iterator[str]:
    """Say what `score` did."""
    yield f"device: {report.device}"
    yield f"wrote {count(report.rows, 'row')} to {plain(str(report.output))}: {', '.join(report.columns)}"
    if report.resumed_rows:
        yield f"of them {report.resumed_rows:,} were done before"
    if report.bad_rows:
        listed = "; ".join(f"row {row}: {reason}" for row, reason in report.bad)
        more = "; ..." if report.bad_rows > len(report.bad) else ""
        yield plain(f"without an answer: {count(report.bad_rows, 'row')}, counted from 0: {listed}{more}")


def derivation_lines(derivation: Derivation) -> Iterator[str]:
    """Show the steps from features to decision."""
    yield f"features f = {vector(derivation.features[:LISTED_CLASSES])}" + (
        f" and {len(derivation.features) - LISTED_CLASSES} more"
        if len(derivation.features) > LISTED_CLASSES
        else ""
    )
    for steps in derivation.classes:
        yield from _class_lines(steps)
    if derivation.other_classes:
        yield f"\nnot listed: {count(derivation.other_classes, 'less probable class')}"
    yield ""
    yield from _link_lines(derivation)
    yield ""
    yield f"decision: {show(derivation.decision)}"


def _row_lines(prediction: Prediction, top: int | None) -> Iterator[str]:
    best = prediction.top(top or LISTED_CLASSES)[0]
    if len(prediction.classes) <= LISTED_CLASSES:
        yield f"logits         {vector(prediction.logits[0].tolist())}"
        yield f"probabilities  {vector(prediction.probabilities[0].tolist())}"
    yield f"decision       {show(prediction.labels[0])}"
    yield ""
    if top is None and len(prediction.classes) <= LISTED_CLASSES:
        best = list(zip(prediction.classes, prediction.probabilities[0].tolist(), strict=True))
    width = max((len(show(label)) for label, _ in best), default=0)
    for label, probability in best:
        yield f"{show(label):<{width}}  {decimal(probability):>8}  {bar(probability)}".rstrip()


def _class_lines(steps: ClassSteps) -> Iterator[str]:
    yield f"\n{show(steps.label)}"
    products = [term.product for term in steps.terms]
    digits = max(len(f"{value:+f}") for value in [*products, steps.rest, steps.bias, steps.logit])
    for term in steps.terms:
        factors = f"W[{term.feature}] f[{term.feature}] = {term.weight:.6g} * {term.value:.6g}"
        yield f"  {factors:<36}  {term.product:>+{digits}f}"
    if steps.rest_count:
        yield f"  {count(steps.rest_count, 'smaller product'):<36}  {steps.rest:>+{digits}f}"
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
        scaled = f"{steps.logit:f}" if is_logit else f"{steps.scaled:.{places(steps.logit)}f}"
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
