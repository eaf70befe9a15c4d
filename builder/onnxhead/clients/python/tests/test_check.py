import subprocess
import sys

from conftest import BUNDLE

from onnxhead_client.check import check, median_seconds


def test_every_vector_is_within_its_tolerance(classifier, cases) -> None:
    failed, largest = check(classifier, cases)
    assert failed == {}
    assert largest <= 1


def test_a_vector_that_is_wrong_fails(classifier, cases) -> None:
    case = cases[0]
    (first, *others), *rows = case["logits"]
    wrong = first + 2 * case["logits_tolerance"][0][0]
    failed, largest = check(classifier, [{**case, "logits": [[wrong, *others], *rows]}])
    assert failed[case["name"]].startswith("logit of row 0, class 0 is")
    assert largest > 1


def test_a_case_that_is_wrong_fails_by_the_first_thing_in_it(classifier, cases) -> None:
    case, name = cases[0], cases[0]["name"]
    wrong = [[2.0] * len(classifier.labels), *case["probabilities"][1:]]
    for change, problem in (
        ({"probabilities": wrong}, "probability of row 0, class 0 is"),
        ({"labels": ["no label", *case["labels"][1:]]}, "label of row 0 is"),
        ({"labels": []}, "answers for 0 rows"),
    ):
        failed, _ = check(classifier, [{**case, **change}])
        assert problem in failed[name]


def test_a_row_is_timed(classifier, cases, monkeypatch) -> None:
    monkeypatch.setattr("onnxhead_client.check.CALLS", 3)
    assert 0 < median_seconds(classifier, cases) < 60


def test_the_program_prints_and_exits_as_specified() -> None:
    command = [sys.executable, "-m", "onnxhead_client.check"]
    done = subprocess.run([*command, str(BUNDLE)], capture_output=True, text=True, check=True)
    largest, counts = done.stdout.splitlines()
    assert largest.startswith("largest error: 0.")
    assert counts.endswith(" passed, 0 failed")
    refused = subprocess.run([*command, "--tim"], capture_output=True, text=True)
    assert (refused.returncode, refused.stderr) == (2, "usage: check [--time] [BUNDLE]\n")
