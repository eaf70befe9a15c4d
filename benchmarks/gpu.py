"""On an NVIDIA GPU: onnxhead beside onnxruntime by hand, torch, and what the hardware allows.

Everything but the first two columns stays on the device. The floor of a batch is the larger of its bytes
over the memory bandwidth and its operations over the rate of torch's float32 matrix product, both measured
in this run.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import build, medians, microseconds, report

import onnxhead
import onnxhead_runtime

SHAPES = [(768, 1000), (4096, 32000)]
BATCHES = [1, 8, 64, 512, 4096, 16384, 65536]
_REPEATS = 11
_LARGEST_OUTPUT_BYTES = 20 * 2**30


def main() -> None:
    try:
        import torch
    except ImportError:
        sys.exit("bench-gpu needs torch with CUDA, for the data and the peers")
    if not torch.cuda.is_available():
        sys.exit("bench-gpu needs an NVIDIA GPU, torch finds none")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    bandwidth, rate = _bandwidth(torch), _rate(torch)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for features, classes in SHAPES:
            found += _measure(torch, build(Path(folder), features, classes), bandwidth, rate)
    tables = [
        (
            f"Measured: {bandwidth / 1e9:,.0f} GB/s, {rate / 1e12:,.1f} TFLOP/s in float32. Time of a batch "
            "divided by the floor; the floor in microseconds:",
            _table(found),
        )
    ]
    report("gpu", f"On a GPU: {torch.cuda.get_device_name()}", tables, found)


def _measure(torch: Any, path: Path, bandwidth: float, rate: float) -> list[dict[str, Any]]:
    head = onnxhead.read(path)
    features, classes = head.features, head.classes
    calls = _calls(torch, path, head)
    found = []
    for count in BATCHES:
        if 2 * count * classes * 4 > _LARGEST_OUTPUT_BYTES:
            continue
        batch = torch.randn(count, features, device="cuda")
        bytes_moved = 4 * (count * features + classes * features + 3 * count * classes)
        floor = max(bytes_moved / bandwidth, 2 * count * features * classes / rate)
        ready = {name: make(batch) for name, make in calls.items()}
        _check(torch, ready, head, batch)
        spent = medians(ready, _REPEATS, idle=0)
        found.append({"shape": [features, classes], "batch": count, "floor": floor, **spent})
        print(found[-1], file=sys.stderr)
    return found


def _calls(torch: Any, path: Path, head: onnxhead.Head) -> dict[str, Callable[[Any], Callable[[], Any]]]:
    classify = onnxhead_runtime.load(path, device="cuda")
    session = _session_by_hand(path)
    linear = torch.nn.Linear(head.features, head.classes, device="cuda")
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(np.array(head.weight)))
        linear.bias.copy_(torch.tensor(np.array(head.bias)))

    @torch.inference_mode()
    def eager(batch: Any) -> Any:
        logits = linear(batch)
        return logits, torch.softmax(logits, -1)

    compiled = torch.compile(eager)

    def waiting(call: Callable[[Any], Any], batch: Any) -> Callable[[], Any]:
        def run() -> Any:
            answer = call(batch)
            torch.cuda.synchronize()
            return answer

        return run

    def graph(batch: Any) -> Callable[[], Any]:
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                eager(batch)
        torch.cuda.synchronize()
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            answer = eager(batch)

        def run() -> Any:
            captured.replay()
            torch.cuda.synchronize()
            return answer

        return run

    def on_device(batch: Any) -> Callable[[], Any]:
        return lambda: tuple(map(torch.from_dlpack, classify.run_device(batch)))

    return {
        "onnxhead, numpy in and out": lambda batch: _from_host(classify, batch),
        "onnxruntime by hand, numpy in and out": lambda batch: _from_host(
            lambda rows: session.run(None, {"features": rows}), batch
        ),
        "onnxhead": on_device,
        "onnxruntime by hand, bound": lambda batch: _bound_by_hand(torch, session, head, batch),
        "torch eager": lambda batch: waiting(eager, batch),
        "torch.compile": lambda batch: waiting(compiled, batch),
        "torch in a CUDA graph": graph,
    }


def _from_host(call: Callable[[Any], Any], batch: Any) -> Callable[[], Any]:
    rows = batch.cpu().numpy()
    return lambda: call(rows)


def _session_by_hand(path: Path) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=[("CUDAExecutionProvider", {"use_tf32": "0"})])


def _bound_by_hand(torch: Any, session: Any, head: onnxhead.Head, batch: Any) -> Callable[[], Any]:
    outputs = [torch.empty(len(batch), head.classes, device="cuda") for _ in range(2)]
    binding = session.io_binding()
    binding.bind_input("features", "cuda", 0, np.float32, tuple(batch.shape), batch.data_ptr())
    for name, output in zip(("logits", "probabilities"), outputs, strict=True):
        binding.bind_output(name, "cuda", 0, np.float32, tuple(output.shape), output.data_ptr())
    torch.cuda.synchronize()

    def run() -> Any:
        session.run_with_iobinding(binding)
        return outputs

    return run


def _check(torch: Any, calls: dict[str, Callable[[], Any]], head: onnxhead.Head, batch: Any) -> None:
    """Stop unless every way gives the probabilities of float64, for the first rows."""
    exact = onnxhead.reference.refer(head, batch[:4].cpu().numpy())
    for name, call in calls.items():
        answer = call()
        last = answer.probabilities if isinstance(answer, onnxhead.Prediction) else answer[1]
        values = last[:4].cpu().numpy() if isinstance(last, torch.Tensor) else last[:4]
        assert (np.abs(values - exact.probabilities) <= exact.probabilities_bound).all(), name


def _bandwidth(torch: Any) -> float:
    source = torch.empty(2**28, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / _seconds(torch, lambda: target.copy_(source))


def _rate(torch: Any) -> float:
    size = 8192
    a, b = torch.randn(size, size, device="cuda"), torch.randn(size, size, device="cuda")
    return 2 * size**3 / _seconds(torch, lambda: a @ b)


def _seconds(torch: Any, call: Callable[[], Any]) -> float:
    def run() -> None:
        call()
        torch.cuda.synchronize()

    return medians({"": run}, _REPEATS, idle=0)[""]


def _table(found: list[dict[str, Any]]) -> list[list[str]]:
    names = [name for name in found[0] if name not in ("shape", "batch", "floor")]
    lines = [["head", "batch", "floor", *names]]
    lines += [
        [
            "{} x {}".format(*entry["shape"]),
            f"{entry['batch']:,}",
            microseconds(entry["floor"]),
            *(f"{entry[name] / entry['floor']:.2f}" for name in names),
        ]
        for entry in found
    ]
    return lines


if __name__ == "__main__":
    main()
