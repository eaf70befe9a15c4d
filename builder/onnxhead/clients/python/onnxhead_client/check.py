"""Compare the answers of a bundle's model with its vectors: check [--time] [BUNDLE]."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from pathlib import Path
from typing import NoReturn

from onnxhead_client.bundle import BundleError
from onnxhead_client.classifier import Classifier
from onnxhead_client.comparison import compare
from onnxhead_client.vectors import CALLS, WARMUP, Case, make_call, read_cases, run_case


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


def check(classifier: Classifier, cases: list[Case]) -> tuple[dict[str, str], float]:
    """Run every case.

    Returns:
        For each case that failed, the first thing that is wrong; and the largest error as a fraction of its
        tolerance.
    """
    failed: dict[str, str] = {}
    errors = [0.0]
    for case in cases:
        try:
            answers = run_case(classifier, case)
        except ValueError as error:
            failed[case["name"]] = str(error)
            continue
        answered, rows = len({row for row, _ in answers}), len(case["labels"])
        if answered != rows:
            failed[case["name"]] = f"{answered} answers for {rows} rows"
            continue
        for row, prediction in answers:
            for ratio, problem in compare(prediction, case, row, classifier.link):
                errors.append(ratio)
                if problem:
                    failed.setdefault(case["name"], problem)
    return failed, max(errors, key=lambda error: math.inf if math.isnan(error) else error)


def median_seconds(classifier: Classifier, cases: list[Case]) -> float:
    """Return the median time that one row takes."""
    call, rows = make_call(classifier, cases)
    seconds = []
    for _ in range(WARMUP + CALLS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[WARMUP:]) / rows


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


if __name__ == "__main__":
    main()
