"""The CUDA build of onnxruntime lists CUDA also where there is no GPU, and falls back to the CPU without a word."""

import logging
import sys
from pathlib import Path

import onnxruntime

import onnxhead_runtime
from onnxhead_runtime.errors import ProviderError

if any(Path("/dev").glob("nvidia[0-9]*")):
    print("skipped: this machine has a GPU, tests/cuda check it")
    print("{}")
    sys.exit()
model = Path(sys.argv[1]) / "abc.onnx"
assert "CUDAExecutionProvider" in onnxruntime.get_available_providers(), "this is no CUDA build"
by_hand = onnxruntime.InferenceSession(str(model), providers=["CUDAExecutionProvider"])
assert by_hand.get_providers() == ["CPUExecutionProvider"], "onnxruntime itself has become strict"
for device in ("cuda", "cuda:1"):
    try:
        onnxhead_runtime.load(model, device=device)
    except ProviderError as error:
        assert "must start or be an error, it does not start" in str(error)
        assert "libcublas" in str(error), error
        assert "onnxhead[gpu]" in str(error), error
    else:
        raise SystemExit(f"{device} answered on a machine without a GPU")
records: list[str] = []
handler = logging.Handler()
handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
logging.getLogger("onnxhead_runtime").addHandler(handler)
assert onnxhead_runtime.load(model, device="auto").device == "cpu"
assert len(records) == 1
assert records[0].startswith("device auto takes the CPU: "), records
print(f"onnxruntime-gpu {onnxruntime.__version__} without a GPU: 4 passed, 0 failed")
print("{}")
