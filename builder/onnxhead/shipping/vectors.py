"""Conformance vectors: rows with their exact answers, to which a client in any language is held.

A case is a batch. Its answers are float64, and each comes with the tolerance that `reference` derives for
float32 arithmetic: a client is right when no logit and no probability is further off. Labels are compared
where that arithmetic cannot decide otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from onnxhead.check import Answers, near_decision
from onnxhead.form import DEFAULT, Form
from onnxhead.head import Head
from onnxhead.reference import Deviation, Reference, deviations, refer
from onnxhead.rows import usual_rows
from onnxhead.scan import scan
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES, Decision, Label, Link

VECTORS = "vectors.json"
DATA_SET = "test_data_set_"
_LOGITS_TOLERANCE, _PROBABILITIES_TOLERANCE = "logits_tolerance", "probabilities_tolerance"
FORMAT = "1"
_ROUNDING = 1e-3  # of a tolerance: far more than float64 arithmetic differs by, far less than float32
# The head of models/abc.onnx, whose own row is a case.
_ABC_SHA256 = "7eb4fe9c2c501a42b50e35480f60a4fb72a5616a38785b7678db471e7606230e"
_ABC_ROW = [[0.5, 0.8, 1.2]]
_RANDOM_ROWS, _NEAR_ROWS = 16, 8
_SATURATED = 1000.0  # exp of it overflows, in float64 too
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


def make_cases(head: Head, form: Form = DEFAULT) -> list[Case]:
    """Return the cases of a head, at least 16 rows in all, the same for every call.

    Example:
        >>> head = Head([[1.0, -1.0, 0.5], [0.8, 0.5, -0.3], [-0.5, 1.2, 1.0]], [0.2, -0.1, 0.5])
        >>> {case.name: len(case.features) for case in make_cases(head)}
        {'example': 1, 'zeros': 1, 'ones': 1, 'signs': 3, 'large logits': 2, 'denormals': 1, 'random': 16, \
'near decisions': 8, 'empty': 0}
        >>> make_cases(head)[0].labels
        [2]
    """
    return [_answered(head, form, name, np.asarray(rows, np.float32)) for name, rows in _rows(head, form)]


def write_cases(cases: Sequence[Case], folder: Path) -> None:
    """Write `vectors.json`, and each case in the layout of ONNX's backend tests and as raw float32."""
    write_document(folder, FORMAT, map(_document, cases))
    for number, case in enumerate(cases):
        data_set = folder / f"{DATA_SET}{number}"
        data_set.mkdir()
        for name, content in _data_set(case).items():
            (data_set / name).write_bytes(content)


def write_document(folder: Path, stated_format: str, cases: Iterable[dict[str, Any]]) -> None:
    """Write `vectors.json`, a line for each case."""
    lines = ",\n".join(json.dumps(case, ensure_ascii=False, allow_nan=False) for case in cases)
    text = f'{{"format": "{stated_format}", "cases": [\n{lines}\n]}}\n'
    (folder / VECTORS).write_text(text, encoding="utf-8")


def tensor_bytes(array: NDArray[Any], name: str) -> bytes:
    """Return an array as a TensorProto."""
    return bytes(numpy_helper.from_array(array, name).SerializeToString(deterministic=True))


def _data_set(case: Case) -> dict[str, bytes]:
    """Return the files of a case by name."""
    exact = case.exact
    logits, probabilities = exact.logits.astype(np.float32), exact.probabilities.astype(np.float32)
    tensors = {
        "input_0": (FEATURES, case.features),
        "output_0": (LOGITS, logits),
        "output_1": (PROBABILITIES, probabilities),
    }
    files = {f"{file}.pb": tensor_bytes(array, name) for file, (name, array) in tensors.items()}
    raw = {
        **dict(tensors.values()),
        _LOGITS_TOLERANCE: _widened(exact.logits_bound, logits, exact.logits),
        _PROBABILITIES_TOLERANCE: _widened(exact.probabilities_bound, probabilities, exact.probabilities),
    }
    return files | {f"{name}.f32": array.astype("<f4").tobytes() for name, array in raw.items()}


def _widened(
    tolerance: NDArray[np.float64], rounded: NDArray[np.float32], exact: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return a tolerance for comparisons with answers that are rounded themselves."""
    return np.nextafter((tolerance + np.abs(rounded - exact)).astype(np.float32), np.float32(np.inf))


def case_findings(folder: Path, head: Head, form: Form, classify: Answers) -> list[str]:
    """Compare the cases of a folder with float64, with their data sets, and with answers; one sentence each.

    Args:
        folder: Where `write_cases` wrote.
        head: The head whose cases they are.
        form: How it is written.
        classify: The model.

    Raises:
        ValueError: `vectors.json` is not as it is written; also KeyError and TypeError.
        OSError: A file is missing.
    """
    document = json.loads((folder / VECTORS).read_bytes())
    stated = [(case["name"], len(case[FEATURES])) for case in document["cases"]]
    if document["format"] != FORMAT or stated != [(name, len(rows)) for name, rows in _rows(head, form)]:
        return [f"{VECTORS} must have format {FORMAT} and the cases of docs/bundle.md, it has others"]
    findings = []
    for number, case in enumerate(document["cases"]):
        exact = _answered(head, form, case["name"], _float32_rows(case[FEATURES], head.features))
        if not states_the_same(case, exact.exact, exact.labels):
            findings.append(f"{VECTORS} states other answers than float64 for the case {exact.name}")
            continue
        findings += _data_set_findings(folder / f"{DATA_SET}{number}", _as_stated(case, exact))
        findings += tolerance_findings(exact.name, deviations(*classify(exact.features), exact.exact))
    return findings


def tolerance_findings(name: str, found: Iterable[Deviation]) -> list[str]:
    """Say where the answers to a case are further off than its tolerances."""
    largest = max(one.ratio for one in found)
    return [f"the largest error of the case {name} is {largest:.3g} of its tolerance"] if largest > 1 else []


def _data_set_findings(folder: Path, case: Case) -> list[str]:
    return [
        f"{folder.name}/{name} is not what {VECTORS} states for the case {case.name}"
        for name, content in _data_set(case).items()
        if (folder / name).read_bytes() != content
    ]


def _float32_rows(rows: Any, width: int) -> NDArray[np.float32]:
    values = np.array(rows, np.float64).reshape(-1, width) if rows else np.empty((0, width))
    if values.shape != (len(rows), width) or (values.astype(np.float32) != values).any():
        raise ValueError(f"features must be rows of {width} numbers that float32 holds")
    return values.astype(np.float32)


def states_the_same(document: dict[str, Any], exact: Reference, labels: Sequence[Decision]) -> bool:
    """Tell whether a case of `vectors.json` has these answers, but for rounding in float64."""
    tolerance = exact.probabilities_bound[:, 0]
    return (
        json.dumps(document["labels"]) == json.dumps(labels)
        and _is_near(document[LOGITS], exact.logits, exact.logits_bound)
        and _is_near(document[_LOGITS_TOLERANCE], exact.logits_bound, exact.logits_bound)
        and _is_near(document[PROBABILITIES], exact.probabilities, exact.probabilities_bound)
        and _is_near(document[_PROBABILITIES_TOLERANCE], tolerance, tolerance)
    )


def _as_stated(document: dict[str, Any], case: Case) -> Case:
    """Return a case with the very numbers of `vectors.json`, of which the data sets are made."""
    shape = case.exact.logits.shape
    exact = Reference(
        np.array(document[LOGITS], np.float64).reshape(shape),
        np.array(document[PROBABILITIES], np.float64).reshape(shape),
        np.array(document[_LOGITS_TOLERANCE], np.float64).reshape(shape),
        np.array(document[_PROBABILITIES_TOLERANCE], np.float64).reshape(-1, 1),
    )
    return Case(case.name, case.features, exact, case.labels)


def _is_near(stated: Any, exact: NDArray[np.float64], tolerance: NDArray[np.float64]) -> bool:
    values = np.array(stated, np.float64)
    if values.shape != exact.shape:
        return not values.size and not exact.size
    return bool((np.abs(values - exact) <= _ROUNDING * tolerance).all())


def _answered(head: Head, form: Form, name: str, features: NDArray[np.float32]) -> Case:
    exact = refer(head, features, form)
    return Case(name, features, exact, decisions(head.class_labels, head.link, exact))


def _document(case: Case) -> dict[str, Any]:
    return {
        "name": case.name,
        FEATURES: case.features.tolist(),
        **answers_document(case.exact, case.labels),
    }


def answers_document(exact: Reference, labels: Sequence[Decision]) -> dict[str, Any]:
    """Return the answers to a case as `vectors.json` has them."""
    return {
        LOGITS: exact.logits.tolist(),
        PROBABILITIES: exact.probabilities.tolist(),
        "labels": labels,
        _LOGITS_TOLERANCE: exact.logits_bound.tolist(),
        _PROBABILITIES_TOLERANCE: exact.probabilities_bound[:, 0].tolist(),
    }


def _rows(head: Head, form: Form) -> Iterator[tuple[str, Any]]:
    """Yield name and rows of each case; scaled by powers of two, which changes no digit."""
    if scan(head.matrix, head.bias).sha256 == _ABC_SHA256:
        yield "example", _ABC_ROW
    largest = float(head.matrix.largest.max()) or 1.0
    unit = min(1.0, _power_of_two(form.largest_number / (largest * head.features)))
    ones = np.full((1, head.features), unit)
    alternating = np.where(np.arange(head.features) % 2, -ones, ones)
    yield "zeros", 0 * ones
    yield "ones", ones
    yield "signs", np.concatenate([-ones, alternating, -alternating])
    steepest = head.matrix.some(np.array([np.argmax(head.matrix.largest)]))[0].astype(np.float64)
    along = np.where(steepest < 0, -1.0, 1.0) * (
        min(_SATURATED * head.temperature, form.largest_number) / (np.abs(steepest).sum() or 1.0)
    )
    yield "large logits", np.clip(np.stack([along, -along]), -form.largest_number, form.largest_number)
    yield "denormals", np.where(alternating < 0, -_TINY, 3 * _TINY)
    yield "random", usual_rows(largest, head.features, head.temperature, _RANDOM_ROWS)
    yield "near decisions", near_decision(head, form)[:_NEAR_ROWS]
    yield "empty", np.empty((0, head.features))


def _power_of_two(value: float) -> float:
    return float(2.0 ** np.floor(np.log2(value)))


def decisions(labels: Sequence[Label], link: Link, exact: Reference) -> list[Decision]:
    """Return the label of each row; None where a tolerance may decide otherwise."""
    if link == "sigmoid":
        certain = np.abs(exact.probabilities - 0.5) > exact.probabilities_bound
        return [
            tuple(labels[int(i)] for i in np.flatnonzero(row > 0.5)) if sure.all() else None
            for row, sure in zip(exact.probabilities, certain, strict=True)
        ]
    two = np.sort(exact.logits, axis=1)[:, -2:]
    apart = two[:, 1] - two[:, 0] > 2 * exact.logits_bound.max(axis=1)
    best = exact.logits.argmax(axis=1)
    return [labels[int(i)] if sure else None for i, sure in zip(best, apart, strict=True)]
