"""Every exception that onnxhead raises on purpose.

    OnnxHeadError
    ├── HeadError          weight, bias, labels, link or temperature do not make one head
    ├── SourceError        a source does not hold the weight and bias that were asked for
    ├── ModelError         an .onnx file is unreadable or not one that this project runs
    ├── FeaturesError      features have the wrong shape, type or range
    ├── WriteError         a file could not be written; what was there before is whole
    ├── ProviderError      onnxruntime, the device or the cluster asked for does not start
    └── VerificationError  a model's answers are further from float64 than rounding allows

A message states the rule, what was given, and what to do. Exceptions of numpy, onnx, onnxruntime and
the other dependencies do not leak: they are the `__cause__` of one of these.
"""

__all__ = [
    "FeaturesError",
    "HeadError",
    "ModelError",
    "OnnxHeadError",
    "ProviderError",
    "SourceError",
    "VerificationError",
    "WriteError",
]


class OnnxHeadError(Exception):
    """Base of all exceptions that onnxhead raises on purpose."""


class HeadError(OnnxHeadError, ValueError):
    """Weight, bias, labels, link or temperature do not make one head."""


class SourceError(OnnxHeadError, ValueError):
    """A source does not hold the weight and bias that were asked for."""


class ModelError(OnnxHeadError, ValueError):
    """An .onnx file is unreadable or not one that this project runs."""


class FeaturesError(OnnxHeadError, ValueError):
    """Features have the wrong shape, type or range."""


class WriteError(OnnxHeadError, OSError):
    """A file could not be written; what was there before is whole."""


class ProviderError(OnnxHeadError, RuntimeError):
    """onnxruntime, or the device or the cluster that was asked for, does not start."""


class VerificationError(OnnxHeadError, ArithmeticError):
    """A model's answers are further from float64 than rounding allows."""
