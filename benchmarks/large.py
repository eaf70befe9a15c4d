"""Heads of gigabytes: building and loading, time and memory, beside cp and beside others.

python large.py [CLASSES]        1,000,000 by default, of 1024 features: 4 GB; 30 GB of disk, 16 of memory
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from builders import BUILDERS, SOURCES
from measure import report

import onnxhead

FEATURES = 1024
_CP = "cp of the weight file"
_CP_SYNC = "cp of it, and sync"
_SHA256 = "SHA-256 of it"
_TURNS = 3
_STEP = 4096
_FEW = 100_000  # classes: skl2onnx needs 30 times the memory of the weight
_HERE = Path(__file__).parent

# loads, answers one row, and says how long it took to load, its share of memory, and what is its own
_LOADER = """
import json, sys, time
import numpy as np, onnxhead_runtime
onnxhead_runtime.load({abc!r}, device="cpu")
begun = time.perf_counter()
classify = onnxhead_runtime.load("out.onnx", device="cpu", mmap={mmap})
loaded = time.perf_counter() - begun
classify.probabilities(np.ones((1, classify.features), np.float32))
print("ready", flush=True)
sys.stdin.readline()
def kib(file, key):
    return next(int(line.split()[1]) for line in open(f"/proc/self/{{file}}") if line.startswith(key))
print(json.dumps([loaded, kib("smaps_rollup", "Pss:") / 1024, kib("status", "RssAnon") / 1024]), flush=True)
sys.stdin.readline()
"""
_ABC = str(_HERE.parent / "models" / "abc.onnx")


class Built(NamedTuple):
    """One way to build: the seconds of each turn, and the most memory, in MiB."""

    seconds: list[float]
    mib: float


class Loaded(NamedTuple):
    """Some processes that load: the median seconds, and MiB that they share, and that one has alone."""

    way: str
    processes: int
    seconds: float
    shared: float
    own: float


def main(classes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_sources(classes)
        built = build_all()
        onnxhead.save(onnxhead.read(("weight.npy", "bias.npy")), "out.onnx")
        loaded = [load("mapped", 1), load("mapped", 4), load("read and packed", 1)]
        write_sources(min(classes, _FEW))
        few: dict[str, Built] = {}
        for _ in range(_TURNS):
            _add(few, _CP, copy())
            for name in ("onnxhead, from .npy", "skl2onnx"):
                _add(few, name, build(name))
        onnxhead.save(onnxhead.read(("weight.npy", "bias.npy")), "out.onnx")
        loaded_few = [load(way, count) for way in ("mapped", "read and packed") for count in (1, 4)]
        os.chdir(_HERE)
    size = f"{classes:,} x {FEATURES}"
    tables = [
        (
            f"Building {size}, the fastest of {_TURNS} turns from the page cache (of others, one); memory is "
            "what is not in files, beyond that of the imports:",
            _rows(built),
        ),
        (f"Loading {size} and answering one row; memory with the pages of the mapped file:", _loads(loaded)),
        (f"Building {min(classes, _FEW):,} x {FEATURES}:", _rows(few)),
        (f"Loading {min(classes, _FEW):,} x {FEATURES} and answering one row:", _loads(loaded_few)),
    ]
    report("large", "Large heads", tables, {"built": built, "few": few, "loaded": loaded})


def write_sources(classes: int) -> None:
    """Write the same weight as float32, bfloat16 and float64 features first, a block at a time."""
    import ml_dtypes

    random = np.random.default_rng(0)
    bias = random.standard_normal(classes, np.float32)
    np.save("bias.npy", bias)
    weight = np.lib.format.open_memmap("weight.npy", "w+", np.float32, (classes, FEATURES))
    wide = np.lib.format.open_memmap("float64.npy", "w+", np.float64, (FEATURES, classes))
    half = _map_safetensors("bfloat16.safetensors", "BF16", ml_dtypes.bfloat16, classes, bias)
    single = _map_safetensors("float32.safetensors", "F32", np.float32, classes, bias)
    for start in range(0, classes, _STEP):
        block = slice(start, min(start + _STEP, classes))
        values = random.standard_normal((block.stop - start, FEATURES), np.float32) / FEATURES**0.5
        weight[block] = half[block] = single[block] = values
        wide[:, block] = values.T
    os.sync()


def _map_safetensors(name: str, dtype: str, kind: Any, classes: int, bias: np.ndarray) -> np.ndarray:
    """Write a file with the bias and an empty weight; return a map of the weight."""
    size = classes * FEATURES * np.dtype(kind).itemsize
    header = {
        "weight": {"dtype": dtype, "shape": [classes, FEATURES], "data_offsets": [0, size]},
        "bias": {"dtype": "F32", "shape": [classes], "data_offsets": [size, size + bias.nbytes]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with Path(name).open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + size)
        file.seek(0, os.SEEK_END)
        file.write(bias.tobytes())
    return np.memmap(name, kind, "r+", 8 + len(text), (classes, FEATURES))


def build_all() -> dict[str, Built]:
    """Build in every way that is installed; the copy and our own ways take turns."""
    built: dict[str, Built] = {}
    for turn in range(_TURNS):
        _add(built, _CP, copy())
        _add(built, _CP_SYNC, copy(("/bin/sync", "copy.npy")))
        _add(built, _SHA256, digest())
        for name in BUILDERS:
            if name != "skl2onnx" and (not turn or name.startswith("onnxhead")):
                _add(built, name, build(name))
    return built


def _add(built: dict[str, Built], name: str, found: Built | None) -> None:
    if found:
        before = built.get(name, Built([], 0.0))
        built[name] = Built(before.seconds + found.seconds, max(before.mib, found.mib))


def warm(source: str) -> None:
    """Bring a file to the page cache, and what was written to the disk: nothing else is waited for."""
    os.sync()
    with Path(source).open("rb", buffering=0) as file:
        buffer = bytearray(2**24)
        while file.readinto(buffer):
            pass


def copy(then: tuple[str, ...] = ("/bin/true",)) -> Built:
    warm("weight.npy")
    begun = time.perf_counter()
    subprocess.run(["/bin/cp", "weight.npy", "copy.npy"], check=True)
    subprocess.run(then, check=True)
    seconds = time.perf_counter() - begun
    Path("copy.npy").unlink()
    return Built([seconds], 0.0)


def digest() -> Built:
    warm("weight.npy")
    begun = time.perf_counter()
    with Path("weight.npy").open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return Built([time.perf_counter() - begun], 0.0)


def build(name: str) -> Built | None:
    """Build in one way in a process of its own; None where that fails, as where it is not installed."""
    warm(SOURCES.get(name, "weight.npy"))
    program = [sys.executable, _HERE / "builders.py", name]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    for path in Path().glob("out*"):
        path.unlink()
    if done.returncode:
        print(f"{name} is left out: {(done.stderr.strip().splitlines() or ['killed'])[-1]}")
        return None
    seconds, mib = json.loads(done.stdout.splitlines()[-1])
    return Built([seconds], mib)


def load(way: str, count: int) -> Loaded:
    """Load out.onnx in some processes at once."""
    program = _LOADER.format(abc=_ABC, mmap=way == "mapped")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    answers = [_ask(process) for process in processes]
    for process in processes:
        process.communicate("\n")
    seconds, shares, own = zip(*answers, strict=True)
    return Loaded(way, count, statistics.median(seconds), sum(shares), max(own))


def _ask(process: subprocess.Popen[str]) -> list[float]:
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    return list(json.loads(process.stdout.readline()))


def _loads(loaded: list[Loaded]) -> list[list[str]]:
    return [
        ["way", "processes", "seconds to load", "MiB of all", "MiB of one alone"],
        *(
            [one.way, str(one.processes), f"{one.seconds:.3f}", f"{one.shared:,.0f}", f"{one.own:,.0f}"]
            for one in loaded
        ),
    ]


def _rows(built: dict[str, Built]) -> list[list[str]]:
    cp = min(built[_CP].seconds)
    rows = [["what", "seconds", "divided by cp", "MiB of memory"]]
    for name, found in built.items():
        fastest = min(found.seconds)
        rows.append([name, f"{fastest:.2f}", f"{fastest / cp:.2f}", f"{found.mib:,.0f}"])
    return rows


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
