"""The bundle beside the client, whatever it holds."""

import shutil
from pathlib import Path

import pytest

from onnxhead_client import Classifier
from onnxhead_client.vectors import Case, read_cases

BUNDLE = Path(__file__).parents[1] / "bundle"


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier(BUNDLE)


@pytest.fixture(scope="session")
def cases(classifier) -> list[Case]:
    return read_cases(BUNDLE, classifier)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A bundle to break."""
    return Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))
