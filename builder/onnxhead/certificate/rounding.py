"""Which rows could change their label by rounding alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.reference import Reference
from onnxhead_runtime.contract import Label, Link

LISTED = 1000


@dataclass(frozen=True)
class Uncertain:
    """A row whose label rounding alone could change.

    Attributes:
        row: Its number, counted from 0.
        label: The label of the largest exact logit; with the link `sigmoid` the label in question.
        rival: The label that could take its place; None with the link `sigmoid`, where it comes or goes.
        gap: How far the two exact logits are apart; with `sigmoid` how far the one is from 0.
        bound: The sum of the rounding bounds of the two; with `sigmoid` that of the one.
    """

    row: int
    label: Label
    rival: Label | None
    gap: float
    bound: float


@dataclass(frozen=True, eq=False)
class Rounding:
    """How far rounding may move the answers to rows.

    Attributes:
        bounds: float64 (rows,): the largest bound of a row's logits; NaN for a row without an answer.
        margins: float64 (rows,): the gap of a row by its bound, where that is least; up to 1 rounding alone
            could change the label. NaN for a row without an answer.
        largest: The largest of the bounds.
        median: Their median.
        uncertain: int64, the numbers of the rows whose label rounding alone could change.
        listed: The first thousand of them.
    """

    bounds: NDArray[np.float64]
    margins: NDArray[np.float64]
    largest: float
    median: float
    uncertain: NDArray[np.int64]
    listed: tuple[Uncertain, ...]


class Nearest(NamedTuple):
    """What is nearest to a change of the label, for each row: classes, gap and bound, all (rows,)."""

    first: NDArray[np.intp]
    second: NDArray[np.intp] | None
    gap: NDArray[np.float64]
    bound: NDArray[np.float64]


def nearest(exact: Reference, link: Link) -> Nearest:
    """Return what is nearest to a change of each row's label.

    The label of a row is certain where no other class can overtake that of the largest exact logit: where its
    gap to each is larger than the sum of both bounds. That need not be the second largest, as bounds differ.

    Example:
        >>> z, bounds = np.array([[2.0, 1.0, 0.5]]), np.array([[0.1, 0.1, 1.6]])
        >>> found = nearest(Reference(z, z, bounds, bounds), "softmax")
        >>> int(found.second[0]), float(found.gap[0]), float(found.bound[0])
        (2, 1.5, 1.7000000000000002)
    """
    z, bounds = exact.logits, exact.logits_bound
    rows = np.arange(len(z))
    if link == "sigmoid":
        first = (np.abs(z) / bounds).argmin(axis=1)
        return Nearest(first, None, np.abs(z[rows, first]), bounds[rows, first])
    first = z.argmax(axis=1)
    gaps = z[rows, first, np.newaxis] - z
    sums = bounds[rows, first, np.newaxis] + bounds
    ratios = gaps / sums
    ratios[rows, first] = np.inf
    second = ratios.argmin(axis=1)
    return Nearest(first, second, gaps[rows, second], sums[rows, second])


class RoundingTally:
    """Collects the bounds of rows that come block by block: 16 bytes for each."""

    def __init__(self, labels: tuple[Label, ...], link: Link) -> None:
        """Begin with no rows."""
        self._labels, self._link = labels, link
        self._bounds: list[NDArray[np.float64]] = []
        self._margins: list[NDArray[np.float64]] = []
        self._listed: list[Uncertain] = []
        self._rows = 0

    def add(self, good: NDArray[np.bool_], exact: Reference) -> None:
        """Add a block: which of its rows have an answer, and the exact answers of those."""
        near = nearest(exact, self._link)
        for kept, found in (
            (self._bounds, exact.logits_bound.max(axis=1, initial=0.0)),
            (self._margins, near.gap / near.bound),
        ):
            values = np.full(len(good), np.nan)
            values[good] = found
            kept.append(values)
        uncertain = np.flatnonzero(near.gap <= near.bound)
        numbers = np.flatnonzero(good) + self._rows
        for row in uncertain[: LISTED - len(self._listed)].tolist():
            rival = None if near.second is None else self._labels[near.second[row]]
            label = self._labels[near.first[row]]
            gap, bound = float(near.gap[row]), float(near.bound[row])
            self._listed.append(Uncertain(int(numbers[row]), label, rival, gap, bound))
        self._rows += len(good)

    def rounding(self) -> Rounding:
        """Return what was found, of at least one row with an answer."""
        bounds, margins = np.concatenate(self._bounds), np.concatenate(self._margins)
        return Rounding(
            bounds,
            margins,
            float(np.nanmax(bounds)),
            float(np.nanmedian(bounds)),
            np.flatnonzero(margins <= 1).astype(np.int64),
            tuple(self._listed),
        )
