"""One head in every precision that a CPU runs: calls by batch size, the file's size, and the price of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from measure import medians, microseconds, report

import onnxhead
from onnxhead.form import Form
from onnxhead.precision import price

SHAPE = (768, 1000)
BATCHES = (1, 8, 64, 512, 4096)
FORMS = {
    "float32": Form(),
    "float16": Form(weights="float16"),
    "bfloat16": Form(weights="bfloat16"),
    "int8": Form(weights="int8"),
    "computed in float64": Form(compute="float64"),
}
_REPEATS = 11


def main() -> None:
    features, classes = SHAPE
    random = np.random.default_rng(0)
    weight = random.standard_normal((classes, features), np.float32) / features**0.5
    head = onnxhead.Head(weight, random.standard_normal(classes, np.float32))
    with tempfile.TemporaryDirectory() as folder:
        built = {name: onnxhead.save(head, Path(folder) / f"{name}.onnx", form=FORMS[name]) for name in FORMS}
        loaded = {name: onnxhead.load(one.path, device="cpu", threads=1) for name, one in built.items()}
        times = [_time(loaded, batch, features) for batch in BATCHES]
    sizes = {name: one.size_bytes for name, one in built.items()}
    prices = {name: price(head, FORMS[name]) for name in FORMS if name != "float32"}
    calls = [["rows", *(f"{name}, us" for name in FORMS), *(f"float32 by {name}" for name in prices)]]
    for batch, spent in zip(BATCHES, times, strict=True):
        ratios = [f"{spent['float32'] / spent[name]:.2f}" for name in prices]
        calls.append([f"{batch:,}", *(microseconds(value) for value in spent.values()), *ratios])
    costs = [
        ["weights", "bytes", "of float32", "logits, at most", "probabilities, at most", "labels changed"]
    ]
    for name, found in prices.items():
        share = f"{sizes[name] / sizes['float32']:.2f}"
        changes = [f"{found.largest_logit:.2g}", f"{found.largest_probability:.2g}", f"{found.flips:.2%}"]
        costs.append([name, f"{sizes[name]:,}", share, *changes])
    tables = [
        (f"One call of a {features} x {classes} head with one thread:", calls),
        ("Its file, and its answers beside those of float32 on 1,000 random rows:", costs),
    ]
    data: dict[str, Any] = {"batches": BATCHES, "seconds": times, "bytes": sizes}
    report("precisions", "Precisions", tables, data)


def _time(loaded: dict[str, onnxhead.Classifier], batch: int, features: int) -> dict[str, float]:
    rows = np.random.default_rng(1).standard_normal((batch, features), np.float32)
    return medians(
        {name: lambda classify=classify: classify(rows) for name, classify in loaded.items()}, _REPEATS
    )


if __name__ == "__main__":
    main()
