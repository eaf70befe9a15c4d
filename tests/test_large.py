"""Heads whose weight is too large to copy: read by blocks, from maps of files, checked by samples."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

import onnxhead
from onnxhead import check, parameters, storage
from onnxhead.check import check_model, sampled_classes
from onnxhead.form import Form
from onnxhead.parameters import Weight
from onnxhead.reference import link_bound, refer
from onnxhead.scan import scan
from onnxhead_runtime import probe, providers
from onnxhead_runtime.contract import LINKS
from onnxhead_runtime.errors import HeadError, ProviderError

CLASSES, FEATURES = 700, 33


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch) -> None:
    """Treat every weight as a large one, in several blocks."""
    monkeypatch.setattr(parameters, "LARGE_BYTES", 0)
    monkeypatch.setattr(parameters, "_BLOCK_BYTES", 4 * FEATURES * 100)
    monkeypatch.setattr(storage, "EXTERNAL_THRESHOLD_BYTES", 0)
    for reader in ("npy", "safetensors"):
        monkeypatch.setattr(f"onnxhead.sources.{reader}.LARGE_BYTES", 0)


@pytest.fixture
def weight() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((CLASSES, FEATURES), np.float32)


@pytest.fixture
def bias() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(CLASSES, np.float32)


def data_of(folder: Path) -> bytes:
    (path,) = folder.glob("*.data")
    return path.read_bytes()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, ">f4", np.int32])
@pytest.mark.parametrize("is_transposed", [False, True])
def test_a_weight_of_any_dtype_and_layout_is_written_by_blocks(
    dtype, is_transposed, weight, bias, tmp_path
) -> None:
    given = (10 * weight).astype(dtype)
    if is_transposed:
        given = np.ascontiguousarray(given.T).T
    report = onnxhead.save(onnxhead.Head(given, bias), tmp_path / "head.onnx")
    assert data_of(tmp_path) == given.astype("<f4").tobytes()
    assert report.rounding == (np.abs(given - given.astype(np.float32)).max() if dtype is np.float64 else 0)
    assert onnxhead.verify(report.path).findings == []
    assert onnxhead.read(report.path).weight.tolist() == given.astype(np.float32).tolist()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "weight must be finite, got nan at [642, 7]"),
        (-np.inf, "weight must be finite, got -inf at [642, 7]"),
        (1e39, "weight must fit float32 (largest 3.403e+38), got 1e+39 at [642, 7]"),
    ],
)
def test_a_bad_number_is_found_on_the_way_and_nothing_is_left(value, message, weight, bias, tmp_path) -> None:
    given = weight.astype(np.float64)
    given[642, 7] = value
    head = onnxhead.Head(given, bias)
    with pytest.raises(HeadError, match=re.escape(message)):
        onnxhead.save(head, tmp_path / "head.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_largest_of_each_class_is_known_after_one_pass(weight) -> None:
    matrix = Weight(weight)
    assert matrix.largest.tolist() == np.abs(weight).max(axis=1).tolist()
    matrix = Weight(weight)
    blocks = [block.values.tobytes() for block in matrix.blocks()]
    assert (len(blocks), b"".join(blocks)) == (7, weight.tobytes())
    assert matrix.largest is matrix.largest


def test_the_hashes_are_those_of_the_whole(weight, bias) -> None:
    written: list[bytes] = []
    steps: list[tuple[int, int | None]] = []
    found = scan(
        Weight(weight),
        bias,
        write=lambda part: written.append(bytes(part)),
        progress=lambda *step: steps.append(step),
    )
    assert b"".join(written) == weight.tobytes()
    assert found.weight_sha256 == hashlib.sha256(weight.tobytes()).hexdigest()
    assert found.sha256 == hashlib.sha256(weight.tobytes() + bias.tobytes()).hexdigest()
    assert steps == [(stop, CLASSES) for stop in range(100, CLASSES + 1, 100)]


class SlowHash:
    """A hash that takes longer than what comes before it."""

    def __init__(self) -> None:
        self.blocks = 0

    def update(self, _: memoryview) -> None:
        time.sleep(0.002)
        self.blocks += 1

    def copy(self) -> "SlowHash":
        return self

    def hexdigest(self) -> str:
        return ""


def test_few_blocks_wait_for_the_hash(weight, bias, monkeypatch) -> None:
    monkeypatch.setattr(parameters, "_BLOCK_BYTES", 4 * FEATURES * 10)
    digest, waiting = SlowHash(), []
    monkeypatch.setattr("hashlib.sha256", lambda: digest)
    scan(Weight(weight), bias, progress=lambda done, _: waiting.append(done // 10 - digest.blocks))
    assert len(waiting) == 70
    assert max(waiting) <= 9


def is_mapped(array: np.ndarray) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = array.base
    return array is not None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
@pytest.mark.parametrize("layout", ["classes-first", "features-first"])
def test_safetensors_are_mapped(dtype, layout, weight, bias, tmp_path) -> None:
    given = weight.astype(dtype)
    stored = np.ascontiguousarray(given if layout == "classes-first" else given.T)
    save_file({"other": bias[:3], "weight": stored, "bias": bias}, tmp_path / "head.safetensors")
    head = onnxhead.read(tmp_path / "head.safetensors", layout=layout)
    assert is_mapped(head.matrix._array)
    assert head.weight.tolist() == given.astype(np.float32).tolist()


def test_sharded_safetensors_are_mapped(weight, bias, tmp_path) -> None:
    save_file({"classifier.weight": weight}, tmp_path / "model-1.safetensors")
    save_file({"classifier.bias": bias}, tmp_path / "model-2.safetensors")
    places = {"classifier.weight": "model-1.safetensors", "classifier.bias": "model-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    (tmp_path / "config.json").write_text("{}")
    head = onnxhead.read(tmp_path)
    assert is_mapped(head.matrix._array)
    assert head.weight.tolist() == weight.tolist()


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_files_are_mapped(order, weight, bias, tmp_path) -> None:
    np.save(tmp_path / "w.npy", np.asarray(weight, order=order))
    np.save(tmp_path / "b.npy", bias)
    head = onnxhead.read((tmp_path / "w.npy", tmp_path / "b.npy"))
    assert is_mapped(head.matrix._array)
    assert head.weight.tolist() == weight.tolist()


@pytest.fixture
def by_samples(monkeypatch) -> None:
    monkeypatch.setattr(check, "_SAMPLED_BYTES", 0)
    monkeypatch.setattr(check, "_RANDOM_CLASSES", 50)
    monkeypatch.setattr(check, "_EXTREME_CLASSES", 4)


@pytest.mark.usefixtures("by_samples")
@pytest.mark.parametrize("link", LINKS)
def test_a_head_too_large_for_all_is_checked_by_samples_that_have_the_extremes(
    link, weight, bias, tmp_path
) -> None:
    weight[123] *= 9
    weight[456] /= 1000
    bias[[77, 78]] = 50, -50
    head = onnxhead.Head(weight, bias, link=link, temperature=2.0)
    classes = sampled_classes(head)
    assert {0, CLASSES - 1, 123, 456, 77, 78} <= set(classes)
    assert 50 < len(classes) < 80
    report = onnxhead.save(head, tmp_path / "head.onnx")
    assert (report.check.classes, report.check.is_sample) == (len(classes), True)
    assert str(report.check).endswith(f"on 7 rows and a sample of {len(classes)} classes")


@pytest.mark.usefixtures("by_samples")
@pytest.mark.parametrize("what", ["extreme", "bias", "link", "temperature"])
def test_the_samples_show_what_is_wrong(what, weight, bias, tmp_path) -> None:
    weight[123] *= 9
    right = onnxhead.Head(weight, bias)
    path = onnxhead.save(right, tmp_path / "head.onnx").path
    assert check_model(path, right).passed
    changed = weight.copy()
    if what == "extreme":
        changed[123, 5] += 0.01
    wrong = onnxhead.Head(
        changed,
        bias + 0.01 if what == "bias" else bias,
        link="ovr" if what == "link" else "softmax",
        temperature=1.1 if what == "temperature" else 1.0,
    )
    assert not check_model(path, wrong).passed


@pytest.mark.usefixtures("by_samples")
@pytest.mark.parametrize("place", range(7))
def test_the_link_is_checked_on_every_sampled_row(place, weight, bias, tmp_path, monkeypatch) -> None:
    head = onnxhead.Head(weight, bias)
    path = onnxhead.save(head, tmp_path / "head.onnx").path
    answers = check.open_answers(path, Form())

    def change_one_row(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, probabilities = answers(rows)
        assert len(rows) == 7
        probabilities[place, 3] += 0.01
        return logits, probabilities

    monkeypatch.setattr(check, "open_answers", lambda *_: change_one_row)
    assert not check_model(path, head).passed


@pytest.mark.usefixtures("by_samples")
@pytest.mark.parametrize("count", [7, 2])
def test_a_sampled_row_is_near_the_decision(count, weight, bias, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(check, "_SAMPLED_ANSWERS", count * CLASSES)
    head = onnxhead.Head(1000 * weight, bias)
    path = onnxhead.save(head, tmp_path / "head.onnx").path
    answers, seen = check.open_answers(path, Form()), []
    monkeypatch.setattr(check, "open_answers", lambda *_: lambda rows: seen.append(rows) or answers(rows))
    check_model(path, head)
    (rows,) = seen
    largest = np.abs(answers(rows)[0]).max(axis=1)
    assert (len(rows), (rows.any(axis=1) & (largest < 100)).sum()) == (count, 1)


def test_the_uncertainty_of_a_sample_is_that_of_the_row_near_the_decision(
    weight, bias, tmp_path, monkeypatch
) -> None:
    head = onnxhead.Head(1000 * weight, bias)
    path = onnxhead.save(head, tmp_path / "head.onnx").path
    whole = check_model(path, head).uncertainty
    monkeypatch.setattr(check, "_SAMPLED_BYTES", 0)
    assert check_model(path, head).uncertainty <= whole < 0.01


@pytest.mark.usefixtures("by_samples")
def test_two_classes_of_very_many_features_are_sampled_whole(tmp_path) -> None:
    head = onnxhead.Head(np.ones((2, 5000)), np.zeros(2))
    report = onnxhead.save(head, tmp_path / "head.onnx")
    assert (report.check.classes, report.check.is_sample) == (2, False)


@pytest.mark.parametrize("link", ["softmax", "ovr"])
@pytest.mark.parametrize("classes", [5_000, 200_000])
def test_a_class_that_outweighs_very_many_others_is_no_error(link, classes, tmp_path) -> None:
    bias = np.full(classes, -15.5)
    bias[0] = 12 if link == "ovr" else 0
    head = onnxhead.Head(np.zeros((classes, 2)), bias, link=link)
    path = onnxhead.save(head, tmp_path / "head.onnx").path
    answer = onnxhead.load(path, device="cpu").probabilities(np.zeros((1, 2)))
    exact = refer(head, np.zeros((1, 2), np.float32))
    error = np.abs(answer - exact.probabilities).max()
    assert 1e-6 < error <= exact.probabilities_bound[0, 0] < 0.02
    assert onnxhead.verify(path).findings == []


def test_the_bound_of_the_link_grows_with_the_classes_and_the_largest_probability() -> None:
    even, uneven = np.full((1, 2**20), 2.0**-20), np.eye(1, 2**20)
    assert link_bound(even, "softmax") == link_bound(uneven, "sigmoid") == [[1e-6]]
    assert link_bound(uneven, "softmax") == link_bound(uneven, "ovr") == [[2.0**-4]]


@pytest.mark.parametrize(("mmap", "expected"), [(True, "1"), (False, None), ("auto", None)])
def test_the_caller_decides_whether_weights_are_mapped(mmap, expected, weight, bias, tmp_path) -> None:
    path = onnxhead.save(onnxhead.Head(weight, bias), tmp_path / "head.onnx").path
    classify = onnxhead.load(path, device="cpu", mmap=mmap)
    options = classify._runner.session.get_session_options()
    try:
        found = options.get_session_config_entry("session.disable_prepacking")
    except RuntimeError:
        found = None
    assert found == expected
    assert classify.with_threads(1)._options[-1] == mmap
    with pytest.raises(ProviderError, match='mmap must be True, False or "auto", got 3'):
        onnxhead.load(path, device="cpu", mmap=3)


def test_a_large_head_is_built_and_verified_in_constant_memory(tmp_path) -> None:
    """From float64, features first, of 800 MB; the model has 400 MB."""
    program = """
import threading, time
import numpy as np, onnxhead, onnxruntime

weight = np.lib.format.open_memmap("weight.npy", "w+", np.float64, (1024, 100_000))
weight[::7, ::1001] = 0.5
np.save("bias.npy", np.zeros(100_000, np.float32))
onnxhead.verify(onnxhead.save(onnxhead.Head(np.eye(3), np.zeros(3)), "first.onnx").path)

def anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))

def watch():
    while True:
        peak.append(anonymous())
        time.sleep(0.005)

before, peak = anonymous(), []
threading.Thread(target=watch, daemon=True).start()
head = onnxhead.read(("weight.npy", "bias.npy"), layout="features-first")
report = onnxhead.save(head, "head.onnx")
assert onnxhead.verify(report.path).findings == []
assert report.data_path.stat().st_size == 409_600_000
print((max(peak) - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert 0 < int(done.stdout or 0) < 200, done.stderr


def test_a_terminal_shows_how_far_a_large_head_is(tmp_path) -> None:
    pty = pytest.importorskip("pty")
    np.lib.format.open_memmap(tmp_path / "weight.npy", "w+", np.float32, (80_000, 256))
    program = [Path(sys.executable).with_name("onnxhead"), "build", "weight.npy", "--no-bias", "-o", "a.onnx"]
    master, slave = pty.openpty()
    subprocess.run(program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=slave, check=True)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert "80,000 classes" in shown
    assert "classes/s" in shown


def test_a_large_model_is_loaded_without_reading_its_weights(weight, bias, tmp_path, monkeypatch) -> None:
    labels = [f"class {number}" for number in range(CLASSES)]
    report = onnxhead.save(onnxhead.Head(weight, bias, labels=labels), tmp_path / "head.onnx")
    monkeypatch.setattr(providers, "_MAPPED_BYTES", 1)
    monkeypatch.setattr(probe, "_probe", None)
    classify = onnxhead.load(report.path, device="cpu")
    assert classify.classes == tuple(labels)
    monkeypatch.undo()
    row = np.ones(FEATURES, np.float32)
    assert classify(row).labels == onnxhead.load(report.path, device="cpu")(row).labels


def test_a_large_model_that_does_not_state_its_classes_is_asked(weight, bias, tmp_path, monkeypatch) -> None:
    path = onnxhead.save(onnxhead.Head(weight, bias), tmp_path / "head.onnx").path
    model = onnx.load(path, load_external_data=False)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "C"
    (tmp_path / "other.onnx").write_bytes(model.SerializeToString())
    monkeypatch.setattr(providers, "_MAPPED_BYTES", 1)
    assert len(onnxhead.load(tmp_path / "other.onnx", device="cpu").classes) == CLASSES
