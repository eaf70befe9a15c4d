"""scikit-learn estimators: logits, probabilities and labels are their own; what is no head is refused."""

import re
import sys
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skops.io
from estimators import CASES, REFUSED, STEPS, Case, fit, logistic, page, refusal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import LinearSVC

import onnxhead
from onnxhead.reference import refer
from onnxhead_runtime.errors import SourceError

ROOT = Path(__file__).parents[1]
ROUNDING = 2.0**-24
DATA = {
    "iris": load_iris,
    "wine": load_wine,
    "breast_cancer": load_breast_cancer,
    "digits": load_digits,
}


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    features, labels = DATA[name](return_X_y=True)
    return features[::3], labels[::3]


def own_logits(estimator, features):
    for method in ("decision_function", "predict_joint_log_proba"):
        if hasattr(estimator, method):
            return getattr(estimator, method)(features)
    return None


def compare(estimator, features, tmp_path, **arguments) -> onnxhead.Head:
    """Hold the file that is written to the estimator: within the bound, and the rounding of W and f."""
    head = onnxhead.read(estimator, **arguments)
    onnxhead.save(head, tmp_path / "head.onnx")
    prediction = onnxhead.load(tmp_path / "head.onnx", device="cpu")(features)
    exact = refer(head, features.astype(np.float32))
    terms = np.abs(features) @ np.abs(head.weight.astype(np.float64)).T + np.abs(head.bias)
    tolerance = exact.logits_bound + 2 * ROUNDING * terms
    logits = own_logits(estimator, features)
    if logits is not None:
        ours = prediction.logits[:, 1] if logits.ndim == 1 else prediction.logits
        allowed = tolerance[:, 1] if logits.ndim == 1 else tolerance
        assert (np.abs(ours - logits) <= allowed).all()
    if hasattr(estimator, "predict_proba") and "link" not in arguments:
        # where all sigmoids of a row are zero, scikit-learn gives up; see the test of that
        whole = (exact.logits / head.temperature > -700).any(axis=1) | (head.link != "ovr")
        errors = np.abs(prediction.probabilities - estimator.predict_proba(features)).max(axis=1)
        allowed = 2 * tolerance.max(axis=1) / head.temperature + 1e-6
        assert (errors <= allowed)[whole].all()
        assert whole.any()
    if head.link != "sigmoid":
        top = np.sort(exact.logits, axis=1)
        clear = top[:, -1] - top[:, -2] > 2 * tolerance.max(axis=1)
        if logits is None:  # it decides by probabilities, of which several may be 1
            top = np.sort(estimator.predict_proba(features), axis=1)
            clear &= top[:, -1] - top[:, -2] > 1e-9
        expected = estimator.predict(features)
        assert [label for label, sure in zip(prediction.labels, clear, strict=True) if sure] == list(
            expected[clear]
        )
        assert clear.mean() > 0.8
    return head


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])
def test_an_estimator_keeps_its_logits_probabilities_and_labels(
    case: Case, name: str, tmp_path: Path
) -> None:
    features, labels = data(name)
    estimator = fit(case, features, labels)
    arguments = {} if case.given is None else {"link": case.given}
    head = compare(estimator, features, tmp_path, **arguments)
    assert head.labels == tuple(estimator.classes_.tolist())
    if case.given is None:
        stated = case.binary if head.classes == 2 else case.several
        assert head.link == ("ovr" if stated == "ovr" else "softmax")
        assert (head.temperature != 1) == stated.endswith("/ T")
        assert ("[0, d]" in stated) == (not head.weight[0].any())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("first", [None, "MinMaxScaler(feature_range=(-1, 3))"])
@pytest.mark.parametrize("text", STEPS)
def test_an_affine_step_is_folded(text: str, first: str | None, dtype: str, tmp_path: Path) -> None:
    features, labels = data("wine")
    features = features[:, [0, 5, 6, 9]].astype(dtype)
    steps = [STEPS[name]() for name in (first, text) if name]
    estimator = fit(Case("", lambda: make_pipeline(*steps, logistic()), "", ""), features, labels)
    head = (
        compare(estimator, features.astype(np.float64), tmp_path)
        if dtype == "float64"
        else onnxhead.read(estimator)
    )
    assert head.features == 4
    assert len(head.folding.steps) >= (first is not None)
    assert head.folding.logits_error < (1e-9 if dtype == "float64" else 1e-3)
    assert head.folding.probabilities_error < (1e-12 if dtype == "float64" else 1e-3)


def test_steps_that_extend_scikit_learns_are_refused() -> None:
    class Scaler(StandardScaler):
        """Its transform may be anything."""

    Scaler.__name__ = "StandardScaler"
    features, labels = data("iris")
    estimator = fit(Case("", lambda: make_pipeline(Scaler(), logistic()), "", ""), features, labels)
    with pytest.raises(
        SourceError, match=r"standardscaler \(StandardScaler\) is not: it is not a step that is known"
    ):
        onnxhead.read(estimator)


def test_a_weight_that_is_not_finite_is_refused() -> None:
    features, labels = data("iris")
    estimator = fit(Case("", logistic, "", ""), features, labels)
    estimator.coef_[0, 0] = np.nan
    with pytest.raises(
        SourceError, match="weight and bias must be finite, those of LogisticRegression are not"
    ):
        onnxhead.read(estimator)


@pytest.mark.parametrize("name", DATA)
def test_steps_follow_each_other(name: str, tmp_path: Path) -> None:
    features, labels = data(name)
    steps = [STEPS[text]() for text in ("StandardScaler", "PCA(whiten=True)", "MinMaxScaler", "TruncatedSVD")]
    estimator = fit(Case("", lambda: make_pipeline(*steps[:3], logistic()), "", ""), features, labels)
    head = compare(estimator, features, tmp_path)
    assert head.folding.steps == (
        "standardscaler (StandardScaler)",
        "pca (PCA)",
        "minmaxscaler (MinMaxScaler)",
    )


@pytest.mark.parametrize("case", REFUSED, ids=[case.text for case in REFUSED])
def test_what_is_no_head_is_refused_with_the_reason(case: Case) -> None:
    message = refusal(case)
    assert re.match(
        r"an estimator must be one linear layer|what stands before a head must be affine|a head must have prob",
        message,
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("MLPClassifier()", "MLPClassifier is not: it has hidden layers with the activation relu"),
        (
            "make_pipeline(PolynomialFeatures(), ...)",
            "polynomialfeatures (PolynomialFeatures) is not: it multiplies",
        ),
        (
            "make_pipeline(Normalizer(), ...)",
            "normalizer (Normalizer) is not: it divides each row by its own norm",
        ),
        (
            "make_pipeline(QuantileTransformer(), ...)",
            "quantiletransformer (QuantileTransformer) is not: it maps each",
        ),
        (
            "make_pipeline(MinMaxScaler(clip=True), ...)",
            "minmaxscaler (MinMaxScaler) is not: it clips features",
        ),
        ("SVC", "SVC is not: it works through a kernel, and one-vs-one votes"),
        ("OneVsOneClassifier", "OneVsOneClassifier is not: one-vs-one votes over pairs of classes"),
        ("RandomForestClassifier", "RandomForestClassifier is not: it is made of trees"),
        ("VotingClassifier", "VotingClassifier is not: it combines several classifiers"),
        (
            'CalibratedClassifierCV(method="sigmoid") (an ensemble)',
            "it averages 5 classifiers, each calibrated: fit it",
        ),
        (
            'CalibratedClassifierCV(method="isotonic", ensemble=False)',
            "its isotonic calibration is a staircase",
        ),
        ("LinearRegression", "LinearRegression is not: it is no classifier"),
        ('SGDClassifier(loss="modified_huber")', "the probabilities of modified_huber are scores clipped"),
        ("BernoulliNB", "BernoulliNB is not: it binarises its features"),
        ("GaussianNB", "GaussianNB is not: its logits are quadratic in the features"),
        ("QuadraticDiscriminantAnalysis", "is not: its logits are quadratic in the features"),
        (
            "LinearSVC, without a link",
            "a head must have probabilities, LinearSVC has scores alone: name the link",
        ),
    ],
)
def test_the_reasons(text: str, reason: str) -> None:
    assert reason in refusal(next(case for case in REFUSED if case.text == text))


def test_the_page_of_estimators_is_what_is_checked() -> None:
    assert (ROOT / "docs" / "estimators.md").read_text() == page()


def multilabel():
    features, labels = data("iris")
    return features, np.stack([labels == 0, labels > 0, features[:, 0] > 6], axis=1).astype(int)


@pytest.mark.parametrize(
    "make",
    [lambda: OneVsRestClassifier(logistic()), lambda: MLPClassifier((), max_iter=50, random_state=0)],
)
def test_several_labels_per_row_are_independent_sigmoids(make, tmp_path: Path) -> None:
    features, truth = multilabel()
    estimator = fit(Case("", make, "", ""), features, truth)
    head = compare(estimator, features, tmp_path)
    assert (head.link, head.labels) == ("sigmoid", (0, 1, 2))
    found = onnxhead.load(tmp_path / "head.onnx", device="cpu")(features).labels
    assert found == [tuple(np.flatnonzero(row).tolist()) for row in estimator.predict(features)]


def test_a_label_that_no_row_or_every_row_had_is_refused() -> None:
    features, truth = multilabel()
    truth[:, 1] = 0
    estimator = fit(Case("", lambda: OneVsRestClassifier(logistic()), "", ""), features, truth)
    with pytest.raises(
        SourceError, match="OneVsRestClassifier is not: all rows that it was fitted on agreed on the label 1"
    ):
        onnxhead.read(estimator)


@pytest.mark.parametrize(
    "labels",
    [
        ["setosa", "versicolor", "virginica"],
        [-1, 7, 3],
        [5.0, -2.0, 1e9],
        [True, False],
    ],
)
def test_labels_come_back_with_value_and_type(labels: list, tmp_path: Path) -> None:
    features, classes = data("iris")
    classes = classes % len(labels)
    head = onnxhead.read(logistic().fit(StandardScaler().fit_transform(features), np.array(labels)[classes]))
    assert head.labels == tuple(sorted(labels))
    assert {type(label) for label in head.labels} == {type(labels[0])}
    onnxhead.save(head, tmp_path / "head.onnx")
    assert onnxhead.read(tmp_path / "head.onnx").labels == head.labels


def test_columns_by_name_are_resolved() -> None:
    pandas = pytest.importorskip("pandas")
    features, labels = data("iris")
    frame = pandas.DataFrame(features, columns=["a", "b", "c", "d"])
    columns = ColumnTransformer(
        [("s", StandardScaler(), ["c", "a"]), ("m", MinMaxScaler(), lambda _: ["d"])],
        remainder="passthrough",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = make_pipeline(columns, logistic()).fit(frame, labels)
    head = onnxhead.read(estimator)
    error = np.abs(
        refer(head, features.astype(np.float32)).probabilities - estimator.predict_proba(frame)
    ).max()
    assert error < 1e-5
    assert head.folding.steps == (
        "columntransformer.s (StandardScaler)",
        "columntransformer.m (MinMaxScaler)",
    )


def test_the_multinomial_and_one_vs_rest_fits_of_older_releases() -> None:
    features, labels = data("iris")
    estimator = fit(Case("", logistic, "", ""), features, labels)

    class LogisticRegressionOfBefore(LogisticRegression):
        """predict_proba as scikit-learn 1.7 has it."""

        def predict_proba(self, rows):
            if self.multi_class == "ovr":
                return self._predict_proba_lr(rows)
            scores = self.decision_function(rows)
            weights = np.exp(np.stack([-scores, scores], axis=1))
            return weights / weights.sum(axis=1, keepdims=True)

    old = LogisticRegressionOfBefore
    old.__name__, old.__module__ = "LogisticRegression", "sklearn.linear_model._logistic"
    estimator.__class__ = old
    estimator.multi_class = "ovr"
    assert onnxhead.read(estimator).link == "ovr"
    binary = fit(Case("", logistic, "", ""), features, labels > 0)
    binary.__class__ = old
    binary.multi_class = "multinomial"
    assert onnxhead.read(binary).temperature == 0.5


def test_an_estimator_that_answers_otherwise_is_refused() -> None:
    features, labels = data("iris")
    estimator = fit(Case("", logistic, "", ""), features, labels)
    estimator.decision_function = lambda rows: rows[:, :3] * 2
    with pytest.raises(SourceError, match="must give the estimator's own logits, they differ by"):
        onnxhead.read(estimator)
    estimator = fit(Case("", logistic, "", ""), features, labels)
    estimator.predict_proba = lambda rows: np.full((len(rows), 3), 1 / 3)
    with pytest.raises(SourceError, match="must give the estimator's own probabilities, they differ by"):
        onnxhead.read(estimator)


class Mine(LogisticRegression):
    """Its predict_proba may be anything."""


def test_classes_that_are_not_scikit_learns_are_refused() -> None:
    features, labels = data("iris")
    with pytest.raises(SourceError, match=r"Mine is not: its class is .*Mine, which may do anything"):
        onnxhead.read(fit(Case("", lambda: Mine(), "", ""), features, labels))


def test_an_estimator_must_be_fitted() -> None:
    with pytest.raises(
        SourceError, match="must be fitted and whole, LogisticRegression is not: call fit first"
    ):
        onnxhead.read(logistic())
    with pytest.raises(SourceError, match="must be fitted and whole, Pipeline is not: call fit first"):
        onnxhead.read(make_pipeline(StandardScaler(), logistic()))


def test_a_pipeline_must_end_in_a_classifier() -> None:
    features, labels = data("iris")
    estimator = make_pipeline(StandardScaler(), "passthrough").fit(features, labels)
    with pytest.raises(
        SourceError, match="must end in a classifier, its last step passthrough is 'passthrough'"
    ):
        onnxhead.read(estimator)


def test_layout_is_no_argument_for_an_estimator() -> None:
    features, labels = data("iris")
    estimator = fit(Case("", logistic, "", ""), features, labels)
    with pytest.raises(SourceError, match="layout is for arrays by name; LogisticRegression is a model"):
        onnxhead.read(estimator, layout="features-first")


def test_the_report_says_where_weight_came_from_and_what_was_folded(tmp_path: Path) -> None:
    features, labels = data("iris")
    estimator = fit(Case("", lambda: make_pipeline(StandardScaler(), logistic()), "", ""), features, labels)
    report = onnxhead.save(onnxhead.read(estimator), tmp_path / "head.onnx")
    assert report.origin == "Pipeline: coef_ (3, 4) float64, intercept_ (3,) float64"
    assert report.folding.steps == ("standardscaler (StandardScaler)",)
    assert 0 < report.folding.logits_error < 1e-12
    assert report.folding.rows == 64


def test_a_link_of_ones_own_is_said_and_not_called_the_sources() -> None:
    features, labels = data("iris")
    estimator = fit(Case("", logistic, "", ""), features, labels)
    for arguments in ({"link": "sigmoid"}, {"temperature": 3.0}):
        head = onnxhead.read(estimator, **arguments)
        assert head.origin.endswith("; link and temperature are yours, not its softmax, 1")
        assert head.folding.probabilities_error is None
        assert head.folding.logits_error is not None
    assert onnxhead.read(estimator, link="softmax").folding.probabilities_error is not None


def test_a_skops_file_that_grows_or_holds_no_estimator_is_refused(tmp_path: Path) -> None:
    features, labels = data("iris")
    estimator = fit(Case("", logistic, "", ""), features, labels)
    estimator.coef_ = np.zeros((3, 2**22))
    skops.io.dump(estimator, tmp_path / "head.skops", compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(SourceError, match=r"head.skops must not grow so much when it is unpacked, to 100,6"):
        onnxhead.read(tmp_path / "head.skops")
    skops.io.dump({"model": logistic()}, tmp_path / "dict.skops")
    with pytest.raises(SourceError, match="dict.skops must hold a fitted estimator, it holds a dict"):
        onnxhead.read(tmp_path / "dict.skops")


def test_a_head_that_float32_cannot_carry_is_warned_of(tmp_path: Path) -> None:
    from onnxhead.display import report_lines

    features, labels = data("iris")
    stamped = features + np.array([1.7e9, 0, 0, 0])
    for rows, is_warned in ((features, False), (stamped, True)):
        estimator = fit(Case("", lambda: make_pipeline(StandardScaler(), logistic()), "", ""), rows, labels)
        report = onnxhead.save(onnxhead.read(estimator), tmp_path / "head.onnx")
        assert (report.check.uncertainty > 0.01) == is_warned
        assert any(line.startswith("WARNING") for line in report_lines(report)) == is_warned


@pytest.mark.parametrize(("uncertainty", "is_warned"), [(0.0099, False), (0.0101, True)])
def test_one_hundredth_of_uncertainty_is_warned_of(uncertainty, is_warned, abc, tmp_path: Path) -> None:
    from onnxhead.display import report_lines

    report = onnxhead.save(abc, tmp_path / "abc.onnx")
    report = replace(report, check=replace(report.check, uncertainty=uncertainty))
    assert any(line.startswith("WARNING") for line in report_lines(report)) == is_warned


SEARCH = Case(
    "GridSearchCV(scoring='accuracy')",
    lambda: GridSearchCV(logistic(), {"C": [0.1, 1]}, cv=2, scoring="accuracy"),
    "",
    "",
)


@pytest.mark.parametrize("case", [*CASES, SEARCH], ids=[case.text for case in [*CASES, SEARCH]])
def test_skops_files_are_the_estimator(case: Case, tmp_path: Path) -> None:
    features, labels = data("iris")
    estimator = fit(case, features, labels)
    skops.io.dump(estimator, tmp_path / "head.skops")
    head, same = (onnxhead.read(one, link=case.given) for one in (tmp_path / "head.skops", estimator))
    assert head.weight.tobytes() == same.weight.tobytes()
    assert (head.labels, head.link, head.temperature) == (same.labels, same.link, same.temperature)
    assert head.origin.startswith(f"head.skops: {type(estimator).__name__}: ")


@pytest.mark.parametrize("text", STEPS)
def test_skops_files_of_every_step(text: str, tmp_path: Path) -> None:
    features, labels = data("iris")
    make = lambda: make_pipeline(StandardScaler(), STEPS[text](), logistic())  # noqa: E731
    estimator = fit(Case("", make, "", ""), features, labels)
    skops.io.dump(estimator, tmp_path / "head.skops")
    assert (
        onnxhead.read(tmp_path / "head.skops").weight.tobytes() == onnxhead.read(estimator).weight.tobytes()
    )


@pytest.mark.parametrize("name", ["HalvingGridSearchCV", "HalvingRandomSearchCV"])
def test_halving_searches_are_read_as_the_others(name: str, tmp_path: Path) -> None:
    from sklearn import model_selection
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401

    features, labels = data("digits")
    make = lambda: getattr(model_selection, name)(logistic(), {"C": [0.1, 1]}, cv=2, random_state=0)  # noqa: E731
    compare(fit(Case("", make, "", ""), features, labels), features, tmp_path)


def test_skops_files_of_other_types_are_refused(tmp_path: Path) -> None:
    features, labels = data("iris")
    estimator = fit(Case("", lambda: Mine(), "", ""), features, labels)
    skops.io.dump(estimator, tmp_path / "head.skops")
    with pytest.raises(
        SourceError, match=r"holds types that are not known to be harmless: .*Mine; save the fitted"
    ):
        onnxhead.read(tmp_path / "head.skops")
    skops.io.dump(
        fit(Case("", lambda: make_pipeline(Normalizer(), logistic()), "", ""), features, labels),
        tmp_path / "head.skops",
    )
    with pytest.raises(SourceError, match=r"normalizer \(Normalizer\) is not: it divides each row"):
        onnxhead.read(tmp_path / "head.skops")


def test_reading_an_estimator_imports_no_framework() -> None:
    assert not {"torch", "tensorflow", "keras", "jax"} & set(sys.modules)


def test_one_vs_rest_stays_right_where_scikit_learn_gives_up(tmp_path: Path) -> None:
    from scipy.special import log_expit, softmax

    features, labels = data("digits")
    estimator = SGDClassifier(loss="log_loss", random_state=0).fit(features, labels)
    features = 20 * features
    scores = estimator.decision_function(features)
    lost = (scores < -750).all(axis=1)
    assert lost.any()
    with np.errstate(invalid="ignore"):
        theirs = estimator.predict_proba(features)[lost]
    assert ((theirs == 0.1) | np.isnan(theirs)).all()
    head = onnxhead.read(estimator)
    onnxhead.save(head, tmp_path / "head.onnx")
    ours = onnxhead.load(tmp_path / "head.onnx", device="cpu")(features).probabilities[lost]
    exact = refer(head, features.astype(np.float32)[lost])
    assert (np.abs(ours - softmax(log_expit(scores[lost]), axis=1)) <= 2 * exact.probabilities_bound).all()


def test_scores_of_several_labels_need_the_link_named() -> None:
    features, truth = multilabel()
    estimator = fit(Case("", lambda: OneVsRestClassifier(LinearSVC()), "", ""), features, truth)
    with pytest.raises(SourceError, match="OneVsRestClassifier has scores alone"):
        onnxhead.read(estimator)
    assert onnxhead.read(estimator, link="sigmoid").link == "sigmoid"


def test_a_calibrated_classifier_is_read_through_its_frozen_estimator(tmp_path: Path) -> None:
    from sklearn.frozen import FrozenEstimator

    features, labels = data("wine")
    inner = fit(Case("", lambda: make_pipeline(StandardScaler(), logistic()), "", ""), features, labels)
    estimator = CalibratedClassifierCV(FrozenEstimator(inner), method="temperature", ensemble=False)
    head = compare(estimator.fit(features, labels), features, tmp_path)
    assert head.folding.steps == ("standardscaler (StandardScaler)",)


@pytest.mark.parametrize("kind", ["numbers", "text"])
def test_labels_of_ones_own_replace_those_of_the_estimator(kind) -> None:
    features, labels = data("iris")
    estimator = LogisticRegression(max_iter=1000).fit(
        features, labels if kind == "numbers" else labels.astype(str)
    )
    names = ["setosa", "versicolor", "virginica"]
    assert onnxhead.read(estimator, labels=names).labels == tuple(names)
    with pytest.raises(SourceError, match="labels must be in the order of the classes, .* 0, 1, 2: leave"):
        onnxhead.read(estimator, labels=["2", "1", "0"])
