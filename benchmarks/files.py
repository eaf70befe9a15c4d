"""Files: throughput beside the slowest of reading, running and writing alone, and memory.

The three parts are what one would write by hand: read the file in batches, run rows that are in memory
with `InferenceSession.run`, and write the same answers in one go. Of two batch sizes the faster counts.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow
from measure import build, report
from pyarrow import parquet

import onnxhead_runtime

CASES = [
    ("1,000,000 x 768 -> 10 from .npy", 1_000_000, 768, 10, ".npy"),
    ("1,000,000 x 768 -> 10 from .parquet", 1_000_000, 768, 10, ".parquet"),
    ("200,000 x 1024 -> 1000 from .parquet", 200_000, 1024, 1000, ".parquet"),
]
REPEATS = 5
_CHUNK = 50_000
_HAND_BATCHES = (1024, 4096)


def write_rows(path: Path, count: int, features: int) -> None:
    """Write random rows as a user's tools do: numpy, or pyarrow with its defaults and an id column."""
    random = np.random.default_rng(0)
    chunks = (random.standard_normal((_CHUNK, features), dtype=np.float32) for _ in range(count // _CHUNK))
    if path.suffix == ".npy":
        rows = np.lib.format.open_memmap(path, "w+", np.float32, (count, features))
        for number, chunk in enumerate(chunks):
            rows[number * _CHUNK : (number + 1) * _CHUNK] = chunk
        return
    schema = pyarrow.schema(
        [("id", pyarrow.int64()), ("features", pyarrow.list_(pyarrow.float32(), features))]
    )
    with parquet.ParquetWriter(path, schema) as writer:
        for number, chunk in enumerate(chunks):
            ids = np.arange(number * _CHUNK, (number + 1) * _CHUNK)
            values = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(chunk.ravel()), features)
            writer.write_table(pyarrow.table({"id": ids, "features": values}, schema=schema))


def read_by_hand(path: Path) -> None:
    if path.suffix == ".npy":
        buffer = bytearray(8 * 2**20)
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
        return
    for _ in parquet.ParquetFile(path, memory_map=True, pre_buffer=False).iter_batches(
        4096, columns=["features"]
    ):
        pass


def run_by_hand(model: Path, count: int, features: int, batch: int) -> Callable[[], None]:
    session = onnxruntime.InferenceSession(model)
    rows = np.random.default_rng(0).standard_normal((65536, features), dtype=np.float32)

    def run() -> None:
        for start in range(0, count, batch):
            at = start % len(rows)
            session.run(None, {"features": rows[at : at + batch][: count - start]})

    return run


def write_by_hand(answers: Path, output: Path) -> Callable[[], None]:
    table = parquet.read_table(answers)

    def write() -> None:
        output.unlink(missing_ok=True)
        parquet.write_table(table, output)

    return write


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    call()
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure_case(folder: Path, count: int, features: int, classes: int, suffix: str) -> dict[str, Any]:
    model, source, output = (
        build(folder, features, classes),
        folder / f"rows{suffix}",
        folder / "answers.parquet",
    )
    write_rows(source, count, features)
    classify = onnxhead_runtime.load(model, device="cpu")

    def score() -> None:
        output.unlink(missing_ok=True)
        onnxhead_runtime.score(classify, source, output)

    score()
    calls = {"score": score, "read": lambda: read_by_hand(source)}
    calls |= {f"run {batch}": run_by_hand(model, count, features, batch) for batch in _HAND_BATCHES}
    calls["write"] = write_by_hand(output, folder / "by_hand.parquet")
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(REPEATS):
        for name, call in calls.items():
            time.sleep(0.1)
            turns[name].append(timed(call))
    wall = {name: statistics.median(turn[0] for turn in values) for name, values in turns.items()}
    cpu = {name: statistics.median(turn[1] for turn in values) for name, values in turns.items()}
    best = min((f"run {batch}" for batch in _HAND_BATCHES), key=wall.__getitem__)
    parts = {"read": wall["read"], "run": wall[best], "write": wall["write"]}
    busy = (cpu["read"] + cpu[best] + cpu["write"]) / len(os.sched_getaffinity(0))
    memory = json.loads(_in_a_process(model, source, output))
    source.unlink()
    return {
        "rows": count,
        **parts,
        "score": wall["score"],
        "of_slowest": max(parts.values()) / wall["score"],
        "floor": max(*parts.values(), busy),
        "of_floor": max(*parts.values(), busy) / wall["score"],
        "anonymous_mib": memory,
    }


def _in_a_process(model: Path, source: Path, output: Path) -> str:
    arguments = [sys.executable, __file__, "--memory", model, source, output]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def memory(model: Path, source: Path, output: Path) -> None:
    """Print by how many MiB the anonymous memory of this process grows at most while it scores."""
    classify = onnxhead_runtime.load(model, device="cpu")
    before = peak = _anonymous_mib()
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.002):
            peak = max(peak, _anonymous_mib())

    thread = threading.Thread(target=watch)
    thread.start()
    onnxhead_runtime.score(classify, source, output)
    ended.set()
    thread.join()
    print(round(peak - before))


def _anonymous_mib() -> float:
    text = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("RssAnon")) / 1024


def main() -> None:
    found = {}
    folder = Path(tempfile.mkdtemp())
    try:
        for name, *case in CASES:
            found[name] = measure_case(folder, *case)
            print(name, found[name], file=sys.stderr)
    finally:
        shutil.rmtree(folder)
    rows = [
        [
            "",
            "rows/s",
            "read alone",
            "run alone",
            "write alone",
            "score",
            "slowest part / score",
            "floor / score",
            "memory",
        ]
    ]
    for name, entry in found.items():
        rows.append(
            [
                name,
                f"{entry['rows'] / entry['score']:,.0f}",
                *(f"{entry[part]:.2f} s" for part in ("read", "run", "write", "score")),
                f"{entry['of_slowest']:.2f}",
                f"{entry['of_floor']:.2f}",
                f"+{entry['anonymous_mib']} MiB",
            ]
        )
    heading = (
        "`score` to .parquet with the default columns. The floor is the slowest part, or the CPU time of all "
        "three parts over the number of CPUs where that is more: these parts cannot take less. Memory is by "
        "how much RssAnon grows at most."
    )
    report("files", "Files", [(heading, rows)], found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        memory(*map(Path, sys.argv[2:]))
    else:
        main()
