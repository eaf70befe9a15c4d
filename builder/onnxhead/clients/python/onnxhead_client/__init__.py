"""Runs a classification head that onnxhead shipped: logits, probabilities and labels.

from onnxhead_client import Classifier

classifier = Classifier("bundle")
prediction = classifier.classify(features)  # one row of float32
print(prediction.label, prediction.probabilities, prediction.top(3))
"""

from onnxhead_client.bundle import BundleError
from onnxhead_client.classifier import Classifier, FeaturesError
from onnxhead_client.prediction import Prediction

__all__ = ["BundleError", "Classifier", "FeaturesError", "Prediction"]
