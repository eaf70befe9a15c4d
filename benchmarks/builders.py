"""Ways to build one large head, from the files that `large.py` wrote to the working directory.

python builders.py NAME        builds out.onnx; prints seconds, and MiB of memory beyond that of the imports
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

Build = Callable[[], object]


def from_npy() -> Build:
    import onnxhead

    return lambda: onnxhead.save(onnxhead.read(("weight.npy", "bias.npy")), "out.onnx")


def from_bfloat16_safetensors() -> Build:
    import onnxhead

    return lambda: onnxhead.save(onnxhead.read("bfloat16.safetensors"), "out.onnx")


def from_float64_features_first() -> Build:
    import onnxhead

    source, layout = ("float64.npy", "bias.npy"), "features-first"
    return lambda: onnxhead.save(onnxhead.read(source, layout=layout), "out.onnx")


def in_place() -> Build:
    import onnxhead

    return lambda: onnxhead.save(onnxhead.read("float32.safetensors"), "out.onnx", in_place=True)


def onnx_ir() -> Build:
    import onnx_ir as ir

    def value(name: str, *shape: str | int) -> ir.Value:
        return ir.val(name, ir.DataType.FLOAT, shape)

    def build() -> None:
        w, b = _arrays()
        classes, features = w.shape
        x, logits = value("features", "batch", features), value("logits", "batch", classes)
        probabilities = value("probabilities", "batch", classes)
        weight, bias = value("weight", *w.shape), value("bias", classes)
        weight.const_value, bias.const_value = ir.tensor(w, name="weight"), ir.tensor(b, name="bias")
        nodes = [
            ir.node("Gemm", [x, weight, bias], {"transB": 1}, outputs=[logits]),
            ir.node("Softmax", [logits], {"axis": -1}, outputs=[probabilities]),
        ]
        outputs, opsets = [logits, probabilities], {"": 13}
        graph = ir.Graph(
            [x], outputs, nodes=nodes, initializers=[weight, bias], opset_imports=opsets, name="head"
        )
        ir.save(ir.Model(graph, ir_version=7), "out.onnx", external_data="out.data")

    return build


def onnx_helper() -> Build:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    def build() -> None:
        w, b = _arrays()
        model = onnx.ModelProto(ir_version=7, opset_import=[helper.make_opsetid("", 13)])
        graph = model.graph
        graph.name = "head"
        graph.node.append(helper.make_node("Gemm", ["features", "weight", "bias"], ["logits"], transB=1))
        graph.node.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1))
        graph.input.append(
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", w.shape[1]])
        )
        for name in ("logits", "probabilities"):
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", len(w)]))
        graph.initializer.append(numpy_helper.from_array(np.asarray(w), "weight"))
        graph.initializer.append(numpy_helper.from_array(b, "bias"))
        onnx.save_model(model, "out.onnx", save_as_external_data=True, location="out.data")

    return build


def torch_onnx() -> Build:
    import torch

    def build() -> None:
        w, b = _arrays()
        linear = torch.nn.Linear(w.shape[1], len(w))
        linear.weight.data, linear.bias.data = torch.from_numpy(np.array(w)), torch.from_numpy(b)
        row = (torch.zeros(2, w.shape[1]),)
        torch.onnx.export(linear, row, "out.onnx", dynamo=True, external_data=True)

    return build


def skl2onnx() -> Build:
    import skl2onnx
    from sklearn.linear_model import LogisticRegression

    def build() -> None:
        w, b = _arrays()
        estimator = LogisticRegression()
        estimator.coef_, estimator.intercept_, estimator.classes_ = np.array(w), b, np.arange(len(w))
        estimator.n_features_in_ = w.shape[1]
        row = np.zeros((1, w.shape[1]), np.float32)
        model = skl2onnx.to_onnx(estimator, row, options={"zipmap": False})
        Path("out.onnx").write_bytes(model.SerializeToString())

    return build


BUILDERS = {
    "onnxhead, from .npy": from_npy,
    "onnxhead, from .safetensors in bfloat16": from_bfloat16_safetensors,
    "onnxhead, from .npy in float64, features first": from_float64_features_first,
    "onnxhead --in-place": in_place,
    "onnx-ir": onnx_ir,
    "onnx.helper and save_model": onnx_helper,
    "torch.onnx": torch_onnx,
    "skl2onnx": skl2onnx,
}
# what they read, where that is not weight.npy
SOURCES = {
    "onnxhead, from .safetensors in bfloat16": "bfloat16.safetensors",
    "onnxhead, from .npy in float64, features first": "float64.npy",
    "onnxhead --in-place": "float32.safetensors",
}


def main(name: str) -> None:
    build = BUILDERS[name]()
    peak = [before := _anonymous_kib()]

    def watch() -> None:
        while True:
            peak.append(_anonymous_kib())
            time.sleep(0.002)

    threading.Thread(target=watch, daemon=True).start()
    begun = time.perf_counter()
    build()
    print(json.dumps([time.perf_counter() - begun, (max(peak) - before) / 1024]))


def _arrays() -> tuple[np.ndarray, np.ndarray]:
    return np.load("weight.npy", mmap_mode="r"), np.load("bias.npy")


def _anonymous_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main(sys.argv[1])
