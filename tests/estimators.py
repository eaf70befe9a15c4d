"""Every scikit-learn estimator and step that is read, and those that are refused, with the reason.

    python tests/estimators.py > docs/estimators.md

`test_sklearn.py` checks each of them, and that the page is what this prints.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn import (
    calibration,
    compose,
    decomposition,
    discriminant_analysis,
    ensemble,
    feature_selection,
    frozen,
    gaussian_process,
    linear_model,
    model_selection,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    svm,
    tree,
)

from onnxhead import OnnxHeadError, read


class Case(NamedTuple):
    """An estimator: how it is written, how it is made, its link for two and for several classes.

    `given` is the link that the user must name.
    """

    text: str
    make: Callable[[], Any]
    binary: str
    several: str
    given: str | None = None
    needs: str = ""  # "counts": non-negative features


def logistic(**arguments: Any) -> Any:
    return linear_model.LogisticRegression(max_iter=200, **arguments)


def after(*steps: Any) -> Callable[[], Any]:
    return lambda: pipeline.make_pipeline(*steps, logistic())


SOFTMAX = "softmax"
BINARY = "softmax of [0, d]"
OVR = "ovr"
CASES = [
    Case("LogisticRegression", logistic, BINARY, SOFTMAX),
    Case("LogisticRegression(fit_intercept=False)", lambda: logistic(fit_intercept=False), BINARY, SOFTMAX),
    Case("LogisticRegression().sparsify()", logistic, BINARY, SOFTMAX),
    Case(
        "LogisticRegressionCV",
        lambda: linear_model.LogisticRegressionCV(Cs=2, cv=2, max_iter=50, use_legacy_attributes=False),
        BINARY,
        SOFTMAX,
    ),
    Case("LinearDiscriminantAnalysis", discriminant_analysis.LinearDiscriminantAnalysis, BINARY, SOFTMAX),
    Case(
        'SGDClassifier(loss="log_loss")',
        lambda: linear_model.SGDClassifier(loss="log_loss", random_state=0),
        BINARY,
        OVR,
    ),
    Case(
        "OneVsRestClassifier(LogisticRegression())",
        lambda: multiclass.OneVsRestClassifier(logistic()),
        BINARY,
        OVR,
    ),
    Case(
        "OneVsRestClassifier(make_pipeline(StandardScaler(), LogisticRegression()))",
        lambda: multiclass.OneVsRestClassifier(
            pipeline.make_pipeline(preprocessing.StandardScaler(), logistic())
        ),
        BINARY,
        OVR,
    ),
    Case(
        "OneVsRestClassifier(MultinomialNB())",
        lambda: multiclass.OneVsRestClassifier(naive_bayes.MultinomialNB()),
        BINARY,
        OVR,
        needs="counts",
    ),
    Case("MultinomialNB", naive_bayes.MultinomialNB, SOFTMAX, SOFTMAX, needs="counts"),
    Case("ComplementNB", naive_bayes.ComplementNB, SOFTMAX, SOFTMAX, needs="counts"),
    Case(
        "MLPClassifier(hidden_layer_sizes=())",
        lambda: neural_network.MLPClassifier((), max_iter=20, random_state=0),
        BINARY,
        SOFTMAX,
    ),
    Case(
        'MLPClassifier(activation="identity")',
        lambda: neural_network.MLPClassifier((7, 5), activation="identity", max_iter=20, random_state=0),
        BINARY,
        SOFTMAX,
    ),
    Case(
        'CalibratedClassifierCV(LogisticRegression(), method="temperature", ensemble=False)',
        lambda: calibration.CalibratedClassifierCV(logistic(), method="temperature", ensemble=False),
        BINARY + " / T",
        "softmax of logits / T",
    ),
    Case(
        'CalibratedClassifierCV(LinearSVC(), method="temperature", ensemble=False)',
        lambda: calibration.CalibratedClassifierCV(svm.LinearSVC(), method="temperature", ensemble=False),
        BINARY + " / T",
        "softmax of logits / T",
    ),
    Case(
        'CalibratedClassifierCV(LinearSVC(), method="sigmoid", ensemble=False)',
        lambda: calibration.CalibratedClassifierCV(svm.LinearSVC(), method="sigmoid", ensemble=False),
        BINARY,
        OVR,
    ),
    Case(
        "GridSearchCV(LogisticRegression(), ...)",
        lambda: model_selection.GridSearchCV(logistic(), {"C": [0.1, 1]}, cv=2),
        BINARY,
        SOFTMAX,
    ),
    Case(
        "RandomizedSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), ...)",
        lambda: model_selection.RandomizedSearchCV(
            pipeline.make_pipeline(preprocessing.StandardScaler(), logistic()),
            {"logisticregression__C": [0.1, 1]},
            n_iter=2,
            cv=2,
            random_state=0,
        ),
        BINARY,
        SOFTMAX,
    ),
    Case("FrozenEstimator(LogisticRegression())", logistic, BINARY, SOFTMAX),
    Case("LinearSVC", svm.LinearSVC, "named by you", "named by you", given="softmax"),
    Case("RidgeClassifier", linear_model.RidgeClassifier, "named by you", "named by you", given="softmax"),
    Case(
        "RidgeClassifierCV", linear_model.RidgeClassifierCV, "named by you", "named by you", given="softmax"
    ),
    Case("Perceptron", linear_model.Perceptron, "named by you", "named by you", given="softmax"),
    Case(
        "PassiveAggressiveClassifier",
        linear_model.PassiveAggressiveClassifier,
        "named by you",
        "named by you",
        given="softmax",
    ),
    Case("SGDClassifier()", linear_model.SGDClassifier, "named by you", "named by you", given="softmax"),
    Case(
        "OneVsRestClassifier(LinearSVC())",
        lambda: multiclass.OneVsRestClassifier(svm.LinearSVC()),
        "named by you",
        "named by you",
        given="softmax",
    ),
]

STEPS = {
    "StandardScaler": preprocessing.StandardScaler,
    "StandardScaler(with_mean=False)": lambda: preprocessing.StandardScaler(with_mean=False),
    "StandardScaler(with_std=False)": lambda: preprocessing.StandardScaler(with_std=False),
    "MinMaxScaler": preprocessing.MinMaxScaler,
    "MinMaxScaler(feature_range=(-1, 3))": lambda: preprocessing.MinMaxScaler(feature_range=(-1, 3)),
    "MaxAbsScaler": preprocessing.MaxAbsScaler,
    "RobustScaler": preprocessing.RobustScaler,
    "RobustScaler(with_centering=False)": lambda: preprocessing.RobustScaler(with_centering=False),
    "RobustScaler(with_scaling=False)": lambda: preprocessing.RobustScaler(with_scaling=False),
    "PCA": lambda: decomposition.PCA(3),
    "PCA(whiten=True)": lambda: decomposition.PCA(3, whiten=True),
    "IncrementalPCA": lambda: decomposition.IncrementalPCA(3),
    "TruncatedSVD": lambda: decomposition.TruncatedSVD(3),
    "VarianceThreshold": lambda: feature_selection.VarianceThreshold(0.01),
    "SelectKBest": lambda: feature_selection.SelectKBest(k=3),
    "GenericUnivariateSelect": lambda: feature_selection.GenericUnivariateSelect(mode="k_best", param=2),
    "RFE": lambda: feature_selection.RFE(logistic(), n_features_to_select=3),
    "SequentialFeatureSelector": lambda: feature_selection.SequentialFeatureSelector(logistic(), cv=2),
    "SelectPercentile": lambda: feature_selection.SelectPercentile(percentile=60),
    "SelectFromModel": lambda: feature_selection.SelectFromModel(logistic()),
    "FunctionTransformer() (the identity)": preprocessing.FunctionTransformer,
    '"passthrough"': lambda: "passthrough",
    "Pipeline": lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), decomposition.PCA(3)),
    "ColumnTransformer": lambda: compose.ColumnTransformer(
        [
            ("scaled", preprocessing.StandardScaler(), [2, 0]),
            ("again", preprocessing.MinMaxScaler(), [0]),
            ("as it is", "passthrough", slice(1, 2)),
            ("left out", "drop", [3]),
            ("nothing", preprocessing.StandardScaler(), []),
        ],
        transformer_weights={"again": 2.0},
    ),
    'ColumnTransformer(remainder="passthrough")': lambda: compose.ColumnTransformer(
        [("nested", pipeline.make_pipeline(preprocessing.RobustScaler(), decomposition.PCA(2)), [1, 3])],
        remainder="passthrough",
    ),
}

REFUSED = [
    Case("MLPClassifier()", lambda: neural_network.MLPClassifier((5,), max_iter=5), "", ""),
    Case("make_pipeline(PolynomialFeatures(), ...)", after(preprocessing.PolynomialFeatures()), "", ""),
    Case("make_pipeline(Normalizer(), ...)", after(preprocessing.Normalizer()), "", ""),
    Case(
        "make_pipeline(QuantileTransformer(), ...)",
        after(preprocessing.QuantileTransformer(n_quantiles=10)),
        "",
        "",
    ),
    Case("make_pipeline(PowerTransformer(), ...)", after(preprocessing.PowerTransformer()), "", ""),
    Case("make_pipeline(SplineTransformer(), ...)", after(preprocessing.SplineTransformer()), "", ""),
    Case("make_pipeline(KBinsDiscretizer(), ...)", after(preprocessing.KBinsDiscretizer(3)), "", ""),
    Case("make_pipeline(MinMaxScaler(clip=True), ...)", after(preprocessing.MinMaxScaler(clip=True)), "", ""),
    Case("make_pipeline(KernelPCA(), ...)", after(decomposition.KernelPCA(2)), "", ""),
    Case(
        "make_pipeline(FunctionTransformer(np.abs), ...)",
        after(preprocessing.FunctionTransformer(np.abs)),
        "",
        "",
    ),
    Case(
        'make_pipeline(ColumnTransformer([("norm", Normalizer(), [0, 1])]), ...)',
        after(compose.ColumnTransformer([("norm", preprocessing.Normalizer(), [0, 1])])),
        "",
        "",
    ),
    Case("SVC", svm.SVC, "", ""),
    Case("NuSVC", svm.NuSVC, "", ""),
    Case("OneVsOneClassifier", lambda: multiclass.OneVsOneClassifier(logistic()), "", ""),
    Case("OutputCodeClassifier", lambda: multiclass.OutputCodeClassifier(logistic()), "", ""),
    Case("DecisionTreeClassifier", tree.DecisionTreeClassifier, "", ""),
    Case("RandomForestClassifier", lambda: ensemble.RandomForestClassifier(3), "", ""),
    Case(
        "HistGradientBoostingClassifier", lambda: ensemble.HistGradientBoostingClassifier(max_iter=2), "", ""
    ),
    Case("KNeighborsClassifier", neighbors.KNeighborsClassifier, "", ""),
    Case("GaussianProcessClassifier", gaussian_process.GaussianProcessClassifier, "", ""),
    Case("VotingClassifier", lambda: ensemble.VotingClassifier([("a", logistic())], voting="soft"), "", ""),
    Case("StackingClassifier", lambda: ensemble.StackingClassifier([("a", logistic())], cv=2), "", ""),
    Case(
        'CalibratedClassifierCV(method="sigmoid") (an ensemble)',
        lambda: calibration.CalibratedClassifierCV(logistic(), method="sigmoid"),
        "",
        "",
    ),
    Case(
        'CalibratedClassifierCV(method="isotonic", ensemble=False)',
        lambda: calibration.CalibratedClassifierCV(logistic(), method="isotonic", ensemble=False),
        "",
        "",
    ),
    Case(
        'CalibratedClassifierCV(method="temperature") (an ensemble)',
        lambda: calibration.CalibratedClassifierCV(logistic(), method="temperature", ensemble=True),
        "",
        "",
    ),
    Case(
        'CalibratedClassifierCV(MultinomialNB(), method="temperature", ensemble=False)',
        lambda: calibration.CalibratedClassifierCV(
            naive_bayes.MultinomialNB(), method="temperature", ensemble=False
        ),
        "",
        "",
    ),
    Case(
        'SGDClassifier(loss="modified_huber")',
        lambda: linear_model.SGDClassifier(loss="modified_huber"),
        "",
        "",
    ),
    Case("BernoulliNB", naive_bayes.BernoulliNB, "", ""),
    Case("GaussianNB", naive_bayes.GaussianNB, "", ""),
    Case("QuadraticDiscriminantAnalysis", discriminant_analysis.QuadraticDiscriminantAnalysis, "", ""),
    Case(
        "FixedThresholdClassifier",
        lambda: model_selection.FixedThresholdClassifier(logistic(), threshold=0.3),
        "",
        "",
    ),
    Case("LinearSVC, without a link", svm.LinearSVC, "", ""),
    Case("LinearRegression", linear_model.LinearRegression, "", ""),
]


def fit(case: Case, features: Any, labels: Any) -> Any:
    """Fit the estimator of a case; the warnings of a fit that is cut short do not matter here."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = case.make().fit(features, labels)
    if "sparsify" in case.text:
        estimator.sparsify()
    return frozen.FrozenEstimator(estimator) if "Frozen" in case.text else estimator


def refusal(case: Case) -> str:
    """Return the reason for which an estimator is refused."""
    random = np.random.default_rng(0)
    features = np.abs(random.normal(size=(60, 4)))
    labels = random.integers(0, 3 if case.text != "FixedThresholdClassifier" else 2, 60)
    try:
        read(fit(case, features, labels))
    except OnnxHeadError as error:
        return str(error)
    raise AssertionError(case.text)


def shorten(message: str) -> str:
    """Return what a message says of the estimator itself."""
    return (
        message.partition(" is not: ")[2].partition("; give the head")[0].partition(" (skl2onnx")[0]
        or message
    )


def page() -> str:
    """Return docs/estimators.md."""
    lines = [
        "# scikit-learn estimators",
        "",
        "Generated by `python tests/estimators.py`; `tests/test_sklearn.py` fits each of them on iris, wine,",
        "breast_cancer and digits and holds logits to `decision_function`, probabilities to `predict_proba`",
        "and labels to `predict`.",
        "",
        "| estimator | link, two classes | link, several |",
        "|---|---|---|",
        *(f"| `{case.text}` | {case.binary} | {case.several} |" for case in CASES),
        "| `OneVsRestClassifier(LogisticRegression())`, several labels per row | sigmoid | sigmoid |",
        "| `MLPClassifier(hidden_layer_sizes=())`, several labels per row | sigmoid | sigmoid |",
        "",
        "d is the score of the second class, T the temperature. ovr is sigmoid(z_i) / sum_j sigmoid(z_j) at any",
        "distance; where all sigmoids of a row underflow, scikit-learn calls its classes equally probable (before",
        "1.9 it gives NaN), and the head does not.",
        "",
        '"Named by you": the estimator has scores and no probabilities; with `--link` (`link=`) it is read.',
        "HalvingGridSearchCV and HalvingRandomSearchCV are read as GridSearchCV is.",
        "",
        "## Steps that are folded into weight and bias",
        "",
        "In a `Pipeline` before any of the estimators, in float64:",
        "",
        *(f"- `{text}`" for text in STEPS),
        "",
        "SelectFpr, SelectFdr and SelectFwe are folded as SelectKBest is, RFECV as RFE; FrozenEstimator as what it",
        "holds.",
        "",
        "## What is refused, and the reason",
        "",
        "| estimator | reason |",
        "|---|---|",
        *(f"| `{case.text}` | {shorten(refusal(case))} |" for case in REFUSED),
        "",
        "Everything else is refused too.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
