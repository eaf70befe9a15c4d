"""One call: latency for every batch size, beside onnxruntime by hand and other ways to run a head."""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from measure import build, medians, microseconds, report
from peers import all_peers, by_hand, check, ours

SHAPES = [(3, 3), (64, 10), (768, 10), (768, 1000), (2048, 1000)]
BATCHES = [1, 8, 32, 256, 4096, 65536]
PEER_SHAPES = [(64, 10), (768, 10), (768, 1000)]
PEER_BATCHES = [1, 8, 32, 256, 4096]
_MANY_VALUES = 2**24


def rows(count: int, features: int) -> Any:
    return np.random.default_rng(1).normal(size=(count, features)).astype(np.float32)


def beside_hand(folder: Path) -> list[dict[str, Any]]:
    found = []
    for features, classes in SHAPES:
        path = build(folder, features, classes)
        calls = {"onnxhead": ours(path), "by hand": by_hand(path)}
        for count in BATCHES:
            batch = rows(count, features)
            repeats = 31 if count * classes < _MANY_VALUES else 9
            spent = medians({name: partial(call, batch) for name, call in calls.items()}, repeats)
            found.append({"shape": [features, classes], "batch": count, **spent})
            print(found[-1], file=sys.stderr)
    return found


def beside_peers(folder: Path) -> list[dict[str, Any]]:
    found = []
    for features, classes in PEER_SHAPES:
        peers = all_peers(build(folder, features, classes))
        check(peers, rows(5, features))
        for count in PEER_BATCHES:
            batch = rows(count, features)
            spent = medians({name: partial(call, batch) for name, call in peers.items()}, 9)
            found.append({"shape": [features, classes], "batch": count, **spent})
            print(found[-1], file=sys.stderr)
    return found


def ratio_table(found: list[dict[str, Any]]) -> list[list[str]]:
    lines = [["head", *(f"batch {count:,}" for count in BATCHES)]]
    for shape in SHAPES:
        cells = [entry for entry in found if tuple(entry["shape"]) == shape]
        lines.append(
            [
                f"{shape[0]} x {shape[1]}",
                *(
                    f"{entry['onnxhead'] / entry['by hand']:.2f} ({microseconds(entry['onnxhead'])} us)"
                    for entry in cells
                ),
            ]
        )
    return lines


def peer_table(found: list[dict[str, Any]], shape: tuple[int, int]) -> list[list[str]]:
    entries = [entry for entry in found if tuple(entry["shape"]) == shape]
    names = [name for name in entries[0] if name not in ("shape", "batch")]
    lines = [["", *(f"batch {entry['batch']:,}" for entry in entries)]]
    for name in names:
        cells = [
            f"{entry[name] / entry['onnxhead']:.2f} ({microseconds(entry[name])} us)" for entry in entries
        ]
        lines.append([name, *cells])
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        hand, peers = beside_hand(Path(folder)), beside_peers(Path(folder))
    tables = [
        ("Time of a call divided by that of `InferenceSession.run` with default options:", ratio_table(hand))
    ]
    for features, classes in PEER_SHAPES:
        heading = f"{features} x {classes}: time of a call divided by onnxhead's:"
        tables.append((heading, peer_table(peers, (features, classes))))
    report("one_call", "One call", tables, {"by_hand": hand, "peers": peers})


if __name__ == "__main__":
    main()
