"""Real networks with their heads, end to end: from files of pictures, and from text, to labels."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from clients.toolchains import CLIENTS, Client

import onnxhead
from backbones import embedding, minilm, packages, pictures, texts
from onnxhead.attaching import attach

PROGRAM = Path(__file__).parent / "go" / "main.go"
SHOWN = 120  # pictures that are files
# of a probability: the features of scikit-learn's answers come from batches, those of a whole model from one picture
TOLERANCE = 1e-4


@pytest.fixture(scope="session")
def digits(digit_head, tmp_path_factory) -> Path:
    """The image model with the head for digits."""
    path = tmp_path_factory.mktemp("digits") / "digits.onnx"
    report = attach(pictures.find_model(), onnxhead.read(digit_head), path, at=pictures.TENSOR)
    assert report.at == pictures.TENSOR
    return path


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> list[Path]:
    """The first of the pictures that are held out, as files."""
    pytest.importorskip("PIL")
    folder = tmp_path_factory.mktemp("pictures")
    held_out = pictures.read_pictures().held_out[:SHOWN]
    return [pictures.write_png(pixels, folder / f"{number:04}.png") for number, pixels in enumerate(held_out)]


@pytest.fixture(scope="session")
def about(text_head, encoder_path, tmp_path_factory) -> Path:
    """The encoder with the head that says what a text is about."""
    path = tmp_path_factory.mktemp("about") / "about.onnx"
    attach(encoder_path, onnxhead.read(text_head), path, pool="mean", normalize=True)
    return path


def read_files(files: list[Path]) -> np.ndarray:
    """Return the pixels of files, uint8 (pictures, 8, 8)."""
    from PIL import Image

    pixels = []
    for path in files:
        with Image.open(path) as opened:
            pixels.append(np.array(opened.convert("L")))
    return np.stack(pixels)


def test_python_names_the_digits_in_files(digits, files, digit_head, picture_features) -> None:
    classify = onnxhead.load(digits, device="cpu")
    prediction = classify(pictures.to_input(read_files(files)))
    features = picture_features.held_out[: len(files)]
    assert list(prediction.labels) == digit_head.predict(features).tolist()
    exact = digit_head.predict_proba(features)
    assert np.abs(prediction.probabilities - exact).max() <= TOLERANCE
    right = np.array(prediction.labels) == pictures.read_pictures().held_out_labels[: len(files)]
    assert right.mean() > 0.87


def find_go() -> Client:
    """Return the client for Go; where there is no Go, skip the test, or fail it if it must be there."""
    (go,) = (client for client in CLIENTS if client.target == "go")
    if go.missing:
        message = f"{', '.join(go.missing)} must be on the PATH"
        if os.environ.get(packages.REQUIRED):
            pytest.fail(message)
        pytest.skip(message)
    return go


def test_go_names_the_same_digits_in_the_same_files(digits, files, tmp_path) -> None:
    go = find_go()
    project = go.build(tmp_path, digits)  # its own tests and linters run too
    program = project / "cmd" / "digits" / "main.go"
    program.parent.mkdir()
    shutil.copy(PROGRAM, program)
    checked = subprocess.run(
        ["bash", "-euc", 'test -z "$(gofmt -l cmd)" && go vet ./cmd/digits && go build ./cmd/digits'],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    digits_program = dataclasses.replace(go, check=("./digits",))
    done = digits_program.run_program(project, "bundle", *map(str, files))
    assert (done.returncode, done.stderr) == (0, "")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    prediction = onnxhead.load(digits, device="cpu")(pictures.to_input(read_files(files)))
    assert [answer["label"] for answer in answers] == list(prediction.labels)
    found = np.array([answer["probabilities"] for answer in answers])
    assert np.abs(found - prediction.probabilities).max() <= TOLERANCE
    refused = digits_program.run_program(project, "bundle", str(PROGRAM))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.endswith("main.go: png: invalid format: not a PNG file\n")


def test_python_says_what_texts_are_about(about, text_head, text_features) -> None:
    classify, tokenizer = onnxhead.load(about, device="cpu"), embedding.load_tokenizer()
    found = texts.read_texts()
    labels, probabilities = [], []
    for start in range(0, len(found.held_out), 32):
        prediction = classify(embedding.tokenize(tokenizer, found.held_out[start : start + 32]))
        labels += prediction.labels
        probabilities += list(prediction.probabilities)
    exact = text_head.predict_proba(text_features.held_out)
    assert np.abs(np.array(probabilities) - exact).max() <= TOLERANCE
    assert labels == text_head.predict(text_features.held_out).tolist()
    assert (np.array(labels) == found.held_out_labels).mean() > 0.87


def test_a_text_alone_has_the_label_that_it_has_among_others(about) -> None:
    """Padding counts for nothing."""
    classify, tokenizer = onnxhead.load(about, device="cpu"), embedding.load_tokenizer()
    short = "Cancel the future or task and wait until it completes."
    alone = classify(embedding.tokenize(tokenizer, [short]))
    together = classify(embedding.tokenize(tokenizer, ["many words " * 60, short]))
    assert alone.labels[0] == together.labels[1] == "asyncio"
    assert np.abs(alone.probabilities[0] - together.probabilities[1]).max() <= TOLERANCE


def test_both_are_verified_on_real_inputs_and_on_made_up_ones(about, digits, files) -> None:
    tokenized = embedding.tokenize(embedding.load_tokenizer(), texts.read_texts().held_out[:4])
    shown = {pictures.INPUT: pictures.to_input(read_files(files[:4]))}
    for path, sample in ((about, tokenized), (digits, shown)):
        for given in (sample, None):
            verification = onnxhead.verify(path, sample=given)
            assert verification.findings == []
            assert verification.check.rows == (3 if given is None else 4)


def test_the_encoder_is_shipped_with_a_text_in_its_vectors(about, tmp_path) -> None:
    sample = embedding.tokenize(embedding.load_tokenizer(), texts.read_texts().held_out[:2])
    shipment = onnxhead.ship(about, "python", tmp_path / "out", sample=sample)
    assert (shipment.cases, shipment.rows) == (2, 3)
    description = json.loads((shipment.path / "bundle" / "head.json").read_bytes())
    assert [one["name"] for one in description["inputs"]] == list(minilm.INPUTS)
    assert description["labels"] == sorted(texts.PACKAGES)
    assert onnxhead.verify(shipment.path).findings == []
