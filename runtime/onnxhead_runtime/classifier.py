"""Load a head's ONNX file and classify rows of features."""

from __future__ import annotations

import ctypes
import os
import weakref
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead_runtime import links
from onnxhead_runtime.arrays import describe, to_float32, to_numeric
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES, Label, Link, Metadata
from onnxhead_runtime.errors import FeaturesError, ModelError, ProviderError
from onnxhead_runtime.prediction import Prediction
from onnxhead_runtime.providers import open_session


def load(path: str | os.PathLike[str], *, device: str = "auto") -> Classifier:
    """Open a model file.

    Args:
        path: The .onnx file; its data file, if it has one, lies beside it.
        device: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where it starts and the CPU elsewhere.
            `cuda` never runs on the CPU: where it does not start, that is an error.

    Raises:
        ModelError: The file is missing, broken, or does not have the contract's input and outputs.
        ProviderError: onnxruntime is missing, or the device does not start.

    Example:
        >>> classify = load("models/abc.onnx", device="cpu")
        >>> classify
        Classifier('abc.onnx', features=3, classes=3, link='softmax', device='cpu')
        >>> prediction = classify([0.5, 0.8, 1.2])
        >>> prediction.logits.round(2).tolist()
        [[0.5, 0.3400000035762787, 2.4100000858306885]]
        >>> prediction.labels
        ['C']
    """
    return Classifier(path, device)


class Classifier:
    """A loaded head: call it with features, get logits and probabilities.

    Any number of threads may call one classifier. It pickles as path and device and opens the file again
    where it is unpickled; after a fork the child opens the file again on its first call.

    Attributes:
        path: Absolute path of the .onnx file.
        device: The device in use: `cpu` or `cuda:N`.
        features: The width of a row.
        classes: The label of each class; 0 to C-1 where the file names none.
        link: How probabilities come from logits: `softmax`, `sigmoid` or `ovr`; None where the file does
            not say, as one that onnxhead did not build.
        temperature: The divisor of the logits before the link.
    """

    def __init__(self, path: str | os.PathLike[str], device: str = "auto") -> None:
        """Open the file; `load` is the same and documents the arguments."""
        self.path = Path(path).absolute()
        self._requested_device = device
        session, self.device = self._open()
        self._contract = _read_contract(session, self.path)
        self._session = session
        _open_classifiers.add(self)
        self.features = self._contract.features
        self.classes = self._contract.classes
        self.link = self._contract.link
        self.temperature = self._contract.temperature

    def __call__(self, features: Any) -> Prediction:
        """Classify one row (features,) or a batch (batch, features).

        Args:
            features: Anything array-like. float32 in row order is used as it is; other floats, integers
                and booleans are converted.

        Returns:
            Logits and probabilities, float32 (batch, classes); (1, classes) for one row. A NaN in a row
            makes that row NaN and no other.

        Raises:
            FeaturesError: The width is not the model's, the values are not numbers, or one of them lies
                beyond float32.
        """
        logits, probabilities = _run(self._session or self._reopen(), self._to_batch(features))
        return Prediction(logits, probabilities, self.classes, self.link)

    def __repr__(self) -> str:
        return (
            f"Classifier({self.path.name!r}, features={self.features}, classes={len(self.classes)}, "
            f"link={self.link!r}, device={self.device!r})"
        )

    def __reduce__(self) -> tuple[type[Classifier], tuple[Path, str]]:
        return Classifier, (self.path, self._requested_device)

    def _open(self) -> tuple[Any, str]:
        if not os.path.isfile(self.path):  # noqa: PTH113  (Path.is_file raises for long names)
            raise ModelError(f"a model must be an .onnx file, there is no file {self.path}")
        return open_session(str(self.path), self._requested_device)

    def _reopen(self) -> Any:
        """Open this process's session after a fork."""
        session, _ = self._open()
        if _read_contract(session, self.path) != self._contract:
            raise ModelError(
                f"a forked process opens the model again, {self.path} has been replaced since it was "
                "loaded: load it again"
            )
        self._session = session
        return session

    def _abandon_session(self) -> None:
        # onnxruntime's threads do not survive a fork, and a session that is destroyed waits for them for
        # ever, at exit too: the child never destroys the one that it inherits
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._session))
        self._session = None

    def _to_batch(self, features: Any) -> NDArray[np.float32]:
        array = to_numeric(features, "features", FeaturesError)
        batch = array[np.newaxis] if array.ndim == 1 else array
        if batch.ndim != 2 or batch.shape[1] != self.features:
            width = self.features
            transposed = batch.ndim == 2 and batch.shape[0] == width
            hint = "; its transpose fits: pass features.T" if transposed else ""
            raise FeaturesError(
                f"features must be ({width},) or (batch, {width}) for this model, got {describe(array)}{hint}"
            )
        return to_float32(batch, "features", FeaturesError)


_open_classifiers: weakref.WeakSet[Classifier] = weakref.WeakSet()


def _abandon_sessions() -> None:
    for classifier in _open_classifiers:
        classifier._abandon_session()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_sessions)


class _Contract(NamedTuple):
    features: int
    classes: tuple[Label, ...]
    link: Link | None
    temperature: float
    weights_sha256: str


def _run(session: Any, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    try:
        logits, probabilities = session.run([LOGITS, PROBABILITIES], {FEATURES: batch})
    except Exception as cause:  # onnxruntime's exceptions have no public base
        raise ProviderError(
            f"onnxruntime must answer {batch.shape[0]} rows of {batch.shape[1]}, it fails: {cause}; "
            "try smaller batches"
        ) from cause
    return logits, probabilities


def _read_contract(session: Any, path: Path) -> _Contract:
    """Check the file's input, outputs, metadata and answers against the contract."""
    try:
        features = _check_signature(session, path)
        props = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError as cause:
        raise ModelError(f"names and metadata must be UTF-8, those of {path} are not: {cause}") from cause
    logits, probabilities = _probe(session, features, path)
    count = logits.shape[1]
    try:
        metadata = Metadata.from_props(props, count)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    if metadata is None:
        return _Contract(features, tuple(range(count)), None, 1.0, "")
    _check_link(logits, probabilities, metadata, path)
    labels = tuple(range(count)) if metadata.labels is None else metadata.labels
    return _Contract(features, labels, metadata.link, metadata.temperature, metadata.weights_sha256)


def _check_signature(session: Any, path: Path) -> int:
    """Return the width of `features`."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    floats = {node.name for node in [*inputs, *outputs] if node.type == "tensor(float)"}
    if [node.name for node in inputs] == [FEATURES] and floats >= {FEATURES, LOGITS, PROBABILITIES}:
        shape = inputs[0].shape
        if len(shape) == 2 and not isinstance(shape[0], int) and isinstance(shape[1], int):
            return int(shape[1])
    raise ModelError(
        f"a model must have one input {FEATURES} float32 [batch, F] and the outputs {LOGITS} and "
        f"{PROBABILITIES} float32 [batch, C], {path} has the inputs {_list_nodes(inputs)} and the "
        f"outputs {_list_nodes(outputs)}"
    )


def _list_nodes(nodes: list[Any]) -> str:
    return ", ".join(f"{node.name} {node.type} {node.shape}" for node in nodes) or "none"


def _probe(session: Any, features: int, path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run two rows; a row's answer must not depend on the other, as with a softmax over the batch."""
    rows = np.zeros((2, features), np.float32)
    rows[1, ::2], rows[1, 1::2] = 1, -1
    try:
        logits, probabilities = _run(session, rows)
        logits_alone, alone = _run(session, rows[1:])
    except ProviderError as error:
        raise ModelError(
            f"a model must answer any number of rows, {path} does not: {error.__cause__}"
        ) from error
    shapes = logits.shape, probabilities.shape
    if shapes != ((2, logits.shape[-1]),) * 2:
        raise ModelError(f"{LOGITS} and {PROBABILITIES} must be [batch, C], {path} gives {shapes} for 2 rows")
    # a row's logits may differ in their last bits with the batch, and the link may magnify that
    with np.errstate(invalid="ignore"):
        difference = float(np.nan_to_num(np.abs(logits[1:] - logits_alone)).max())
    same_logits = np.allclose(logits[1:], logits_alone, atol=1e-2 * _largest(logits_alone), equal_nan=True)
    tolerance = 1e-4 + 100 * difference
    if not (same_logits and np.allclose(probabilities[1:], alone, atol=tolerance, equal_nan=True)):
        raise ModelError(
            f"{LOGITS} and {PROBABILITIES} of a row must depend on that row alone, in {path} they change "
            "with the batch: the softmax runs over the wrong axis"
        )
    return logits, probabilities


def _largest(values: NDArray[np.float32]) -> float:
    """Return the largest finite magnitude."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0))


def _check_link(
    logits: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    metadata: Metadata,
    path: Path,
) -> None:
    expected = links.probabilities(logits, metadata.link, metadata.temperature)
    # exp of a float32 argument z is uncertain by |z| * 2**-24, whatever computes it
    tolerance = 1e-5 + np.abs(logits.astype(np.float64)) / metadata.temperature * 2.0**-22
    wrong = np.abs(probabilities - expected) > tolerance
    if wrong.any():
        raise ModelError(
            f"{PROBABILITIES} must be the {metadata.link} of {LOGITS} / {metadata.temperature:g} that the "
            f"file states, in {path} they differ by {np.abs(probabilities - expected)[wrong].max():.2g}"
        )
