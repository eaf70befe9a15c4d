"""Results as text for people; each function returns lines and prints nothing."""

from onnxhead.display.attaching import attachment_lines
from onnxhead.display.building import calibration_lines, price_lines, report_lines, shipment_lines
from onnxhead.display.certifying import certificate_lines
from onnxhead.display.examining import diagnosis_lines, summary_lines, verification_lines
from onnxhead.display.running import derivation_lines, prediction_lines, score_lines
from onnxhead.display.text import decimal, plain

__all__ = [
    "attachment_lines",
    "calibration_lines",
    "certificate_lines",
    "decimal",
    "derivation_lines",
    "diagnosis_lines",
    "plain",
    "prediction_lines",
    "price_lines",
    "report_lines",
    "score_lines",
    "shipment_lines",
    "summary_lines",
    "verification_lines",
]
