"""HTML and SVG as trees, so that no text can become markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

from onnxhead.display.text import plain

Child = Element | str | None


def node(tag: str, *children: Child, **attributes: object) -> Element:
    """Return an element.

    Args:
        tag: Its name.
        children: Elements and text, in which control characters are escaped; None is left out.
        attributes: By name, `_` for `-`, a `_` at the end dropped (`class_`). None is left out, True is an
            attribute without a value.

    Example:
        >>> from xml.etree.ElementTree import tostring
        >>> tostring(node("p", "a < b", node("b", "!"), class_="note"), "unicode")
        '<p class="note">a &lt; b<b>!</b></p>'
    """
    given = {
        name.rstrip("_").replace("_", "-"): "" if value is True else plain(str(value))
        for name, value in attributes.items()
        if value is not None
    }
    element = Element(tag, given)
    for child in children:
        if isinstance(child, Element):
            element.append(child)
        elif child is not None:
            _append_text(element, plain(child))
    return element


def _append_text(element: Element, text: str) -> None:
    last = element[-1] if len(element) else None
    if last is None:
        element.text = (element.text or "") + text
    else:
        last.tail = (last.tail or "") + text


def section(title: str, *children: Child) -> Element:
    """Return a section with its heading."""
    return node("section", node("h2", title), *children)


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Child]], numbers: int = 1) -> Element:
    """Return a table in a region that scrolls where it is too wide.

    Args:
        caption: What it is, read out by screen readers and shown above it.
        header: The names of the columns.
        rows: The first cell of each is its header.
        numbers: The first column of numbers, which are aligned to the right.
    """

    def cell(tag: str, at: int, content: Child, scope: str | None) -> Element:
        return node(tag, content, class_="number" if at >= numbers else None, scope=scope)

    head = [cell("th", at, name, "col") for at, name in enumerate(header)]
    body = [
        node(
            "tr",
            *(
                cell("td" if at else "th", at, content, None if at else "row")
                for at, content in enumerate(row)
            ),
        )
        for row in rows
    ]
    return scrolling(
        caption,
        node("table", node("thead", node("tr", *head)), node("tbody", *body), aria_label=caption),
    )


def scrolling(label: str, content: Element) -> Element:
    """Return a region that scrolls by itself, also with the keyboard, below what it is called."""
    region = node("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")
    return node("div", node("p", label, class_="hint", aria_hidden="true"), region)


def definitions(rows: Iterable[tuple[str, Child]]) -> Element:
    """Return names and values."""
    return node("dl", *(node("div", node("dt", name), node("dd", value)) for name, value in rows))


def further(total: int, listed: int, what: str) -> Element | None:
    """Say how many are not listed; None for none."""
    if total <= listed:
        return None
    return node("p", f"{total - listed:,} more {what}: onnxhead verify --json has them", class_="hint")
