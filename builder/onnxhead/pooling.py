"""From what a backbone gives to one row of features: pooling and normalisation, as nodes and in numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from onnxhead_runtime.contract import FEATURES
from onnxhead_runtime.errors import ModelError

Pool = Literal["mean", "cls", "flatten"]
POOLS: tuple[Pool, ...] = get_args(Pool)
SPATIAL_RANK = 4
_RANKS: dict[Pool | None, Sequence[int]] = {
    None: (2,),
    "mean": (3, SPATIAL_RANK),
    "cls": (3,),
    "flatten": range(2, 10),
}
# from which opset on axes are an input
_AXES_OPSETS = {"ReduceSum": 13, "Unsqueeze": 13}
_REDUCE_OPSET = 18
_CLIP_OPSET = 11  # the same of the limits of Clip
_SMALLEST_COUNT, _SMALLEST_NORM = 1e-9, 1e-12  # as sentence-transformers and torch have them


@dataclass(frozen=True)
class Pooling:
    """How features come from a tensor.

    Attributes:
        pool: `mean` over the tokens (axis 1) of [batch, T, F], those that the mask leaves, or over the
            places (axes 2 and 3) of [batch, F, H, W]; `cls`, the first token; `flatten`, all of a row;
            None where the tensor is [batch, F].
        normalize: Whether each row is divided by its Euclidean norm.
        mask: The name of the input that is 1 for a token and 0 for padding, if there is one.
    """

    pool: Pool | None = None
    normalize: bool = False
    mask: str | None = None


def check_pool_name(pool: object) -> None:
    """Raise ModelError for a way of pooling that there is not."""
    if pool not in (None, *POOLS):
        raise ModelError(f"pool must be one of {', '.join(POOLS)}, got {pool!r}")


def is_poolable(pool: Pool | None, rank: int) -> bool:
    """Tell whether a tensor of so many axes becomes rows of features by `pool`."""
    return rank in _RANKS[pool]


def check_pool(pool: Pool | None, rank: int, what: str) -> None:
    """Raise ModelError unless a tensor is poolable.

    Args:
        pool: As in `Pooling`.
        rank: How many axes the tensor has.
        what: The tensor, in words.
    """
    if is_poolable(pool, rank):
        return
    possible = [name for name in POOLS if is_poolable(name, rank)]
    remedy = f"--pool {' or '.join(possible)} (pool=)" if possible else "another tensor, with --at (at=)"
    if pool is None:
        raise ModelError(f"features must be [batch, F], {what} has {rank} axes: name {remedy}")
    allowed = " or ".join(map(str, _RANKS[pool]))
    raise ModelError(f"pool {pool} is for {allowed} axes, {what} has {rank}: name {remedy}")


def pool_nodes(
    pooling: Pooling, tensor: str, dtype: int, rank: int, opset: int
) -> tuple[list[NodeProto], list[TensorProto]]:
    """Return nodes and constants from a tensor to `features`, none where it is that already.

    Args:
        pooling: What to do.
        tensor: The tensor's name.
        dtype: Its element type.
        rank: How many axes it has.
        opset: Where the nodes run.
    """
    chain = _Chain(opset)
    if dtype != TensorProto.FLOAT:
        tensor = chain.node("Cast", [tensor], "float32_output", to=TensorProto.FLOAT)
    if pooling.pool == "flatten":
        tensor = chain.node("Flatten", [tensor], "flat_output", axis=1)
    elif pooling.pool == "cls":
        tensor = chain.node("Gather", [tensor, chain.constant("first", np.array(0))], "first_token", axis=1)
    elif pooling.pool == "mean":
        tensor = _mean(chain, tensor, rank, pooling.mask)
    if pooling.normalize:
        norm = chain.reduce("ReduceL2", tensor, "norm", [1], keepdims=1)
        divisor = chain.at_least(norm, "positive_norm", _SMALLEST_NORM)
        tensor = chain.node("Div", [tensor, divisor], "unit_output")
    if chain.nodes:
        chain.nodes[-1].output[0] = chain.nodes[-1].name = FEATURES
    return chain.nodes, chain.constants


def _mean(chain: _Chain, tensor: str, rank: int, mask: str | None) -> str:
    if rank == SPATIAL_RANK:
        return chain.reduce("ReduceMean", tensor, "mean_output", [2, 3], keepdims=0)
    if mask is None:
        return chain.reduce("ReduceMean", tensor, "mean_output", [1], keepdims=0)
    weights = chain.node("Cast", [mask], "float32_mask", to=TensorProto.FLOAT)
    column = chain.unsqueeze(weights, "mask_column", 2)
    masked = chain.node("Mul", [tensor, column], "masked_output")
    total = chain.reduce("ReduceSum", masked, "token_sum", [1], keepdims=0)
    count = chain.reduce("ReduceSum", column, "token_count", [1], keepdims=0)
    divisor = chain.at_least(count, "positive_count", _SMALLEST_COUNT)
    return chain.node("Div", [total, divisor], "mean_output")


class _Chain:
    """Nodes that follow each other, and their constants, at an opset."""

    def __init__(self, opset: int) -> None:
        self._opset = opset
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[Any]) -> str:
        if all(one.name != name for one in self.constants):
            self.constants.append(numpy_helper.from_array(value, name))
        return name

    def at_least(self, tensor: str, output: str, smallest: float) -> str:
        if self._opset < _CLIP_OPSET:
            return self.node("Clip", [tensor], output, min=smallest)
        limit = self.constant(f"smallest_{tensor}", np.array(smallest, np.float32))
        return self.node("Clip", [tensor, limit], output)

    def reduce(self, operator: str, tensor: str, output: str, axes: list[int], keepdims: int) -> str:
        oldest = _AXES_OPSETS.get(operator, _REDUCE_OPSET)
        return self._along(operator, tensor, output, axes, oldest, keepdims=keepdims)

    def unsqueeze(self, tensor: str, output: str, axis: int) -> str:
        return self._along("Unsqueeze", tensor, output, [axis], _AXES_OPSETS["Unsqueeze"])

    def _along(
        self, operator: str, tensor: str, output: str, axes: list[int], oldest: int, **attributes: int
    ) -> str:
        """Add a node with axes: an input of it from the opset `oldest` on, an attribute before."""
        if self._opset < oldest:
            return self.node(operator, [tensor], output, axes=axes, **attributes)
        name = self.constant(f"axes_{'_'.join(map(str, axes))}", np.array(axes))
        return self.node(operator, [tensor, name], output, **attributes)


def pool_rows(pooling: Pooling, tensor: NDArray[Any], mask: NDArray[Any] | None) -> NDArray[np.float64]:
    """Return the features (batch, F) in float64 that the nodes give, from the tensor's value.

    Example:
        >>> tokens = np.array([[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]]])
        >>> pool_rows(Pooling("mean", mask="mask"), tokens, np.array([[1, 1, 0]]))
        array([[1.5, 2. ]])
        >>> pool_rows(Pooling("cls", normalize=True), tokens, None)
        array([[1., 0.]])
    """
    rows = tensor.astype(np.float64)
    if pooling.pool == "flatten":
        rows = rows.reshape(len(rows), -1)
    elif pooling.pool == "cls":
        rows = rows[:, 0]
    elif pooling.pool == "mean" and rows.ndim == SPATIAL_RANK:
        rows = rows.mean(axis=(2, 3))
    elif pooling.pool == "mean":
        weights = np.ones(rows.shape[:2]) if mask is None else mask.astype(np.float64)
        counts = np.maximum(weights.sum(axis=1, keepdims=True), _SMALLEST_COUNT)
        rows = (rows * weights[:, :, np.newaxis]).sum(axis=1) / counts
    if pooling.normalize:
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _SMALLEST_NORM)
    return rows
