"""The reliability diagram of a calibration, as a picture."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from onnxhead.calibration import Calibration
from onnxhead.quality import Quality
from onnxhead.replacement import replace_file
from onnxhead_runtime.errors import WriteError


def check_picture(path: Path) -> None:
    """Raise WriteError unless `draw` can write `path`: it ends in .png, and matplotlib is there."""
    if path.suffix.lower() != ".png" or path.is_dir():
        raise WriteError(f"a picture's file name must end in .png, got {path}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as cause:
        raise WriteError('drawing needs matplotlib: pip install "onnxhead[calibrate]"') from cause


def draw(calibration: Calibration, path: Path) -> None:
    """Draw accuracy over confidence, before and after, to a .png file.

    A point is a bin, and the larger, the more predictions are in it; on the diagonal confidence is accuracy.

    Raises:
        WriteError: The name does not end in .png, matplotlib is missing, or the file cannot be written.
    """
    check_picture(path)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, zorder=0)
    for name, quality, color in (
        ("before", calibration.before, "tab:orange"),
        ("after", calibration.after, "tab:blue"),
    ):
        label = f"{name}: expected calibration error {quality.calibration_error:.3f}"
        axes.plot(*_points(quality), color=color, label=label)
        axes.scatter(*_points(quality), s=_sizes(quality), color=color, clip_on=False)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="accuracy")
    axes.set_title(f"temperature {calibration.head.temperature:.4g}, {calibration.rows} rows")
    axes.legend(loc="upper left")
    save = partial(figure.savefig, format="png", dpi=150, metadata={"Software": None})
    replace_file(path, "a picture", save)


def _points(quality: Quality) -> tuple[list[float], list[float]]:
    return [part.confidence for part in quality.bins], [part.accuracy for part in quality.bins]


def _sizes(quality: Quality) -> list[float]:
    total = sum(part.count for part in quality.bins)
    return [10 + 200 * part.count / total for part in quality.bins]
