"""What the benchmarks share: interleaved medians, heads, and results with the machine that they came from.

Machines are noisy, so what counts is the ratio of two medians of one run, whose repeats took turns.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import onnxhead

RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "onnxruntime",
    "onnxruntime-gpu",
    "numpy",
    "pyarrow",
    "ray",
    "scikit-learn",
    "skl2onnx",
    "torch",
    "openvino",
    "tract",
)
# onnxruntime's threads spin for milliseconds after a call: they must be asleep before another's turn
_IDLE_SECONDS = 0.06


def medians(
    calls: Mapping[str, Callable[[], object]],
    repeats: int,
    seconds: float = 0.02,
    idle: float = _IDLE_SECONDS,
) -> dict[str, float]:
    """Return the median seconds of each call, the repeats of all taking turns.

    Args:
        calls: What to measure.
        repeats: How many turns each has.
        seconds: How long a turn lasts at least: a short call is made many times.
        idle: How long to wait before a turn.
    """
    times = dict.fromkeys(calls, 0.0)
    for name, call in calls.items():
        call()
        began = time.perf_counter()
        call()
        times[name] = time.perf_counter() - began
    counts = {name: max(1, int(seconds / max(spent, 1e-7))) for name, spent in times.items()}
    turns: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            time.sleep(idle)
            for _ in range(max(1, counts[name] // 10)):
                call()
            began = time.perf_counter()
            for _ in range(counts[name]):
                call()
            turns[name].append((time.perf_counter() - began) / counts[name])
    return {name: statistics.median(values) for name, values in turns.items()}


def build(folder: Path, features: int, classes: int) -> Path:
    """Build a random head, weights scaled as those of a trained layer are."""
    path = folder / f"{features}x{classes}.onnx"
    random = np.random.default_rng(0)
    weight = random.normal(size=(classes, features)).astype(np.float32) / features**0.5
    onnxhead.save(onnxhead.Head(weight, random.normal(size=classes).astype(np.float32)), path)
    return path


def machine() -> dict[str, Any]:
    """Describe what this ran on."""
    cpu = platform.processor() or platform.machine()
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "cpu": cpu,
        "cpus": len(os.sched_getaffinity(0)),
        "system": platform.system(),
        "versions": versions,
    }


def report(name: str, title: str, tables: Sequence[tuple[str, Sequence[Sequence[str]]]], data: Any) -> None:
    """Print tables and write them to results/NAME.md, with the data in results/NAME.json."""
    where = machine()
    versions = ", ".join(f"{package} {version}" for package, version in where["versions"].items())
    lines = [f"# {title}", "", f"{where['cpu']}, {where['cpus']} CPUs, {where['system']}; {versions}.", ""]
    for heading, rows in tables:
        lines += [heading, "", *_markdown(rows), ""]
    text = "\n".join(lines)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": where, "data": data}, indent=1) + "\n")


def microseconds(seconds: float) -> str:
    """Return a time with three digits."""
    return f"{seconds * 1e6:,.3g}" if seconds < 1e-3 else f"{seconds * 1e6:,.0f}"


def _markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = rows
    return [_row(head), _row(["---"] * len(head)), *map(_row, body)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
