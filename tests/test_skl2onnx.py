"""Beside skl2onnx: the same answers where it is right, right answers where it is wrong, its files made portable."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from estimators import CASES, Case, fit, logistic
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

import onnxhead
from onnxhead.reference import refer
from onnxhead.summary import inspect

skl2onnx = pytest.importorskip("skl2onnx")
FEATURES, LABELS = load_iris(return_X_y=True)
ROWS = FEATURES.astype(np.float32)
OPSETS = {"": 18, "ai.onnx.ml": 3}  # which every onnxruntime here loads

RIGHT = [
    *(
        case.make
        for case in CASES
        if case.text
        in (
            "LogisticRegression",
            "LogisticRegressionCV",
            'SGDClassifier(loss="log_loss")',
            "OneVsRestClassifier(LogisticRegression())",
            "MultinomialNB",
            "ComplementNB",
            "MLPClassifier(hidden_layer_sizes=())",
            "GridSearchCV(LogisticRegression(), ...)",
        )
    ),
    LinearDiscriminantAnalysis,
    lambda: make_pipeline(StandardScaler(), logistic()),
    lambda: make_pipeline(MinMaxScaler(), PCA(2, whiten=True), logistic()),
]


def convert(estimator, tmp_path: Path, **options: object) -> Path:
    if hasattr(estimator, "predict_proba"):
        options = {"zipmap": False, **options}
    path = tmp_path / "skl2onnx.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = skl2onnx.to_onnx(estimator, ROWS[:1], options=options, target_opset=OPSETS)
    path.write_bytes(model.SerializeToString())
    return path


def run(path: Path, rows: np.ndarray = ROWS) -> tuple[np.ndarray, np.ndarray]:
    return onnxruntime.InferenceSession(path).run(None, {"X": rows})[:2]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("make", RIGHT)
def test_where_skl2onnx_is_right_both_agree_and_its_file_is_read(make, classes: int, tmp_path: Path) -> None:
    labels = np.array(["ant", "bee", "cat"])[np.minimum(LABELS, classes - 1)]
    estimator = fit(Case("", make, "", ""), FEATURES, labels)
    if classes == 2 and isinstance(estimator, LinearDiscriminantAnalysis):
        pytest.skip("skl2onnx is wrong there")
    path = convert(estimator, tmp_path)
    theirs = run(path)[1]
    ours = onnxhead.read(estimator)
    assert np.abs(refer(ours, ROWS).probabilities - theirs).max() < 2e-4
    from_file = onnxhead.read(path)
    assert np.abs(refer(from_file, ROWS).probabilities - theirs).max() < 2e-4
    assert (from_file.link, from_file.labels) == (ours.link, ours.labels)
    report = onnxhead.save(from_file, tmp_path / "portable.onnx")
    assert {node.domain for node in onnx.load(report.path).graph.node} == {""}


@pytest.mark.parametrize("zipmap", [True, False, "columns"])
def test_dictionaries_tables_and_columns_are_read(zipmap, tmp_path: Path) -> None:
    estimator = fit(Case("", logistic, "", ""), FEATURES, LABELS)
    head = onnxhead.read(convert(estimator, tmp_path, zipmap=zipmap))
    assert np.array_equal(head.weight, estimator.coef_.astype(np.float32))
    assert head.labels == (0, 1, 2)


@pytest.mark.parametrize("zipmap", [True, False, "columns"])
def test_the_labels_are_those_of_the_whole_not_of_its_parts(zipmap, tmp_path: Path) -> None:
    make = lambda: OneVsRestClassifier(SGDClassifier(loss="log_loss", random_state=0))  # noqa: E731
    estimator = fit(Case("", make, "", ""), FEATURES, np.array(["ham", "spam"])[(LABELS > 0).astype(int)])
    assert onnxhead.read(convert(estimator, tmp_path, zipmap=zipmap)).labels == ("ham", "spam")


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "make",
    [
        LinearSVC,
        RidgeClassifier,
        Perceptron,
        lambda: SGDClassifier(random_state=0),
    ],
)
def test_scores_alone_need_the_link(make, classes: int, tmp_path: Path) -> None:
    labels = np.array(["ant", "bee", "cat"])[np.minimum(LABELS, classes - 1)]
    estimator = fit(Case("", make, "", ""), FEATURES, labels)
    path = convert(estimator, tmp_path)
    with pytest.raises(
        onnxhead.OnnxHeadError, match="a head must have probabilities, skl2onnx.onnx has scores alone"
    ):
        onnxhead.read(path)
    head, own = onnxhead.read(path, link="softmax"), onnxhead.read(estimator, link="softmax")
    assert np.abs(refer(head, ROWS).probabilities - refer(own, ROWS).probabilities).max() < 1e-4
    assert head.labels == own.labels


def test_raw_scores_are_not_taken_for_another_link(tmp_path: Path) -> None:
    for make in (logistic, lambda: SGDClassifier(loss="log_loss", random_state=0)):
        for labels in (LABELS, LABELS > 0):
            estimator = fit(Case("", make, "", ""), FEATURES, labels)
            path = convert(estimator, tmp_path, raw_scores=True)
            with pytest.raises(onnxhead.OnnxHeadError, match="skl2onnx.onnx has scores alone: name the link"):
                onnxhead.read(path)


def test_a_network_of_linear_layers_and_its_labels(tmp_path: Path) -> None:
    make = lambda: MLPClassifier((7, 5), activation="identity", max_iter=20, random_state=0)  # noqa: E731
    estimator = fit(Case("", make, "", ""), FEATURES, LABELS)
    head = onnxhead.read(convert(estimator, tmp_path))
    assert np.abs(refer(head, ROWS).probabilities - estimator.predict_proba(FEATURES)).max() < 1e-5
    assert head.features == 4
    truth = np.stack([LABELS == 0, LABELS > 0, FEATURES[:, 0] > 6], axis=1).astype(int)
    several = fit(Case("", lambda: MLPClassifier((), max_iter=20, random_state=0), "", ""), FEATURES, truth)
    assert onnxhead.read(convert(several, tmp_path)).link == "sigmoid"


def test_several_labels_per_row(tmp_path: Path) -> None:
    truth = np.stack([LABELS == 0, LABELS > 0, FEATURES[:, 0] > 6], axis=1).astype(int)
    estimator = fit(Case("", lambda: OneVsRestClassifier(logistic()), "", ""), FEATURES, truth)
    path = convert(estimator, tmp_path)
    head = onnxhead.read(path)
    assert (head.link, head.classes) == ("sigmoid", 3)
    assert np.abs(refer(head, ROWS).probabilities - estimator.predict_proba(FEATURES)).max() < 1e-5


def test_binary_discriminant_analysis_is_right_here_and_wrong_there(tmp_path: Path) -> None:
    labels = (LABELS > 1).astype(int)
    estimator = LinearDiscriminantAnalysis().fit(FEATURES, labels)
    expected = estimator.predict_proba(FEATURES)
    assert np.abs(run(convert(estimator, tmp_path))[1] - expected).max() > 0.05
    report = onnxhead.save(onnxhead.read(estimator), tmp_path / "ours.onnx")
    ours = onnxhead.load(report.path, device="cpu")(ROWS).probabilities
    assert np.abs(ours - expected).max() < 1e-5


def test_one_vs_rest_underflow_is_right_here_and_wrong_there(tmp_path: Path) -> None:
    features, labels = load_digits(return_X_y=True)
    estimator = SGDClassifier(loss="log_loss", random_state=0).fit(features, labels)
    rows = features.astype(np.float32)
    expected = estimator.predict_proba(features)
    model = skl2onnx.to_onnx(estimator, rows[:1], options={"zipmap": False}, target_opset=OPSETS)
    (tmp_path / "theirs.onnx").write_bytes(model.SerializeToString())
    assert np.abs(run(tmp_path / "theirs.onnx", rows)[1] - expected).max() > 0.3
    head = onnxhead.read(estimator)
    onnxhead.save(head, tmp_path / "ours.onnx")
    ours = onnxhead.load(tmp_path / "ours.onnx", device="cpu")(rows).probabilities
    bound = refer(head, rows).probabilities_bound.max()
    assert np.abs(ours - expected).max() <= 2 * bound < 0.1


def test_temperature_calibration_is_right_here_and_fails_there(tmp_path: Path) -> None:
    estimator = CalibratedClassifierCV(logistic(), method="temperature", ensemble=False)
    estimator = fit(Case("", lambda: estimator, "", ""), FEATURES, LABELS)
    with pytest.raises(Exception, match=r".") as failure:  # whatever skl2onnx raises
        run(convert(estimator, tmp_path))
    assert not isinstance(failure.value, onnxhead.OnnxHeadError)
    head = onnxhead.read(estimator)
    assert np.abs(refer(head, ROWS).probabilities - estimator.predict_proba(FEATURES)).max() < 1e-5


@pytest.mark.parametrize("zipmap", [False, True])
def test_inspect_says_where_a_file_of_skl2onnx_does_not_run(zipmap, tmp_path, command) -> None:
    rows, classes = load_iris(return_X_y=True)
    estimator = LogisticRegression(max_iter=1000).fit(rows, classes)
    model = skl2onnx.to_onnx(
        estimator, rows[:1].astype(np.float32), options={"zipmap": zipmap}, target_opset=OPSETS
    )
    (tmp_path / "foreign.onnx").write_bytes(model.SerializeToString())
    obstacles = inspect(tmp_path / "foreign.onnx").obstacles
    operators = "LinearClassifier, Normalizer" + (", ZipMap" if zipmap else "")
    assert obstacles[0] == (
        f"operators of ai.onnx.ml ({operators}): OpenVINO and TensorRT refuse them, and onnxruntime runs "
        "them on the CPU also where CUDA is asked for"
    )
    assert [obstacle.partition(":")[0] for obstacle in obstacles[1:]] == [
        *(["outputs that are no tensors (output_probability)"] if zipmap else []),
        "opset 18 with IR version 8",
    ]
    shown = command("inspect", "foreign.onnx").stdout
    assert "without them: onnxhead build foreign.onnx" in shown
    command("build", "foreign.onnx", "-o", "portable.onnx")
    assert inspect(tmp_path / "portable.onnx").obstacles == []
