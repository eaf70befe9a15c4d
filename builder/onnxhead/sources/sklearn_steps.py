"""The affine steps of scikit-learn's pipelines, folded into the weight that follows them.

A step gives y = A x + a, and the scores of what follows are W y + b. Folded, they are (W A) x + (b + W a):
each function here takes W, float64 (rows, outputs of the step), and returns W A, (rows, inputs of the step),
and W a, (rows,). A itself is never formed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead_runtime.errors import SourceError

Weight = NDArray[np.float64]
Folded = tuple[Weight, Weight]

_NOT_AFFINE = {
    "Binarizer": "it compares each feature with a threshold",
    "KBinsDiscretizer": "it sorts each feature into bins",
    "KernelPCA": "it maps through a kernel",
    "MissingIndicator": "it tells missing values from others",
    "Normalizer": "it divides each row by its own norm",
    "Nystroem": "it maps through a kernel",
    "OneHotEncoder": "it turns categories into columns",
    "OrdinalEncoder": "it turns categories into numbers",
    "PolynomialFeatures": "it multiplies features with each other",
    "PowerTransformer": "it raises features to a power",
    "QuantileTransformer": "it maps each feature to its quantile",
    "RBFSampler": "it maps through a kernel",
    "SimpleImputer": "it replaces missing values",
    "SplineTransformer": "it maps each feature through splines",
    "TfidfTransformer": "it divides each row by its own norm",
    "TfidfVectorizer": "it reads text",
    "CountVectorizer": "it reads text",
}


def fold(step: Any, name: str, weight: Weight) -> Folded:
    """Fold one fitted transformer.

    Args:
        step: The transformer, or the text `passthrough`.
        name: Its place, for messages.
        weight: See above.

    Raises:
        SourceError: The step is not affine, or not known to be.
    """
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return weight, np.zeros(len(weight))
    kind = type(step).__name__
    if kind not in _STEPS or not type(step).__module__.startswith("sklearn."):
        reason = _NOT_AFFINE.get(kind, "it is not a step that is known to be affine")
        raise refusal(name, step, reason)
    return _STEPS[kind](step, name, weight)


def names(step: Any, name: str) -> Iterator[str]:
    """Name the transformers inside a step, for the report, such as `scaler (StandardScaler)`."""
    kind = type(step).__name__
    if kind == "Pipeline":
        for inner_name, inner in step.steps:
            yield from names(inner, f"{name}.{inner_name}")
    elif kind == "ColumnTransformer":
        for inner_name, inner, _ in step.transformers_:
            yield from names(inner, f"{name}.{inner_name}")
    elif step is not None and not isinstance(step, str) and kind != "FunctionTransformer":
        yield f"{name} ({kind})"


def refusal(name: str, step: Any, reason: str) -> SourceError:
    """Return the error for a step that cannot be folded."""
    return SourceError(
        f"what stands before a head must be affine to be folded into its weight, {name} "
        f"({type(step).__name__}) is not: {reason}; give the head alone, and features that went through the "
        "step"
    )


def dense(value: Any) -> NDArray[np.float64]:
    """Return an array or a scipy matrix as float64."""
    return np.asarray(value.toarray() if hasattr(value, "toarray") else value, np.float64)


def _scaled(weight: Weight, factor: Any, before: Any, after: Any = 0.0) -> Folded:
    """Fold y = (x - before) * factor + after, elementwise."""
    scaled = weight * np.asarray(factor, np.float64)
    shift = weight @ np.broadcast_to(np.asarray(after, np.float64), weight.shape[1:])
    return scaled, shift - scaled @ np.broadcast_to(np.asarray(before, np.float64), weight.shape[1:])


def _standard_scaler(step: Any, _: str, weight: Weight) -> Folded:
    scale = step.scale_ if step.with_std else 1.0
    return _scaled(weight, 1.0 / np.asarray(scale, np.float64), step.mean_ if step.with_mean else 0.0)


def _robust_scaler(step: Any, _: str, weight: Weight) -> Folded:
    scale = step.scale_ if step.with_scaling else 1.0
    center = step.center_ if step.with_centering else 0.0
    return _scaled(weight, 1.0 / np.asarray(scale, np.float64), center)


def _min_max_scaler(step: Any, name: str, weight: Weight) -> Folded:
    _refuse_clipping(step, name)
    return _scaled(weight, step.scale_, 0.0, step.min_)


def _max_abs_scaler(step: Any, name: str, weight: Weight) -> Folded:
    _refuse_clipping(step, name)
    return _scaled(weight, 1.0 / np.asarray(step.scale_, np.float64), 0.0)


def _refuse_clipping(step: Any, name: str) -> None:
    if getattr(step, "clip", False):
        raise refusal(name, step, "it clips features that are out of range (clip=True)")


def _pca(step: Any, _: str, weight: Weight) -> Folded:
    if step.whiten:
        deviation = np.sqrt(np.asarray(step.explained_variance_))
        # scikit-learn's own lower limit, in the dtype of the fit
        weight = weight / np.maximum(deviation, np.finfo(deviation.dtype).eps)
    folded = weight @ np.asarray(step.components_, np.float64)
    return folded, -folded @ np.asarray(step.mean_, np.float64)


def _truncated_svd(step: Any, _: str, weight: Weight) -> Folded:
    return weight @ np.asarray(step.components_, np.float64), np.zeros(len(weight))


def _selector(step: Any, _: str, weight: Weight) -> Folded:
    support = np.asarray(step.get_support())
    folded = np.zeros((len(weight), len(support)))
    folded[:, support] = weight
    return folded, np.zeros(len(weight))


def _function(step: Any, name: str, weight: Weight) -> Folded:
    if step.func is not None:
        raise refusal(name, step, "its function is code; only func=None, the identity, is known to be affine")
    return weight, np.zeros(len(weight))


def _columns(step: Any, name: str, weight: Weight) -> Folded:
    folded = np.zeros((len(weight), step.n_features_in_))
    shift = np.zeros(len(weight))
    factors = step.transformer_weights or {}
    for inner_name, inner, _ in step.transformers_:
        # scikit-learn's own resolution of names, masks, slices and callables to positions
        columns = np.asarray(step._transformer_to_input_indices[inner_name], int)
        if len(columns) == 0 or (isinstance(inner, str) and inner == "drop"):
            continue
        part = weight[:, step.output_indices_[inner_name]] * factors.get(inner_name, 1.0)
        inner_weight, inner_shift = fold(inner, f"{name}.{inner_name}", part)
        np.add.at(folded.T, columns, inner_weight.T)
        shift += inner_shift
    return folded, shift


def _frozen(step: Any, name: str, weight: Weight) -> Folded:
    return fold(step.estimator, name, weight)


def _pipeline(step: Any, name: str, weight: Weight) -> Folded:
    return fold_all(step.steps, f"{name}.", weight)


def fold_all(steps: list[tuple[str, Any]], prefix: str, weight: Weight) -> Folded:
    """Fold steps that follow each other, the last one first.

    Raises:
        SourceError: A step is not affine, or not known to be.
    """
    total = np.zeros(len(weight))
    for name, step in reversed(steps):
        weight, shift = fold(step, prefix + name, weight)
        total += shift
    return weight, total


_STEPS: dict[str, Callable[[Any, str, Weight], Folded]] = {
    "ColumnTransformer": _columns,
    "FrozenEstimator": _frozen,
    "FunctionTransformer": _function,
    "GenericUnivariateSelect": _selector,
    "IncrementalPCA": _pca,
    "MaxAbsScaler": _max_abs_scaler,
    "MinMaxScaler": _min_max_scaler,
    "PCA": _pca,
    "Pipeline": _pipeline,
    "RFE": _selector,
    "RFECV": _selector,
    "RobustScaler": _robust_scaler,
    "SelectFdr": _selector,
    "SelectFpr": _selector,
    "SelectFromModel": _selector,
    "SelectFwe": _selector,
    "SelectKBest": _selector,
    "SelectPercentile": _selector,
    "SequentialFeatureSelector": _selector,
    "StandardScaler": _standard_scaler,
    "TruncatedSVD": _truncated_svd,
    "VarianceThreshold": _selector,
}
