"""Compare the answers of a bundle's model with its vectors: check [--time] [BUNDLE]."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from onnxhead_client.bundle import BundleError, malformed, read_object
from onnxhead_client.classifier import Classifier, Prediction

_WARMUP, _CALLS = 200, 2000


def main() -> None:
    """Run the program."""
    arguments = _parse_arguments()
    folder = arguments.bundle
    try:
        classifier = Classifier(folder)
        cases = read_cases(folder, classifier)
    except BundleError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    if arguments.time:
        print(f"one row: {median_seconds(classifier, cases) * 1e6:.2f} us")
        return
    failed, largest = check(classifier, cases)
    for name, reason in failed.items():
        print(f"FAILED {name}: {reason}")
    print(f"largest error: {largest:.3g} of its tolerance")
    print(f"{len(cases) - len(failed)} passed, {len(failed)} failed")
    sys.exit(1 if failed else 0)


def read_cases(folder: Path, classifier: Classifier) -> list[dict[str, Any]]:
    """Read the cases of a bundle.

    Raises:
        BundleError: `vectors.json` is missing, malformed, or that of another head.
    """
    path = folder / "vectors.json"
    cases: list[dict[str, Any]] = read_object(path).get("cases", [])
    if not cases:
        raise malformed(path, "it has no cases")
    try:
        fit = all(_fits(case, classifier) for case in cases)
    except (KeyError, TypeError) as cause:
        raise malformed(path, f"a case is malformed: {cause!r}") from cause
    if not fit:
        raise malformed(path, "a case has rows of another width")
    return cases


def check(classifier: Classifier, cases: list[dict[str, Any]]) -> tuple[dict[str, str], float]:
    """Run every case as a batch, and its first row alone.

    Returns:
        For each case that failed, the first thing that is wrong; and the largest error as a fraction of its
        tolerance.
    """
    failed: dict[str, str] = {}
    errors = [0.0]
    for case in cases:
        predictions = classifier.classify_batch(case["features"])
        if len(predictions) != len(case["features"]):
            failed[case["name"]] = f"{len(predictions)} answers for {len(case['features'])} rows"
            continue
        answers = list(enumerate(predictions))
        if predictions:
            answers.append((0, classifier.classify(case["features"][0])))
        for row, prediction in answers:
            for ratio, problem in _compare(prediction, case, row, classifier.link):
                errors.append(ratio)
                if problem:
                    failed.setdefault(case["name"], problem)
    return failed, max(errors, key=lambda error: math.inf if math.isnan(error) else error)


def median_seconds(classifier: Classifier, cases: list[dict[str, Any]]) -> float:
    """Return the median time of a call that classifies one row."""
    row = np.array(next(case["features"][0] for case in cases if case["features"]), np.float32)
    seconds = []
    for _ in range(_WARMUP + _CALLS):
        start = time.perf_counter()
        classifier.classify(row)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[_WARMUP:])


class _Parser(argparse.ArgumentParser):
    """Refuses what it does not know in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, self.format_usage())


def _parse_arguments() -> argparse.Namespace:
    parser = _Parser(
        usage="check [--time] [BUNDLE]",
        description="Compare the answers of a bundle's model with its vectors.",
        allow_abbrev=False,
    )
    parser.add_argument("--time", action="store_true", help="print the time of one row instead")
    parser.add_argument("bundle", nargs="?", type=Path, default=Path("bundle"), metavar="BUNDLE")
    return parser.parse_args()


def _fits(case: dict[str, Any], classifier: Classifier) -> bool:
    """Tell whether every row has all its features and answers."""
    rows, classes = len(case["features"]), len(classifier.labels)
    widths = {"features": classifier.features} | dict.fromkeys(
        ("logits", "probabilities", "logits_tolerance"), classes
    )
    return len(case["labels"]) == len(case["probabilities_tolerance"]) == rows and all(
        len(case[key]) == rows and all(len(row) == width for row in case[key])
        for key, width in widths.items()
    )


def _compare(
    prediction: Prediction, case: dict[str, Any], row: int, link: str
) -> Iterator[tuple[float, str | None]]:
    """Yield error by tolerance, and what is wrong if it is, of everything in a prediction."""
    classes = len(prediction.labels)
    for what, got, expected, allowed in (
        ("logit", prediction.logits, case["logits"][row], case["logits_tolerance"][row]),
        (
            "probability",
            prediction.probabilities,
            case["probabilities"][row],
            [case["probabilities_tolerance"][row]] * classes,
        ),
    ):
        for i in range(classes):
            ratio = abs(float(got[i]) - expected[i]) / allowed[i]
            wrong = not ratio <= 1  # also where it is NaN
            yield (
                ratio,
                (
                    f"{what} of row {row}, class {i} is {got[i]:.6g}, expected {expected[i]:.6g} within "
                    f"{allowed[i]:.2g}"
                    if wrong
                    else None
                ),
            )
    label = prediction.above(0.5) if link == "sigmoid" else prediction.label
    expected_label = case["labels"][row]
    if expected_label is not None and label != expected_label:
        yield 0.0, f"label of row {row} is {label!r}, expected {expected_label!r}"


if __name__ == "__main__":
    main()
