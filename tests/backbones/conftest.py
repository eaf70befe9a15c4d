"""The backbones opened, and what they make of the texts and pictures, which takes most of the time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from backbones import embedding, minilm, pictures, texts


@dataclass(frozen=True, eq=False)
class Features:
    """What a backbone makes of the data.

    Attributes:
        train: float32 (rows, features).
        held_out: The same of what is held out.
    """

    train: NDArray[np.float32]
    held_out: NDArray[np.float32]


@pytest.fixture(scope="session")
def encoder_path(tmp_path_factory) -> Path:
    return minilm.save(tmp_path_factory.mktemp("encoder") / "minilm.onnx")


@pytest.fixture(scope="session")
def encoder(encoder_path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(encoder_path, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="session")
def image_model() -> onnxruntime.InferenceSession:
    return pictures.open_features()


@pytest.fixture(scope="session")
def text_features(encoder) -> Features:
    found = texts.read_texts()
    return Features(embedding.embed(encoder, found.train), embedding.embed(encoder, found.held_out))


@pytest.fixture(scope="session")
def picture_features(image_model) -> Features:
    found = pictures.read_pictures()
    return Features(pictures.extract(image_model, found.train), pictures.extract(image_model, found.held_out))


@pytest.fixture(scope="session")
def text_head(text_features) -> Any:
    """A classifier of scikit-learn that says what a text is about."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    head = linear_model.LogisticRegression(C=10, max_iter=1000)
    return head.fit(text_features.train, texts.read_texts().train_labels)


@pytest.fixture(scope="session")
def digit_head(picture_features) -> Any:
    """A pipeline of scikit-learn that names digits."""
    pytest.importorskip("sklearn")
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    head = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return head.fit(picture_features.train, pictures.read_pictures().train_labels)
