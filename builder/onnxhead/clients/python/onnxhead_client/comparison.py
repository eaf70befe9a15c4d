"""An answer beside the exact one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from onnxhead_client.prediction import Prediction


def compare(
    prediction: Prediction, case: Mapping[str, Any], row: int, link: str
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


def has_answers(case: Mapping[str, Any], rows: int, classes: int) -> bool:
    """Tell whether a case of vectors.json states an answer for every row and class.

    Raises:
        KeyError: It lacks a key.
        TypeError: What it states is no array.
    """
    return len(case["labels"]) == len(case["probabilities_tolerance"]) == rows and all(
        len(case[key]) == rows and all(len(row) == classes for row in case[key])
        for key in ("logits", "probabilities", "logits_tolerance")
    )
