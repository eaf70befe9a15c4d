"""Run a session on batches of any size, each in the way that costs least.

- A small batch is copied into buffers that stay bound to the session, one set per thread and batch size:
  onnxruntime then has nothing to look up, convert or allocate.
- A large one goes through in pieces, so that the link reads the logits from the cache and not from memory,
  and onnxruntime writes into the arrays that are returned.
- What lies between is one call of `InferenceSession.run`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES, TOP_CLASSES, TOP_PROBABILITIES
from onnxhead_runtime.errors import ProviderError
from onnxhead_runtime.providers import import_onnxruntime, one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

BOTH = (LOGITS, PROBABILITIES)
_TOP = (TOP_PROBABILITIES, TOP_CLASSES)
_COPIED_BYTES = 4 * 1024  # up to here copying the rows costs less than binding them
_BOUND_BYTES = 2**20  # of rows, whose last batch of each size stays referenced
_BOUND_OUTPUT_BYTES = 16 * 1024
_BOUND_SIZES = 16
_WHOLE_OUTPUT_BYTES = 8 * 2**20
_PIECE_OUTPUT_BYTES = 4 * 2**20
_PIECE_ROWS = 256  # fewer would read a large weight too often
_UNSEEN_BYTES = 64 * 2**20  # of logits and probabilities of which only the most probable are asked for

Outputs = tuple[str, ...]
_Size = tuple[int, Outputs]
Answers = Sequence["NDArray[np.float32]"]


class Runner:
    """One session and the ways to run it.

    Attributes:
        session: The `onnxruntime.InferenceSession`.
    """

    def __init__(self, session: Any, device: str, classes: int) -> None:
        """Keep what each call needs.

        Args:
            session: The session.
            device: `cpu` or `cuda:N`: on a GPU every batch goes through in one call.
            classes: The width of the outputs.
        """
        self.session = session
        self._native = _native(session)
        self._on_cpu = device == "cpu"
        self._classes = classes
        self._bound = _ThreadCalls()

    def run(self, batch: NDArray[np.float32], outputs: Outputs = BOTH) -> Answers:
        """Return the outputs for a batch (batch, features), float32 in row order; each is the caller's own.

        Raises:
            ProviderError: onnxruntime fails.
        """
        try:
            size = len(batch), outputs
            # out of reach while it runs: a signal's handler may call too, in this thread
            call = self._bound.by_size.pop(size, None)
            if call is None:
                return self._run_unbound(batch, size)
            answers = call(batch)
            self._bound.by_size[size] = call
            return answers
        except Exception as cause:  # onnxruntime's exceptions have no public base
            raise _failed(batch, cause) from cause

    def _run_unbound(self, batch: NDArray[np.float32], size: _Size) -> Answers:
        rows, outputs = size
        if not rows:  # TopK of onnxruntime 1.20 divides by the number of rows, and kills the process
            return [np.empty((0, self._classes), np.float32) for _ in outputs]
        output_bytes = rows * self._classes * 4
        if self._on_cpu and 0 < output_bytes <= _BOUND_OUTPUT_BYTES and batch.nbytes <= _BOUND_BYTES:
            call = self._bind(batch, outputs)
            answers = call(batch)
            self._bound.keep(size, call)
            return answers
        if self._on_cpu and output_bytes > _WHOLE_OUTPUT_BYTES:
            return self._run_in_pieces(batch, outputs)
        whole: Answers = self._native.run(outputs, {FEATURES: batch}, None)
        return whole

    def _run_in_pieces(self, batch: NDArray[np.float32], outputs: Outputs) -> Answers:
        answers = [np.empty((len(batch), self._classes), np.float32) for _ in outputs]
        self._fill(batch, outputs, answers)
        return answers

    def run_top(self, batch: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the outputs `top_probabilities` and `top_classes` of a model that has them, (batch, K) each.

        Raises:
            ProviderError: onnxruntime fails.
        """
        # all logits and probabilities are made inside, if not copied: memory that the answer does not need
        step = min(self._piece_rows(), max(1, _UNSEEN_BYTES // (8 * self._classes)))
        if not len(batch):  # as in run
            return np.empty((0, 0), np.float32), np.empty((0, 0), np.int64)
        starts = range(0, len(batch), step)
        try:
            pieces = [self._native.run(_TOP, {FEATURES: batch[at : at + step]}, None) for at in starts]
        except Exception as cause:  # onnxruntime's exceptions have no public base
            raise _failed(batch, cause) from cause
        probabilities, classes = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
        return probabilities, classes

    def run_into(self, batch: NDArray[np.float32], answers: Answers) -> None:
        """Write logits and probabilities of a batch to two arrays (batch, classes), float32 in row order.

        Raises:
            ProviderError: onnxruntime fails.
        """
        if self._on_cpu and len(batch):
            try:
                self._fill(batch, BOTH, answers)
            except Exception as cause:  # onnxruntime's exceptions have no public base
                raise _failed(batch, cause) from cause
            return
        for target, answer in zip(answers, self.run(batch), strict=True):
            target[...] = answer

    def _fill(self, batch: NDArray[np.float32], outputs: Outputs, answers: Answers) -> None:
        step = self._piece_rows()
        binding = self.session.io_binding()
        for start in range(0, len(batch), step):
            binding.bind_cpu_input(FEATURES, batch[start : start + step])
            _bind_outputs(binding, outputs, [answer[start : start + step] for answer in answers])
            self.session.run_with_iobinding(binding)

    def _piece_rows(self) -> int:
        """Return how many rows go through at once, so that their logits stay in the cache."""
        return max(_PIECE_ROWS, _PIECE_OUTPUT_BYTES // (4 * self._classes))

    def _bind(self, like: NDArray[np.float32], outputs: Outputs) -> _Call:
        """Return a function that runs batches of one size through buffers that stay bound."""
        answers = [np.empty((len(like), self._classes), np.float32) for _ in outputs]
        binding = self.session.io_binding()
        _bind_outputs(binding, outputs, answers)
        run = partial(self._native.run_with_iobinding, _native(binding), _run_options())
        bind_rows = binding.bind_cpu_input
        first, last = answers[0], answers[-1]

        def call_bound(batch: NDArray[np.float32]) -> Answers:
            bind_rows(FEATURES, batch)
            run()
            return (first.copy(), last.copy()) if last is not first else (first.copy(),)

        if like.nbytes > _COPIED_BYTES:
            return call_bound
        rows = np.empty_like(like)
        bind_rows(FEATURES, rows)

        def call_copied(batch: NDArray[np.float32]) -> Answers:
            rows[...] = batch
            run()
            return (first.copy(), last.copy()) if last is not first else (first.copy(),)

        return call_copied


_Call = Callable[["NDArray[np.float32]"], Answers]


class _ThreadCalls(threading.local):
    """The bound calls of one thread, since a binding holds the state of one call."""

    def __init__(self) -> None:
        self.by_size: dict[_Size, _Call] = {}

    def keep(self, size: _Size, call: _Call) -> None:
        if len(self.by_size) == _BOUND_SIZES:
            self.by_size.clear()
        self.by_size[size] = call


def _native(wrapper: Any) -> Any:
    """Return what a session or a binding of onnxruntime wraps, or itself where it wraps nothing.

    The wrappers check arguments that are right here, in a third of the time of a small call.
    """
    return getattr(wrapper, "_sess", None) or getattr(wrapper, "_iobinding", wrapper)


def _run_options() -> Any:
    """Return options to pass again and again: without them each call makes its own."""
    return import_onnxruntime().RunOptions()


def _bind_outputs(binding: Any, outputs: Outputs, answers: Answers) -> None:
    for name, answer in zip(outputs, answers, strict=True):
        binding.bind_output(name, "cpu", 0, np.float32, answer.shape, answer.ctypes.data)


def _failed(batch: NDArray[np.float32], cause: Exception) -> ProviderError:
    return ProviderError(
        f"onnxruntime must answer {batch.shape[0]} rows of {batch.shape[1]}, it fails: {one_line(cause)}; "
        "try smaller batches"
    )
