"""Load a head's ONNX file and classify rows of features."""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from onnxhead_runtime.arrays import check_target, to_batch, to_float32, to_numeric
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES, Label
from onnxhead_runtime.device import DevicePrediction, run_on_device
from onnxhead_runtime.errors import FeaturesError, ModelError
from onnxhead_runtime.inputs import by_name, to_feeds
from onnxhead_runtime.prediction import Prediction
from onnxhead_runtime.probe import Contract, read_contract
from onnxhead_runtime.providers import open_session
from onnxhead_runtime.runner import Runner
from onnxhead_runtime.whole import WholeRunner

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_FLOAT32 = np.dtype(np.float32)
_LOGITS, _PROBABILITIES = (LOGITS,), (PROBABILITIES,)


def load(
    path: str | os.PathLike[str],
    *,
    device: str = "auto",
    threads: int | None = None,
    allow_tf32: bool = False,
    mmap: bool | Literal["auto"] = "auto",
) -> Classifier:
    """Open a model file.

    Args:
        path: The .onnx file; its data file, if it has one, lies beside it.
        device: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where it starts and the CPU elsewhere.
            `cuda` never runs on the CPU: where it does not start, that is an error.
        threads: How many threads a call computes with on the CPU; None for one per core that this process
            may use, by its affinity and its control group's quota. Small batches take one in any case.
        allow_tf32: Let a GPU round features and weights to TF32, 10 bits of mantissa: faster, and no
            longer within the float32 bound.
        mmap: Whether float32 weights beside the model stay in their file, mapped: the model is loaded at
            once, processes share one copy, and small batches take longer. Otherwise they are read and packed.
            `auto`: from 256 MiB on.

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
    return Classifier(path, device, threads, allow_tf32, mmap)


class Classifier:
    """A loaded head: call it with features, get logits and probabilities.

    Any number of threads may call one classifier. It pickles as path and options and opens the file again
    where it is unpickled; after a fork the child opens the file again on its first call.

    Attributes:
        device: The device in use: `cpu` or `cuda:N`.
        features: The width of a row; 0 for a whole model, which takes the inputs of its backbone.
        inputs: Name, dtype and shape of each input: `features`, or those of the backbone.
        classes: The label of each class; 0 to C-1 where the file names none.
        link: How probabilities come from logits: `softmax`, `sigmoid` or `ovr`; None where the file does
            not say, as one that onnxhead did not build.
        temperature: The divisor of the logits before the link.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        device: str = "auto",
        threads: int | None = None,
        allow_tf32: bool = False,
        mmap: bool | Literal["auto"] = "auto",
    ) -> None:
        """Open the file; `load` is the same and documents the arguments."""
        self._path = os.path.join(os.getcwd(), path)
        self._options = (device, threads, allow_tf32, mmap)
        session, self.device = self._open()
        self._contract = read_contract(session, self._path)
        self._runner: Runner | WholeRunner | None = self._make_runner(session)
        _open_classifiers.add(self)
        self.features = self._contract.features
        self._width = self.features or None  # no array is as wide as a row of a whole model
        self.inputs = self._contract.inputs
        self.classes = self._contract.classes
        self.link = self._contract.link
        self.temperature = self._contract.temperature

    @property
    def path(self) -> Path:
        """Absolute path of the .onnx file."""
        from pathlib import Path  # here, since with what it imports it costs a fiftieth of a cold start

        return Path(self._path)

    def __call__(self, features: Any) -> Prediction:
        """Classify one row (features,) or a batch (batch, features).

        Args:
            features: Anything array-like. float32 in row order is used as it is; other floats, integers
                and booleans are converted. For a whole model a dict with an array for each of its inputs,
                each with all its axes or, for one row, without the first.

        Returns:
            Logits and probabilities, float32 (batch, classes); (1, classes) for one row. A NaN in a row
            makes that row NaN and no other.

        Raises:
            FeaturesError: The width is not the model's, the values are not numbers, or one of them lies
                beyond float32; or they do not fit the inputs of a whole model.
            ProviderError: onnxruntime fails.
        """
        logits, probabilities = (self._runner or self._reopen()).run(self._to_batch(features))
        return Prediction(logits, probabilities, self.classes, self.link)

    def logits(self, features: Any) -> NDArray[np.float32]:
        """Return the logits alone, float32 (batch, classes); arguments and errors as for a call.

        Example:
            >>> load("models/abc.onnx", device="cpu").logits([0.5, 0.8, 1.2]).round(2).tolist()
            [[0.5, 0.3400000035762787, 2.4100000858306885]]
        """
        return (self._runner or self._reopen()).run(self._to_batch(features), _LOGITS)[0]

    def probabilities(self, features: Any) -> NDArray[np.float32]:
        """Return the probabilities alone, float32 (batch, classes); arguments and errors as for a call.

        Example:
            >>> load("models/abc.onnx", device="cpu").probabilities([0.5, 0.8, 1.2]).round(3).tolist()
            [[0.11599999666213989, 0.0989999994635582, 0.7850000262260437]]
        """
        return (self._runner or self._reopen()).run(self._to_batch(features), _PROBABILITIES)[0]

    def top(self, features: Any, k: int) -> list[list[tuple[Label, float]]]:
        """Return the `k` most probable (label, probability) pairs of each row, as `Prediction.top` does.

        A file that was built with `top_k` of at least `k` finds them itself, and nothing else is copied.

        Example:
            >>> classify = load("models/abc.onnx", device="cpu")
            >>> [label for label, probability in classify.top([0.5, 0.8, 1.2], 2)[0]]
            ['C', 'A']
        """
        if not 1 <= k <= self._contract.top_k:
            return self(features).top(k)
        probabilities, numbers = self._head_runner().run_top(self._to_batch(features))
        undefined = np.asarray(np.isnan(probabilities).any(axis=1))
        return [
            [] if bad else [(self.classes[i], float(p)) for i, p in zip(best[:k], row[:k], strict=True)]
            for row, best, bad in zip(probabilities, numbers, undefined, strict=True)
        ]

    def call_into(
        self, features: Any, logits: NDArray[np.float32], probabilities: NDArray[np.float32]
    ) -> Prediction:
        """Classify a batch into arrays at least as long, whose memory the prediction shares.

        Args:
            features: As for a call.
            logits: float32 (at least batch, classes), in row order and writeable. What lies beyond the batch
                is left as it is.
            probabilities: The same.

        Raises:
            FeaturesError: As for a call, or an array is another.

        Example:
            >>> logits, probabilities = np.empty((8, 3), np.float32), np.empty((8, 3), np.float32)
            >>> classify = load("models/abc.onnx", device="cpu")
            >>> classify.call_into([0.5, 0.8, 1.2], logits, probabilities).labels
            ['C']
            >>> logits[0].round(2).tolist()
            [0.5, 0.3400000035762787, 2.4100000858306885]
        """
        runner = self._head_runner()
        batch = self._to_batch(features)
        shape = len(batch), len(self.classes)
        check_target(logits, shape, LOGITS, FeaturesError)
        check_target(probabilities, shape, PROBABILITIES, FeaturesError)
        answers = logits[: len(batch)], probabilities[: len(batch)]
        runner.run_into(batch, answers)
        return Prediction(*answers, self.classes, self.link)

    def run_device(self, features: Any) -> DevicePrediction:
        """Classify a batch that is on the device already, and leave the answers there: nothing is copied.

        On a GPU everything that was queued there before the call, on any stream, is waited for, and the
        answers are complete when the call returns: they can be used on any stream without further
        synchronisation.

        Args:
            features: float32 (batch, features) in row order, on the classifier's device: anything with
                `__dlpack__`, such as an array of torch or cupy.

        Returns:
            Logits and probabilities, float32 (batch, classes), on the device, with `__dlpack__`:
            `torch.from_dlpack(answer.logits)` shares their memory.

        Raises:
            FeaturesError: Shape, dtype, memory layout or device are others.
            ProviderError: onnxruntime fails, or is too old to share memory; any for CUDA 13 is not.

        Example, with torch:

            answer = classify.run_device(torch.randn(64, 768, device="cuda"))
            probabilities = torch.from_dlpack(answer.probabilities)
        """
        return run_on_device(self._head_runner().session, self.device, self.features, features)

    def __repr__(self) -> str:
        name = os.path.basename(self._path)
        takes = (
            f"features={self.features}" if self.features else f"inputs={[one.name for one in self.inputs]}"
        )
        return (
            f"Classifier({name!r}, {takes}, classes={len(self.classes)}, "
            f"link={self.link!r}, device={self.device!r})"
        )

    def __reduce__(self) -> tuple[type[Classifier], tuple[Any, ...]]:
        return Classifier, (self._path, *self._options)

    def _open(self) -> tuple[Any, str]:
        if not os.path.isfile(self._path):
            raise ModelError(f"a model must be an .onnx file, there is no file {self._path}")
        return open_session(self._path, *self._options)

    def with_threads(self, threads: int) -> Classifier:
        """Open the same file once more, to compute with another number of threads.

        Raises:
            ModelError: The file has been replaced since it was loaded.
        """
        device, _, allow_tf32, mmap = self._options
        other = Classifier(self._path, device, threads, allow_tf32, mmap)
        other._check_same(self._contract)
        return other

    def _make_runner(self, session: Any) -> Runner | WholeRunner:
        if self._contract.features:
            return Runner(session, self.device, len(self._contract.classes))
        return WholeRunner(session)

    def check_takes_rows(self) -> None:
        """Raise FeaturesError for a whole model, which takes the inputs of its backbone."""
        if not self.features:
            raise FeaturesError(
                f"rows of features are for a head alone, {self._path} takes "
                f"{'; '.join(map(str, self.inputs))}: call the classifier with those, batch by batch (or run "
                "without -o)"
            )

    def _head_runner(self) -> Runner:
        self.check_takes_rows()
        return cast("Runner", self._runner or self._reopen())

    def _reopen(self) -> Runner | WholeRunner:
        """Open this process's session after a fork."""
        session, _ = self._open()
        self._check_same(read_contract(session, self._path))
        self._runner = self._make_runner(session)
        return self._runner

    def _check_same(self, contract: Contract) -> None:
        if contract != self._contract:
            raise ModelError(
                f"the model is opened again, {self._path} has been replaced since it was loaded: load it "
                "again"
            )

    def _abandon_session(self) -> None:
        # onnxruntime's threads do not survive a fork, and a session that is destroyed waits for them for
        # ever, at exit too: the child never destroys the one that it inherits
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._runner))
        self._runner = None

    def _to_batch(self, features: Any) -> Any:
        """Return rows of features as float32 (batch, features), or the arrays of a whole model by name."""
        if (
            type(features) is np.ndarray
            and features.dtype is _FLOAT32
            and features.ndim == 2
            and features.shape[1] == self._width
            and features.flags.c_contiguous
        ):
            return features
        if not self.features:
            return to_feeds(features, self.inputs)
        if isinstance(features, Mapping):
            features = by_name(features, self.inputs)[FEATURES]
        batch = to_batch(to_numeric(features, "features", FeaturesError), self.features, FeaturesError)
        return to_float32(batch, "features", FeaturesError)


_open_classifiers: weakref.WeakSet[Classifier] = weakref.WeakSet()


def _abandon_sessions() -> None:
    for classifier in _open_classifiers:
        classifier._abandon_session()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_sessions)
