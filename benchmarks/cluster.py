"""Ray beside the local engine on one machine: the same files, the same answers, start-up apart."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from files import write_rows
from measure import build, report

import onnxhead_runtime
from onnxhead_runtime import cluster
from onnxhead_runtime.cluster.session import connected

CASES = [
    ("1,000,000 x 768 -> 10 from .npy", 1_000_000, 768, 10, ".npy"),
    ("1,000,000 x 768 -> 10 from .parquet", 1_000_000, 768, 10, ".parquet"),
]
WORKERS = (1, 2)
REPEATS = 5
_FEW = 50_000


def medians(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of each call, the repeats of all taking turns."""
    turns: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(REPEATS + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if turn:  # the first is to warm up
                turns[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in turns.items()}


def measure_case(folder: Path, count: int, features: int, classes: int, suffix: str) -> dict[str, Any]:
    model, source = build(folder, features, classes), folder / f"rows{suffix}"
    write_rows(source, count, features)
    one = folder / f"one{suffix}"
    write_rows(one, _FEW, features)
    classify = onnxhead_runtime.load(model, device="cpu")

    def ray(workers: int, source: Path = source) -> Callable[[], None]:
        def run() -> None:
            shutil.rmtree(folder / "answers", ignore_errors=True)
            cluster.score(classify, source, folder / "answers", workers=workers)

        return run

    calls: dict[str, Callable[[], object]] = {
        "local": lambda: onnxhead_runtime.score(classify, source, folder / "local.parquet")
    }
    calls["one local"] = lambda: onnxhead_runtime.score(classify, one, folder / "local.parquet")
    calls |= {f"one ray {workers}": ray(workers, one) for workers in WORKERS}
    calls |= {f"ray {workers}": ray(workers) for workers in WORKERS}
    found = medians(calls)
    pieces = len(list((folder / "answers").iterdir()))
    source.unlink()
    return {"rows": count, "pieces": pieces, **found}


def measure_starts(folder: Path) -> dict[str, float]:
    """Measure a run of few rows: in a Ray that runs, in one that it starts and ends, and local."""
    model, source = build(folder, 768, 10), folder / "few.npy"
    write_rows(source, _FEW, 768)
    classify = onnxhead_runtime.load(model, device="cpu")

    def run() -> None:
        shutil.rmtree(folder / "answers", ignore_errors=True)
        cluster.score(classify, source, folder / "answers", workers=1)

    local = medians({"local": lambda: onnxhead_runtime.score(classify, source, folder / "local.parquet")})
    with_start = medians({"with a Ray of its own": run})
    with connected(None):
        return local | with_start | medians({"in a Ray that runs": run})


def main() -> None:
    found: dict[str, Any] = {}
    folder = Path(tempfile.mkdtemp())
    try:
        starts = measure_starts(folder)
        print(starts, file=sys.stderr)
        with connected(None):
            for name, *case in CASES:
                found[name] = measure_case(folder, *case)
                print(name, found[name], file=sys.stderr)
    finally:
        shutil.rmtree(folder)
    rows = [["", "local", *(f"ray, {workers} workers" for workers in WORKERS), "pieces"]]
    for name, entry in found.items():
        cells = [f"{entry[key]:.2f} s" for key in ("local", *(f"ray {workers}" for workers in WORKERS))]
        rows.append([name, *cells, str(entry["pieces"])])
    few = [
        ["50,000 x 768 -> 10 from .npy", "seconds"],
        *([name, f"{value:.2f}"] for name, value in starts.items()),
    ]
    report(
        "cluster",
        "Cluster",
        [
            ("To .parquet with the default columns, in a Ray that runs already:", rows),
            ("What a run costs before its first row:", few),
        ],
        {"cases": found, "starts": starts},
    )


if __name__ == "__main__":
    main()
