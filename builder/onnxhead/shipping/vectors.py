"""Conformance vectors: rows with their exact answers, to which a client in any language is held.

A case is a batch. Its answers are float64, and each comes with the tolerance that `reference` derives for
float32 arithmetic: a client is right when no logit and no probability is further off. Labels are compared
where that arithmetic cannot decide otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxhead.head import Head
from onnxhead.reference import Reference, refer
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES, Decision, Label

VECTORS = "vectors.json"
DATA_SET = "test_data_set_"
_LOGITS_TOLERANCE, _PROBABILITIES_TOLERANCE = "logits_tolerance", "probabilities_tolerance"
_FORMAT = "1"
_ROUNDING = 1e-3  # of a tolerance: far more than float64 arithmetic differs by, far less than float32
# The head of models/abc.onnx, whose own row is a case.
_ABC_SHA256 = "7eb4fe9c2c501a42b50e35480f60a4fb72a5616a38785b7678db471e7606230e"
_ABC_ROW = [[0.5, 0.8, 1.2]]
_RANDOM_ROWS = 16
_SATURATED = 1000.0  # exp of it overflows, in float64 too
_USUAL = 4.0
_LARGEST = 2.0**100
_TINY = 1e-40  # no normal float32


@dataclass(frozen=True, eq=False)
class Case:
    """One batch with its exact answers.

    Attributes:
        name: What is special about its rows.
        features: float32 (batch, features).
        exact: Logits and probabilities in float64, with the tolerance of each.
        labels: The label of each row, with the link `sigmoid` a tuple of labels; None where float32
            arithmetic may decide otherwise.
    """

    name: str
    features: NDArray[np.float32]
    exact: Reference
    labels: Sequence[Decision]


def make_cases(head: Head) -> list[Case]:
    """Return the cases of a head, at least 16 rows in all, the same for every call.

    Example:
        >>> head = Head([[1.0, -1.0, 0.5], [0.8, 0.5, -0.3], [-0.5, 1.2, 1.0]], [0.2, -0.1, 0.5])
        >>> {case.name: len(case.features) for case in make_cases(head)}
        {'example': 1, 'zeros': 1, 'ones': 1, 'signs': 3, 'large logits': 2, 'denormals': 1, 'random': 16, \
'empty': 0}
        >>> make_cases(head)[0].labels
        [2]
    """
    return [_answered(head, name, np.asarray(rows, np.float32)) for name, rows in _rows(head)]


def class_labels(head: Head) -> tuple[Label, ...]:
    """Return one label per class: the head's own, or the classes' numbers."""
    return tuple(range(head.classes)) if head.labels is None else head.labels


def write_cases(cases: Sequence[Case], folder: Path) -> None:
    """Write `vectors.json`, and each case in the layout of ONNX's backend tests and as raw float32."""
    documents = ",\n".join(json.dumps(_document(case), ensure_ascii=False, allow_nan=False) for case in cases)
    text = f'{{"format": "{_FORMAT}", "cases": [\n{documents}\n]}}\n'
    (folder / VECTORS).write_text(text, encoding="utf-8")
    for number, case in enumerate(cases):
        data_set = folder / f"{DATA_SET}{number}"
        data_set.mkdir()
        rounded = {
            LOGITS: case.exact.logits.astype(np.float32),
            PROBABILITIES: case.exact.probabilities.astype(np.float32),
        }
        for file, name, array in (
            ("input_0", FEATURES, case.features),
            ("output_0", LOGITS, rounded[LOGITS]),
            ("output_1", PROBABILITIES, rounded[PROBABILITIES]),
        ):
            tensor = numpy_helper.from_array(array, name)
            (data_set / f"{file}.pb").write_bytes(tensor.SerializeToString(deterministic=True))
        raw = {FEATURES: case.features, **rounded}
        for name, answer, exact, tolerance in (
            (_LOGITS_TOLERANCE, rounded[LOGITS], case.exact.logits, case.exact.logits_bound),
            (
                _PROBABILITIES_TOLERANCE,
                rounded[PROBABILITIES],
                case.exact.probabilities,
                case.exact.probabilities_bound,
            ),
        ):
            # what is compared with is rounded itself
            allowed = (tolerance + np.abs(answer - exact)).astype(np.float32)
            raw[name] = np.nextafter(allowed, np.float32(np.inf))
        for name, array in raw.items():
            (data_set / f"{name}.f32").write_bytes(array.astype("<f4").tobytes())


def read_cases(folder: Path) -> list[dict[str, Any]]:
    """Return the cases of `vectors.json` as they are written."""
    cases: list[dict[str, Any]] = json.loads((folder / VECTORS).read_bytes())["cases"]
    return cases


def restore_case(document: dict[str, Any], head: Head) -> Case:
    """Answer the rows of a case of `vectors.json` anew.

    Raises:
        ValueError: They are no rows of features.
        KeyError: There are none.
        TypeError: It is no object.
    """
    rows = np.array(document[FEATURES], np.float32)
    return _answered(head, document["name"], rows.reshape(-1, head.features))


def states_the_same(document: dict[str, Any], case: Case) -> bool:
    """Tell whether a case of `vectors.json` has the answers of its rows, but for rounding in float64."""
    exact = case.exact
    tolerance = exact.probabilities_bound[:, 0]
    return (
        document["labels"] == json.loads(json.dumps(case.labels))
        and _is_near(document[LOGITS], exact.logits, exact.logits_bound)
        and _is_near(document[_LOGITS_TOLERANCE], exact.logits_bound, exact.logits_bound)
        and _is_near(document[PROBABILITIES], exact.probabilities, exact.probabilities_bound)
        and _is_near(document[_PROBABILITIES_TOLERANCE], tolerance, tolerance)
    )


def _is_near(stated: Any, exact: NDArray[np.float64], tolerance: NDArray[np.float64]) -> bool:
    values = np.array(stated, np.float64)
    if values.size != exact.size:
        return False
    return bool((np.abs(values.reshape(exact.shape) - exact) <= _ROUNDING * tolerance).all())


def _answered(head: Head, name: str, features: NDArray[np.float32]) -> Case:
    exact = refer(head, features)
    return Case(name, features, exact, _decisions(head, exact))


def _document(case: Case) -> dict[str, Any]:
    exact = case.exact
    return {
        "name": case.name,
        FEATURES: case.features.tolist(),
        LOGITS: exact.logits.tolist(),
        PROBABILITIES: exact.probabilities.tolist(),
        "labels": case.labels,
        _LOGITS_TOLERANCE: exact.logits_bound.tolist(),
        _PROBABILITIES_TOLERANCE: exact.probabilities_bound[:, 0].tolist(),
    }


def _rows(head: Head) -> Iterator[tuple[str, Any]]:
    """Yield name and rows of each case; scaled by powers of two, which changes no digit."""
    if head.metadata().weights_sha256 == _ABC_SHA256:
        yield "example", _ABC_ROW
    largest = float(max(-head.weight.min(), head.weight.max())) or 1.0
    unit = min(1.0, _power_of_two(_LARGEST / (largest * head.features)))
    ones = np.full((1, head.features), unit)
    alternating = np.where(np.arange(head.features) % 2, -ones, ones)
    yield "zeros", 0 * ones
    yield "ones", ones
    yield "signs", np.concatenate([-ones, alternating, -alternating])
    steepest = head.weight[np.argmax(np.abs(head.weight).max(axis=1))].astype(np.float64)
    along = np.where(steepest < 0, -1.0, 1.0) * (
        _SATURATED * head.temperature / (np.abs(steepest).sum() or 1.0)
    )
    yield "large logits", np.clip(np.stack([along, -along]), -_LARGEST, _LARGEST)
    yield "denormals", np.where(alternating < 0, -_TINY, 3 * _TINY)
    random = np.random.default_rng(0).standard_normal((_RANDOM_ROWS, head.features), np.float32)
    spread = _power_of_two(_USUAL * head.temperature / (largest * head.features**0.5))
    yield "random", random.astype(np.float64) * min(spread, _LARGEST)
    yield "empty", np.empty((0, head.features))


def _power_of_two(value: float) -> float:
    return float(2.0 ** np.floor(np.log2(value)))


def _decisions(head: Head, exact: Reference) -> list[Decision]:
    labels = class_labels(head)
    if head.link == "sigmoid":
        certain = np.abs(exact.probabilities - 0.5) > exact.probabilities_bound
        return [
            tuple(labels[i] for i in np.flatnonzero(row > 0.5)) if sure.all() else None
            for row, sure in zip(exact.probabilities, certain, strict=True)
        ]
    two = np.sort(exact.logits, axis=1)[:, -2:]
    apart = two[:, 1] - two[:, 0] > 2 * exact.logits_bound.max(axis=1)
    best = exact.logits.argmax(axis=1)
    return [labels[i] if sure else None for i, sure in zip(best, apart, strict=True)]
