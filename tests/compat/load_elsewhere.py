"""Load every model with OpenVINO or with tract; prints as its last line what became of each.

python load_elsewhere.py FOLDER openvino|tract
"""

import importlib.metadata
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from models import read_models

Answer = Sequence[np.ndarray]


def open_with_openvino(path: Path) -> Callable[[np.ndarray], Answer]:
    import openvino

    # its own choice is bfloat16 where the CPU has it: probabilities are then 1e-3 off
    request = (
        openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    )

    def call(features: np.ndarray) -> Answer:
        answer = request.infer({"features": features})
        return answer["logits"], answer["probabilities"]

    return call


def open_with_tract(path: Path) -> Callable[[np.ndarray], Answer]:
    import tract

    model = tract.onnx().load(path).into_model().into_runnable()
    return lambda features: [output.to_numpy() for output in model.run([features])][:2]


name = sys.argv[2]
opening = {"openvino": open_with_openvino, "tract": open_with_tract}[name]
answers = {}
for model in read_models(Path(sys.argv[1])):
    try:
        call = opening(model.path)
    except Exception as refusal:
        if not model.may_be_refused:
            raise
        print(f"{name} refuses {model.name}: {str(refusal).splitlines()[0]}")
        answers[model.name] = "no"
        continue
    try:
        model.check(*call(model.expected["features"]))
    except AssertionError:
        if not model.may_be_refused:
            raise
        answers[model.name] = "beyond its bound"
    else:
        answers[model.name] = "yes"
# of what skl2onnx writes: operators of ai.onnx.ml, and outputs that are no tensors
refused = {"openvino": ["foreign-False", "foreign-True"], "tract": ["foreign-True"]}[name]
for path in (Path(sys.argv[1]) / f"{stem}.onnx" for stem in refused):
    try:
        opening(path)
    except Exception as refusal:
        print(f"{name} refuses {path.stem}: {str(refusal).splitlines()[0]}")
    else:
        sys.exit(f"onnxhead inspect says that {name} refuses {path.name}, it loads it")
loaded = sum(answer == "yes" for answer in answers.values())
print(f"{name} {importlib.metadata.version(name)}: {loaded} models within their bounds")
print(json.dumps(answers))
