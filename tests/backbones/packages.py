"""The packages that ship backbones, where they are installed; those of models are found and never imported."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

REQUIRED = "ONNXHEAD_BACKBONES"
"""The variable that says that every package must be there: `make test-attach` installs them and sets it."""


def require(package: str, file: str = "__init__.py") -> Path:
    """Return a file of an installed package; where there is none, skip the test, or fail it if REQUIRED is set."""
    spec = importlib.util.find_spec(package)
    path = Path(spec.origin).parent / file if spec is not None and spec.origin is not None else None
    if path is None or not path.is_file():
        message = f"{package} with its {file} must be installed, make test-attach does that"
        if os.environ.get(REQUIRED):
            pytest.fail(message)
        pytest.skip(message)
    return path
