"""Runs a model that onnxhead shipped, from the inputs of its network: logits, probabilities and labels.

from onnxhead_client import Classifier

classifier = Classifier("bundle")
for prediction in classifier({"pixels": pixels}):  # arrays by the names of the inputs
    print(prediction.label, prediction.probabilities, prediction.top(3))
"""

from onnxhead_client.bundle import BundleError
from onnxhead_client.classifier import Classifier, InputsError
from onnxhead_client.description import Input
from onnxhead_client.prediction import Prediction

__all__ = ["BundleError", "Classifier", "Input", "InputsError", "Prediction"]
