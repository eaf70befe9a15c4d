"""Draw the results as SVG in docs/: latency over batch size, and files beside their floor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from measure import RESULTS

DOCS = Path(__file__).parents[1] / "docs"
_SHAPE = [768, 10]
# shapes that can be told apart without colour too
_STYLES = {
    "onnxhead": ("#d1495b", "o", 2.5),
    "onnxruntime by hand": ("#30638e", "s", 1.5),
    "scikit-learn": ("#edae49", "^", 1.5),
    "skl2onnx's file": ("#8d6a9f", "v", 1.5),
    "torch eager": ("#66a182", "D", 1.5),
    "OpenVINO": ("#2e4057", "P", 1.5),
    "tract": ("#a0a0a0", "X", 1.5),
}


def draw_latency(found: list[dict[str, Any]], path: Path) -> None:
    entries = [entry for entry in found if entry["shape"] == _SHAPE]
    batches = [entry["batch"] for entry in entries]
    figure = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, (color, marker, width) in _STYLES.items():
        if name in entries[0]:
            times = [entry[name] * 1e6 for entry in entries]
            axes.plot(batches, times, color=color, marker=marker, linewidth=width, markersize=5, label=name)
    axes.set(xscale="log", yscale="log", xlabel="rows in the batch", ylabel="microseconds per call")
    axes.set_xticks(batches, [f"{count:,}" for count in batches])
    axes.set_title(f"One call of a {_SHAPE[0]} x {_SHAPE[1]} head: lower is faster", loc="left")
    axes.grid(color="0.9")
    axes.legend(frameon=False)
    _save(figure, path)


def draw_files(found: dict[str, dict[str, Any]], path: Path) -> None:
    figure = Figure(figsize=(7.2, 1.1 + 0.95 * len(found)), layout="constrained")
    axes = figure.subplots()
    for row, entry in enumerate(found.values()):
        bars = {
            "reading alone": "read",
            "running alone": "run",
            "writing alone": "write",
            "all three": "score",
        }
        for place, (label, key) in enumerate(bars.items()):
            color = "#d1495b" if key == "score" else ("#9fb8cf", "#5d87ad", "#30638e")[place]
            axes.barh(row + 0.2 * place, entry[key], 0.18, color=color, label=label if row == 0 else None)
        axes.plot(
            [entry["floor"]] * 2,
            [row - 0.15, row + 0.75],
            color="black",
            linestyle=":",
            label="floor" if row == 0 else None,
        )
    axes.set_yticks([row + 0.3 for row in range(len(found))], list(found))
    axes.invert_yaxis()
    axes.set(xlabel="seconds")
    figure.suptitle("Files: shorter is faster; the dotted line is what the CPUs allow", x=0.01, ha="left")
    axes.legend(frameon=False, loc="upper right")
    _save(figure, path)


def draw_precisions(found: dict[str, Any], path: Path) -> None:
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    styles = {"float16": ("#30638e", "s"), "int8": ("#d1495b", "o"), "computed in float64": ("#a0a0a0", "X")}
    for name, (color, marker) in styles.items():
        ratios = [spent["float32"] / spent[name] for spent in found["seconds"]]
        share = found["bytes"][name] / found["bytes"]["float32"]
        axes.plot(
            found["batches"], ratios, color=color, marker=marker, label=f"{name}, {share:.2f} of the size"
        )
    axes.axhline(1, color="0.6", linestyle=":")
    axes.set(xscale="log", ylim=(0, None), xlabel="rows in the batch", ylabel="speed by that of float32")
    axes.set_xticks(found["batches"], [f"{count:,}" for count in found["batches"]])
    axes.set_title("A 768 x 1000 head in other precisions: higher is faster", loc="left")
    axes.grid(color="0.9")
    axes.legend(frameon=False, loc="center", bbox_to_anchor=(0.5, 0.6))
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    matplotlib.rcParams["svg.hashsalt"] = "onnxhead"  # the same bytes for the same results
    draw_latency(json.loads((RESULTS / "one_call.json").read_text())["data"]["peers"], DOCS / "latency.svg")
    draw_files(json.loads((RESULTS / "files.json").read_text())["data"], DOCS / "files.svg")
    draw_precisions(json.loads((RESULTS / "precisions.json").read_text())["data"], DOCS / "precisions.svg")


if __name__ == "__main__":
    main()
