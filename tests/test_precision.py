"""Heads in other precisions: weights in half the bytes or a quarter, products in other types."""

import hashlib
import json
import re

import ml_dtypes
import numpy as np
import onnx
import pytest
from conftest import skip_beyond
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx.reference import ReferenceEvaluator

import onnxhead
import onnxhead_runtime
from onnxhead import check, operators, parameters, storage
from onnxhead.encoding import STORAGES, dtype_of, encode, round_to, scales
from onnxhead.form import COMPUTES, OPSETS, Form
from onnxhead.model import open_model
from onnxhead.reference import deviation, refer
from onnxhead.shipping.vectors import make_cases
from onnxhead.summary import inspect
from onnxhead_runtime import probe
from onnxhead_runtime.contract import LINKS
from onnxhead_runtime.errors import HeadError, ModelError, VerificationError, WriteError

FORMS = [
    *(Form(weights=kept) for kept in STORAGES),
    *(Form(compute=compute) for compute in COMPUTES),
]
ROWS = np.random.default_rng(3).standard_normal((9, 40), np.float32)


def name_of(form: Form) -> str:
    return f"{form.weights}-{form.compute}"


@pytest.fixture
def head(random_head) -> onnxhead.Head:
    return random_head(classes=30, features=40, labels=[f"c{i}" for i in range(30)])


@pytest.mark.parametrize("form", FORMS, ids=name_of)
@pytest.mark.parametrize("link", LINKS)
def test_every_precision_is_saved_verified_and_read_back(form, link, random_head, tmp_path) -> None:
    head = random_head(classes=30, features=40, link=link, temperature=2.0)
    report = onnxhead.save(head, tmp_path / "head.onnx", form=form)
    assert report.check.passed
    assert onnxhead.verify(report.path).findings == []
    assert open_model(report.path).form == form
    onnx.checker.check_model(str(report.path), full_check=True)
    kept = onnxhead.read(report.path)
    assert kept.weight.tolist() == round_to(head.weight, form.weights).tolist()
    assert kept.bias.tolist() == round_to(head.bias, form.bias).tolist()
    assert report.rounding == pytest.approx(
        max(np.abs(kept.weight - head.weight).max(), np.abs(kept.bias - head.bias).max()), rel=1e-6
    )
    again = onnxhead.save(kept, tmp_path / "again.onnx", form=form)
    assert again.sha256 == report.sha256, "what was rounded stays"


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_the_weight_takes_the_bytes_of_its_storage(form, random_head, tmp_path) -> None:
    report = onnxhead.save(random_head(classes=200, features=100), tmp_path / "head.onnx", form=form)
    data = 200 * 100 * dtype_of(form.weights).itemsize
    assert data < report.size_bytes < data + 4000


@pytest.mark.parametrize("kept", ["float16", "bfloat16"])
def test_half_the_bytes_have_the_answers_of_the_rounded_weights(kept, head, tmp_path) -> None:
    paths = [
        onnxhead.save(head, tmp_path / "half.onnx", form=Form(weights=kept)).path,
        onnxhead.save(head.stored_as(kept), tmp_path / "whole.onnx").path,
    ]
    half, whole = (onnxhead.load(path, device="cpu")(ROWS) for path in paths)
    np.testing.assert_array_equal(half.logits, whole.logits)
    np.testing.assert_array_equal(half.probabilities, whole.probabilities)


def test_float64_leaves_the_rounding_of_the_logits_alone(head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(compute="float64")).path
    exact = refer(head, ROWS)
    np.testing.assert_array_equal(
        onnxhead.load(path, device="cpu").logits(ROWS), exact.logits.astype(np.float32)
    )


@pytest.mark.parametrize("opset", [opset for opset in OPSETS if opset >= 11])
def test_int8_is_written_at_every_opset(opset, head, tmp_path) -> None:
    skip_beyond(Form(opset))
    report = onnxhead.save(head, tmp_path / "head.onnx", form=Form(opset, weights="int8"))
    assert report.check.passed
    onnx.checker.check_model(str(report.path), full_check=True)


@pytest.mark.parametrize("opset", [7, 10, 13, 26])
@pytest.mark.parametrize(
    "form", [{"weights": "float16"}, {"compute": "float16"}, {"compute": "float64"}], ids=str
)
def test_other_precisions_are_written_at_old_opsets(opset, form, head, tmp_path) -> None:
    skip_beyond(Form(opset))
    report = onnxhead.save(head, tmp_path / "head.onnx", form=Form(opset, **form))
    assert report.check.passed
    onnx.checker.check_model(str(report.path), full_check=True)


def test_a_row_in_int8_does_not_depend_on_its_batch(head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="int8")).path
    classify = onnxhead.load(path, device="cpu")
    alone = classify.logits(ROWS[:1])
    bad = np.tile(ROWS[1:2], (120, 1))  # one bad number in each, everywhere
    for row, value in enumerate([np.nan] * 40 + [np.inf] * 40 + [-np.inf] * 40):
        bad[row, row % 40] = value
    batch = np.concatenate([ROWS[:1], 1000 * ROWS[1:2], np.zeros((1, 40), np.float32), bad])
    answers = classify(batch)
    np.testing.assert_array_equal(answers.logits[:1], alone)
    assert answers.undefined_rows == list(range(3, 123))
    np.testing.assert_allclose(answers.logits[2], head.bias, rtol=1e-6)


def test_two_products_of_bytes_fit_the_16_bits_of_older_processors() -> None:
    weight = np.random.default_rng(0).standard_cauchy((50, 20)).astype(np.float32)
    integers = encode(round_to(weight, "int8"), "int8").astype(int)
    assert np.abs(integers).max(axis=1).tolist() == [63] * 50
    assert 2 * 255 * np.abs(integers).max() < 2**15


@pytest.mark.parametrize(
    ("weight", "rows"),
    [(1e-6, 1e36), (1.0, 1e37), (1e3, 1e-37), (1e30, 1e-37), (1e-30, 1e-20), (1e33, 1e-30)],
)
def test_int8_is_within_its_bound_at_the_ends_of_float32(weight, rows, tmp_path) -> None:
    random = np.random.default_rng(0)
    head = onnxhead.Head(weight * random.uniform(-1, 1, (5, 40)), np.zeros(5))
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="int8")).path
    batch = np.concatenate([np.full((1, 40), rows), rows * random.uniform(-1, 1, (8, 40))]).astype(np.float32)
    exact = refer(onnxhead.read(path), batch, Form(weights="int8"))
    answer = onnxhead.load(path, device="cpu").logits(batch)
    assert deviation(answer, exact.logits, exact.logits_bound).ratio <= 1
    assert onnxhead.verify(onnxhead.ship(path, "bundle", tmp_path / "out").path).findings == []


@pytest.mark.parametrize("temperature", [1.0, 100.0])
def test_what_is_checked_in_float16_fits_float16(temperature, tmp_path) -> None:
    weight = np.random.default_rng(0).uniform(-700, 700, (4, 100))
    head, form = onnxhead.Head(weight, np.zeros(4), temperature=temperature), Form(compute="float16")
    path = onnxhead.save(head, tmp_path / "head.onnx", form=form).path
    cases = make_cases(onnxhead.read(path), form)
    evaluator = ReferenceEvaluator(str(path))
    for case in cases[:-1]:
        logits, probabilities = evaluator.run(["logits", "probabilities"], {"features": case.features})
        assert deviation(logits, case.exact.logits, case.exact.logits_bound).ratio <= 1, case.name
        found = deviation(probabilities, case.exact.probabilities, case.exact.probabilities_bound)
        assert found.ratio <= 1, case.name


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1e30])
def test_features_of_any_size_are_quantised_by_their_own_largest(size, head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="int8")).path
    rows = (size * ROWS).astype(np.float32)
    exact = refer(onnxhead.read(path), rows, Form(weights="int8"))
    error = np.abs(onnxhead.load(path, device="cpu").logits(rows) - exact.logits)
    assert (error <= exact.logits_bound).all()
    assert exact.logits_bound.max() < 0.1 * max(1, np.abs(exact.logits).max())


def test_too_many_features_for_sums_of_int8_are_refused(tmp_path) -> None:
    head = onnxhead.Head(np.ones((2, 133675), np.float32), np.zeros(2))
    with pytest.raises(HeadError, match="int8 sums at most 133674 features, got 133675"):
        onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="int8"))
    largest = onnxhead.Head(np.ones((2, 133674), np.float32), np.zeros(2))
    path = onnxhead.save(largest, tmp_path / "head.onnx", form=Form(weights="int8")).path
    (logits,) = onnxhead.load(path, device="cpu").logits(np.ones((1, 133674), np.float32))
    assert logits == pytest.approx([133674, 133674], rel=1e-4)


@pytest.mark.parametrize(
    ("value", "kept", "message"),
    [
        (70000.0, "float16", r"weight must fit float16, got 7e\+04 at \[1, 2\]"),
        (3.4e38, "bfloat16", r"weight must fit bfloat16, got 3.4e\+38 at \[1, 2\]"),
        (np.nan, "int8", r"weight must be finite, got nan at \[1, 2\]"),
    ],
)
def test_what_a_storage_cannot_hold_is_refused(value, kept, message, random_head, tmp_path) -> None:
    weight = random_head().weight.copy()
    weight[1, 2] = value
    with pytest.raises(HeadError, match=message):
        onnxhead.save(onnxhead.Head(weight, np.zeros(4)), tmp_path / "head.onnx", form=Form(weights=kept))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"weights": "int4"}, "weights must be one of float32, float16, bfloat16, int8, got 'int4'"),
        ({"compute": "int8"}, "compute must be one of float32, float16, bfloat16, float64, got 'int8'"),
        (
            {"weights": "int8", "compute": "float64"},
            "weights in int8 are computed in float32, got compute float64",
        ),
        ({"weights": "bfloat16", "compute": "float16"}, "weights in bfloat16 are computed in float32"),
        ({"weights": "int8", "opset": 10}, "int8 needs opset 11 or newer, got 10"),
        ({"compute": "bfloat16", "opset": 12}, "bfloat16 needs opset 13 or newer, got 12"),
    ],
)
def test_combinations_that_do_not_run_are_refused(values, message) -> None:
    with pytest.raises(WriteError, match=message):
        Form(**values)


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_large_weights_of_every_storage_are_read_by_blocks(form, head, tmp_path, monkeypatch) -> None:
    small = onnxhead.save(head, tmp_path / "small.onnx", form=form)
    monkeypatch.setattr(parameters, "LARGE_BYTES", 0)
    monkeypatch.setattr(parameters, "_BLOCK_BYTES", 4 * 40 * 7)
    monkeypatch.setattr(storage, "EXTERNAL_THRESHOLD_BYTES", 0)
    report = onnxhead.save(
        onnxhead.Head(head.weight.astype(np.float64), head.bias, labels=head.labels),
        tmp_path / "head.onnx",
        form=form,
    )
    assert report.data_path.read_bytes() == bytes(
        encode(round_to(head.weight, form.weights), form.weights).tobytes()
    )
    assert onnxhead.verify(report.path).findings == []
    assert onnxhead.read(report.path).weight.tolist() == onnxhead.read(small.path).weight.tolist()
    stated = [open_model(path).metadata.weights_sha256 for path in (small.path, report.path)]
    assert stated[0] == stated[1]


@pytest.mark.parametrize("kept", STORAGES)
def test_a_large_int8_weight_keeps_its_scale_in_every_other_storage(
    kept, head, tmp_path, monkeypatch
) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="int8")).path
    monkeypatch.setattr(parameters, "LARGE_BYTES", 0)
    found = open_model(path).weight.stored_as(kept)
    assert found.whole().tolist() == round_to(round_to(head.weight, "int8"), kept).tolist()


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_the_hash_is_that_of_what_is_kept(form, head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=form).path
    model = onnx.load(path)
    raw = b"".join(
        tensor.raw_data for tensor in model.graph.initializer if tensor.name in ("weight", "scale", "bias")
    )
    assert open_model(path).metadata.weights_sha256 == hashlib.sha256(raw).hexdigest()
    weight = model.graph.initializer[0]
    weight.raw_data = weight.raw_data[:5] + bytes([weight.raw_data[5] ^ 1]) + weight.raw_data[6:]
    path.write_bytes(model.SerializeToString())
    assert onnxhead.verify(path).findings[0].startswith("the SHA-256 of weight and bias is ")


def test_another_scale_is_found(head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="int8")).path
    model = onnx.load(path)
    scale = model.graph.initializer[1]
    scale.raw_data = (np.frombuffer(scale.raw_data, np.float32) * 1.01).astype(np.float32).tobytes()
    path.write_bytes(model.SerializeToString())
    assert onnxhead.verify(path).findings
    with pytest.raises(ModelError):
        onnxhead.read(path)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (np.ones(29), r"must be one number per class, \(30,\) for weight, .* has shape \(29,\): copy"),
        (np.ones(31), r"must be one number per class, \(30,\) for weight, .* has shape \(31,\): copy"),
        (
            np.ones((30, 40)),
            r"must be one number per class, .* has shape \(30, 40\): copy it again, or build",
        ),
        (np.array(1.0), r"must be one number per class, .* has shape \(\): copy it again, or build it again"),
        (np.full(30, np.nan), "must be finite, 63 times it too, .* has nan: copy it again, or"),
        (np.full(30, np.inf), "must be finite, 63 times it too, .* has inf: copy it again, or"),
        (np.full(30, -np.inf), "must be finite, 63 times it too, .* has -inf: copy it again"),
        (np.full(30, 1e38), r"must be finite, 63 times it too, .* has 1e\+38: copy it again"),
    ],
)
@pytest.mark.parametrize("large_bytes", [parameters.LARGE_BYTES, 0])
def test_a_malformed_scale_is_refused(scale, message, large_bytes, head, tmp_path, monkeypatch) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="int8")).path
    model = onnx.load(path)
    model.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(scale.astype(np.float32), "scale"))
    path.write_bytes(model.SerializeToString())
    monkeypatch.setattr(parameters, "LARGE_BYTES", large_bytes)
    (finding,) = onnxhead.verify(path).findings
    assert re.match(f"scale {message}", finding)
    for read in (onnxhead.read, inspect):
        with pytest.raises(ModelError, match=f"scale {message}"):
            read(path)


def test_an_integer_that_a_large_scale_makes_infinite_is_refused(head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="int8")).path
    model = onnx.load(path)
    weight, scale = model.graph.initializer[:2]
    weight.raw_data = bytes([128]) + weight.raw_data[1:]
    scale.CopyFrom(onnx.numpy_helper.from_array(np.full(30, 5e36, np.float32), "scale"))
    path.write_bytes(model.SerializeToString())
    assert onnxhead.verify(path).findings == ["weight must be finite, got -inf at [0, 0]"]


@pytest.mark.parametrize("form", [form for form in FORMS if form.compute != "bfloat16"], ids=name_of)
def test_every_precision_is_shipped_with_its_own_tolerances(form, head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=form).path
    project = onnxhead.ship(path, "bundle", tmp_path / "out").path
    assert onnxhead.verify(project).findings == []


def test_top_classes_are_found_in_bfloat16_too(head, tmp_path) -> None:
    form = Form(compute="bfloat16", top_k=3)
    path = onnxhead.save(head, tmp_path / "head.onnx", form=form).path
    assert onnxhead.verify(path).findings == []


@pytest.mark.parametrize("form", FORMS, ids=name_of)
def test_another_link_is_found_in_every_precision(form, head, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(operators._LINK_OPERATORS, "ovr", operators._LINK_OPERATORS["softmax"])
    monkeypatch.setattr(check, "load", lambda path, **_: onnxhead_runtime.load(path, device="cpu"))
    monkeypatch.setattr(probe, "_check_link", lambda *_: None)
    other = onnxhead.Head(head.weight, head.bias, link="ovr")
    with pytest.raises(VerificationError, match="must be within rounding of float64"):
        onnxhead.save(other, tmp_path / "head.onnx", form=form)


def test_what_needs_a_gpu_is_not_shipped_to_clients(head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(compute="bfloat16")).path
    with pytest.raises(
        WriteError, match="onnxruntime on the CPU does not run a head in bfloat16, computed in bfloat16"
    ):
        onnxhead.ship(path, "go", tmp_path / "out")
    for target in ("bundle", "triton"):
        assert onnxhead.verify(onnxhead.ship(path, target, tmp_path / target).path).findings == []


def test_a_precision_is_not_shipped_to_what_does_not_run_it(head, tmp_path) -> None:
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(weights="bfloat16")).path
    with pytest.raises(WriteError, match="tract does not run a head in bfloat16, or not within its bound"):
        onnxhead.ship(path, "rust-tract", tmp_path / "out")
    assert onnxhead.ship(path, "rust", tmp_path / "rust").left_out == ()


def test_who_does_not_run_a_precision_is_said(head, tmp_path, command) -> None:
    np.savez(tmp_path / "head.npz", weight=head.weight, bias=head.bias)
    lines = command("build", "head.npz", "-o", "h.onnx", "--compute", "bfloat16").stdout.splitlines()
    others = "onnxruntime on the CPU, onnxruntime-web, onnxruntime-node, tract"
    assert f"not for        {others}" in lines
    assert not [line for line in lines if "WARNING" in line], "the price says it"
    lines = command("inspect", "h.onnx").stdout.splitlines()
    assert "loads in        onnxruntime 1.6 or newer, on a GPU" in lines
    assert f"obstacle        computed in bfloat16: not run, or not within its bound, by {others}" in lines
    done = command("run", "h.onnx", json.dumps([0.0] * head.features), status=2)
    assert "onnxhead inspect says which runtimes load it" in done.stderr
    lines = command("build", "head.npz", "-o", "g.onnx").stdout.splitlines()
    assert not [line for line in lines if line.startswith("not for")]


@given(
    arrays(np.float32, (3, 4), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)),
)
def test_rounding_to_int8_is_done_once(values: np.ndarray) -> None:
    values = np.clip(values, -3e38, 3e38).astype(np.float32)
    rounded = round_to(values, "int8")
    assert round_to(rounded, "int8").tolist() == rounded.tolist()
    scale = scales(np.abs(rounded).max(axis=1))
    integers = encode(rounded, "int8")
    assert np.abs(integers.astype(int)).max() <= 63
    assert (integers * scale.astype(np.float64)[:, np.newaxis] == rounded).all()
    step = scales(np.abs(values).max(axis=1))[:, np.newaxis].astype(np.float64)
    assert (np.abs(rounded - values.astype(np.float64)) <= np.maximum(0.5001 * step, 63 * 2.0**-100)).all()


def test_only_scales_below_the_smallest_are_zero() -> None:
    largest = 63 * np.array([2.0**-100, 0.99 * 2.0**-100], np.float32)
    assert scales(largest).tolist() == [2.0**-100, 0]


@given(
    arrays(np.float32, (2, 3), elements=st.floats(-60000, 60000, width=32)),
    st.sampled_from(["float16", "bfloat16"]),
)
def test_rounding_to_half_the_bytes_is_done_once(values: np.ndarray, kept: str) -> None:
    rounded = round_to(values, kept)
    assert round_to(rounded, kept).tolist() == rounded.tolist()
    dtype = np.float16 if kept == "float16" else ml_dtypes.bfloat16
    assert (
        encode(rounded, kept).astype(np.float32).tolist() == values.astype(dtype).astype(np.float32).tolist()
    )
