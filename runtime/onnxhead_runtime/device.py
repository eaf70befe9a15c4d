"""Run on tensors that are on the device already, without a copy, by the DLPack protocol."""

from __future__ import annotations

from typing import Any, NamedTuple

from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES
from onnxhead_runtime.errors import FeaturesError, ProviderError
from onnxhead_runtime.providers import import_onnxruntime, one_line


class DevicePrediction(NamedTuple):
    """Logits and probabilities on the device.

    Attributes:
        logits: float32 (batch, classes), an `onnxruntime.OrtValue` with `__dlpack__`.
        probabilities: The same.
    """

    logits: Any
    probabilities: Any


def run_on_device(session: Any, device: str, width: int, features: Any) -> DevicePrediction:
    """Run a session on a tensor on its device; `Classifier.run_device` documents the rules.

    Args:
        session: The `onnxruntime.InferenceSession`.
        device: `cpu` or `cuda:N`, where the session runs.
        width: How many features a row has.
        features: float32 (batch, features) with `__dlpack__`.

    Raises:
        FeaturesError: Shape, dtype, memory layout or device are others.
        ProviderError: onnxruntime fails.
    """
    name, _, number = device.partition(":")
    value = _take(features, width, name, int(number or 0))
    try:
        binding = session.io_binding()
        binding.bind_ortvalue_input(FEATURES, value)
        for output in (LOGITS, PROBABILITIES):
            binding.bind_output(output, name, int(number or 0))
        # onnxruntime computes on a stream of its own, and is told nothing of the caller's: this waits for
        # the whole device. The run itself ends with waiting for its own stream.
        binding.synchronize_inputs()
        session.run_with_iobinding(binding)
        return DevicePrediction(*binding.get_outputs())
    except Exception as cause:  # onnxruntime's exceptions have no public base
        raise ProviderError(
            f"onnxruntime must answer {value.shape()[0]} rows on {device}, it fails: {one_line(cause)}; "
            "try smaller batches"
        ) from cause


def _take(features: Any, width: int, device: str, number: int) -> Any:
    """Return the tensor as an OrtValue that shares its memory."""
    rule = f"features must be float32 (batch, {width}) in row order on {device}:{number}, with __dlpack__"
    if not (hasattr(features, "__dlpack__") and hasattr(features, "__dlpack_device__")):
        raise FeaturesError(f"{rule}, got {type(features).__name__}: call the classifier for other input")
    ort = import_onnxruntime()
    if not hasattr(ort.OrtValue, "from_dlpack"):
        raise ProviderError(
            f"onnxruntime must share memory by DLPack for run_device, {ort.__version__} does not: "
            "pip install --upgrade onnxruntime"
        )
    try:
        value = ort.OrtValue.from_dlpack(features)
    except Exception as cause:  # other packages' tensors raise what they like
        raise FeaturesError(f"{rule}, got one that cannot be shared: {cause}") from cause
    shape, place = tuple(value.shape()), (value.device_name(), features.__dlpack_device__()[1])
    fits = value.data_type() == "tensor(float)" and len(shape) == 2 and shape[1] == width
    if not fits or place != (device, number):
        raise FeaturesError(f"{rule}, got {value.data_type()} {shape} on {place[0]}:{place[1]}")
    return value
