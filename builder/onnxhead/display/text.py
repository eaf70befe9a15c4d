"""Numbers, labels and tables as text that a terminal shows as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal

from onnxhead_runtime.contract import Decision, Label

LISTED_CLASSES = 10
_BAR_CELLS = 40


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


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where that is due."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number} {noun if number == 1 else plural}"


def places(number: Decimal) -> int:
    """Return how many decimals a number has."""
    return -int(number.as_tuple().exponent)


def table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Lay out names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    return (f"{name:<{width}}  {value}" for name, value in rows)


def vector(values: Sequence[float]) -> str:
    """Return numbers in brackets."""
    return "[" + ", ".join(map(decimal, values)) + "]"


def bar(probability: float) -> str:
    """Draw a probability; nothing where it is NaN."""
    if not math.isfinite(probability):
        return ""
    eighths = round(probability * _BAR_CELLS * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def label_list(labels: Sequence[Label] | None) -> str:
    """Return the first labels, and how many there are."""
    if labels is None:
        return "none: classes are numbered from 0"
    more = f", ... ({len(labels)} in all)" if len(labels) > LISTED_CLASSES else ""
    return ", ".join(map(show, labels[:LISTED_CLASSES])) + more


def head_text(classes: int, features: int | None, precision: str | None) -> str:
    """Return the size of a head and its precision; of a model without one that is known its classes."""
    if features is None:
        return f"{classes:,} classes, no head of which weight and bias are known"
    return f"{classes:,} classes x {features:,} features, {precision}"


def link_text(link: str, temperature: float) -> str:
    """Return a link with its temperature."""
    return link if temperature == 1 else f"{link} of logits / {temperature:g}"
