"""How a head is written: for which runtimes, in which precision, with which outputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from onnxhead.encoding import STORAGES, Storage
from onnxhead_runtime.errors import WriteError

OPSETS = range(7, 27)  # below, no runtime has a Gemm
IR_VERSIONS = range(4, 14)  # below, initializers are inputs
_TOP_OPSET = 11  # has GatherElements
_INT8_OPSET = 11  # has Round
_BFLOAT16_OPSET = 13

Compute = Literal["float32", "float16", "bfloat16", "float64"]
COMPUTES: tuple[Compute, ...] = get_args(Compute)
_HALVES = ("float16", "bfloat16")


@dataclass(frozen=True)
class Form:
    """How a head is written.

    By default every onnxruntime from 1.6 on loads the file, while what the onnx package writes by default
    only the newest onnxruntime loads, if any.

    Attributes:
        opset: The version of the ai.onnx operators, 7 to 26.
        ir_version: The version of the ONNX file format, 4 to 13.
        weights: How the weight is kept in the file.
        compute: In which type W f + b is computed; the link is computed in float32 always. float16 and
            bfloat16, which are for GPUs, keep weight and bias so too.
        top_k: How many classes the outputs `top_probabilities` and `top_classes` have; None for none of them.

    Raises:
        WriteError: A number is beyond its range, or `top_k` needs a newer opset.

    Example:
        >>> Form(opset=12).ir_version
        7
    """

    opset: int = 13
    ir_version: int = 7
    top_k: int | None = None
    weights: Storage = "float32"
    compute: Compute = "float32"

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("opset", self.opset, OPSETS),
            ("ir_version", self.ir_version, IR_VERSIONS),
        ):
            if type(value) is not int or value not in allowed:
                raise WriteError(
                    f"{name} must be an integer from {allowed[0]} to {allowed[-1]}, got {value!r}"
                )
        for name, kind, known in (
            ("weights", self.weights, STORAGES),
            ("compute", self.compute, COMPUTES),
        ):
            if kind not in known:
                raise WriteError(f"{name} must be one of {', '.join(known)}, got {kind!r}")
        if self.compute in _HALVES and self.weights == "float32":
            object.__setattr__(self, "weights", self.compute)
        if self.weights != self.compute and "float32" not in (self.weights, self.compute):
            raise WriteError(f"weights in {self.weights} are computed in float32, got compute {self.compute}")
        if self.top_k is not None and (type(self.top_k) is not int or self.top_k < 1):
            raise WriteError(f"top_k must be an integer, at least 1, got {self.top_k!r}")
        for what, oldest in self._needs():
            if self.opset < oldest:
                raise WriteError(
                    f"{what} needs opset {oldest} or newer, got {self.opset}: leave it out, or target a "
                    "newer runtime"
                )

    @property
    def bias(self) -> Storage:
        """How the bias is kept: as Gemm takes it."""
        return self.weights if self.compute in _HALVES else "float32"

    @property
    def is_float32(self) -> bool:
        """Whether the weight is kept, and W f + b computed, in float32."""
        return self.precision_kind == "float32"

    @property
    def largest_number(self) -> float:
        """Up to where features and logits can be checked: well within what they are computed in."""
        return 2.0**14 if self.compute == "float16" else 2.0**100

    @property
    def precision_kind(self) -> str:
        """What sets it apart from float32: what the weight is kept in, or what W f + b is computed in."""
        return self.weights if self.compute == "float32" else f"computed in {self.compute}"

    @property
    def precision(self) -> str:
        """What the weight is kept in and W f + b computed in, in words."""
        return self.weights if self.compute == "float32" else f"{self.weights}, computed in {self.compute}"

    def _needs(self) -> Iterator[tuple[str, int]]:
        """Yield what needs an opset, and the oldest one."""
        if self.top_k is not None:
            yield "top_k", _TOP_OPSET
        if self.weights == "int8":
            yield "int8", _INT8_OPSET
        if self.weights == "bfloat16":
            yield "bfloat16", _BFLOAT16_OPSET


DEFAULT = Form()
