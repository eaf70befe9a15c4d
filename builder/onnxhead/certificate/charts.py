"""The pictures of a certificate, as SVG that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from onnxhead.certificate.markup import node
from onnxhead.quality import Quality

_WIDTH, _HEIGHT = 400, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 20, 14, 48
_BARS = 24
_SMALLEST_BAR = 2.0
_MOST_TICKS = 6


def histogram(title: str, values: NDArray[np.float64], axis: str, limit: float | None = None) -> Element:
    """Draw how often values occur, over their logarithm.

    Args:
        title: What is drawn, in a sentence.
        values: Positive, or 0; infinity is left out.
        axis: What they are.
        limit: Bars of values up to it are marked, and a line shows where it is.
    """
    logs = _logarithms(values[np.isfinite(values)], limit)
    shown = np.append(logs, math.log10(limit) - 0.5) if limit else logs
    low, high = math.floor(shown.min()), math.ceil(shown.max())
    high = max(high, low + 1)
    edges = _edges(low, high, limit)
    counts = np.histogram(logs, edges)[0]

    def across(log: float) -> float:
        return float(_LEFT + (log - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT))

    most = int(counts.max())
    bars = []
    for count, left, right in zip(counts.tolist(), edges[:-1], edges[1:], strict=True):
        if count:
            tall = max(_SMALLEST_BAR, count / most * (_HEIGHT - _TOP - _BOTTOM))
            marked = limit is not None and right <= math.log10(limit) + 1e-9
            bars.append(
                node(
                    "rect",
                    node("title", f"{count:,} rows from {10**left:.2g} to {10**right:.2g}"),
                    x=_number(across(left) + 0.5),
                    y=_number(_HEIGHT - _BOTTOM - tall),
                    width=_number(max(1.0, across(right) - across(left) - 1)),
                    height=_number(tall),
                    class_="bar marked" if marked else "bar",
                )
            )
    step = math.ceil((high - low) / _MOST_TICKS)
    ticks = [_tick(across(log), _power(log)) for log in range(low, high + 1) if log % step == 0]
    line = []
    if limit:
        at = _number(across(math.log10(limit)))
        line = [node("line", x1=at, x2=at, y1=_TOP - 6, y2=_HEIGHT - _BOTTOM, class_="limit")]
    return _figure(title, _HEIGHT, *bars, *line, *ticks, *_axes(axis, _HEIGHT, "rows", f"{most:,}"))


def reliability(title: str, quality: Quality, before: Quality | None) -> Element:
    """Draw the accuracy over the confidence of each bin; a point is the larger, the more are in it."""
    height = _WIDTH - _LEFT - _RIGHT + _TOP + _BOTTOM
    span = _WIDTH - _LEFT - _RIGHT

    def place(confidence: float, accuracy: float) -> tuple[float, float]:
        return _LEFT + confidence * span, _TOP + (1 - accuracy) * span

    (x1, y1), (x2, y2) = place(0, 0), place(1, 1)
    diagonal = node("line", x1=_number(x1), y1=_number(y1), x2=_number(x2), y2=_number(y2), class_="diagonal")
    drawn = [diagonal]
    for one, name in ((before, "older"), (quality, "own")):
        if one:
            total = sum(part.count for part in one.bins)
            points = [place(part.confidence, part.accuracy) for part in one.bins]
            drawn.append(
                node(
                    "polyline",
                    points=" ".join(f"{_number(x)},{_number(y)}" for x, y in points),
                    class_=f"curve {name}",
                )
            )
            drawn += [
                node(
                    "circle",
                    node(
                        "title",
                        f"{part.count:,} predictions: confidence {part.confidence:.3f}, accuracy "
                        f"{part.accuracy:.3f}",
                    ),
                    cx=_number(x),
                    cy=_number(y),
                    r=_number(3 + 9 * math.sqrt(part.count / total)),
                    class_=f"point {name}",
                )
                for part, (x, y) in zip(one.bins, points, strict=True)
            ]
    ticks = [_tick(_LEFT + share * span, f"{share:g}", height) for share in (0, 0.25, 0.5, 0.75, 1)]
    return _figure(title, height, *drawn, *ticks, *_axes("confidence", height, "accuracy", "1"))


def _logarithms(values: NDArray[np.float64], limit: float | None) -> NDArray[np.float64]:
    """Return logarithms, of 0 that of the smallest other, of what is at the limit just below that."""
    smallest = values[values > 0].min(initial=np.inf)
    if not np.isfinite(smallest):
        smallest = (limit or 1.0) / 10
    logs: NDArray[np.float64] = np.log10(np.maximum(values, smallest))
    if limit:
        logs[values <= limit] = np.minimum(logs[values <= limit], math.log10(limit) - 1e-9)
    return logs


def _edges(low: int, high: int, limit: float | None) -> list[float]:
    """Return the edges of bars: about as many as fit, of equal width, with one at the limit."""
    per_decade = max(1, _BARS // (high - low))
    edges = np.linspace(low, high, (high - low) * per_decade + 1).tolist()
    if limit and not any(math.isclose(edge, math.log10(limit), abs_tol=1e-9) for edge in edges):
        edges = sorted([*edges, math.log10(limit)])
    return [float(edge) for edge in edges]


def _figure(title: str, height: int, *children: Element) -> Element:
    drawing = node(
        "svg",
        node("title", title),
        *children,
        viewBox=f"0 0 {_WIDTH} {height}",
        role="img",
        aria_label=title,
    )
    return node("figure", drawing, node("figcaption", title))


def _axes(axis: str, height: int, upward: str, most: str) -> Iterator[Element]:
    base, end = height - _BOTTOM, _WIDTH - _RIGHT
    yield node("line", x1=_LEFT, x2=end, y1=base, y2=base, class_="axis")
    yield node("line", x1=_LEFT, x2=_LEFT, y1=_TOP, y2=base, class_="axis")
    yield node("text", axis, x=_number((_LEFT + end) / 2), y=height - 8, class_="name")
    yield node("text", most, x=_LEFT - 6, y=_TOP + 5, class_="left")
    yield node("text", "0", x=_LEFT - 6, y=base + 4, class_="left")
    middle = (_TOP + base) / 2
    turned = f"rotate(-90 16 {_number(middle)})"
    yield node("text", upward, x=16, y=_number(middle), transform=turned, class_="name")


def _tick(x: float, text: str, height: int = _HEIGHT) -> Element:
    return node("text", text, x=_number(x), y=height - _BOTTOM + 17, class_="tick")


def _power(log: int) -> str:
    return f"{10.0**log:g}" if -2 <= log <= 3 else f"1e{log}"


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def level(share: float) -> str:
    """Return the class of a cell of a heat map.

    Example:
        >>> level(0.0), level(0.004), level(1.0)
        ('h0', 'h1', 'h10')
    """
    return f"h{min(10, math.ceil(share * 10))}"
