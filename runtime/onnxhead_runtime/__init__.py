"""Run a classification head's ONNX file: features in, logits and probabilities out.

Needs numpy and onnxruntime, nothing else; a deployed service imports this package alone.
"""

from onnxhead_runtime.classifier import Classifier, load
from onnxhead_runtime.errors import OnnxHeadError
from onnxhead_runtime.prediction import Prediction

__all__ = ["Classifier", "OnnxHeadError", "Prediction", "load"]
