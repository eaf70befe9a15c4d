"""The whole models that clients are held to: every kind of input, and what differs on the way to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

import onnxhead
from onnxhead.attaching import attach
from onnxhead.completing import complete

DTYPES = (
    *("float32", "float64", "bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64"),
)
FEATURES = 8
LABELS = ("naïve", "日本語", 'a "quoted"\n\\ line', "🦀", "last")


def save_wholes(folder: Path) -> dict[str, Path]:
    """Write the whole models; return the files by name.

    `picture` has free and fixed axes, `tokens` ids and a mask of any length, `dtypes` an input of each kind,
    `one size` a batch of two, `data file` weights beside it, which onnxruntime before 1.21 does not attach, and
    `completed` is a classifier that was given its probabilities.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)

    def head(classes: int, **arguments: object) -> onnxhead.Head:
        weight = random.normal(size=(classes, FEATURES)) / FEATURES**0.5
        return onnxhead.Head(weight, random.normal(size=classes), **arguments)

    independent = head(6, labels=["red", "round", "large", "soft", "sweet", "wet"], link="sigmoid")
    recipes: dict[str, Callable[[Path, Path], object]] = {
        "picture": lambda source, target: attach(
            save_network(picture("batch", "height", "width"), source),
            head(5, labels=LABELS),
            target,
            pool="mean",
        ),
        "tokens": lambda source, target: attach(
            save_network(tokens(), source), head(3, temperature=0.5), target, pool="mean", normalize=True
        ),
        "dtypes": lambda source, target: attach(save_network(mixed(), source), independent, target),
        "one size": lambda source, target: attach(
            save_network(picture(2, 8, 8), source),
            head(4, link="ovr", labels=[-7, 0, 2**40, 1]),
            target,
            pool="mean",
        ),
        "data file": lambda source, target: attach(
            save_network(picture("batch", 8, 8), source, beside=True),
            head(2, labels=[False, True]),
            target,
            pool="mean",
        ),
        "completed": lambda source, target: complete(
            save_network(classifier(), source), target, labels=["left", "middle", "right"]
        ),
    }
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 21):
        del recipes["data file"]
    paths = {}
    for name, make in recipes.items():
        paths[name] = folder / f"{name}.onnx"
        make(folder / f"{name} alone.onnx", paths[name])
    return paths


def save_network(model: onnx.ModelProto, path: Path, beside: bool = False) -> Path:
    """Write a network, its weights in a file beside it where that is asked for; return the path."""
    if beside:
        onnx.save(
            model,
            path,
            save_as_external_data=True,
            all_tensors_to_one_file=True,
            location=f"{path.stem}.weights",
            size_threshold=0,
        )
    else:
        onnx.save(model, path)
    return path


def picture(batch: int | str, height: int | str, width: int | str) -> onnx.ModelProto:
    """Return a convolution of `pixels` float32 [batch, 3, height, width] into `hidden` [batch, 8, ...]."""
    random = np.random.default_rng(1)
    return make_network(
        [
            helper.make_node("Conv", ["pixels", "kernel"], ["filtered"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["filtered"], ["hidden"]),
        ],
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [batch, 3, height, width])],
        helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [batch, FEATURES, height, width]),
        {"kernel": random.normal(size=(FEATURES, 3, 3, 3)).astype(np.float32)},
    )


def tokens() -> onnx.ModelProto:
    """Return an embedding of `input_ids` int64 [batch, T], with an `attention_mask`, into [batch, T, 8]."""
    table = np.random.default_rng(2).normal(size=(128, FEATURES)).astype(np.float32)
    shape = ["batch", "length"]
    return make_network(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["embedded"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["masks"]),
            helper.make_node("Mul", ["embedded", "masks"], ["hidden"]),
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask")
        ],
        helper.make_tensor_value_info("hidden", TensorProto.FLOAT, [*shape, FEATURES]),
        {"table": table, "last": np.array([2])},
    )


def mixed() -> onnx.ModelProto:
    """Return a network of one input per dtype, [batch, 2] each, into `hidden` [batch, 8]."""
    random = np.random.default_rng(3)
    names = [f"of_{dtype}" for dtype in DTYPES]
    return make_network(
        [
            *(helper.make_node("Cast", [name], [f"{name}_as_float"], to=TensorProto.FLOAT) for name in names),
            helper.make_node("Concat", [f"{name}_as_float" for name in names], ["joined"], axis=1),
            helper.make_node("MatMul", ["joined", "mixing"], ["sums"]),
            helper.make_node("Tanh", ["sums"], ["hidden"]),
        ],
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), ["batch", 2]
            )
            for name, dtype in zip(names, DTYPES, strict=True)
        ],
        helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", FEATURES]),
        {"mixing": random.normal(size=(2 * len(DTYPES), FEATURES)).astype(np.float32) / 200},
    )


def classifier() -> onnx.ModelProto:
    """Return a classifier of `x` float32 [batch, 4] into three probabilities."""
    return make_network(
        [
            helper.make_node("MatMul", ["x", "matrix"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["answers"], axis=1),
        ],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["batch", 3]),
        {"matrix": np.random.default_rng(4).normal(size=(4, 3)).astype(np.float32)},
    )


def make_network(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    output: onnx.ValueInfoProto,
    weights: dict[str, NDArray[np.generic]],
) -> onnx.ModelProto:
    initializers = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "network", inputs, [output], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
