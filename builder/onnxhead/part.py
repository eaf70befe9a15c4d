"""Run a part of a model, with tensors inside it as outputs, on inputs that are given or made up."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto

from onnxhead.external import is_external
from onnxhead_runtime.errors import FeaturesError, ModelError, ProviderError
from onnxhead_runtime.inputs import UNNAMED, Feeds, Input, describe_feeds, list_inputs, to_feeds
from onnxhead_runtime.providers import import_onnxruntime, one_line

_FOLDER_SINCE = (1, 21)  # from here on weights beside a model are found for one that is in memory
_FATAL = 4
_ROWS = 3
BLOCK_ROWS = 32  # what a network has between its layers may be a hundred times its inputs
# what free axes beside the batch are tried with: tokens, pixels of small and usual pictures
_LENGTHS = (16, 32, 64, 224, 1)
_LARGEST_INTEGERS = (99, 1)  # tokens that every vocabulary has, and flags


class Part:
    """A part of a model, opened.

    Attributes:
        inputs: What it takes.
        outputs: The outputs, as the nodes of onnxruntime: name, type, shape.
    """

    def __init__(self, path: Path, model: onnx.ModelProto, outputs: Sequence[str]) -> None:
        """Open a model, or a part of one, on the CPU.

        Args:
            path: The model's file, beside which its external data lies.
            model: The model; its own outputs count for nothing.
            outputs: The tensors that it gives.

        Raises:
            ModelError: onnxruntime refuses it, or an input is no tensor.
            ProviderError: onnxruntime is missing, or too old for external data.
        """
        ort = import_onnxruntime()
        options = ort.SessionOptions()
        options.log_severity_level = _FATAL
        # for a few calls a second copy of the weights, packed, does not pay
        options.add_session_config_entry("session.disable_prepacking", "1")
        if any(map(is_external, model.graph.initializer)):
            if tuple(map(int, ort.__version__.split(".")[:2])) < _FOLDER_SINCE:
                raise ProviderError(
                    "a part of a model with weights beside it runs in onnxruntime 1.21 or newer, installed "
                    f"is {ort.__version__}: pip install --upgrade onnxruntime"
                )
            folder = str(path.absolute().parent)
            options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        try:
            with _outputs_set(model.graph, outputs):
                content = model.SerializeToString()
            self._session: Any = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as cause:  # protobuf and onnxruntime share no base
            raise ModelError(
                f"onnxruntime {ort.__version__} must run {path} as far as {', '.join(outputs)}, it "
                f"refuses: {one_line(cause)}"
            ) from cause
        self.inputs: tuple[Input, ...] = list_inputs(self._session, str(path))
        self.outputs: list[Any] = self._session.get_outputs()
        self._path = path

    def run(self, feeds: Feeds) -> list[NDArray[Any]]:
        """Return the outputs.

        Raises:
            ModelError: onnxruntime fails.
        """
        try:
            answers: list[NDArray[Any]] = self._session.run(None, dict(feeds))
        except Exception as cause:  # onnxruntime's exceptions have no public base
            raise ModelError(
                f"{self._path} must run on {describe_feeds(feeds)}, it fails: {one_line(cause)}"
            ) from cause
        return answers

    def close(self) -> None:
        """Give up the session, which holds a copy of the weights."""
        self._session = None

    def try_sample(self, given: Any = None) -> tuple[Feeds, NDArray[Any]]:
        """Return inputs that the part runs on, and its first output for them.

        Args:
            given: What a user has for its inputs, as `to_feeds` takes it; None to make some up.

        Raises:
            FeaturesError: What is given does not fit.
            ModelError: The part does not run on what is given, or on nothing that was made up.
        """
        if given is not None:
            feeds = to_feeds(given, self.inputs)
            if not all(array.size for array in feeds.values()):
                raise FeaturesError("a sample must have at least one row, and no input that is empty")
            return feeds, self.run(feeds)[0]
        for feeds in _made_up(self.inputs):
            try:
                return feeds, self.run(feeds)[0]
            except ModelError as error:
                reason = error
        raise ModelError(
            f"a model is tried on inputs that are made up, {reason}: give real ones, an array for each of "
            f"{', '.join(one.name for one in self.inputs)}, in an .npz file (--sample, sample=)"
        )


def check_finite(values: NDArray[Any], what: str, tensor: str) -> None:
    """Raise ModelError where a tensor has NaN or infinity for a sample, which then proves nothing."""
    if not np.isfinite(values).all():
        raise ModelError(
            f"the {what} of a sample must be finite, {tensor} gives NaN or infinity: give real inputs with "
            "--sample FILE.npz (sample=)"
        )


@contextlib.contextmanager
def _outputs_set(graph: GraphProto, outputs: Sequence[str]) -> Iterator[None]:
    """Give a graph other outputs meanwhile: a copy of one would be as large as its weights."""
    own = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in graph.output]
    stated = {value.name: value for value in own}
    del graph.output[:]
    graph.output.extend(stated.get(name, onnx.ValueInfoProto(name=name)) for name in outputs)
    try:
        yield
    finally:
        del graph.output[:]
        graph.output.extend(own)


def _made_up(inputs: Sequence[Input]) -> Iterator[Feeds]:
    """Yield inputs of several lengths and ranges, the same for every call."""
    batches = {str(one.shape[0]) for one in inputs if one.shape} - {UNNAMED}
    for length, largest in itertools.product(_LENGTHS, _LARGEST_INTEGERS):
        random = np.random.default_rng(0)
        yield {one.name: _value(one, _shape(one, batches, length), largest, random) for one in inputs}


def _shape(one: Input, batches: Collection[str], length: int) -> list[int]:
    """Return a shape with so many rows where an axis is the batch, else of a length where it is free."""
    return [
        axis if isinstance(axis, int) else _ROWS if place == 0 or axis in batches else length
        for place, axis in enumerate(one.shape)
    ]


def _value(one: Input, shape: list[int], largest: int, random: np.random.Generator) -> NDArray[Any]:
    if one.dtype == "str":
        return np.full(shape, "a", object)
    dtype = np.dtype(one.dtype)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    if dtype.kind == "b" or "mask" in one.name:
        return np.ones(shape, dtype)
    limit = 255 if dtype == np.uint8 else largest
    return random.integers(0, limit, shape, endpoint=True).astype(dtype)
