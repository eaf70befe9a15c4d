"""The cases of a head's vectors.json: batches of rows with their exact answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from onnxhead_client.bundle import malformed, read_object
from onnxhead_client.classifier import Classifier
from onnxhead_client.comparison import has_answers
from onnxhead_client.prediction import Prediction

Case = dict[str, Any]

WARMUP, CALLS = 200, 2000


def read_cases(folder: Path, classifier: Classifier) -> list[Case]:
    """Read the cases of a bundle.

    Raises:
        BundleError: `vectors.json` is missing, malformed, or that of another head.
    """
    path = folder / "vectors.json"
    cases: list[Case] = read_object(path).get("cases", [])
    if not cases:
        raise malformed(path, "it has no cases")
    try:
        fit = all(_fits(case, classifier) for case in cases)
    except (KeyError, TypeError) as cause:
        raise malformed(path, f"a case is malformed: {cause!r}") from cause
    if not fit:
        raise malformed(path, "a case has rows of another width")
    return cases


def run_case(classifier: Classifier, case: Case) -> list[tuple[int, Prediction]]:
    """Run a case as a batch, and its first row alone; return each answer with its row."""
    answers = list(enumerate(classifier.classify_batch(case["features"])))
    if answers:
        answers.append((0, classifier.classify(case["features"][0])))
    return answers


def make_call(classifier: Classifier, cases: list[Case]) -> tuple[Callable[[], object], int]:
    """Return a call that is worth timing, and how many rows it classifies."""
    row = np.array(next(case["features"][0] for case in cases if case["features"]), np.float32)
    return lambda: classifier.classify(row), 1


def _fits(case: Case, classifier: Classifier) -> bool:
    """Tell whether every row has all its features and answers."""
    return has_answers(case, len(case["features"]), len(classifier.labels)) and all(
        len(row) == classifier.features for row in case["features"]
    )
