"""Heads from .skops files, in which scikit-learn's estimators are kept without code."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

from onnxhead.sources import sklearn
from onnxhead.sources.contents import Contents, Request
from onnxhead_runtime.errors import SourceError

# Classes and functions that hold data, or are never called when an estimator predicts, and that skops does
# not list as its own: sparse coefficients, and what searches, calibrations and selections were fitted with.
_TRUSTED = [
    "scipy.sparse._csr.csr_matrix",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._univariate_selection.chi2",
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.metrics._classification.accuracy_score",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.model_selection._split.StratifiedShuffleSplit",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
]
_UNPACKED_BYTES, _EXPANSION = 2**26, 20


def read(path: Path, request: Request) -> Contents:
    """Read a .skops file that holds one fitted estimator.

    Raises:
        SourceError: The skops package is missing, or the file is none, holds types beyond scikit-learn's, or
            an estimator that is no head.
    """
    try:
        from skops.io import get_untrusted_types, load
    except ImportError as cause:
        raise SourceError(
            'reading .skops needs skops and scikit-learn: pip install "onnxhead[sklearn]"'
        ) from cause
    try:
        _check_size(path)
        unknown = sorted(set(get_untrusted_types(file=path)) - set(_TRUSTED))
        if unknown:
            raise SourceError(
                f"a source must not run code when it is read, {path.name} holds types that are not known to "
                f"be harmless: {', '.join(unknown[:5])}; save the fitted classifier alone"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of releases that differ: the answers are compared
            estimator = load(path, trusted=_TRUSTED)
    except SourceError:
        raise
    except Exception as cause:  # skops, zipfile and scikit-learn's constructors share no base
        raise SourceError(
            f"{path.name} must be a .skops file as skops.io.dump writes it: {type(cause).__name__}: {cause}"
        ) from cause
    if not type(estimator).__module__.startswith("sklearn."):
        raise SourceError(f"{path.name} must hold a fitted estimator, it holds a {type(estimator).__name__}")
    return sklearn.read(estimator, request, f"{path.name}: {type(estimator).__name__}")


def _check_size(path: Path) -> None:
    """Raise for a small archive that unpacks into something very large."""
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(_UNPACKED_BYTES, _EXPANSION * path.stat().st_size):
        raise SourceError(f"{path.name} must not grow so much when it is unpacked, to {unpacked:,} bytes")
