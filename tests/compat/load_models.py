"""Load every model with the onnxruntime of this environment, alone and through onnxhead_runtime.

onnx is not installed here. Holds the table of releases to this onnxruntime: a form within its limits loads, one beyond
them does not. Prints as its last line what became of each form.
"""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from models import read_models

import onnxhead_runtime

assert importlib.util.find_spec("onnx") is None
folder = Path(sys.argv[1])
installed = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
rows = [line.split() for line in (folder / "releases.txt").read_text().splitlines()]
known = [row for row in rows if tuple(map(int, row[0].split("."))) <= installed]
_, newest_ir, newest_opset = map(float, known[-1])
is_in_table = installed <= tuple(map(int, rows[-1][0].split(".")))  # a newer release may load more
passed, answers = 0, {}


def load(path: Path | bytes) -> onnxruntime.InferenceSession | None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    source = path if isinstance(path, bytes) else str(path)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception:
        return None


for model in read_models(folder):
    session = load(model.path)
    if model.form:
        opset, ir_version = model.form
        is_promised = opset <= newest_opset and ir_version <= newest_ir
        assert not is_promised or session, f"the table of releases promises too much: {model.name}"
        assert is_promised or not session or not is_in_table, f"it promises too little: {model.name}"
    may_be_refused = model.form or model.may_be_refused  # of forms, those beyond the table
    if may_be_refused or session:
        answers[model.name] = "yes" if session else "no"
    if session is None:
        older = model.name.startswith("target-") and f"=={onnxruntime.__version__}" not in model.name
        assert may_be_refused or older, model.name
        continue
    features = model.expected["features"]
    model.check(*session.run(["logits", "probabilities"], {"features": features}))
    classify = onnxhead_runtime.load(model.path, device="cpu")
    prediction = classify(features)
    model.check(prediction.logits, prediction.probabilities)
    assert classify.top(features, 3) == prediction.top(3)
    passed += 1

assert f"target-onnxruntime=={onnxruntime.__version__}" in answers
# the file begins with the IR version (field 1) and ends with the opset (field 8, length 4: domain "", version)
whole = (folder / "abc.onnx").read_bytes()
assert whole.startswith(b"\x08\x07")
assert whole.count(b"\x42\x04\x0a\x00\x10\x0d") == 1


def loads(ir_version: float, opset: float) -> bool:
    stated = b"\x42\x04\x0a\x00\x10"
    return (
        load(bytes([8, int(ir_version)]) + whole[2:].replace(stated + b"\x0d", stated + bytes([int(opset)])))
        is not None
    )


assert loads(newest_ir, newest_opset), "the table of releases promises too much"
if is_in_table:
    assert not loads(newest_ir + 1, newest_opset), "the table of releases promises too little"
    assert not loads(newest_ir, newest_opset + 1), "the table of releases promises too little"
print(f"onnxruntime {onnxruntime.__version__}, numpy {np.__version__}: {passed} models within their bounds")
print(json.dumps(answers))
