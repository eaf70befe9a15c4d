"""The sections of a certificate's page."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from onnxhead.certificate.charts import histogram, reliability
from onnxhead.certificate.comparison import Comparison
from onnxhead.certificate.markup import Child, definitions, further, node, section, table
from onnxhead.certificate.record import Certificate
from onnxhead.certificate.rounding import Rounding
from onnxhead.certificate.runtimes import Agreement
from onnxhead.certificate.subject import Facts
from onnxhead.display.text import count, head_text, label_list, link_text, show
from onnxhead.quality import Quality
from onnxhead_runtime.contract import Label

_LISTED_ROWS = 20
_LISTED_KINDS = 20
_MARGIN = "margin; up to 1 rounding could change the label"


def verdict(certificate: Certificate) -> Element:
    """Say whether the model passes, and by which thresholds."""
    failed = f"Failed: {count(len(certificate.findings), 'finding')}"
    said = node("strong", "Passed" if certificate.passed else failed)
    lines = [node("li", finding) for finding in certificate.findings]
    rows = [
        (
            f"--{one.name.replace('_', '-')}",
            f"{one.limit:g}",
            f"{one.figure:.6g}",
            "met" if one.met else node("strong", "not met", class_="bad"),
        )
        for one in certificate.verdicts
    ]
    none = node("p", "No threshold was given: only what is a defect in itself fails.", class_="hint")
    return node(
        "header",
        node("h1", f"Certificate of {certificate.model.name}"),
        node("p", said, class_="verdict" if certificate.passed else "verdict failed"),
        node("ul", *lines, class_="findings") if lines else None,
        table("Thresholds", ("threshold", "limit", "figure", ""), rows) if rows else none,
    )


def subject(certificate: Certificate) -> Element:
    """Say what was checked."""
    model, rows = certificate.model, certificate.rows
    bad = [f"row {row}: {reason}" for row, reason in rows.bad]
    more = f"; and {rows.unanswered - len(bad)} more" if rows.unanswered > len(bad) else ""
    listed: list[tuple[str, Child]] = [
        ("model", _file(model.name, model.sha256)),
        *_contents(model),
        ("labels", label_list(model.labels)),
        ("link", link_text(model.link, model.temperature)),
        ("ONNX", f"opset {model.opset}, IR version {model.ir_version}"),
        ("as built", f"largest error against float64: {certificate.check}"),
        ("rows", _file(f"{rows.count:,} of {rows.file.name}", rows.file.sha256)),
    ]
    if rows.labels_file:
        listed.append(("true labels", _file(rows.labels_file.name, rows.labels_file.sha256)))
    if bad:
        what = f"{count(rows.unanswered, 'row')}, counted from 0, in no figure below: {'; '.join(bad)}{more}"
        listed.append(("without an answer", what))
    return section("What was checked", definitions(listed))


def rounding(found: Rounding) -> Element:
    """Say which labels rounding alone could change."""
    uncertain = len(found.uncertain)
    said = (
        f"Rounding may move a logit of these rows by {found.largest:.2g} at most, of the median row by "
        f"{found.median:.2g}. By that alone "
    )
    strong = node("strong", f"{count(uncertain, 'row')} could change the label")
    rows = [
        (
            str(one.row),
            show(one.label),
            "comes or goes" if one.rival is None else show(one.rival),
            f"{one.gap:.3g}",
            f"{one.bound:.3g}",
        )
        for one in found.listed[:_LISTED_ROWS]
    ]
    header = ("row", "label", "rival", "gap of the logits", "bound")
    listed = table("Rows whose label rounding could change", header, rows, 3) if rows else None
    return section(
        "Rounding",
        node("p", said, strong, "."),
        node(
            "div",
            histogram("Margin of each row: gap of its logits by their bound", found.margins, _MARGIN, 1.0),
            histogram("Bound of each row: the largest of its logits", found.bounds, "bound"),
            class_="charts",
        ),
        listed,
        further(uncertain, len(rows), "rows"),
    )


def quality(certificate: Certificate) -> Element | None:
    """Say how good the probabilities are."""
    found, comparison = certificate.quality, certificate.comparison
    if found is None:
        return section("Quality", node("p", "No true labels were given.", class_="hint"))
    before = comparison.before if comparison else None
    older = (comparison.older.name,) if comparison and before else ()
    header = ("", certificate.model.name, *older)
    rows = [
        (name, *(f"{getattr(one, field):.4f}" for one in (found, before) if one))
        for name, field in (
            ("accuracy", "accuracy"),
            ("negative log-likelihood", "nll"),
            ("expected calibration error", "calibration_error"),
        )
    ]
    bins = [(f"{one.confidence:.3f}", f"{one.accuracy:.3f}", f"{one.count:,}") for one in found.bins]
    name = f"; {older[0]} dashed" if older else ""
    return section(
        "Quality",
        table("Over all rows with an answer", header, rows),
        node(
            "div",
            reliability(f"Reliability: on the diagonal confidence is accuracy{name}", found, before),
            table("Bins of the diagram", ("confidence", "accuracy", "predictions"), bins),
            class_="charts",
        ),
    )


def comparison(certificate: Certificate) -> Element | None:
    """Say what is another than with the older model."""
    found = certificate.comparison
    if found is None:
        return None
    answered = certificate.rows.count - certificate.rows.unanswered
    changes = [(one.what, one.before, one.after) for one in found.changes]
    flips = [(str(one.row), show(one.before), show(one.after)) for one in found.listed[:_LISTED_ROWS]]
    kinds = [
        ("none" if one.before is None else show(one.before), _came(one.after), f"{one.count:,}")
        for one in found.transitions[:_LISTED_KINDS]
    ]
    return section(
        f"Against {found.older.name}",
        definitions(_compared(found, answered)),
        table("What is another in the model", ("", "before", "now"), changes, 3) if changes else None,
        node(
            "div",
            node(
                "div",
                table("Labels that flipped", ("before", "now", "rows"), kinds, 2),
                further(len(found.transitions), len(kinds), "kinds"),
            ),
            node(
                "div",
                table("Rows that flipped", ("row", "before", "now"), flips, 3),
                further(len(found.flipped), len(flips), "rows"),
            ),
            class_="charts",
        )
        if flips
        else None,
    )


def runtimes(certificate: Certificate) -> Element:
    """Show the same numbers in every runtime."""
    has_truth = certificate.quality is not None
    quality_header = ("accuracy", "NLL") if has_truth else ()
    header = ("runtime", "version", "logits", "probabilities", "other labels", *quality_header)
    rows = [list(_runtime_row(one, has_truth)) for one in certificate.runtimes if one.state == "ran"]
    idle = [
        (" ".join(filter(None, (one.name, one.version))), f"{one.reason}")
        for one in certificate.runtimes
        if one.state != "ran"
    ]
    return section(
        "Runtimes",
        node(
            "p",
            "The largest deviation from the exact answers, in their bound: right up to 1. Other labels: rows "
            "whose label is another than that of the first runtime, whose answers all figures above are of.",
        ),
        table("The same rows in every runtime", header, rows, 2),
        definitions(idle) if idle else None,
    )


def _contents(model: Facts) -> Iterator[tuple[str, Child]]:
    if model.graph_sha256 is not None:
        yield "its graph", node("code", model.graph_sha256)
        yield "inputs", "; ".join(map(str, model.inputs))
    if model.weights_sha256 is not None:
        yield "weights of its head" if model.inputs else "its weights", node("code", model.weights_sha256)
    yield "head", head_text(model.classes, model.features, model.precision)


def _file(name: str, sha256: str | None) -> Element:
    return node("span", name, *((" ", node("code", f"sha256 {sha256}")) if sha256 else ()))


def _compared(found: Comparison, answered: int) -> Iterator[tuple[str, Child]]:
    flipped = len(found.flipped)
    yield "file", _file(found.older.name, found.older.sha256)
    yield "other labels", f"{flipped:,} of {answered:,} rows, {flipped / answered:.2%}"
    change = f"changed by {found.largest_change:.2g} at most, {found.mean_change:.2g} on average"
    yield "probabilities", change
    if found.mended is not None and found.broken is not None:
        yield "mended", f"{count(found.mended, 'decision')}, wrong before and right now"
        yield "broken", f"{count(found.broken, 'decision')}, right before and wrong now"


def _runtime_row(one: Agreement, has_truth: bool) -> Iterator[Child]:
    yield one.name
    yield one.version
    for ratio in (one.logits, one.probabilities):
        is_right = ratio is not None and ratio <= 1
        text = "NaN" if ratio is None else f"{ratio:.2g}"
        yield text if is_right else node("strong", text, class_="bad")
    yield f"{one.other_labels:,}"
    if has_truth:
        yield from _figures(one.quality)


def _figures(found: Quality | None) -> Iterator[str]:
    yield f"{found.accuracy:.4f}" if found else ""
    yield f"{found.nll:.4f}" if found else ""


def _came(label: Label | None) -> str:
    return "none" if label is None else show(label)
