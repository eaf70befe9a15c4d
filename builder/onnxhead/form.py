"""How a head is written: for which runtimes, and with which outputs."""

from __future__ import annotations

from dataclasses import dataclass

from onnxhead_runtime.errors import WriteError

OPSETS = range(7, 27)  # below, no runtime has a Gemm
IR_VERSIONS = range(4, 14)  # below, initializers are inputs
_TOP_OPSET = 11  # has GatherElements


@dataclass(frozen=True)
class Form:
    """How a head is written.

    By default every onnxruntime from 1.6 on loads the file, while what the onnx package writes by default
    only the newest onnxruntime loads, if any.

    Attributes:
        opset: The version of the ai.onnx operators, 7 to 26.
        ir_version: The version of the ONNX file format, 4 to 13.
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

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("opset", self.opset, OPSETS),
            ("ir_version", self.ir_version, IR_VERSIONS),
        ):
            if value not in allowed:
                raise WriteError(f"{name} must be {allowed[0]} to {allowed[-1]}, got {value!r}")
        if self.top_k is None:
            return
        if self.top_k < 1:
            raise WriteError(f"top_k must be at least 1, got {self.top_k}")
        if self.opset < _TOP_OPSET:
            raise WriteError(
                f"top_k needs opset {_TOP_OPSET} or newer, got {self.opset}: leave top_k out (--top-k), or "
                "target a newer runtime"
            )
