"""certify: what a model does on rows with labels, beside an older one and in every runtime, as one record."""

from onnxhead.certificate.certification import certify
from onnxhead.certificate.record import Certificate
from onnxhead.certificate.thresholds import Thresholds

__all__ = ["Certificate", "Thresholds", "certify"]
