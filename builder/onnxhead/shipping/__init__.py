"""A model as a project in another language, which proves its numbers there."""

from onnxhead.shipping.shipment import Shipment, check_target, ship

__all__ = ["Shipment", "check_target", "ship"]
