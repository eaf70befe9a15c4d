"""What was read from a scikit-learn estimator, held against the estimator itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Folding
from onnxhead.rows import decision_rows, distance
from onnxhead.sources.contents import Linear
from onnxhead_runtime import links
from onnxhead_runtime.errors import SourceError

# Relative to the terms of a logit: arithmetic in another order, in float64, and where it keeps float32
_DOUBLE, _SINGLE = 1e-9, 1e-5
_LARGEST = 0.01  # the probabilities of two links differ by more
_UNDERFLOW = -700.0  # where all of a row's sigmoids are zero, scikit-learn calls its classes equally probable


def check(estimator: Any, linear: Linear) -> Folding:
    """Compare logits and probabilities with those of the estimator, on random rows.

    Raises:
        SourceError: They differ by more than rounding, or are not finite.
    """
    if not (np.isfinite(linear.weight).all() and np.isfinite(linear.bias).all()):
        raise SourceError(f"weight and bias must be finite, those of {type(estimator).__name__} are not")
    rows = decision_rows(linear.weight, linear.bias, linear.temperature)
    logits = rows @ linear.weight.T + linear.bias
    terms = float((np.abs(rows) @ np.abs(linear.weight).T + np.abs(linear.bias)).max())
    tolerance = (_SINGLE if _has_float32(estimator) else _DOUBLE) * (1 + terms)
    logits_error = probabilities_error = None
    for method in ("decision_function", "predict_joint_log_proba"):
        if logits_error is None and hasattr(estimator, method):
            logits_error = distance(logits, _answer(estimator, method, rows))
    if linear.link is not None:
        own = _answer(estimator, "predict_proba", rows)
        both = linear.logits(rows)
        expected = links.probabilities(both, linear.link, linear.temperature)
        counted = (both > _UNDERFLOW).any(axis=1)
        probabilities_error = distance(expected[counted], own[counted])
    allowed = {"logits": tolerance, "probabilities": min(tolerance / min(1.0, linear.temperature), _LARGEST)}
    for (what, most), error in zip(allowed.items(), (logits_error, probabilities_error), strict=True):
        if error is not None and not error <= most:
            raise SourceError(
                f"what is read must give the estimator's own {what}, they differ by {error:.2g}: this "
                f"{type(estimator).__name__} is not as scikit-learn fits it, or its release is not known here"
            )
    return Folding(linear.steps, logits_error, probabilities_error, len(rows))


def _has_float32(value: Any, depth: int = 6) -> bool:
    """Tell whether an estimator computes with numbers that it keeps in float32."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype == np.float32)
    if depth and isinstance(value, list | tuple):
        return any(_has_float32(part, depth - 1) for part in value)
    if depth and type(value).__module__.startswith("sklearn."):
        return any(_has_float32(part, depth - 1) for part in getattr(value, "__dict__", {}).values())
    return False


def _answer(estimator: Any, method: str, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the rows have no names
        try:
            answer = getattr(estimator, method)(rows)
        except ValueError:
            if not hasattr(estimator, "feature_names_in_"):
                raise
            # a ColumnTransformer that selects by name takes data frames alone
            answer = getattr(estimator, method)(_frame(estimator, rows))
    answer = np.asarray(answer, np.float64)
    return answer.reshape(-1, 1) if answer.ndim == 1 else answer


def _frame(estimator: Any, rows: NDArray[np.float64]) -> Any:
    try:
        import pandas
    except ImportError as cause:
        raise SourceError(
            f"{type(estimator).__name__} selects columns by name, for which scikit-learn needs pandas: "
            "pip install pandas"
        ) from cause
    return pandas.DataFrame(rows, columns=estimator.feature_names_in_)
