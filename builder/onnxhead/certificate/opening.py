"""Open what a certificate is of."""

from __future__ import annotations

from pathlib import Path

from onnxhead.certificate.head_alone import HeadAlone
from onnxhead.certificate.subject import Subject
from onnxhead.certificate.whole_model import WholeModel
from onnxhead.model import open_model
from onnxhead.whole_file import WholeFile


def open_subject(path: Path) -> Subject:
    """Open a model that onnxhead built, or attached.

    Raises:
        ModelError: The file is broken, or onnxhead did not build it.
        FeaturesError: It is a whole model whose inputs have no rows.
    """
    model = open_model(path)
    return WholeModel(model) if isinstance(model, WholeFile) else HeadAlone(model)
