"""Load every model with the onnxruntime of this environment, alone and through onnxhead_runtime.

onnx is not installed here. Also holds the table of releases to this onnxruntime: a file at its limits loads, one
beyond them does not.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnxruntime

import onnxhead_runtime

assert importlib.util.find_spec("onnx") is None
folder = Path(sys.argv[1])
passed = 0


def within(result: np.ndarray, exact: np.ndarray, bound: np.ndarray) -> bool:
    return result.dtype == np.float32 and bool((np.abs(result - exact) <= bound).all())


for path in sorted(folder.glob("*.onnx")):
    expected = np.load(path.with_suffix(".npz"))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    by_hand = session.run(["logits", "probabilities"], {"features": expected["features"]})
    prediction = onnxhead_runtime.load(path, device="cpu")(expected["features"])
    for logits, probabilities in (by_hand, (prediction.logits, prediction.probabilities)):
        assert within(logits, expected["logits"], expected["logits_bound"]), path.name
        assert within(probabilities, expected["probabilities"], expected["probabilities_bound"]), path.name
        passed += 2
    wrong = expected["logits"] + 2 * expected["logits_bound"]
    assert not within(wrong.astype(np.float32), expected["logits"], expected["logits_bound"]), "must fail"

installed = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
rows = [line.split() for line in (folder / "releases.txt").read_text().splitlines()]
_, ir_version, opset = [row for row in rows if tuple(map(int, row[0].split("."))) <= installed][-1]
whole = (folder / "abc.onnx").read_bytes()
# the file begins with the IR version (field 1) and ends with the opset (field 8, length 4: domain "", version)
assert whole.startswith(b"\x08\x07")
assert whole.count(b"\x42\x04\x0a\x00\x10\x0d") == 1


def loads(ir: int, version: int) -> bool:
    content = bytes([8, ir]) + whole[2:].replace(
        b"\x42\x04\x0a\x00\x10\x0d", b"\x42\x04\x0a\x00\x10" + bytes([version])
    )
    try:
        onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True


assert loads(int(ir_version), int(opset)), "the table of releases promises too much"
passed += 1
if installed <= tuple(
    map(int, rows[-1][0].split("."))
):  # a release that is newer than the table may load more
    assert not loads(int(ir_version) + 1, int(opset)), "the table of releases promises too little"
    assert not loads(int(ir_version), int(opset) + 1), "the table of releases promises too little"
    passed += 2
print(f"onnxruntime {onnxruntime.__version__}, numpy {np.__version__}: {passed} passed, 0 failed")
