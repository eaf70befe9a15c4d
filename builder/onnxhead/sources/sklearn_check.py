"""What was read from a scikit-learn estimator, held against the estimator itself."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Folding
from onnxhead.sources.comparison import ROWS, distance, random_rows
from onnxhead.sources.contents import Linear
from onnxhead_runtime import links
from onnxhead_runtime.errors import SourceError

_TOLERANCE = 1e-9  # of float64 arithmetic in another order, relative to the terms of a logit
_UNDERFLOW = -700.0  # where all of a row's sigmoids are zero, scikit-learn calls its classes equally probable


def check(estimator: Any, linear: Linear) -> Folding:
    """Compare logits and probabilities with those of the estimator, on random rows.

    Raises:
        SourceError: They differ by more than rounding.
    """
    rows = random_rows(linear.weight, linear.bias, linear.temperature)
    logits = rows @ linear.weight.T + linear.bias
    magnitude = np.abs(rows) @ np.abs(linear.weight).T + np.abs(linear.bias)
    tolerance = _TOLERANCE * (1 + magnitude.max())
    both = np.concatenate([np.zeros_like(logits), logits], axis=1) if len(linear.weight) == 1 else logits
    logits_error = probabilities_error = None
    for method in ("decision_function", "predict_joint_log_proba"):
        if logits_error is None and hasattr(estimator, method):
            logits_error = distance(logits, _answer(estimator, method, rows))
    if linear.link is not None:
        own = _answer(estimator, "predict_proba", rows)
        expected = links.probabilities(both, linear.link, linear.temperature)
        counted = (both > _UNDERFLOW).any(axis=1)
        probabilities_error = distance(expected[counted], own[counted])
    for what, error in (("logits", logits_error), ("probabilities", probabilities_error)):
        if error is not None and not error <= tolerance / min(1.0, linear.temperature):
            raise SourceError(
                f"what is read must give the estimator's own {what}, they differ by {error:.2g}: this "
                f"{type(estimator).__name__} is not as scikit-learn fits it, or its release is not known here"
            )
    return Folding(linear.steps, logits_error, probabilities_error, ROWS)


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
