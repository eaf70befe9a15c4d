"""Print the figures of the README, from what the benchmarks wrote to results/."""

from __future__ import annotations

import json
from typing import Any

from measure import RESULTS, microseconds

_ROW = [768, 10]
_WIDE = [768, 1000]


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


def _read(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())["data"]


def _entry(entries: list[dict[str, Any]], shape: list[int], batch: int) -> dict[str, Any]:
    return next(entry for entry in entries if entry["shape"] == shape and entry["batch"] == batch)


if __name__ == "__main__":
    print("\n".join(lines()))
