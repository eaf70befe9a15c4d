"""The confusion matrix and the counts per class, as sections of a certificate's page."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from onnxhead.certificate.charts import level
from onnxhead.certificate.confusion import Cell, ClassCount
from onnxhead.certificate.markup import further, node, scrolling, section, table
from onnxhead.certificate.record import Certificate
from onnxhead.display.text import count, show
from onnxhead_runtime.contract import Label

_LISTED_KINDS = 20
_MATRIX_CLASSES = 30
_USUAL_CLASSES, _SHORT_LABEL = 12, 6  # of a matrix that fits a page with its labels across


def confusion(certificate: Certificate) -> Element | None:
    """Show the confusion matrix, of many classes its largest cells off the diagonal."""
    found = certificate.confusion
    if found.cells is None:
        return None
    if len(found.classes) <= _MATRIX_CLASSES:
        return section("Confusion", _matrix(found.classes, found.cells))
    wrong = sorted(
        (cell for cell in found.cells if cell.true != cell.predicted), key=lambda cell: -cell.count
    )
    rows = [(show(one.true), show(one.predicted), f"{one.count:,}") for one in wrong[:_LISTED_KINDS]]
    return section(
        "Confusion",
        table("The most frequent confusions", ("true label", "label given", "rows"), rows, 2),
        further(len(wrong), len(rows), "confusions"),
    )


def classes(certificate: Certificate) -> Element:
    """Count per class; of many classes those with the most errors."""
    found, is_many = certificate.confusion, certificate.model.link == "sigmoid"
    shown: Sequence[ClassCount] = found.classes
    if len(shown) > _MATRIX_CLASSES:
        shown = sorted(shown, key=lambda one: (-_errors(one), -one.predicted))[:_MATRIX_CLASSES]
    has_truth = certificate.quality is not None
    header = ("label", "given", *(("true", "both", "precision", "recall") if has_truth else ()))
    if is_many and has_truth:
        header = (*header, "given alone", "true alone", "neither", "accuracy")
    answered = certificate.rows.count - certificate.rows.unanswered
    rows = [_class_row(one, answered, is_many) for one in shown]
    absent = f"{count(found.absent, 'class')} neither true nor given" if found.absent else None
    title = "Classes" if len(shown) == len(found.classes) else "Classes with the most errors"
    return section(
        title,
        table("Rows on which a label is given and true", header, rows),
        further(len(found.classes), len(shown), "classes"),
        node("p", absent, class_="hint") if absent else None,
    )


def _matrix(shown: Sequence[ClassCount], cells: Sequence[Cell]) -> Element:
    counts: dict[tuple[Label, Label], int] = {(one.true, one.predicted): one.count for one in cells}
    names = [show(one.label) for one in shown]
    head = node(
        "tr", node("th", "true \\ given", scope="col"), *(node("th", name, scope="col") for name in names)
    )
    body = [
        node("tr", node("th", name, scope="row"), *(_cell(counts, true, one) for one in shown))
        for name, true in zip(names, shown, strict=True)
    ]
    caption = "Rows by true label (down) and label given (across); right ones on the diagonal"
    is_wide = len(names) > _USUAL_CLASSES or max(map(len, names)) > _SHORT_LABEL
    style = "heat wide" if is_wide else "heat"
    content = node("table", node("thead", head), node("tbody", *body), class_=style, aria_label=caption)
    return scrolling(caption, content)


def _cell(counts: dict[tuple[Label, Label], int], true: ClassCount, given: ClassCount) -> Element:
    number = counts.get((true.label, given.label), 0)
    shade = level(number / true.true) if true.true else "h0"
    return node("td", f"{number:,}", class_=f"{shade} right" if true is given else shade)


def _errors(one: ClassCount) -> int:
    return (one.true or 0) + one.predicted - 2 * one.right if one.right is not None else 0


def _class_row(one: ClassCount, rows: int, is_many: bool) -> list[str]:
    row = [show(one.label), f"{one.predicted:,}"]
    if one.true is None or one.right is None:
        return row
    row += [f"{one.true:,}", f"{one.right:,}", _share(one.precision), _share(one.recall)]
    if is_many:
        given, true = one.predicted - one.right, one.true - one.right
        neither = rows - one.right - given - true
        row += [f"{given:,}", f"{true:,}", f"{neither:,}", _share(one.accuracy)]
    return row


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
