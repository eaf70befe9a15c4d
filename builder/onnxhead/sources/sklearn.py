"""Heads from fitted scikit-learn estimators; scikit-learn is not imported, its estimators come from it.

Each estimator has the link of its own predict_proba. What is read is then run against the estimator itself on
random rows: weight and bias in float64 must give its logits and its probabilities, or nothing is read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from onnxhead.sources import sklearn_steps
from onnxhead.sources.contents import Contents, Linear, Request
from onnxhead.sources.sklearn_check import check
from onnxhead.sources.sklearn_steps import dense
from onnxhead_runtime.contract import Link
from onnxhead_runtime.errors import SourceError

_REASONS = {
    "AdaBoostClassifier": "it votes over several classifiers",
    "BaggingClassifier": "it averages several classifiers",
    "BernoulliNB": "it binarises its features",
    "CategoricalNB": "its features are categories",
    "ClassifierChain": "each of its classifiers sees the answers of those before",
    "DecisionTreeClassifier": "it is a tree",
    "DummyClassifier": "it ignores its features",
    "ExtraTreesClassifier": "it is made of trees",
    "GaussianNB": "its logits are quadratic in the features",
    "GaussianProcessClassifier": "it works through a kernel",
    "GradientBoostingClassifier": "it is made of trees",
    "HistGradientBoostingClassifier": "it is made of trees",
    "KNeighborsClassifier": "it compares with the rows that it was fitted on",
    "MultiOutputClassifier": "it answers several questions at once",
    "NuSVC": "it works through a kernel",
    "OneVsOneClassifier": "one-vs-one votes over pairs of classes",
    "OutputCodeClassifier": "it compares codes of classes",
    "QuadraticDiscriminantAnalysis": "its logits are quadratic in the features",
    "RandomForestClassifier": "it is made of trees",
    "SVC": "it works through a kernel, and one-vs-one votes over pairs of classes",
    "StackingClassifier": "it combines several classifiers",
    "TunedThresholdClassifierCV": "it decides at a threshold of its own; give its estimator_",
    "FixedThresholdClassifier": "it decides at a threshold of its own; give its estimator_",
    "VotingClassifier": "it combines several classifiers",
}


def read(estimator: Any, request: Request, name: str = "") -> Contents:
    """Read a fitted estimator; `name` is for messages, by default that of its class.

    Raises:
        SourceError: It is not fitted, not one linear layer with one of the links, or has scores without
            probabilities and no link was named.
    """
    name = name or type(estimator).__name__
    try:
        linear = _linear(estimator)
        if linear.link is None and request.link is None:
            raise SourceError(
                f"a head must have probabilities, {type(_last(estimator)).__name__} has scores alone: name "
                "the link that turns them into probabilities (--link, link=), or calibrate it with "
                'CalibratedClassifierCV(estimator, method="temperature", ensemble=False)'
            )
        folding = check(estimator, linear)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, ArithmeticError) as cause:
        if isinstance(cause, SourceError):
            raise
        reason = f"{type(cause).__name__}: {cause}"
        if not any(key.endswith("_") and not key.startswith("_") for key in vars(_last(estimator))):
            reason = "call fit first"
        raise SourceError(f"an estimator must be fitted and whole, {name} is not: {reason}") from cause
    return linear.to_contents(name, folding)


def _linear(estimator: Any) -> Linear:
    kind = type(estimator).__name__
    if not type(estimator).__module__.startswith("sklearn."):
        raise _refusal(estimator, f"its class is {type(estimator).__module__}.{kind}, which may do anything")
    if kind in _ESTIMATORS:
        return _ESTIMATORS[kind](estimator)
    reason = _REASONS.get(kind, "it is not a classifier that is known to be linear")
    if not hasattr(estimator, "predict_proba") and not hasattr(estimator, "decision_function"):
        reason = _REASONS.get(kind, "it is no classifier")
    raise _refusal(estimator, reason)


def _refusal(estimator: Any, reason: str) -> SourceError:
    return SourceError(
        "an estimator must be one linear layer with the link softmax, sigmoid or ovr, "
        f"{type(estimator).__name__} is not: {reason} (skl2onnx may convert it to a file of its own kind)"
    )


def _last(estimator: Any) -> Any:
    """Return the estimator that computes the scores, inside searches and pipelines."""
    kind = type(estimator).__name__
    if kind == "Pipeline":
        return _last(estimator.steps[-1][1])
    inner = getattr(estimator, "best_estimator_", None) or (kind in _WRAPPERS and estimator.estimator)
    return _last(inner) if inner else estimator


def _scores(estimator: Any, link: Link | None = None) -> Linear:
    weight = np.atleast_2d(dense(estimator.coef_))
    bias = np.broadcast_to(np.ravel(dense(estimator.intercept_)), (len(weight),))
    return Linear(weight, bias, estimator.classes_, link, ("coef_", "intercept_"))


def _logistic(estimator: Any) -> Linear:
    linear = _scores(estimator, "softmax")
    # multi_class and its one-vs-rest are those of fits before scikit-learn 1.8
    scheme = getattr(estimator, "multi_class", "deprecated")
    binary = len(linear.weight) == 1
    if scheme == "multinomial" and binary:
        return replace(linear, temperature=0.5)  # softmax([-d, d]) is softmax([0, 2 d])
    if not binary and (scheme == "ovr" or (scheme != "multinomial" and estimator.solver == "liblinear")):
        return replace(linear, link="ovr")
    return linear


def _discriminant_analysis(estimator: Any) -> Linear:
    return _scores(estimator, "softmax")


def _sgd(estimator: Any) -> Linear:
    if estimator.loss == "modified_huber":
        raise _refusal(estimator, "the probabilities of modified_huber are scores clipped to [-1, 1]")
    linear = _scores(estimator)
    if estimator.loss != "log_loss":
        return linear
    return replace(linear, link="softmax" if len(linear.weight) == 1 else "ovr")


def _ridge(estimator: Any) -> Linear:
    if estimator._label_binarizer.y_type_.startswith("multilabel"):
        raise _refusal(estimator, "it was fitted on several labels per row; use OneVsRestClassifier")
    return _scores(estimator)


def _naive_bayes(estimator: Any) -> Linear:
    weight = dense(estimator.feature_log_prob_)
    is_complement = type(estimator).__name__ == "ComplementNB"  # it uses its prior for one class alone
    bias = np.zeros(len(weight)) if is_complement else dense(estimator.class_log_prior_)
    keys = ("feature_log_prob_", "zeros" if is_complement else "class_log_prior_")
    return Linear(weight, bias, estimator.classes_, "softmax", keys)


def _perceptron_layers(estimator: Any) -> Linear:
    *hidden, last = estimator.coefs_
    *shifts, bias = map(dense, estimator.intercepts_)
    if hidden and estimator.activation != "identity":
        raise _refusal(estimator, f"it has hidden layers with the activation {estimator.activation}")
    weight = dense(last).T
    for kernel, shift in zip(reversed(hidden), reversed(shifts), strict=True):
        bias = bias + weight @ shift
        weight = weight @ dense(kernel).T
    is_multilabel = estimator._label_binarizer.y_type_.startswith("multilabel")
    steps = tuple(f"hidden layer {number} (identity)" for number in range(1, len(hidden) + 1))
    link: Link = "sigmoid" if is_multilabel else "softmax"
    return Linear(weight, bias, estimator.classes_, link, ("coefs_[-1]", "intercepts_[-1]"), steps=steps)


def _one_vs_rest(estimator: Any) -> Linear:
    labels = np.asarray(estimator.classes_)[-len(estimator.estimators_) :]
    for inner, label in zip(estimator.estimators_, labels, strict=True):
        if type(inner).__name__ == "_ConstantPredictor":
            raise _refusal(estimator, f"all rows that it was fitted on agreed on the label {label}")
    rows = [_log_odds(inner) for inner in estimator.estimators_]
    link: Link | None = "sigmoid" if estimator.multilabel_ else "softmax" if len(rows) == 1 else "ovr"
    if any(row.link is None for row in rows):
        link = None
    return Linear(
        np.concatenate([row.weight for row in rows]),
        np.concatenate([row.bias for row in rows]),
        estimator.classes_,
        link,
        (f"estimators_[i].{rows[0].keys[0]}", f"estimators_[i].{rows[0].keys[1]}"),
        steps=rows[0].steps,
    )


def _log_odds(estimator: Any) -> Linear:
    """Return a binary estimator as one row."""
    linear = _linear(estimator)
    weight, bias = linear.weight, linear.bias
    if len(weight) == 2:
        weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
    return replace(
        linear, weight=weight / linear.temperature, bias=bias / linear.temperature, temperature=1.0
    )


def _calibrated(estimator: Any) -> Linear:
    folds = estimator.calibrated_classifiers_
    method = folds[0].method
    if len(folds) > 1:
        raise _refusal(
            estimator, f"it averages {len(folds)} classifiers, each calibrated: fit it with ensemble=False"
        )
    base, calibrators = folds[0].estimator, folds[0].calibrators
    if method not in ("temperature", "sigmoid"):
        raise _refusal(estimator, f'its {method} calibration is a staircase; method="temperature" is a link')
    if not hasattr(base, "decision_function"):
        raise _refusal(estimator, f"{type(base).__name__} has no scores to calibrate")
    linear = replace(_linear(base), labels=estimator.classes_)
    if linear.temperature != 1:
        raise _refusal(estimator, "it calibrates what is calibrated already")
    if method == "sigmoid":
        return _platt_scaled(linear, calibrators)
    inverse = float(np.ravel(calibrators[0].beta_)[0])
    if len(linear.weight) == 1:
        inverse *= 2  # scikit-learn takes two scores to be [-d, d]
    return replace(linear, link="softmax", temperature=1 / inverse)


def _platt_scaled(linear: Linear, calibrators: Any) -> Linear:
    """Return each score z as the logit -(a z + b) of a sigmoid of its own (Platt 1999)."""
    slopes = np.array([-float(one.a_) for one in calibrators])
    shifts = np.array([-float(one.b_) for one in calibrators])
    return replace(
        linear,
        weight=linear.weight * slopes[:, np.newaxis],
        bias=linear.bias * slopes + shifts,
        link="softmax" if len(linear.weight) == 1 else "ovr",
    )


def _pipeline(estimator: Any) -> Linear:
    *steps, (name, last) = estimator.steps
    if last is None or isinstance(last, str):
        raise SourceError(f"a pipeline must end in a classifier, its last step {name} is {last!r}")
    linear = _linear(last)
    weight, shift = sklearn_steps.fold_all(steps, "", linear.weight)
    folded = tuple(found for name, step in steps for found in sklearn_steps.names(step, name))
    return replace(linear, weight=weight, bias=linear.bias + shift, steps=folded + linear.steps)


def _best(estimator: Any) -> Linear:
    return _linear(estimator.best_estimator_)


def _inner(estimator: Any) -> Linear:
    return _linear(estimator.estimator)


_WRAPPERS = {"FrozenEstimator"}
_ESTIMATORS: dict[str, Callable[[Any], Linear]] = {
    "CalibratedClassifierCV": _calibrated,
    "ComplementNB": _naive_bayes,
    "FrozenEstimator": _inner,
    "GridSearchCV": _best,
    "HalvingGridSearchCV": _best,
    "HalvingRandomSearchCV": _best,
    "LinearDiscriminantAnalysis": _discriminant_analysis,
    "LinearSVC": _scores,
    "LogisticRegression": _logistic,
    "LogisticRegressionCV": _logistic,
    "MLPClassifier": _perceptron_layers,
    "MultinomialNB": _naive_bayes,
    "OneVsRestClassifier": _one_vs_rest,
    "PassiveAggressiveClassifier": _scores,
    "Perceptron": _scores,
    "Pipeline": _pipeline,
    "RandomizedSearchCV": _best,
    "RidgeClassifier": _ridge,
    "RidgeClassifierCV": _ridge,
    "SGDClassifier": _sgd,
}
