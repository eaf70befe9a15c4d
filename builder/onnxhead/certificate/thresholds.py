"""What a certificate is to hold to, and whether it does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from onnxhead.certificate.comparison import Comparison
from onnxhead.certificate.rounding import Rounding
from onnxhead.quality import Quality

_FIGURES = {
    "min_accuracy": "the accuracy",
    "max_nll": "the negative log-likelihood",
    "max_calibration_error": "the expected calibration error",
    "max_uncertain": "the share of rows whose label rounding alone could change",
    "max_flips": "the share of rows with another label than the older model's",
    "max_regressions": "the share of decisions that the older model had right and this one has wrong",
}


@dataclass(frozen=True)
class Verdict:
    """A threshold and the figure that it is held to.

    Attributes:
        name: The threshold, such as `min_accuracy`.
        limit: The threshold; a figure that is equal to it meets it.
        figure: What was found.
        met: Whether it is met.
    """

    name: str
    limit: float
    figure: float
    met: bool

    @property
    def finding(self) -> str | None:
        """What is wrong, in a sentence; None where it is met."""
        side = "at least" if _is_least(self.name) else "at most"
        said = f"{_FIGURES[self.name]} must be {side} {self.limit:g}, it is {self.figure:.6g}"
        return None if self.met else said


@dataclass(frozen=True)
class Thresholds:
    """What a model must hold to on its rows; None for what need not be.

    Attributes:
        min_accuracy: The least accuracy, from 0 to 1.
        max_nll: The largest mean negative log-likelihood, in nats.
        max_calibration_error: The largest expected calibration error, from 0 to 1.
        max_uncertain: The largest share of rows whose label rounding alone could change.
        max_flips: The largest share of rows with another label than the older model's.
        max_regressions: The largest share of decisions that were right with the older model and are wrong.

    Raises:
        ValueError: One is NaN, or beyond what its figure can be.
    """

    min_accuracy: float | None = None
    max_nll: float | None = None
    max_calibration_error: float | None = None
    max_uncertain: float | None = None
    max_flips: float | None = None
    max_regressions: float | None = None

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            largest = float("inf") if name == "max_nll" else 1
            if value is not None and not (0 <= value <= largest and value < float("inf")):
                what = "at least 0 and finite" if name == "max_nll" else "from 0 to 1"
                raise ValueError(f"{_option(name)} must be {what}, got {value:g}")

    def check(self, has_labels: bool, has_older: bool) -> None:
        """Raise ValueError for a threshold that nothing would be found for."""
        needed: list[str] = []
        if not has_labels:
            needed = ["min_accuracy", "max_nll", "max_calibration_error", "max_regressions"]
        for name in needed:
            if getattr(self, name) is not None:
                raise ValueError(f"{_option(name)} must have true labels to go by: give them with --labels")
        for name in () if has_older else ("max_flips", "max_regressions"):
            if getattr(self, name) is not None:
                raise ValueError(f"{_option(name)} must have another model to go by: give it with --against")

    def judge(
        self, rounding: Rounding, rows: int, quality: Quality | None, comparison: Comparison | None
    ) -> tuple[Verdict, ...]:
        """Hold what was found on so many rows to the thresholds."""
        found: dict[str, float] = {"max_uncertain": len(rounding.uncertain) / rows}
        if quality:
            found["min_accuracy"] = quality.accuracy
            found["max_nll"] = quality.nll
            found["max_calibration_error"] = quality.calibration_error
        if comparison:
            found["max_flips"] = len(comparison.flipped) / rows
            if comparison.broken is not None:
                found["max_regressions"] = comparison.broken / comparison.decisions
        return tuple(
            Verdict(name, limit, found[name], _is_met(name, found[name], limit))
            for name, limit in dataclasses.asdict(self).items()
            if limit is not None
        )


def _is_met(name: str, figure: float, limit: float) -> bool:
    return figure >= limit if _is_least(name) else figure <= limit


def _is_least(name: str) -> bool:
    return name.startswith("min_")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
