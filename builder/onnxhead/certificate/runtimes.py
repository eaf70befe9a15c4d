"""The runtimes that are installed, each held to the bound of the model on the same rows."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from onnxhead.certificate.subject import Answer, Answering, Subject
from onnxhead.compatibility import ON_CPU
from onnxhead.quality import Quality, Tally
from onnxhead.reference import Deviation, Reference, deviations
from onnxhead_runtime import load
from onnxhead_runtime.contract import LOGITS, PROBABILITIES, Link
from onnxhead_runtime.errors import ProviderError
from onnxhead_runtime.inputs import Feeds
from onnxhead_runtime.providers import CUDA, import_onnxruntime, one_line

State = Literal["ran", "not installed", "does not start", "not for this form", "failed"]


@dataclass(frozen=True)
class Agreement:
    """How far a runtime's answers are from the exact ones.

    Attributes:
        name: The runtime.
        version: Its version; None where it is not installed.
        state: Whether it ran, and if not, whether that is a defect: only `failed` is.
        reason: Why it did not run; None where it did.
        logits: The largest deviation of a logit in its bound, right up to 1; None where it did not run, or a
            logit is NaN that should not be.
        probabilities: The same of the probabilities.
        other_labels: On how many rows its label is another than that of the model's own answers.
        quality: The quality of its own answers; None without true labels.
    """

    name: str
    version: str | None
    state: State
    reason: str | None = None
    logits: float | None = None
    probabilities: float | None = None
    other_labels: int | None = None
    quality: Quality | None = None

    @property
    def finding(self) -> str | None:
        """What is wrong with it, in a sentence; None for nothing."""
        if self.state == "failed":
            return f"{self.name} {self.version} failed: {self.reason}"
        if self.state != "ran":
            return None
        for what, ratio in ((LOGITS, self.logits), (PROBABILITIES, self.probabilities)):
            if ratio is None or ratio > 1:
                by = "is undefined where the exact one is not" if ratio is None else f"is {ratio:.3g} bounds"
                end = "" if ratio is None else " away from the exact one"
                return f"{self.name} {self.version}: one of the {what} {by}{end}"
        return None


@dataclass(frozen=True)
class Runtime:
    """One runtime.

    Attributes:
        name: What it is called in a certificate.
        package: The package that is imported.
        table: What `compatibility` calls it.
        open: Opens a model.
    """

    name: str
    package: str
    table: str
    open: Callable[[Subject], Answering]


def _open_cuda(subject: Subject) -> Answering:
    classify = load(subject.model.path, device=CUDA.device)

    def call(feeds: Feeds) -> Answer:
        prediction = classify(feeds)
        return Answer(prediction.logits, prediction.probabilities)

    return call


def _open_openvino(subject: Subject) -> Answering:
    openvino: Any = importlib.import_module("openvino")
    # its own choice is bfloat16 where the CPU has it: probabilities are then 1e-3 off
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(subject.model.path, "CPU", exact).create_infer_request()

    def call(feeds: Feeds) -> Answer:
        found = request.infer(dict(feeds))
        return Answer(found[LOGITS], found[PROBABILITIES])

    return call


def _open_tract(subject: Subject) -> Answering:
    tract: Any = importlib.import_module("tract")
    model = tract.onnx().load(subject.model.path).into_model().into_runnable()
    names = [one.name for one in subject.model.proto.graph.input]

    def call(feeds: Feeds) -> Answer:
        found = model.run([feeds[name] for name in names])
        return Answer(*(output.to_numpy() for output in found[:2]))

    return call


_CPU = "onnxruntime CPU"
_CUDA = Runtime("onnxruntime CUDA", "onnxruntime", "", _open_cuda)
_OPENVINO = Runtime("OpenVINO", "openvino", "openvino", _open_openvino)
_TRACT = Runtime("tract", "tract", "tract", _open_tract)


class Trial:
    """Holds the answers of one runtime to the exact ones, block by block."""

    def __init__(self, name: str, version: str, subject: Subject) -> None:
        """Begin with no rows."""
        self.name, self.version = name, version
        self._subject = subject
        self._link = subject.link
        self._worst = [Deviation(0.0, 1.0), Deviation(0.0, 1.0)]
        self._other_labels = 0
        self._tally: Tally | None = None
        self._is_defined = True

    def add(self, answer: Answer, own: Answer, exact: Reference, truth: NDArray[np.bool_] | None) -> None:
        """Add a block of answers, beside the model's own, the exact ones and what is true."""
        pairs = zip(self._worst, deviations(*answer, exact), strict=True)
        self._worst = [max(pair, key=lambda one: one.ratio) for pair in pairs]
        others = decisions(answer.logits, self._link) != decisions(own.logits, self._link)
        self._other_labels += int(others.reshape(len(others), -1).any(axis=1).sum())
        self._is_defined &= bool(np.isfinite(answer.logits).all() and np.isfinite(answer.probabilities).all())
        if truth is not None and self._is_defined:
            if self._tally is None:
                self._tally = Tally(self._link, self._subject.temperature)
            self._tally.add(answer.logits, answer.probabilities, truth)

    @property
    def quality(self) -> Quality | None:
        """The quality of the answers so far; None without true labels, and where one is NaN."""
        return self._tally.quality() if self._tally and self._is_defined else None

    def agreement(self) -> Agreement:
        """Return what was found."""
        logits, probabilities = (one.ratio if np.isfinite(one.ratio) else None for one in self._worst)
        return Agreement(
            self.name,
            self.version,
            "ran",
            logits=logits,
            probabilities=probabilities,
            other_labels=self._other_labels,
            quality=self.quality,
        )


def own_trial(subject: Subject) -> Trial:
    """Return the trial of the runtime that gives the model's own answers."""
    if ON_CPU in subject.refused_by:
        return Trial("onnx's evaluator", importlib.metadata.version("onnx"), subject)
    return Trial(_CPU, import_onnxruntime().__version__, subject)


def decisions(logits: NDArray[np.float32], link: Link) -> NDArray[Any]:
    """Return what is decided: the class of each row, with the link `sigmoid` which labels are given."""
    return np.asarray(logits > 0 if link == "sigmoid" else logits.argmax(axis=1))


class OtherRuntimes:
    """Every further runtime that is installed: each runs the same rows."""

    def __init__(self, subject: Subject) -> None:
        """Open the model in each."""
        self._open: dict[str, tuple[Answering, Trial]] = {}
        self._found: dict[str, Agreement] = {}
        self._subject = subject
        if ON_CPU in subject.refused_by:
            self._found[_CPU] = self._refusal(_CPU, import_onnxruntime().__version__)
        for runtime in (_CUDA, _OPENVINO, _TRACT):
            self._found[runtime.name] = self._start(runtime)

    def add(
        self,
        feeds: Feeds,
        good: NDArray[np.bool_],
        own: Answer,
        exact: Reference,
        truth: NDArray[np.bool_] | None,
    ) -> None:
        """Run a block in each, and hold the answers to its good rows to those that are given for these."""
        for name, (answering, trial) in list(self._open.items()):
            try:
                trial.add(answering(feeds).of(good), own, exact, truth)
            except Exception as cause:  # runtimes raise what they like
                self._found[name] = self._failed(name, trial.version, cause)
                del self._open[name]

    def agreements(self) -> list[Agreement]:
        """Return what was found of each."""
        return [
            self._open[name][1].agreement() if name in self._open else found
            for name, found in self._found.items()
        ]

    def _start(self, runtime: Runtime) -> Agreement:
        """Open the model in a runtime; what is returned holds until it has run."""
        version = _version(runtime)
        if version is None:
            return Agreement(runtime.name, None, "not installed", "not installed")
        if runtime.table in self._subject.refused_by:
            return self._refusal(runtime.name, version)
        try:
            answering = runtime.open(self._subject)
        except ProviderError as cause:
            return Agreement(runtime.name, version, "does not start", one_line(cause))
        except Exception as cause:  # runtimes raise what they like
            return self._failed(runtime.name, version, cause)
        self._open[runtime.name] = answering, Trial(runtime.name, version, self._subject)
        return Agreement(runtime.name, version, "ran")

    def _failed(self, name: str, version: str, cause: Exception) -> Agreement:
        return Agreement(name, version, self._subject.failure, one_line(cause))

    def _refusal(self, name: str, version: str) -> Agreement:
        reason = f"does not run a head in {self._subject.facts.precision}, or not within its bound"
        return Agreement(name, version, "not for this form", reason)


def _version(runtime: Runtime) -> str | None:
    """Return the version of a runtime, None where it is not installed."""
    if runtime is _CUDA:
        ort = import_onnxruntime()
        return str(ort.__version__) if CUDA.name in ort.get_available_providers() else None
    if importlib.util.find_spec(runtime.package) is None:
        return None
    try:
        return importlib.metadata.version(runtime.package)
    except importlib.metadata.PackageNotFoundError:  # imported from a folder
        return "of unknown version"
