"""Small networks to attach heads to, in the text form of ONNX, with weights that are drawn."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

FEATURES = 4
TEXTS = {
    # pictures: a convolution and its mean, with names that a head has too
    "pictures": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3, H, W] pixels) => (float[N, 4] hidden, float[N, 4, H, W] map) {
            map = Conv <pads = [1, 1, 1, 1]> (pixels, weight, bias)
            features = Relu (map)
            logits = GlobalAveragePool (features)
            hidden = Flatten (logits)
        }""",
    # texts: an embedding per token
    "texts": """<ir_version: 8, opset_import: ["": 17]>
        network (int64[N, T] input_ids, int64[N, T] attention_mask) => (float[N, T, 4] tokens) {
            embedded = Gather (vocabulary, input_ids)
            ones = Cast <to = 1> (attention_mask)
            axes = Constant <value_ints = [2]> ()
            column = Unsqueeze (ones, axes)
            masked = Mul (embedded, column)
            tokens = MatMul (masked, mixing)
        }""",
    # two inputs of two types, one of them of a fixed length
    "two inputs": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x, int32[N, 2] flags) => (float[N, 4] hidden) {
            numbers = Cast <to = 1> (flags)
            side = MatMul (numbers, flag_weight)
            main = MatMul (x, x_weight)
            sum = Add (main, side)
            hidden = Tanh (sum)
        }""",
    # a body that reads from around it
    "branches": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 4] x, bool turn) => (float[N, 4] hidden) {
            doubled = Add (x, x)
            scaled = Mul (doubled, weight)
            hidden = If (turn) <
                then_branch = one () => (float[N, 4] logits) { logits = Add (scaled, bias) },
                else_branch = two () => (float[N, 4] logits) { logits = Neg (scaled) }
            >
        }""",
    "half": """<ir_version: 8, opset_import: ["": 17]>
        network (float16[N, 3] x) => (float16[N, 4] hidden) { sum = MatMul (x, weight) hidden = Relu (sum) }""",
    "older": """<ir_version: 4, opset_import: ["": 9]>
        network (float[N, 3] x) => (float[N, 4] hidden) { sum = MatMul (x, weight) hidden = Relu (sum) }""",
    "fixed batch": """<ir_version: 8, opset_import: ["": 17]>
        network (float[2, 3] x) => (float[2, 4] hidden) { sum = MatMul (x, weight) hidden = Relu (sum) }""",
    "scores": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x) => (float[N, 4] scores) { sum = MatMul (x, weight) scores = Add (sum, bias) }""",
    "softmax": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x) => (float[N, 4] shown) {
            sum = MatMul (x, weight) z = Add (sum, bias) p = Softmax <axis = -1> (z) shown = Identity (p)
        }""",
    "log softmax": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x) => (float[N, 4] shown) { z = MatMul (x, weight) shown = LogSoftmax <axis = 1> (z) }""",
    "sigmoid": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x) => (float[N, 4] shown) { z = MatMul (x, weight) shown = Sigmoid (z) }""",
    "half softmax": """<ir_version: 8, opset_import: ["": 17]>
        network (float16[N, 3] x) => (float[N, 4] shown) {
            z = MatMul (x, weight) p = Softmax (z) shown = Cast <to = 1> (p)
        }""",
    "softmax by hand": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x) => (float[N, 4] shown) {
            z = MatMul (x, weight) e = Exp (z) axes = Constant <value_ints = [1]> ()
            total = ReduceSum (e, axes) shown = Div (e, total)
        }""",
    "softmax of the batch": """<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x) => (float[N, 4] shown) { z = MatMul (x, weight) shown = Softmax <axis = 0> (z) }""",
}
_SHAPES = {
    "pictures": {"weight": (4, 3, 3, 3), "bias": (4,)},
    "texts": {"vocabulary": (200, 4), "mixing": (4, 4)},
    "two inputs": {"flag_weight": (2, 4), "x_weight": (3, 4)},
    "branches": {"weight": (4,), "bias": (4,)},
}
_USUAL_SHAPES = {"weight": (3, 4), "bias": (4,)}


def make(name: str) -> onnx.ModelProto:
    """Return a network with its weights."""
    model = onnx.parser.parse_model(TEXTS[name])
    random = np.random.default_rng(len(name))
    dtype = np.float16 if "half" in name else np.float32
    used = {name for node in every_input(model.graph) for name in node}
    for key, shape in _SHAPES.get(name, _USUAL_SHAPES).items():
        if key in used:
            value = random.standard_normal(shape).astype(dtype)
            model.graph.initializer.append(numpy_helper.from_array(value, key))
    return model


def every_input(graph: onnx.GraphProto):
    for node in graph.node:
        yield node.input
        for attribute in node.attribute:
            yield from every_input(attribute.g)


def save(name: str, folder: Path, external: bool = False) -> Path:
    """Write a network, with its weights beside it if asked for."""
    path = folder / f"{name.replace(' ', '_')}.onnx"
    if external:
        onnx.save(
            make(name), path, save_as_external_data=True, location=f"{path.stem}.weights", size_threshold=0
        )
    else:
        onnx.save(make(name), path)
    return path


def inputs(name: str, rows: int = 3, seed: int = 1) -> dict[str, np.ndarray]:
    """Return inputs for a network."""
    random = np.random.default_rng(seed)
    if name == "pictures":
        return {"pixels": random.standard_normal((rows, 3, 5, 7)).astype(np.float32)}
    if name == "texts":
        mask = np.arange(6) < random.integers(1, 7, (rows, 1))
        return {"input_ids": random.integers(0, 200, (rows, 6)), "attention_mask": mask.astype(np.int64)}
    if name == "two inputs":
        flags = random.integers(0, 2, (rows, 2)).astype(np.int32)
        return {"x": random.standard_normal((rows, 3)).astype(np.float32), "flags": flags}
    if name == "branches":
        return {"x": random.standard_normal((rows, 4)).astype(np.float32), "turn": np.array(seed % 2 == 1)}
    dtype = np.float16 if "half" in name else np.float32
    return {"x": random.standard_normal((rows, 3)).astype(dtype)}


def run(path: Path, feeds: dict[str, np.ndarray], output: str | None = None) -> np.ndarray:
    """Run a network itself."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(output and [output], feeds)[0]
