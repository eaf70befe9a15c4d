"""Run a classification head's ONNX file: features in, logits and probabilities out.

Needs numpy and onnxruntime, nothing else; a deployed service imports this package alone.
"""

import typing

from onnxhead_runtime.classifier import Classifier, load
from onnxhead_runtime.errors import OnnxHeadError
from onnxhead_runtime.prediction import Prediction

if typing.TYPE_CHECKING:
    from onnxhead_runtime.scoring import score

__all__ = ["Classifier", "OnnxHeadError", "Prediction", "load", "score"]


def __getattr__(name: str) -> object:
    """Import `score` when it is first used: reading and writing files would double the cost of the import."""
    if name != "score":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from onnxhead_runtime.scoring import score

    globals()[name] = score
    return score
