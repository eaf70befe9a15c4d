"""A model as a project in another language, which proves its numbers there."""

from onnxhead.shipping.shipment import Shipment, prepare, ship, write

__all__ = ["Shipment", "prepare", "ship", "write"]
