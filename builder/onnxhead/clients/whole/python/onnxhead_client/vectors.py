"""The cases of a whole model's vectors.json: batches of inputs with their answers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxhead_client.bundle import malformed, read_object, unreadable
from onnxhead_client.classifier import Classifier, InputsError
from onnxhead_client.comparison import has_answers
from onnxhead_client.prediction import Prediction

Case = dict[str, Any]

WARMUP, CALLS = 20, 200
_FILE = re.compile(r"test_data_set_\d+/\w+\.\w+", re.ASCII)


def read_cases(folder: Path, classifier: Classifier) -> list[Case]:
    """Read the cases of a bundle; the inputs of each become arrays by name.

    Raises:
        BundleError: `vectors.json` or a file that it names is missing, malformed, or that of another model.
    """
    path = folder / "vectors.json"
    cases: list[Case] = read_object(path).get("cases", [])
    if not cases:
        raise malformed(path, "it has no cases")
    return [_read_case(case, path, classifier) for case in cases]


def run_case(classifier: Classifier, case: Case) -> list[tuple[int, Prediction]]:
    """Run a case; return each answer with its row."""
    return list(enumerate(classifier(case["inputs"])))


def make_call(classifier: Classifier, cases: list[Case]) -> tuple[Callable[[], object], int]:
    """Return a call that is worth timing, of the case with the fewest rows, and how many it has."""
    case = min(cases, key=lambda case: len(case["labels"]))
    return lambda: classifier(case["inputs"]), len(case["labels"])


def _read_case(case: Case, path: Path, classifier: Classifier) -> Case:
    try:
        inputs = {one["name"]: _read_array(one, path) for one in case["inputs"]}
        whole = case["labels"] and has_answers(case, len(case["labels"]), len(classifier.labels))
        classifier.to_feeds(inputs)
    except (KeyError, TypeError) as cause:
        raise malformed(path, f"a case is malformed: {cause!r}") from cause
    except InputsError as cause:
        raise malformed(path, f"a case has the inputs of another model: {cause}") from cause
    if not whole:
        raise malformed(path, "a case has no rows, or not an answer for each class")
    return {**case, "inputs": inputs}


def _read_array(one: dict[str, Any], path: Path) -> npt.NDArray[Any]:
    """Read an input from the file that is stated for it."""
    name, shape = one["file"], one["shape"]
    if not _FILE.fullmatch(name):
        raise malformed(path, f"the file of an input is in a test_data_set, {name!r} is not")
    dtype = np.dtype(one["dtype"]).newbyteorder("<")
    try:
        content = (path.parent / name).read_bytes()
    except OSError as cause:
        raise unreadable(path.parent / name, cause) from cause
    if len(content) != dtype.itemsize * math.prod(shape):
        raise malformed(path.parent / name, f"{one['dtype']} {shape} has not {len(content)} bytes")
    return np.frombuffer(content, dtype).reshape(shape).astype(one["dtype"])
