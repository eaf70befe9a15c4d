"""Certificates: what a model does on rows, beside an older one and in every runtime."""

import dataclasses
import html.parser
import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import skip_beyond
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

import onnxhead
from onnxhead.certificate import Certificate, Thresholds, certification, certify, runtimes
from onnxhead.certificate import sample as sample_file
from onnxhead.certificate.charts import histogram
from onnxhead.certificate.comparison import ComparisonTally
from onnxhead.certificate.opening import open_subject
from onnxhead.certificate.page import render
from onnxhead.certificate.subject import Answer
from onnxhead.form import Form
from onnxhead_runtime.contract import FEATURES
from onnxhead_runtime.errors import FeaturesError, ModelError, ProviderError, SourceError, VerificationError

NAMES = ("ja", "nein", "ä", "")
UNIT = 2.0**-24


def save(path: Path, weight, bias, form: Form | None = None, **arguments) -> Path:
    return onnxhead.save(onnxhead.Head(weight, bias, **arguments), path, form=form or Form()).path


@pytest.fixture
def identity(tmp_path) -> Path:
    """Two classes, whose logits are the features."""
    return save(tmp_path / "identity.onnx", np.eye(2), np.zeros(2), labels=["a", "b"])


def sample(link: str, count: int = 700, seed: int = 1) -> tuple[onnxhead.Head, np.ndarray, np.ndarray]:
    """A head, rows, and labels that are drawn from its own probabilities at another temperature."""
    random = np.random.default_rng(seed)
    head = onnxhead.Head(
        random.normal(size=(4, 6)), random.normal(size=4), labels=NAMES, link=link, temperature=0.7
    )
    rows = random.normal(size=(count, 6)).astype(np.float32)
    exact = onnxhead.reference.refer(head, rows).probabilities
    if link == "sigmoid":
        return head, rows, (random.random(exact.shape) < exact**0.7).astype(int)
    drawn = (np.log(exact) * 0.7 + random.gumbel(size=exact.shape)).argmax(axis=1)
    return head, rows, np.array(NAMES)[drawn]


def expected_calibration_error(confidence, right) -> float:
    """As its definition says, one prediction after the other."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for p, hit in zip(confidence, right, strict=True):
        bins.setdefault(min(int(p * 15), 14), []).append((float(p), bool(hit)))
    gaps = [abs(sum(p for p, _ in one) - sum(hit for _, hit in one)) for one in bins.values()]
    return sum(gaps) / len(confidence)


# what is measured


def test_the_figures_are_those_that_a_hand_works_out(identity) -> None:
    """Logits ln 3 apart: probabilities 3/4 and 1/4; four rows, of which three are right."""
    rows = [[math.log(3), 0], [math.log(3), 0], [0, math.log(3)], [0, math.log(9)]]
    found = certify(identity, json.dumps(rows), ["a", "b", "b", "b"])
    assert found.quality.accuracy == 3 / 4
    assert found.quality.nll == pytest.approx(-(2 * math.log(3 / 4) + math.log(1 / 4) + math.log(9 / 10)) / 4)
    # two bins: three rows with 3/4, of which two are right, and one with 9/10
    assert found.quality.calibration_error == pytest.approx((3 * (3 / 4 - 2 / 3) + 1 / 10) / 4, abs=1e-6)
    cells = {(cell.true, cell.predicted): cell.count for cell in found.confusion.cells}
    assert cells == {("a", "a"): 1, ("b", "a"): 1, ("b", "b"): 2}
    first, second = found.confusion.classes
    assert (first.true, first.predicted, first.right, first.precision, first.recall) == (1, 2, 1, 0.5, 1)
    assert (second.true, second.predicted, second.right, second.accuracy) == (3, 2, 2, 3 / 4)
    assert found.passed
    assert found.verdicts == ()


@pytest.mark.parametrize("link", ["softmax", "ovr"])
def test_the_figures_are_those_of_scikit_learn(link, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sample_file, "_MOST_ROWS", 64)  # several blocks
    head, rows, labels = sample(link)
    path = onnxhead.save(head, tmp_path / "model.onnx").path
    np.save(tmp_path / "rows.npy", rows)
    found = certify(path, tmp_path / "rows.npy", labels)
    prediction = onnxhead.load(path, device="cpu")(rows)
    assert found.quality.accuracy == accuracy_score(labels, prediction.labels)
    places = [NAMES.index(label) for label in labels]
    probabilities = prediction.probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert found.quality.nll == pytest.approx(log_loss(places, probabilities, labels=range(4)), rel=1e-5)
    right = np.array(prediction.labels) == labels
    error = expected_calibration_error(prediction.probabilities.max(axis=1), right)
    assert found.quality.calibration_error == pytest.approx(error, abs=1e-9)
    matrix = np.zeros((4, 4), int)
    for cell in found.confusion.cells:
        matrix[NAMES.index(cell.true), NAMES.index(cell.predicted)] = cell.count
    assert np.array_equal(matrix, confusion_matrix(labels, prediction.labels, labels=NAMES))
    oracle = precision_recall_fscore_support(labels, prediction.labels, labels=NAMES)
    assert [one.label for one in found.confusion.classes] == list(NAMES)
    assert [one.precision for one in found.confusion.classes] == pytest.approx(oracle[0])
    assert [one.recall for one in found.confusion.classes] == pytest.approx(oracle[1])
    assert [one.true for one in found.confusion.classes] == list(oracle[3])


def test_labels_of_the_link_sigmoid_are_counted_one_by_one(tmp_path) -> None:
    head, rows, truth = sample("sigmoid")
    path = onnxhead.save(head, tmp_path / "model.onnx").path
    np.save(tmp_path / "rows.npy", rows)
    found = certify(path, tmp_path / "rows.npy", truth)
    prediction = onnxhead.load(path, device="cpu")(rows)
    given = prediction.logits > 0
    assert found.quality.accuracy == pytest.approx((given == truth).mean())
    p = prediction.probabilities.astype(np.float64)
    assert found.quality.nll == pytest.approx(-np.log(np.where(truth, p, 1 - p)).mean(), rel=1e-4)
    error = expected_calibration_error(p.ravel(), truth.ravel())
    assert found.quality.calibration_error == pytest.approx(error, abs=1e-9)
    assert found.confusion.cells is None
    for place, one in enumerate(found.confusion.classes):
        (neither, alone), (missed, both) = confusion_matrix(truth[:, place], given[:, place])
        assert (one.right, one.predicted, one.true) == (both, both + alone, both + missed)
        assert one.accuracy == pytest.approx((neither + both) / len(rows))
    lists = [[NAMES[i] for i in np.flatnonzero(row)] for row in truth]
    assert certify(path, tmp_path / "rows.npy", lists).quality == found.quality


# rounding


def test_rows_within_the_bound_of_a_tie_are_found_and_those_outside_are_not(identity) -> None:
    """The bound of a logit here is 16 * 2^-24 of its magnitude: 31 units apart is within, 33 is not."""
    rows = [[1, 1 - k * UNIT] for k in (0, 31, 33, 4000)]
    found = certify(identity, json.dumps(rows)).rounding
    assert found.uncertain.tolist() == [0, 1]
    first, second = found.listed
    assert (second.row, second.label, second.rival) == (1, "a", "b")
    assert second.gap == 31 * UNIT
    assert second.bound == pytest.approx(16 * UNIT * (2 - 31 * UNIT))
    assert first.gap == 0
    assert found.margins[2:] == pytest.approx([33 / 32, 4000 / 32], rel=1e-3)
    assert found.bounds == pytest.approx([16 * UNIT] * 4)
    assert found.largest == found.median == pytest.approx(16 * UNIT)


def test_the_class_that_could_overtake_need_not_be_the_second(tmp_path) -> None:
    """Its large terms cancel out: its bound is 16 * 2^-24 * 20000 = 0.019."""
    weight = [[1, 0, 0], [0.95, 0, 0], [0.9, 1e4, -1e4]]
    path = save(tmp_path / "model.onnx", weight, np.zeros(3))
    rounding = certify(path, "[[0.1, 1, 1], [1, 1, 1]]").rounding
    (found,) = rounding.listed
    assert (found.row, found.label, found.rival) == (0, 0, 2)
    assert found.gap == pytest.approx(0.01, rel=1e-3)
    assert found.bound == pytest.approx(0.019, rel=0.01)


def test_labels_of_the_link_sigmoid_are_uncertain_near_zero(tmp_path) -> None:
    path = save(tmp_path / "model.onnx", np.eye(2), [-1, 0], link="sigmoid", labels=["x", "y"])
    rows = [[1 + 15 * 2**-23, 5], [1 + 17 * 2**-23, 5], [3, 1e-30]]
    found = certify(path, json.dumps(rows)).rounding  # the bound is 16 * 2^-24 * (1 + 1)
    assert found.uncertain.tolist() == [0]
    assert (found.listed[0].label, found.listed[0].rival) == ("x", None)


# against an older model


@pytest.fixture
def older(tmp_path) -> Path:
    """As the identity, with half of `a` more for it."""
    return save(tmp_path / "older.onnx", np.eye(2), [0.5, 0], labels=["a", "b"])


ROWS = [[1, 0], [0, 0.25], [0.1, 0.3], [0, 1], [0.2, 0.4]]
TRUTH = ["a", "b", "a", "b", "b"]  # before a a a b a, now a b b b b


def test_flips_are_those_between_the_two_models(identity, older) -> None:
    found = certify(identity, json.dumps(ROWS), TRUTH, against=older)
    one = found.comparison
    assert one.flipped.tolist() == [1, 2, 4]
    assert [(flip.row, flip.before, flip.after) for flip in one.listed] == [(n, "a", "b") for n in (1, 2, 4)]
    assert [(kind.before, kind.after, kind.count) for kind in one.transitions] == [("a", "b", 3)]
    assert (one.mended, one.broken, one.broken_rows.tolist(), one.decisions) == (2, 1, [2], 5)
    assert (one.before.accuracy, found.quality.accuracy) == (3 / 5, 4 / 5)
    p = onnxhead.load(identity, device="cpu")(ROWS).probabilities.astype(float)
    q = onnxhead.load(older, device="cpu")(ROWS).probabilities.astype(float)
    assert one.largest_change == np.abs(p - q).max()
    assert one.mean_change == pytest.approx(np.abs(p - q).mean())
    assert [change.what for change in one.changes] == ["weights"]


def test_labels_are_compared_by_name(identity, tmp_path) -> None:
    swapped = save(tmp_path / "swapped.onnx", np.eye(2)[::-1], np.zeros(2), labels=["b", "a"], link="ovr")
    found = certify(identity, json.dumps(ROWS), TRUTH, against=swapped).comparison
    assert found.flipped.tolist() == []
    assert [change.what for change in found.changes] == ["weights", "labels", "link"]
    assert found.before.accuracy == 4 / 5
    assert found.before.nll == pytest.approx(certify(swapped, json.dumps(ROWS), TRUTH).quality.nll)
    weight = np.array([[1, 0], [0, 1], [0, 0]])
    more = save(tmp_path / "more.onnx", weight, [0, 0, 0.35], labels=["a", "b", "c"])
    found = certify(identity, json.dumps(ROWS), TRUTH, against=more).comparison
    kinds = [(kind.before, kind.after, kind.count) for kind in found.transitions]
    assert kinds == [("c", "b", 2)]
    assert (found.flipped.tolist(), found.mended, found.broken, found.before) == ([1, 2], 1, 0, None)


def test_with_sigmoid_labels_come_and_go(tmp_path) -> None:
    new = save(tmp_path / "new.onnx", np.eye(2), [0, 0], labels=["x", "y"], link="sigmoid")
    old = save(tmp_path / "old.onnx", np.eye(2), [-1, 0.5], labels=["x", "y"], link="sigmoid")
    rows = [[0.5, 1], [2, -0.25], [2, 2], [-1, -1]]
    found = certify(new, json.dumps(rows), [["x"], ["x", "y"], ["x", "y"], []], against=old).comparison
    kinds = [(kind.before, kind.after, kind.count) for kind in found.transitions]
    assert kinds == [(None, "x", 1), ("y", None, 1)]
    assert [(flip.before, flip.after) for flip in found.listed] == [
        (("y",), ("x", "y")),
        (("x", "y"), ("x",)),
    ]
    assert (found.mended, found.broken, found.broken_rows.tolist(), found.decisions) == (1, 1, [1], 8)


def test_a_row_that_only_the_older_model_cannot_answer_has_flipped(identity, tmp_path) -> None:
    old = save(tmp_path / "large.onnx", np.eye(2) * 1e30, [0, 0], labels=["a", "b"])
    found = certify(identity, "[[1e20, 1], [1, 0]]", ["a", "a"], against=old).comparison
    assert found.flipped.tolist() == [0]
    assert (found.listed[0].before, found.mended, found.before) == (None, 1, None)
    subject = open_subject(save(tmp_path / "many.onnx", np.eye(2), [0, 0], link="sigmoid"))
    tally = ComparisonTally(subject, subject)
    none = np.full((2, 2), -1, np.float32)  # no label now, and none before but in a row that is NaN
    before = none * np.float32([[1], [np.nan]])
    tally.add(np.array([5, 6]), Answer(none, -none / 4), Answer(before, before), None)
    assert tally.comparison().flipped.tolist() == [6]


@pytest.mark.parametrize(
    ("weight", "arguments", "message"),
    [
        (np.eye(3), {"labels": ["a", "b", "c"]}, "must take the same rows, other.onnx takes 3 features and"),
        (
            np.eye(2),
            {"labels": ["a", "b"], "link": "sigmoid"},
            "must give labels of the same kind, other.onnx",
        ),
        (np.eye(2), {"labels": ["c", "d"]}, "must have some of the same labels, other.onnx has c, d and"),
        (np.eye(2), {}, "must have some of the same labels, other.onnx has 0, 1 and identity.onnx a, b"),
    ],
)
def test_a_model_that_cannot_be_compared_with_is_refused(
    weight, arguments, message, identity, tmp_path
) -> None:
    other = save(tmp_path / "other.onnx", weight, np.zeros(len(weight)), **arguments)
    with pytest.raises(ModelError, match=re.escape(f"the model compared with {message}")):
        certify(identity, "[1, 2]", against=other)


def test_a_model_is_not_compared_with_itself_or_with_a_damaged_one(identity, older) -> None:
    with pytest.raises(ModelError, match=r"must be compared with another, got .*identity.onnx twice"):
        certify(identity, "[1, 2]", against=identity)
    content = older.read_bytes()
    older.write_bytes(content.replace(np.float32(0.5).tobytes(), np.float32(0.25).tobytes()))
    with pytest.raises(
        ModelError, match=r"the model compared with must be as it was built, .* is not: the SHA"
    ):
        certify(identity, "[1, 2]", against=older)


# thresholds


FIGURES = {
    "min_accuracy": lambda found: found.quality.accuracy,
    "max_nll": lambda found: found.quality.nll,
    "max_calibration_error": lambda found: found.quality.calibration_error,
    "max_uncertain": lambda found: len(found.rounding.uncertain) / 6,
    "max_flips": lambda found: len(found.comparison.flipped) / 6,
    "max_regressions": lambda found: found.comparison.broken / 6,
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_threshold_is_met_at_its_limit_and_not_beyond(name, identity, older) -> None:
    rows, truth = json.dumps([*ROWS, [1, 1]]), [*TRUTH, "a"]
    assert set(FIGURES) == {field.name for field in dataclasses.fields(Thresholds)}
    figure = FIGURES[name](certify(identity, rows, truth, against=older))
    assert 0 < figure < 1
    beyond = math.nextafter(figure, 2 if name == "min_accuracy" else -1)
    for limit, met in ((figure, True), (beyond, False)):
        found = certify(identity, rows, truth, against=older, thresholds=Thresholds(**{name: limit}))
        (verdict,) = found.verdicts
        assert (verdict.name, verdict.limit, verdict.figure, verdict.met) == (name, limit, figure, met)
        assert found.passed is met
        assert len(found.findings) == (not met)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("value", [math.nan, -0.1, math.inf, 1.1])
def test_a_threshold_that_no_figure_can_meet_or_miss_is_refused(name, value) -> None:
    if (name, value) == ("max_nll", 1.1):
        assert Thresholds(max_nll=1.1).max_nll == 1.1
        return
    with pytest.raises(ValueError, match=f"--{name.replace('_', '-')} must be .*, got {value:g}"):
        Thresholds(**{name: value})


def test_a_threshold_without_anything_to_go_by_is_refused(identity, older) -> None:
    for name in ("min_accuracy", "max_nll", "max_calibration_error", "max_regressions"):
        with pytest.raises(ValueError, match=r"must have true labels to go by: give them with --labels"):
            certify(identity, "[1, 2]", against=older, thresholds=Thresholds(**{name: 0.5}))
    for name in ("max_flips", "max_regressions"):
        with pytest.raises(ValueError, match=r"must have another model to go by: give it with --against"):
            certify(identity, "[1, 2]", ["a"], thresholds=Thresholds(**{name: 0.5}))


# rows and labels


def test_rows_without_an_answer_are_named_and_in_no_figure(identity, monkeypatch) -> None:
    monkeypatch.setattr(sample_file, "_MOST_ROWS", 2)  # also a block of nothing else
    monkeypatch.setattr(sample_file, "_FEWEST_ROWS", 1)
    rows = "[[1, 0], [0, 1], [NaN, 0], [3e38, Infinity], [1e39, 0], [0, 2]]"
    found = certify(identity, rows, ["a", "a", "a", "a", "a", "b"])
    assert (found.rows.count, found.rows.unanswered) == (6, 3)
    assert found.rows.bad == (
        (2, "column 0 is NaN"),
        (3, "column 1 is infinite"),
        (4, "1e+39 in column 0 is beyond float32"),
    )
    assert found.quality.accuracy == 2 / 3
    assert np.isnan(found.rounding.margins).tolist() == [False, False, True, True, True, False]
    assert found.findings == (
        "3 of 6 rows have no answer, the first is row 2, counted from 0: column 0 is NaN",
    )
    allowed = certify(identity, rows, ["a", "a", "a", "a", "a", "b"], on_bad_row="null")
    assert allowed.passed
    assert allowed.rows == found.rows
    with pytest.raises(
        FeaturesError, match="at least one row with an answer, got 1 rows, the first has none"
    ):
        certify(identity, "[NaN, 0]")
    np.save(identity.with_name("none.npy"), np.empty((0, 2)))
    with pytest.raises(FeaturesError, match="at least one row with an answer, got 0 rows"):
        certify(identity, identity.with_name("none.npy"))


def write_csv(path: Path) -> None:
    lines = [",".join([*map(str, row), label]) for row, label in zip(ROWS, TRUTH, strict=True)]
    path.write_text("\n".join(["f0,f1,class", *lines]))


def write_jsonl(path: Path) -> None:
    documents = [{"features": row, "class": label} for row, label in zip(ROWS, TRUTH, strict=True)]
    path.write_text("\n".join(map(json.dumps, documents)))


def write_parquet(path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    labels = pyarrow.array(TRUTH).dictionary_encode()
    parquet.write_table(pyarrow.table({"class": labels, "embedding": ROWS, "other": [0] * 5}), path)


@pytest.mark.parametrize("write", [write_csv, write_jsonl, write_parquet])
def test_labels_may_be_a_column_of_the_rows(write, identity, tmp_path) -> None:
    path = tmp_path / f"rows.{write.__name__.removeprefix('write_')}"
    write(path)
    found = certify(identity, path, label_column="class")
    expected = certify(identity, json.dumps(ROWS), TRUTH)
    assert found.quality == expected.quality
    assert (found.rows.labels_file, found.confusion) == (None, expected.confusion)
    with pytest.raises(SourceError, match="from --labels or --label-column, got both"):
        certify(identity, path, TRUTH, label_column="class")


@pytest.mark.parametrize(
    ("rows", "labels", "error", "message"),
    [
        (
            "[[1, 2]]",
            ["a", "b"],
            SourceError,
            "labels must be one per row, got 2 for 1 rows; the first line of",
        ),
        ("[[1, 2], [1, 2]]", ["a"], SourceError, "labels must be one per row, got 1 for 2 rows"),
        ("[[1, 2]]", ["z"], SourceError, "labels must be among the model's, a, b, row 0 has 'z'"),
        (
            "[[1, 2]]",
            "missing.txt",
            SourceError,
            "labels must be text in UTF-8 or a JSON array, missing.txt is",
        ),
        ("[[1, 2, 3]]", None, FeaturesError, "features must be (2,) or (batch, 2) for this model, got shape"),
        ("missing.npy", None, FeaturesError, "there is no file missing.npy"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(rows, labels, error, message, identity) -> None:
    with pytest.raises(error, match=re.escape(message)):
        certify(identity, rows, labels)


@pytest.mark.parametrize("labels", [TRUTH[:-1], [*TRUTH, "a"]])
def test_labels_are_counted_also_where_rows_come_one_by_one(labels, identity, tmp_path) -> None:
    write_jsonl(tmp_path / "rows.jsonl")
    with pytest.raises(SourceError, match=f"labels must be one per row, got {len(labels)} for 5 rows"):
        certify(identity, tmp_path / "rows.jsonl", labels)


# models


@pytest.mark.parametrize(
    ("form", "link"),
    [
        (Form(weights="int8"), "softmax"),
        (Form(weights="float16"), "ovr"),
        (Form(compute="float16"), "sigmoid"),
        (Form(compute="bfloat16"), "softmax"),
        (Form(compute="float64"), "softmax"),
        (Form(top_k=2), "softmax"),
    ],
    ids=str,
)
def test_every_form_is_held_to_its_own_bound(form, link, tmp_path) -> None:
    skip_beyond(form)
    head, rows, labels = sample(link, 60)
    path = onnxhead.save(head, tmp_path / "model.onnx", form=form).path
    np.save(tmp_path / "rows.npy", rows)
    found = certify(path, tmp_path / "rows.npy", labels)
    assert found.findings == ()
    first = found.runtimes[0]
    assert (first.state, first.other_labels) == ("ran", 0)
    assert 0 < first.logits <= 1
    assert found.model.precision == form.precision
    plain = onnxhead.save(head, tmp_path / "plain.onnx").path
    change = certify(path, tmp_path / "rows.npy", labels, against=plain).comparison.changes
    assert ("precision" in [one.what for one in change]) is (form.precision != "float32")
    coarser = certify(plain, tmp_path / "rows.npy").rounding.largest / found.rounding.largest
    assert (
        coarser < 1 if form.compute in ("float16", "bfloat16") or form.weights == "int8" else coarser >= 0.9
    )
    if form.compute == "bfloat16":
        assert first.name == "onnx's evaluator"
        assert ("onnxruntime CPU", "not for this form") in [(one.name, one.state) for one in found.runtimes]


def test_a_head_of_very_many_classes_is_certified_too(tmp_path) -> None:
    random = np.random.default_rng(0)
    weight = random.normal(size=(100_000, 8))
    weight /= np.linalg.norm(weight, axis=1, keepdims=True)  # each row is the most like itself
    path = save(tmp_path / "large.onnx", weight, np.zeros(len(weight)))
    np.save(tmp_path / "rows.npy", weight[[5, 77_777, 5]] * 9)
    found = certify(path, tmp_path / "rows.npy", [5, 77_777, 6])
    assert found.quality.accuracy == 2 / 3
    cells = [(cell.true, cell.predicted, cell.count) for cell in found.confusion.cells]
    assert cells == [(5, 5, 1), (6, 5, 1), (77_777, 77_777, 1)]
    assert (found.confusion.absent, len(found.confusion.classes)) == (99_997, 3)
    assert len(render(found)) < 60_000


def test_a_damaged_model_gets_no_certificate(identity, command) -> None:
    content = identity.read_bytes()
    identity.write_bytes(content.replace(np.float32(1).tobytes(), np.float32(2).tobytes(), 1))
    with pytest.raises(VerificationError, match="a certificate is of a model that is as it was built"):
        certify(identity, "[1, 2]")
    done = command("verify", identity, "--rows", "[1, 2]", "--report", "page.html", status=1)
    assert "is not: the SHA-256 of weight and bias is" in done.stderr
    assert not identity.with_name("page.html").exists()


def test_a_shipped_folder_is_certified_by_its_bundle(identity, tmp_path) -> None:
    onnxhead.ship(identity, "bundle", tmp_path / "shipped")
    found = certify(tmp_path / "shipped", json.dumps(ROWS), TRUTH)
    assert found.model.sha256 == certify(identity, json.dumps(ROWS)).model.sha256
    assert found.quality.accuracy == 4 / 5


# runtimes


@pytest.mark.parametrize(("name", "package"), [("OpenVINO", "openvino"), ("tract", "tract")])
@pytest.mark.parametrize("link", ["softmax", "sigmoid", "ovr"])
def test_other_runtimes_are_held_to_the_same_bound(name, package, link, tmp_path) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: make test-wheel has it")
    head, rows, labels = sample(link)
    path = onnxhead.save(head, tmp_path / "model.onnx").path
    np.save(tmp_path / "rows.npy", rows)
    found = certify(path, tmp_path / "rows.npy", labels)
    own = found.runtimes[0]
    (other,) = [one for one in found.runtimes if one.name == name]
    assert (other.state, other.reason) == ("ran", None)
    assert re.match(r"\d+\.\d+", other.version)
    assert 0 < other.logits <= 1
    assert 0 < other.probabilities <= 1
    assert other.other_labels <= len(found.rounding.uncertain)
    assert other.quality.accuracy == pytest.approx(own.quality.accuracy)
    assert other.quality.nll == pytest.approx(own.quality.nll, rel=1e-5)


def test_a_runtime_that_is_not_installed_is_listed(identity, monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    found = certify(identity, "[1, 2]")
    states = {one.name: (one.state, one.version) for one in found.runtimes}
    assert states["OpenVINO"] == states["tract"] == ("not installed", None)
    assert found.passed


@pytest.fixture
def stand_in(monkeypatch):
    """Let a function take the place of tract."""

    def put(answering) -> None:
        runtime = dataclasses.replace(runtimes._TRACT, open=lambda subject: answering(subject.open()))
        monkeypatch.setattr(runtimes, "_TRACT", runtime)
        monkeypatch.setattr(runtimes, "_version", lambda one: "1.0" if one is runtime else None)

    return put


def test_a_runtime_beyond_the_bound_is_a_finding(identity, stand_in) -> None:
    def wrong(own):
        def call(rows):
            answer = own(rows)
            return Answer(answer.logits[:, ::-1], answer.probabilities)

        return call

    stand_in(wrong)
    found = certify(identity, json.dumps(ROWS), TRUTH)
    tract = found.runtimes[-1]
    assert (tract.other_labels, tract.quality.accuracy) == (5, 1 / 5)
    assert tract.logits > 1 >= tract.probabilities
    (finding,) = found.findings
    assert re.match(r"tract 1.0: one of the logits is \S+ bounds away from the exact one", finding)


def test_a_little_beyond_the_bound_is_beyond(identity, stand_in) -> None:
    for units, is_right in ((14, True), (18, False)):  # the bound is 16
        stand_in(
            lambda own, units=units: (
                lambda rows: own(rows)._replace(
                    logits=(own(rows).logits + np.float32(units * UNIT)).astype(np.float32)
                )
            )
        )
        found = certify(identity, "[1, 1.5]", ["b"])
        assert found.passed is is_right
        assert found.runtimes[-1].logits == pytest.approx(units / 16, rel=0.1)
        assert found.runtimes[-1].other_labels == 0


def test_a_runtime_that_answers_nan_or_fails_is_a_finding(identity, stand_in) -> None:
    stand_in(lambda own: lambda rows: Answer(own(rows).logits * np.float32("nan"), own(rows).probabilities))
    assert certify(identity, "[1, 2]", ["b"]).findings == (
        "tract 1.0: one of the logits is undefined where the exact one is not",
    )

    stand_in(lambda own: lambda rows: own({FEATURES: rows[FEATURES][:, :1]}))
    found = certify(identity, "[1, 2]")
    (finding,) = found.findings
    assert finding.startswith("tract 1.0 failed: features must be (2,) or (batch, 2)")
    assert (found.runtimes[-1].state, found.runtimes[-1].logits) == ("failed", None)


def test_a_device_that_does_not_start_is_no_finding(identity, stand_in) -> None:
    def refuse(own):
        raise ProviderError(f"no GPU for {own.__name__}")

    stand_in(refuse)
    found = certify(identity, "[1, 2]")
    assert (found.runtimes[-1].state, found.runtimes[-1].logits) == ("does not start", None)
    assert found.runtimes[-1].reason.startswith("no GPU for")
    assert found.passed


def test_a_runtime_that_has_no_such_form_is_no_finding(tmp_path, stand_in) -> None:
    form = Form(compute="float64")
    skip_beyond(form)
    stand_in(lambda own: own)
    found = certify(save(tmp_path / "wide.onnx", np.eye(2), [0, 0], form), "[1, 2]")
    assert found.runtimes[-1].state == "not for this form"
    assert (
        found.runtimes[-1].reason
        == "does not run a head in float32, computed in float64, or not within its bound"
    )
    assert found.passed


# the command and the page


@pytest.fixture
def files(identity, older) -> Path:
    tmp_path = identity.parent
    assert older.parent == tmp_path
    np.save(tmp_path / "rows.npy", np.array(ROWS))
    (tmp_path / "labels.txt").write_text("\n".join(TRUTH))
    return tmp_path


OPTIONS = ("--rows", "rows.npy", "--labels", "labels.txt", "--against", "older.onnx")


@pytest.mark.usefixtures("files")
def test_the_command_passes_and_fails_by_its_thresholds(command) -> None:
    done = command("verify", "identity.onnx", *OPTIONS, "--min-accuracy", "0.8", "--max-regressions", "0.2")
    for line in (
        "model          identity.onnx: 2 classes x 2 features, float32, softmax",
        "rows           5 of rows.npy",
        "uncertain      by that alone 0 rows could change the label",
        "confused       a as b 1",
        "flipped        3 rows with another label: 1, 2, 4",
        "broken         1 right before and wrong now",
        "--min-accuracy 0.8: met, 0.8",
        "passed",
    ):
        assert line in done.stdout.splitlines()
    done = command("verify", "identity.onnx", *OPTIONS, "--max-flips", "0.5", status=1)
    assert "--max-flips 0.5: NOT MET, 0.6" in done.stdout
    assert (
        "FOUND: the share of rows with another label than the older model's must be at most 0.5"
        in done.stdout
    )
    assert done.stdout.splitlines()[-1] == "FAILED: 1 finding"


@pytest.mark.usefixtures("files")
def test_json_has_all_of_it(command) -> None:
    done = command("verify", "identity.onnx", *OPTIONS, "--max-uncertain", "0", "--json")
    document = json.loads(done.stdout, parse_constant=pytest.fail)
    assert document["passed"] is True
    assert len(document["rounding"]["bounds"]) == len(document["rounding"]["margins"]) == 5
    assert document["comparison"]["flipped"] == [1, 2, 4]
    assert document["verdicts"] == [{"name": "max_uncertain", "limit": 0, "figure": 0, "met": True}]
    assert document["rows"]["file"]["name"] == "rows.npy"
    assert len(document["rows"]["labels_file"]["sha256"]) == 64
    fields = {field.name for field in dataclasses.fields(Certificate)}
    assert set(document) == fields | {"passed"}
    done = command("verify", "identity.onnx", "--rows", "[[NaN, 1], [1, 2]]", "--json", status=1)
    assert json.loads(done.stdout, parse_constant=pytest.fail)["rounding"]["bounds"][0] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--labels", "labels.txt"], "--labels: for a certificate, give the rows it is made on with --rows"),
        (["--max-flips", "0"], "--max-flips: for a certificate, give the rows it is made on with --rows"),
        (["--rows", "rows.npy", "--min-accuracy", "0.9"], "--min-accuracy must have true labels to go by"),
        (["--rows", "rows.npy", "--max-flips", "0"], "--max-flips must have another model to go by"),
        (["--rows", "rows.npy", "--max-uncertain", "5"], "--max-uncertain must be from 0 to 1, got 5"),
        (["--rows", "rows.npy", "--max-nll", "nan"], "--max-nll must be at least 0 and finite, got nan"),
        (["--rows", "rows.npy", "--report", "page.pdf"], "name must end in .html, got page.pdf"),
        (["--rows", "rows.npy", "--report", "folder.html"], "name must end in .html, got folder.html"),
        (["--rows", "rows.npy", "--report", "rows.html"], "must not replace what it is of, rows.html"),
        (["--rows", "rows.npy", "--against", "identity.onnx"], "a model must be compared with another"),
        (["--rows", "rows.npy", "--report", "rows.npy/page.html"], "a certificate must go to a folder that"),
    ],
)
def test_bad_usage_is_refused(options, message, files, command) -> None:
    (files / "folder.html").mkdir()
    (files / "rows.html").symlink_to("rows.npy")
    before = (files / "rows.npy").read_bytes()
    done = command("verify", "identity.onnx", *options, status=2)
    assert message in done.stderr
    assert (files / "rows.npy").read_bytes() == before
    assert not list(files.glob(".*.tmp"))


class Parser(html.parser.HTMLParser):
    """Holds a page to being well-formed: every element is closed, in the order of their opening."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.seen.add(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "action", "style")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("meta", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


HOSTILE = ["<script>alert(1)</script>", "\x1b[31mred\u202e", "a & \"b\" 'c'"]


@pytest.fixture
def hostile(tmp_path) -> tuple[Certificate, Path]:
    """Labels and file names that try to be markup, with every section there is."""
    weight = np.eye(3)
    path = save(tmp_path / "<img src=x>.onnx", weight, np.zeros(3), labels=HOSTILE)
    old = save(tmp_path / "<b>old.onnx", weight, [2, 0, 0], labels=HOSTILE)
    rows = tmp_path / "rows&lt;\x1b[2J.npy"
    np.save(rows, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [np.nan, 0, 0]])
    labels = [HOSTILE[i] for i in (0, 1, 0, 1, 2)]
    return certify(path, rows, labels, against=old, thresholds=Thresholds(max_flips=0)), old


def test_labels_and_names_are_escaped_everywhere(hostile, tmp_path, command) -> None:
    certificate, old = hostile
    page = render(certificate)
    parser = Parser()
    parser.feed(page)
    assert parser.open == []
    assert not parser.seen & {"script", "img", "iframe", "object", "form", "base"}
    assert parser.addresses == ["data:,"]
    assert "<script>alert(1)</script>" in parser.text
    assert "<img src=x>.onnx" in parser.text
    assert r"\x1b[31mred\u202e" in parser.text
    assert not [c for c in page if not c.isprintable() and c != "\n"]
    assert str(tmp_path) not in page
    assert page.count("\n") < 600
    np.save(tmp_path / "plain.npy", np.eye(3))
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps([*HOSTILE[1:], HOSTILE[0]]))
    done = command("verify", "<img src=x>.onnx", "--rows", "plain.npy", "--labels", labels, "--against", old)
    assert not [c for c in done.stdout if not c.isprintable() and c != "\n"]
    assert r"\x1b[31mred\u202e" in done.stdout


def test_a_tie_is_drawn_left_of_the_limit() -> None:
    for margins, marked in (([0.0], 1), ([0.0, 1.0, 2.0], 2), ([1.0, 1.0 + 1e-6, 50.0], 1), ([7.0], 0)):
        drawn = histogram("margins", np.array([*margins, np.nan]), "margin", 1.0)
        bars = [(bar.get("class"), int(bar[0].text.split()[0])) for bar in drawn.iter("rect")]
        assert sum(rows for kind, rows in bars if kind == "bar marked") == marked, margins
        assert sum(rows for _, rows in bars) == len(margins)


def test_the_page_is_the_same_each_time(hostile, files, command) -> None:
    certificate, _ = hostile
    assert render(certificate) == render(certificate)
    for name in ("a.html", "new/b.html"):
        command("verify", "identity.onnx", *OPTIONS, "--report", name)
    assert (files / "a.html").read_bytes() == (files / "new/b.html").read_bytes()
    assert re.search(
        r"Content-Security-Policy\" content=\"default-src 'none'", (files / "a.html").read_text()
    )


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def browse(page: Path) -> tuple[str, list[str]]:
    """Open a page in Chromium: what is in it then, and what the console says."""
    program = find_chromium()
    if program is None:
        assert "CI" not in os.environ, "chromium must be there: make clients-packages installs it"
        pytest.skip("no Chromium: make clients-packages installs it")
    switches = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom")
    folder = f"--user-data-dir={page.parent / 'profile'}"
    done = subprocess.run(
        [program, *switches, folder, page.as_uri()], check=True, capture_output=True, text=True, timeout=120
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_a_browser_shows_the_page_and_has_nothing_to_complain_of(hostile, tmp_path) -> None:
    certificate, _ = hostile
    page = tmp_path / "page.html"
    page.write_text(render(certificate))
    shown, console = browse(page)
    assert console == []
    assert "Failed: 2 findings" in shown
    assert shown.count("<svg") == 3
    page.write_text(page.read_text().replace("--paper: #fbfaf7", "--paper: #fbfaf8"))
    assert "Content Security Policy" in "".join(browse(page)[1])  # so that a style is only what it was


def test_memory_does_not_grow_with_the_rows(tmp_path) -> None:
    """40,000 rows more are 80 MB, as float64 160 MB, of which some numbers are kept for each."""
    head = onnxhead.Head(np.random.default_rng(0).normal(size=(3, 500)), np.zeros(3))
    onnxhead.save(head, tmp_path / "model.onnx")
    rows = np.random.default_rng(1).normal(size=(60_000, 500)).astype(np.float32)
    for name, count in (("few", 20_000), ("many", 60_000)):
        np.save(tmp_path / f"{name}.npy", rows[:count])
        np.save(tmp_path / f"{name}_labels.npy", np.arange(count) % 3)
    program = """if True:
        import re, sys
        from pathlib import Path
        from onnxhead.certificate import certify
        from onnxhead.certificate.page import render
        most = 0
        def watch(done, total):
            global most
            status = Path("/proc/self/status").read_text()
            most = max(most, int(re.search(r"RssAnon:\\s+(\\d+)", status)[1]))
        found = certify("model.onnx", f"{sys.argv[1]}.npy", f"{sys.argv[1]}_labels.npy", progress=watch)
        watch(render(found), 0)
        print(most)
    """
    kib = {
        name: int(subprocess.check_output([sys.executable, "-c", program, name], cwd=tmp_path))
        for name in ("few", "many")
    }
    assert kib["many"] - kib["few"] < 40 * 1024, kib


def test_a_certificate_reads_in_blocks_that_are_smaller_than_the_rows(identity, monkeypatch) -> None:
    monkeypatch.setattr(sample_file, "_MOST_ROWS", 2)
    monkeypatch.setattr(sample_file, "_FEWEST_ROWS", 1)
    sizes = []
    measure = certification._Certification._measure
    monkeypatch.setattr(
        certification._Certification,
        "_measure",
        lambda self, part: (sizes.append(len(part.feeds[FEATURES])), measure(self, part))[1],
    )
    seen = []
    found = certify(
        identity, json.dumps(ROWS), TRUTH, progress=lambda done, total: seen.append((done, total))
    )
    assert sorted(sizes) == [1, 2, 2]
    assert seen == [(2, 5), (4, 5), (5, 5)]
    assert found.quality.accuracy == 4 / 5


def test_labels_of_an_older_model_are_those_of_the_same_text(random_head, tmp_path) -> None:
    onnxhead.save(random_head(3, 4, labels=[0, 1, 2]), tmp_path / "new.onnx")
    onnxhead.save(random_head(3, 4, labels=["2", "1", "0"], seed=0), tmp_path / "old.onnx")
    rows = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    certificate = certify(tmp_path / "new.onnx", tmp_path / "rows.npy", against=tmp_path / "old.onnx")
    best = onnxhead.load(tmp_path / "new.onnx", device="cpu")(rows).logits.argmax(axis=1)
    assert len(certificate.comparison.flipped) == int((best != 2 - best).sum())


def test_true_is_no_label_1_and_a_column_is_no_feature_too(random_head, tmp_path) -> None:
    onnxhead.save(random_head(3, 4, labels=[0, 1, 2]), tmp_path / "model.onnx")
    np.save(tmp_path / "rows.npy", np.ones((2, 4), np.float32))
    with pytest.raises(SourceError, match="labels must be among the model's, 0, 1, 2, row 0 has True"):
        certify(tmp_path / "model.onnx", tmp_path / "rows.npy", np.array([True, False]))
    with pytest.raises(SourceError, match="a column is true labels or a feature, a is named as both"):
        certify(
            tmp_path / "model.onnx", tmp_path / "rows.npy", label_column="a", features=["a", "b", "c", "d"]
        )


def test_without_a_threshold_the_terminal_says_so(random_head, tmp_path, command) -> None:
    onnxhead.save(random_head(3, 4), tmp_path / "model.onnx")
    np.save(tmp_path / "rows.npy", np.ones((2, 4), np.float32))
    said = "no threshold was given: only a defect would fail"
    assert said in command("verify", "model.onnx", "--rows", "rows.npy").stdout
    assert said not in command("verify", "model.onnx", "--rows", "rows.npy", "--max-uncertain", "1").stdout


def test_a_matrix_of_many_classes_or_long_labels_has_its_labels_upright(random_head, tmp_path) -> None:
    rows = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    for labels, style in (
        ([*"abc"], "heat"),
        (["a", "b", "longer than six"], "heat wide"),
        ([str(i) for i in range(13)], "heat wide"),
    ):
        onnxhead.save(random_head(len(labels), 4, labels=labels), tmp_path / "model.onnx")
        certificate = certify(tmp_path / "model.onnx", tmp_path / "rows.npy", (labels * 60)[:60])
        text = render(certificate)
        assert f'class="{style}"' in text
