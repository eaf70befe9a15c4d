"""Check that a model file keeps the contract, by what its session says and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from onnxhead_runtime import links
from onnxhead_runtime.contract import (
    FEATURES,
    GRAPH_KEY,
    LOGITS,
    PROBABILITIES,
    TOP_CLASSES,
    Label,
    Link,
    Metadata,
)
from onnxhead_runtime.errors import ModelError
from onnxhead_runtime.inputs import Input, list_inputs
from onnxhead_runtime.providers import is_large, one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Answer = tuple[NDArray[np.float32], NDArray[np.float32]]  # logits and probabilities


class Contract(NamedTuple):
    """What a file says of itself.

    Attributes:
        features: The width of a row; 0 for a whole model, which takes the inputs of its backbone.
        classes: The label of each class; 0 to C-1 where the file names none.
        link: How probabilities come from logits; None for a file that onnxhead did not build.
        temperature: The divisor of the logits before the link.
        content_sha256: The hashes that the file states of its weights and its graph; empty where it has none.
        top_k: How many classes the file itself finds the most probable of; 0 where it does not.
        inputs: What it takes.
    """

    features: int
    classes: tuple[Label, ...]
    link: Link | None
    temperature: float
    content_sha256: str
    top_k: int
    inputs: tuple[Input, ...]


def read_contract(session: Any, path: str) -> Contract:
    """Check the session's input, outputs, metadata and answers against the contract.

    Answers are left out for a large model, since one row would read all of its weights.

    Raises:
        ModelError: The file at `path`, which the session was opened from, does not keep it.
    """
    try:
        props = session.get_modelmeta().custom_metadata_map
        inputs = list_inputs(session, path)
        if GRAPH_KEY in props:
            return _read_whole(session, path, props, inputs)
        features = _check_signature(session, path)
    except UnicodeDecodeError as cause:
        raise ModelError(f"names and metadata must be UTF-8, those of {path} are not: {cause}") from cause
    count = _stated_classes(session) if is_large(path) else 0
    answers = None if count else _probe(session, features, path)
    if answers:
        count = answers[0][0].shape[1]
    metadata = _metadata(props, count, path)
    if answers:
        _check_rows(*answers, metadata.temperature if metadata else 1.0, path)
    if metadata is None:
        return Contract(features, tuple(range(count)), None, 1.0, "", 0, inputs)
    if answers:
        _check_link(*answers[0], metadata, path)
    return _contract(metadata, features, count, _top_k(session), inputs)


def _read_whole(session: Any, path: str, props: dict[str, str], inputs: tuple[Input, ...]) -> Contract:
    """Read a whole model, which is not asked: nothing is known of what its inputs may be."""
    count = _stated_classes(session)
    metadata = _metadata(props, count, path)
    if metadata is None or not count:
        raise ModelError(
            f"a whole model must have the outputs {LOGITS} and {PROBABILITIES} float32 [batch, C] and a "
            f"format, {path} has the outputs {_list_nodes(session.get_outputs())}"
        )
    return _contract(metadata, 0, count, 0, inputs)


def _metadata(props: dict[str, str], classes: int, path: str) -> Metadata | None:
    try:
        return Metadata.from_props(props, classes)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error


def _contract(
    metadata: Metadata, features: int, classes: int, top_k: int, inputs: tuple[Input, ...]
) -> Contract:
    return Contract(
        features,
        tuple(range(classes)) if metadata.labels is None else metadata.labels,
        metadata.link,
        metadata.temperature,
        metadata.weights_sha256 + metadata.graph_sha256,
        top_k,
        inputs,
    )


def _check_signature(session: Any, path: str) -> int:
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
        f"outputs {_list_nodes(outputs)}: onnxhead attach makes such a model of another network"
    )


def _stated_classes(session: Any) -> int:
    """Return how many classes the file states for logits and probabilities; 0 where it does not."""
    nodes = [node for node in session.get_outputs() if node.name in (LOGITS, PROBABILITIES)]
    shapes = [node.shape for node in nodes if node.type == "tensor(float)"]
    is_stated = len(shapes) == 2 and shapes[0] == shapes[1] and len(shapes[0]) == 2
    return shapes[0][1] if is_stated and isinstance(shapes[0][1], int) else 0


def _top_k(session: Any) -> int:
    """Return the width of `top_classes`; 0 where the file has no such output."""
    return next((node.shape[1] for node in session.get_outputs() if node.name == TOP_CLASSES), 0)


def _list_nodes(nodes: list[Any]) -> str:
    return ", ".join(f"{node.name} {node.type} {node.shape}" for node in nodes) or "none"


def _probe(session: Any, features: int, path: str) -> tuple[_Answer, _Answer]:
    """Return the answers to two rows, and to the second of them alone."""
    rows = np.zeros((2, features), np.float32)
    rows[1, ::2], rows[1, 1::2] = 1, -1
    try:
        logits, probabilities = session.run([LOGITS, PROBABILITIES], {FEATURES: rows})
        alone = session.run([LOGITS, PROBABILITIES], {FEATURES: rows[1:]})
    except Exception as cause:  # onnxruntime's exceptions have no public base
        raise ModelError(
            f"a model must answer any number of rows, {path} does not: {one_line(cause)}"
        ) from cause
    shapes = logits.shape, probabilities.shape
    if shapes != ((2, logits.shape[-1]),) * 2:
        raise ModelError(f"{LOGITS} and {PROBABILITIES} must be [batch, C], {path} gives {shapes} for 2 rows")
    return (logits, probabilities), (alone[0], alone[1])


def _check_rows(batch: _Answer, alone: _Answer, temperature: float, path: str) -> None:
    """Raise where the second row's answer is another without the first, as with a softmax over the batch."""
    logits, probabilities = batch[0][1:], batch[1][1:]
    # a row's logits may differ in their last bits with the batch, and the link may magnify that
    with np.errstate(invalid="ignore"):
        difference = float(np.nan_to_num(np.abs(logits - alone[0])).max())
    same_logits = np.allclose(logits, alone[0], atol=1e-2 * _largest(alone[0]), equal_nan=True)
    tolerance = 1e-4 + 100 * difference / temperature
    if not (same_logits and np.allclose(probabilities, alone[1], atol=tolerance, equal_nan=True)):
        raise ModelError(
            f"{LOGITS} and {PROBABILITIES} of a row must depend on that row alone, in {path} they change "
            "with the batch: the softmax runs over the wrong axis"
        )


def _largest(values: NDArray[np.float32]) -> float:
    """Return the largest finite magnitude."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0))


def _check_link(
    logits: NDArray[np.float32],
    probabilities: NDArray[np.float32],
    metadata: Metadata,
    path: str,
) -> None:
    expected = links.probabilities(logits, metadata.link, metadata.temperature)
    # exp of a float32 argument z is uncertain by |z| * 2**-24, whatever computes it, and a sum of C terms by
    # C * 2**-24 of itself
    tolerance = 1e-5 + np.abs(logits.astype(np.float64)) / metadata.temperature * 2.0**-22
    tolerance += expected.shape[1] * 2.0**-24 * expected.max(axis=1, keepdims=True)
    wrong = np.abs(probabilities - expected) > tolerance
    if wrong.any():
        raise ModelError(
            f"{PROBABILITIES} must be the {metadata.link} of {LOGITS} / {metadata.temperature:g} that the "
            f"file states, in {path} they differ by {np.abs(probabilities - expected)[wrong].max():.2g}"
        )
