"""A classification head's weight and bias as one portable ONNX file: logits and probabilities, proven.

    head = onnxhead.read("weights.npz")
    onnxhead.save(head, "models/abc.onnx")
    prediction = onnxhead.load("models/abc.onnx")(features)

What is not exported here, and public: `graph.compose`, `completing.complete`, `calibration.calibrate`,
`certificate.certify`, `features.features`, `derivation.explain`, `summary.inspect`, `doctor.diagnose`,
`reference.refer`.
"""

from onnxhead.attaching import attach
from onnxhead.head import Head
from onnxhead.model import load
from onnxhead.shipping import ship
from onnxhead.sources import read
from onnxhead.storage import save
from onnxhead.verification import verify
from onnxhead_runtime import Classifier, OnnxHeadError, Prediction

__all__ = [
    "Classifier",
    "Head",
    "OnnxHeadError",
    "Prediction",
    "attach",
    "load",
    "read",
    "save",
    "ship",
    "verify",
]
