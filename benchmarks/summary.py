"""Print the figures of the README, or with `scale` of docs/scale.md, from what is in results/."""

from __future__ import annotations

import json
import sys
from typing import Any

from measure import RESULTS, microseconds

_ROW = [768, 10]
_WIDE = [768, 1000]
_MACHINES = (2, 4, 16)


def lines() -> list[str]:
    one_call, cold, files = (_read(name) for name in ("one_call", "cold_start", "files"))
    gigabytes, precisions = _read("large"), _read("precisions")
    small, large = _entry(one_call["by_hand"], _ROW, 1), _entry(one_call["by_hand"], _WIDE, 65536)
    peers = _entry(one_call["peers"], _ROW, 1)
    others = ("scikit-learn", "skl2onnx's file", "torch eager", "OpenVINO", "tract")
    beside = ", ".join(f"{name} {peers[name] / peers['onnxhead']:.1f}" for name in others if name in peers)
    table = [
        ("what", "figure"),
        ("---", "---"),
        (
            "one row, 768 x 10, beside `InferenceSession.run`",
            f"{small['onnxhead'] / small['by hand']:.2f} of its time: {microseconds(small['onnxhead'])} us",
        ),
        (
            "65,536 rows, 768 x 1000, beside it",
            f"{large['onnxhead'] / large['by hand']:.2f} of its time: {large['onnxhead'] * 1e3:.0f} ms",
        ),
        ("one row, 768 x 10: time of others divided by ours", beside),
        (
            "cold start: import, load, first answer",
            f"{cold['onnxhead_runtime'] / cold['by hand']:.2f} of numpy and onnxruntime by hand",
        ),
    ]
    for name, entry in files.items():
        table.append(
            (
                f"`score`, {name}",
                f"{entry['rows'] / entry['score']:,.0f} rows/s, {entry['of_floor']:.2f} of what the CPUs "
                f"allow, +{entry['anonymous_mib']} MiB",
            )
        )
    built, mib = gigabytes["built"]["onnxhead, from .npy"]
    copied, _ = gigabytes["built"]["cp of the weight file"]
    _, _, loading, _, own = gigabytes["loaded"][0]
    int8 = [spent["float32"] / spent["int8"] for spent in precisions["seconds"]]
    table += [
        (
            "build 1,000,000 x 1024 (4 GB), hashed and verified",
            f"{min(built):.1f} s, {min(built) / min(copied):.1f} times `cp`, +{mib:.0f} MiB",
        ),
        ("load it", f"{loading * 1e3:.0f} ms, {own:.0f} MiB; its weights stay in the page cache"),
        (
            "int8, 768 x 1000, one thread, 1 to 4,096 rows",
            f"{min(int8):.1f} to {max(int8):.1f} times the speed of float32, a quarter of the size",
        ),
    ]
    return [f"| {what} | {figure} |" for what, figure in table]


def scale_lines() -> list[str]:
    """Return how long Ray takes beside the local engine, and what follows for a cluster."""
    found = _read("cluster")
    own = found["starts"]["with a Ray of its own"] - found["starts"]["local"]
    table = [
        ("rows", "local", "ray, 1 worker", "ray, 2 workers", "of it start", "more per row", "per piece"),
        ("---",) * 7,
    ]
    computed = [
        ("rows", *(f"{machines} machines" for machines in _MACHINES)),
        ("---",) * (1 + len(_MACHINES)),
    ]
    for name, entry in found["cases"].items():
        rows, local, two = entry["rows"], entry["local"], entry["ray 2"]
        start = entry["one ray 2"] - entry["one local"]  # of the workers, which every run has once
        more = two - start - local
        table.append(
            (
                name,
                *(f"{entry[key]:.2f} s" for key in ("local", "ray 1", "ray 2")),
                f"{start:.2f} s",
                f"{more / rows * 1e6:.2f} us",
                f"{more / entry['pieces'] * 1e3:.0f} ms",
            )
        )
        each = (two - start) / rows
        computed.append((name, *(_cluster(local / rows, each / machines, start) for machines in _MACHINES)))
    return [
        *(f"| {' | '.join(cells)} |" for cells in table),
        "",
        "`More` is what two workers take beyond their start and the local engine, which has two CPUs too.",
        f"A run that starts its own Ray takes {own:.1f} s more than a local one before its first row.",
        "",
        "Computed from that, not measured: N machines like this one answer N times the rows of one less its",
        "start, where the file system serves all as fast as one; a cluster pays when the time that the rows",
        "take less makes up for the longer start.",
        "",
        *(f"| {' | '.join(cells)} |" for cells in computed),
    ]


def _cluster(local: float, each: float, start: float) -> str:
    """Return rows per second, and from how many rows on that is less than local; all in seconds per row."""
    pays = f"from {start / (local - each):,.0f} rows on" if each < local else "never pays"
    return f"{1 / each:,.0f} rows/s, {pays}"


def _read(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())["data"]


def _entry(entries: list[dict[str, Any]], shape: list[int], batch: int) -> dict[str, Any]:
    return next(entry for entry in entries if entry["shape"] == shape and entry["batch"] == batch)


if __name__ == "__main__":
    print("\n".join(scale_lines() if sys.argv[1:] == ["scale"] else lines()))
