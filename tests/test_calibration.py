"""Temperatures fitted on held-out rows."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import onnxhead
from onnxhead.calibration import calibrate
from onnxhead.reliability import draw
from onnxhead_runtime.errors import FeaturesError, HeadError, SourceError, WriteError

pytest.importorskip("scipy")
RANDOM = np.random.default_rng(0)


def sample(link: str, temperature: float, rows: int = 4000):
    """Return a head, rows, and labels drawn from its probabilities at another temperature."""
    head = onnxhead.Head(
        RANDOM.normal(size=(4, 6)), RANDOM.normal(size=4), labels=["a", "b", "c", "d"], link=link
    )
    features = RANDOM.normal(size=(rows, 6)).astype(np.float32)
    from onnxhead_runtime import links

    logits = features.astype(np.float64) @ head.weight.T.astype(np.float64) + head.bias
    chances = links.probabilities(logits, head.link, temperature)
    if link == "sigmoid":
        return head, features, (RANDOM.random(chances.shape) < chances).astype(int)
    drawn = (chances.cumsum(axis=1) < RANDOM.random((rows, 1))).sum(axis=1)
    return head, features, np.array(head.labels)[np.minimum(drawn, 3)]


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "ovr"])
@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_the_temperature_that_labels_were_drawn_at_is_found(link: str, temperature: float) -> None:
    head, features, labels = sample(link, temperature)
    calibration = calibrate(head, features, labels)
    assert calibration.head.temperature == pytest.approx(temperature, rel=0.15)
    assert calibration.after.nll < calibration.before.nll
    assert calibration.after.accuracy == calibration.before.accuracy
    assert calibration.after.calibration_error < min(0.05, calibration.before.calibration_error)
    assert np.array_equal(calibration.head.weight, head.weight)
    assert (calibration.head.labels, calibration.head.link) == (head.labels, head.link)


def test_the_temperature_is_a_minimum_and_the_logits_stay(tmp_path: Path) -> None:
    features, labels = load_digits(return_X_y=True)
    estimator = LogisticRegression(C=100, max_iter=3000).fit(features[:900] / 16, labels[:900])
    rows, truth = (features[900:] / 16).astype(np.float32), labels[900:]
    head = onnxhead.read(estimator)
    calibration = calibrate(head, rows, truth)
    onnxhead.save(head, tmp_path / "before.onnx")
    onnxhead.save(calibration.head, tmp_path / "after.onnx")
    before, after = (
        onnxhead.load(tmp_path / f"{name}.onnx", device="cpu")(rows) for name in ("before", "after")
    )
    assert before.logits.tobytes() == after.logits.tobytes()
    assert before.labels == after.labels
    assert calibration.before.nll == pytest.approx(log_loss(truth, before.probabilities), rel=1e-4)
    assert calibration.after.nll == pytest.approx(log_loss(truth, after.probabilities), rel=1e-4)
    assert calibration.before.accuracy == pytest.approx(estimator.score(features[900:] / 16, truth))
    best = calibration.head.temperature
    for factor in (0.98, 1.02):
        other = onnxhead.Head(head.weight, head.bias, labels=head.labels, temperature=best * factor)
        assert calibrate(other, rows, truth).before.nll > calibration.after.nll


def test_the_calibration_error_is_that_of_its_definition() -> None:
    head, features, labels = sample("softmax", 3.0, 500)
    quality = calibrate(head, features, labels).before
    logits = features.astype(np.float64) @ head.weight.T.astype(np.float64) + head.bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    confidence, right = chances.max(axis=1), np.array(head.labels)[chances.argmax(axis=1)] == labels
    expected = 0.0
    for place in range(15):
        chosen = (confidence >= place / 15) & (confidence < (place + 1) / 15)
        if chosen.any():
            expected += chosen.mean() * abs(right[chosen].mean() - confidence[chosen].mean())
    assert quality.calibration_error == pytest.approx(expected)
    assert quality.accuracy == pytest.approx(right.mean())
    assert sum(part.count for part in quality.bins) == 500


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_whoever_is_quite_sure_counts_too(link) -> None:
    head = onnxhead.Head([[100.0], [-100.0]], [0.0, 0.0], link=link)
    labels = [[1, 0], [1, 0], [1, 0], [0, 1]] if link == "sigmoid" else [0, 0, 0, 1]
    (*_, surest) = calibrate(head, [[1.0], [2.0], [-1.0], [-2.0]], np.array(labels)).before.bins
    assert (surest.count, surest.confidence, surest.accuracy) == (4, 1, 0.75)


def test_what_was_folded_and_where_from_is_kept() -> None:
    features, labels = load_digits(return_X_y=True)
    estimator = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(features, labels > 4)
    head = onnxhead.read(estimator)
    calibrated = calibrate(head, features, labels > 4).head
    assert head.folding.steps == ("standardscaler (StandardScaler)",)
    assert (calibrated.folding, calibrated.origin) == (head.folding, head.origin)


def test_labels_are_found_by_value_and_by_text() -> None:
    features = [[1.0], [2.0], [-1.0], [-2.0]]
    head = onnxhead.Head([[4.0], [-4.0]], [0.0, 0.0], labels=[7, "7b"])
    by_value = calibrate(head, features, [7, 7, "7b", 7])
    assert calibrate(head, features, ["7", "7", "7b", "7"]).head.temperature == by_value.head.temperature
    numbered = onnxhead.Head([[4.0], [-4.0]], [0.0, 0.0])
    assert calibrate(numbered, features, np.array([0, 0, 1, 0])).head.temperature == by_value.head.temperature
    several = onnxhead.Head([[4.0], [-4.0]], [0.0, 0.0], labels=["x", "y"], link="sigmoid")
    lists = calibrate(several, features, [["x"], ["x", "y"], [], ["y"]])
    array = calibrate(several, features, np.array([[1, 0], [1, 1], [0, 0], [0, 1]]))
    assert lists.head.temperature == array.head.temperature


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        ([[1.0]], ["a", "b"], "labels must be one per row, got 2 for 1 rows"),
        ([[1.0]], 3, "labels must be one per row, got none for 1 rows"),
        ([[1.0]], np.array(3), "labels must be one per row, got none for 1 rows"),
        (
            [[1.0]],
            ["label", "a"],
            "labels must be one per row, got 2 for 1 rows; the first line of the file may be",
        ),
        ([[1.0], [2.0]], ["a", ("b", [])], "labels must be among the model's, a, b, row 1 has ('b', [])"),
        ([[1.0], [2.0]], ["a", "z"], "labels must be among the model's, a, b, row 1 has 'z'"),
        ([[1.0], [2.0]], ["a", ["b"]], "labels must be among the model's, a, b, row 1 has ['b']"),
        ([[1.0], [-2.0]], ["a", "b"], "it has none, as every row is right, and the surer the better: give"),
        ([[1.0], [-2.0]], ["b", "a"], "it has none, as the rows agree with the head no more than chance"),
    ],
)
def test_labels_that_fit_no_temperature_are_refused(features, labels, message: str) -> None:
    head = onnxhead.Head([[4.0], [-4.0]], [0.0, 0.0], labels=["a", "b"])
    with pytest.raises(SourceError, match=re.escape(message)):
        calibrate(head, features, labels)


def test_features_must_fit_the_head() -> None:
    head = onnxhead.Head([[4.0], [-4.0]], [0.0, 0.0])
    for features in ([1.0], [[1.0, 2.0]], np.zeros((0, 1))):
        with pytest.raises(
            FeaturesError, match=r"features must be \(rows, 1\) with at least one row, got shape"
        ):
            calibrate(head, features, [0])
    with pytest.raises(FeaturesError, match="features to calibrate on must be finite, got NaN or infinity"):
        calibrate(head, [[np.nan]], [0])


def test_labels_of_several_kinds_are_refused() -> None:
    head = onnxhead.Head([[4.0], [-4.0]], [0.0, 0.0], labels=["a", "b"], link="sigmoid")
    with pytest.raises(
        SourceError, match="with the link sigmoid each row must have a list of labels, row 0 has 'a'"
    ):
        calibrate(head, [[1.0]], ["a"])
    with pytest.raises(
        SourceError,
        match=r"an array of labels must be \(rows, 2\) and hold 0 and 1 alone, got shape \(1, 2\)",
    ):
        calibrate(head, [[1.0]], np.array([[0, 2]]))


def test_pandas_and_sparse_labels_are_arrays() -> None:
    pandas = pytest.importorskip("pandas")
    sparse = pytest.importorskip("scipy.sparse")
    features = [[1.0], [2.0], [-1.0], [-2.0]]
    head = onnxhead.Head([[4.0], [-4.0]], [0.0, 0.0], labels=["a", "b"])
    expected = calibrate(head, features, ["a", "a", "b", "a"]).head.temperature
    assert calibrate(head, features, pandas.Series(["a", "a", "b", "a"])).head.temperature == expected
    with pytest.raises(SourceError, match=r"labels must be among the model's, a, b, row 0 has \['a'\]"):
        calibrate(head, features, pandas.DataFrame({"y": ["a", "a", "b", "a"]}))
    several = onnxhead.Head([[4.0], [-4.0]], [0.0, 0.0], link="sigmoid")
    truth = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    expected = calibrate(several, features, truth).head.temperature
    assert calibrate(several, features, sparse.csr_matrix(truth)).head.temperature == expected
    with pytest.raises(
        SourceError, match=r"the labels of a row must be distinct, row 1 has 1 twice; 0 and 1 for each"
    ):
        calibrate(several, features, truth.tolist())


def test_only_a_head_is_calibrated() -> None:
    with pytest.raises(HeadError, match="calibrate takes a Head, got LogisticRegression: pass onnxhead.read"):
        calibrate(LogisticRegression(), [[1.0]], [0])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    head, features, labels = sample("softmax", 2.0, 600)
    onnxhead.save(head, tmp_path / "head.onnx")
    np.save(tmp_path / "x.npy", features)
    np.save(tmp_path / "y.npy", labels)
    (tmp_path / "y.txt").write_text("\n".join(labels))
    (tmp_path / "y.json").write_text(json.dumps(labels.tolist()))
    return tmp_path


def test_the_command_writes_a_model_and_says_what_changed(files: Path, command) -> None:
    done = command(
        "calibrate", "head.onnx", "x.npy", "y.txt", "-o", "new.onnx", "--plot", "plots/reliability.png"
    )
    rows = dict(
        re.findall(
            r"^(negative log-likelihood|accuracy|expected calibration error) +(.*)$", done.stdout, re.M
        )
    )
    assert set(rows) == {"negative log-likelihood", "accuracy", "expected calibration error"}
    nll = [float(value) for value in rows["negative log-likelihood"].split()]
    assert nll[1] < nll[0]
    head = onnxhead.read(files / "new.onnx")
    assert f"temperature {head.temperature:.6g}, fitted on 600 rows" in done.stdout
    assert (files / "plots" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    for labels in ("y.npy", "y.json"):
        document = json.loads(
            command("calibrate", "head.onnx", "x.npy", labels, "-o", "same.onnx", "--json").stdout
        )
        assert document["temperature"] == head.temperature
        assert document["after"]["nll"] < document["before"]["nll"]
        assert (files / "same.onnx").read_bytes() == (files / "new.onnx").read_bytes()


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_written(files: Path, command) -> None:
    done = command("calibrate", "head.onnx", "x.npy", "y.txt", "-o", "new.onnx", "--plot", "p.svg", status=2)
    assert "a picture's file name must end in .png, got p.svg" in done.stderr
    (files / "folder.png").mkdir()
    done = command(
        "calibrate", "head.onnx", "x.npy", "y.txt", "-o", "new.onnx", "--plot", "folder.png", status=2
    )
    assert "a picture's file name must end in .png, got folder.png" in done.stderr
    assert not (files / "new.onnx").exists()


def test_a_model_does_not_replace_its_source(files: Path, command) -> None:
    before = (files / "head.onnx").read_bytes()
    done = command("calibrate", "head.onnx", "x.npy", "y.txt", "-o", "head.onnx", status=2)
    assert "a model must not replace its own source, head.onnx: give another file with -o" in done.stderr
    (files / "models").mkdir()
    (files / "models" / "theirs.onnx").write_bytes(before)
    done = command("build", "models/theirs.onnx", "--temperature", "3", status=2)
    assert "a model must not replace its own source, models/theirs.onnx" in done.stderr
    assert (files / "head.onnx").read_bytes() == (files / "models" / "theirs.onnx").read_bytes() == before


def test_a_picture_is_the_same_each_time_and_needs_room(files: Path) -> None:
    calibration = calibrate(
        onnxhead.read(files / "head.onnx"), np.load(files / "x.npy"), np.load(files / "y.npy")
    )
    draw(calibration, files / "a.png")
    draw(calibration, files / "b.png")
    assert (files / "a.png").read_bytes() == (files / "b.png").read_bytes()
    with pytest.raises(
        WriteError, match=r"a picture must go to a folder that is writable and has room, .* was not"
    ):
        draw(calibration, files / "x.npy" / "c.png")
    assert not list(files.glob(".*.tmp"))


def test_a_temperature_may_be_given(files: Path, command) -> None:
    command("build", "head.onnx", "--temperature", "2.5", "-o", "warm.onnx")
    assert onnxhead.read(files / "warm.onnx").temperature == 2.5
    assert math.isclose(onnxhead.read(files / "warm.onnx", temperature=1).temperature, 1)
