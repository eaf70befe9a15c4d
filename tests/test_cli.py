"""The command line: what each command prints, and its exit status."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import ROOT

import onnxhead
from onnxhead import cli, display, reference

ABC = ROOT / "models" / "abc.onnx"
COMMANDS = (
    "build",
    "run",
    "calibrate",
    "features",
    "attach",
    "ship",
    "explain",
    "inspect",
    "verify",
    "doctor",
)


def test_the_commands_are_these_and_have_help(command) -> None:
    assert tuple(registered.callback.__name__ for registered in cli.app.registered_commands) == COMMANDS
    assert all(registered.callback.__doc__ for registered in cli.app.registered_commands)
    overview = command("--help").stdout
    for name in COMMANDS:
        assert name in overview
        assert "--json" in command(name, "--help").stdout


def test_build_alone_does_the_right_thing_and_says_what(command, tmp_path) -> None:
    np.savez(tmp_path / "weights.npz", W=[[0.1, 2.0], [3.0, 4.0]], b=[0.0, 1.0], labels=["no", "yes"])
    lines = dict(
        re.split(r"  +", line, maxsplit=1) for line in command("build", "weights.npz").stdout.splitlines()
    )
    content = (tmp_path / "models" / "weights.onnx").read_bytes()
    assert lines["source"] == "weights.npz: W (2, 2) float64, b (2,) float64"
    assert lines["head"] == "2 classes x 2 features, float32"
    assert lines["rounding"] == "1.5e-09 at most"
    assert lines["labels"] == "no, yes"
    assert lines["link"] == "softmax"
    assert re.fullmatch(
        r"against float64: logits \S+ \(bound \S+\), probabilities \S+ \(bound \S+\), on 32 rows",
        lines["largest error"],
    )
    assert lines["file"] == f"models/weights.onnx ({len(content):,} bytes)"
    assert lines["sha256"] == onnxhead.model.open_model(tmp_path / "models" / "weights.onnx").sha256


def test_build_passes_every_option_on(command, tmp_path) -> None:
    arrays = {"a.W": np.arange(6.0).reshape(3, 2), "c": np.zeros(2), "d.weight": np.eye(2)}
    np.savez(tmp_path / "w.npz", **arrays)
    (tmp_path / "labels.json").write_text('["x", 5]')
    options = ("--weight-key", "a.W", "--bias-key", "c", "--layout", "features-first", "--link", "ovr")
    command(
        "build", "w.npz", *options, "--temperature", 1.5, "--labels-file", "labels.json", "-o", "out/h.onnx"
    )
    head = onnxhead.read(tmp_path / "out" / "h.onnx")
    assert head.weight.tolist() == [[0, 2, 4], [1, 3, 5]]
    assert (head.labels, head.link, head.temperature) == (("x", 5), "ovr", 1.5)


def test_build_from_two_npy_files_without_a_bias_and_with_labels(command, tmp_path) -> None:
    np.save(tmp_path / "w.npy", np.eye(2))
    np.save(tmp_path / "b.npy", np.ones(2))
    report = json.loads(command("build", "w.npy", "b.npy", "--labels", "0, 1", "--json").stdout)
    assert (report["path"], report["labels"], report["classes"]) == ("models/w.onnx", [0, 1], 2)
    command("build", "w.npy", "--no-bias", "-o", "n.onnx")
    assert onnxhead.read(tmp_path / "n.onnx").bias.tolist() == [0, 0]


def test_run_shows_one_row_with_a_bar_per_class(command) -> None:
    done = command("run", ABC, "[0.5, 0.8, 1.2]")
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        "logits         [0.5, 0.34, 2.41]",
        "probabilities  [0.116, 0.099, 0.785]",
        "decision       C",
    ]
    assert [line.split()[:2] for line in lines[4:]] == [["A", "0.116"], ["B", "0.099"], ["C", "0.785"]]
    bars = [line.count("█") for line in lines[4:]]
    assert bars == [4, 3, 31] or bars == [4, 4, 31]
    assert done.stderr == "device: cpu\n"


def test_run_shows_a_batch_with_a_line_per_row(command, tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((25, 3)))
    lines = command("run", ABC, "x.npy").stdout.splitlines()
    assert lines[0] == "row 0: C (0.437)"
    assert lines[20] == "... and 5 more rows: -o FILE keeps them all"
    assert command("run", ABC, "x.npy", "--top", 2).stdout.splitlines()[0] == "row 0: C (0.437), A (0.324)"


def test_run_shows_the_most_probable_of_many_classes(command, tmp_path) -> None:
    onnxhead.save(onnxhead.Head(np.eye(50), np.zeros(50)), tmp_path / "many.onnx")
    lines = command("run", "many.onnx", json.dumps([0.0] * 49 + [3.0])).stdout.splitlines()
    assert lines[0] == "decision       49"
    assert len(lines) == 12


@pytest.mark.parametrize("features", ["-", "x.json", "x.csv", "x.npz", "[[0.5, 0.8, 1.2], [0, 0, 0]]"])
def test_run_reads_features_from_anywhere(command, tmp_path, features) -> None:
    rows = [[0.5, 0.8, 1.2], [0, 0, 0]]
    (tmp_path / "x.json").write_text(json.dumps({"features": rows}))
    (tmp_path / "x.csv").write_text("f0,f1,f2\n0.5,0.8,1.2\n0,0,0\n")
    np.savez(tmp_path / "x.npz", features=rows, other=[1])
    answer = json.loads(command("run", ABC, features, "--json", stdin=json.dumps(rows)).stdout)
    assert answer["labels"] == ["C", "C"]
    assert np.float32(answer["logits"]).tolist() == onnxhead.load(ABC)(rows).logits.tolist()


def test_run_writes_all_rows(command, tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(30, 3)))
    expected = onnxhead.load(ABC)(np.load(tmp_path / "x.npy"))
    done = command("run", ABC, "x.npy", "-o", "out.npz")
    assert done.stdout == ""
    assert done.stderr == "device: cpu\nwrote 30 rows to out.npz: label, probability, logits, probabilities\n"
    with np.load(tmp_path / "out.npz", allow_pickle=False) as written:
        assert np.array_equal(written["logits"], expected.logits)
        assert written["label"].tolist() == expected.labels
    document = json.loads(command("run", ABC, "x.npy", "-o", "out.npz", "--json").stdout)
    assert (document["rows"], document["output"], document["bad_rows"]) == (30, "out.npz", 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npz", "x.npy"]


def test_run_reports_rows_without_an_answer_and_exits_with_1(command) -> None:
    done = command("run", ABC, "[[1, 2, 3], [1, NaN, 3]]", "--json", status=1)
    assert json.loads(done.stdout)["labels"] == ["C", None]
    assert json.loads(done.stdout)["logits"][1] == [None, None, None]
    assert "without an answer, as a feature is NaN or a logit overflows: rows 1" in done.stderr
    assert "row 1: undefined" in command("run", ABC, "[[1, 2, 3], [1, NaN, 3]]", status=1).stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,2\n1,2,3\n", "x.csv: the first line is 0, 1, 2, ...: is it a header? Give the columns names"),
        ("", "x.csv must hold rows of features, it holds none"),
        ("a,b,c\n", "row 0, counted from 0, is not: it has 'a' in column 0 instead of a number"),
        ("1,2,3\n1,,3\n", "row 1, counted from 0, is not: it has '' in column 1 instead of a number"),
        ("1,2,3\n1,2\n", "row 1, counted from 0, is not: it has 2 columns instead of 3"),
        (
            "1;2;3\n4;5;6\n",
            "x.csv must have 3 columns of features, it has 1: 1;2;3; write a file with the features alone",
        ),
    ],
)
def test_tables_that_are_not_features_are_refused(command, tmp_path, text, message) -> None:
    (tmp_path / "x.csv").write_text(text)
    assert message in command("run", ABC, "x.csv", status=2).stderr


def test_json_has_the_most_probable_classes_when_asked(command) -> None:
    document = json.loads(command("run", ABC, "[0.5, 0.8, 1.2]", "--top", 2, "--json").stdout)
    assert [label for label, _ in document["top"][0]] == ["C", "A"]


def test_a_full_standard_output_is_a_message() -> None:
    program = Path(sys.executable).with_name("onnxhead")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([program, "inspect", ABC], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: standard output must be writable: No space left on device\n"


def test_a_terminal_without_bars_still_gets_the_numbers() -> None:
    program = Path(sys.executable).with_name("onnxhead")
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([program, "run", ABC, "[1, 2, 3]"], env=environment, capture_output=True)
    assert done.returncode == 0
    assert b"decision       C" in done.stdout


def test_the_version_is_that_of_the_package(command) -> None:
    assert command("--version").stdout == f"onnxhead {importlib.metadata.version('onnxhead')}\n"


def test_run_never_answers_for_cuda_on_the_cpu(command) -> None:
    if "CUDAExecutionProvider" in __import__("onnxruntime").get_available_providers():
        pytest.skip("this onnxruntime is a CUDA build: tests/cuda and tests/compat check it")
    done = command("run", ABC, "[1, 2, 3]", "--device", "cuda", status=2)
    assert done.stdout == ""
    assert 'pip install "onnxhead[gpu]"' in done.stderr


def test_explain_prints_terms_that_add_up_to_the_logit(command) -> None:
    output = command("explain", ABC, "[[9, 9, 9], [0.5, 0.8, 1.2]]", "--row", 1).stdout
    assert "  W[1] f[1] = -1 * 0.8                  -0.800\n" in output
    assert "A      0.500   1.649          0.116\n" in output
    assert "sum           14.188\n" in output
    assert output.endswith("decision: C\n")
    for block in output.split("\n\n")[1:4]:
        numbers = [float(line.split()[-1]) for line in block.splitlines()[1:]]
        *terms, total, bias, logit = numbers
        assert sum(terms) == pytest.approx(total, abs=1e-9)
        assert total + bias == pytest.approx(logit, abs=1e-9)


def test_explain_sums_up_what_it_does_not_list(command, tmp_path) -> None:
    random = np.random.default_rng(0)
    np.savez(tmp_path / "w.npz", W=random.normal(size=(30, 200)), b=random.normal(size=30))
    np.save(tmp_path / "x.npy", random.normal(size=200))
    output = command("explain", "w.npz", "x.npy", "--terms", 3, "--classes", 2).stdout
    assert output.count("  197 smaller products") == 2
    assert "not listed: 28 less probable classes" in output
    assert "28 more" in output


def test_inspect_says_what_is_in_the_file(command) -> None:
    output = command("inspect", ABC).stdout
    for line in (
        "inputs          features float32 [batch, 3]",
        "outputs         logits float32 [batch, 3]; probabilities float32 [batch, 3]",
        "opset           13, IR version 7",
        "labels          A, B, C",
        "link            softmax",
        "loads in        onnxruntime 1.6 or newer",
    ):
        assert line in output


def test_verify_finds_a_changed_file_and_exits_with_1(command, tmp_path) -> None:
    assert f"{ABC}: weights, graph and answers are as they were built" in command("verify", ABC).stdout
    content = bytearray(ABC.read_bytes())
    content[content.index(np.float32([1.0, -1.0, 0.5]).tobytes())] ^= 1
    (tmp_path / "changed.onnx").write_bytes(content)
    assert "FOUND: the SHA-256 of weight and bias is" in command("verify", "changed.onnx", status=1).stdout
    assert len(json.loads(command("verify", "changed.onnx", "--json", status=1).stdout)["findings"]) == 1


def test_doctor_tries_every_device(command) -> None:
    document = json.loads(command("doctor", "--json").stdout)
    assert [device["name"] for device in document["devices"]] == ["cpu", "cuda"]
    assert document["devices"][0]["problem"] is None
    assert "starts and answers" in command("doctor").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["build", "none.npz"], "error: a source must be a file, there is none at none.npz"),
        (["build", "weights.json", "--labels", "a"], "error: weights.json: labels must be one per class"),
        (
            ["build", "weights.json", "--labels", "a,b", "--labels-file", "x"],
            "--labels or --labels-file, got",
        ),
        (["build", "weights.json", "-o", "out.bin"], "error: a model's file name must end in .onnx"),
        (["build", "weights.json", "weights.json", "weights.json"], "error: a source must be a file, a pair"),
        (["build", "weights.json", "--link", "x"], "link must be one of softmax, sigmoid, ovr, got 'x'"),
        (["build", "weights.json", "--temperature", "0"], "temperature must be positive and finite"),
        (
            ["run", "none.onnx", "[1]"],
            "error: a model must be a readable .onnx file, none.onnx is not: No such",
        ),
        (["run", str(ABC), "none.npy"], "there is no file none.npy"),
        (
            ["run", str(ABC), "[1, 2"],
            "error: features must be a JSON array of numbers, the inline array is not",
        ),
        (
            ["run", str(ABC), "[1, 2]"],
            "error: features must be (3,) or (batch, 3) for this model, got shape (2,)",
        ),
        (
            ["run", str(ABC), "[1, 2, 3]", "-o", "out.txt"],
            "predictions are written to a file in .parquet, .arrow, .npz, .npy, .csv, .jsonl, got out.txt",
        ),
        (
            ["run", str(ABC), "[1, 2, 3]", "-o", "weights.json/out.npz"],
            "weights.json/out.npz was not written",
        ),
        (
            ["run", str(ABC), '{"rows": 1}'],
            'or one under "features" in an object, the inline array is a dict',
        ),
        (["run", str(ABC), "[[1, 2, 3], [1, 2]]"], "got rows of different lengths: row 1 has 2, row 0 has 3"),
        (
            ["run", str(ABC), "weights.json"],
            'features must be a JSON array of numbers, or one under "features" in an object, weights.json is',
        ),
        (
            ["run", str(ABC), "[1, 2, 3]", "--device", "tpu"],
            "device must be auto, cpu, cuda or cuda:N, got 'tpu'",
        ),
        (
            ["explain", str(ABC), "[1, 2, 3]", "--row", "1"],
            "--row must be one of the rows of features, got 1 for shape (1, 3), dtype float32",
        ),
        (
            ["explain", str(ABC), "[1, 2]"],
            "features must be (3,) or (batch, 3) for this model, got shape (2,)",
        ),
        (
            ["inspect", "weights.json"],
            "error: a model must be an ONNX file, weights.json is none, or cut short",
        ),
        (
            ["verify", "."],
            "error: a folder to verify must be what onnxhead ship writes, . has no bundle/head.json",
        ),
        (["run", str(ABC)], "Missing argument"),
        (["run", str(ABC), "[1, 2, 3]", "--top", "0"], "--top"),
        (["conquer"], "No such command 'conquer'"),
    ],
)
def test_a_mistake_is_a_message_and_status_2(command, weights_json, tmp_path, arguments, message) -> None:
    done = command(*arguments, status=2)
    assert message in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == [weights_json.name], "nothing is written"


def test_wrong_numbers_exit_with_1(monkeypatch, weights_json, capsys) -> None:
    monkeypatch.setitem(reference._ROUNDINGS, "float32", 2.0**-60)
    monkeypatch.setattr(reference, "_UNIT_ROUNDOFF", 2.0**-60)
    monkeypatch.setattr(
        sys, "argv", ["onnxhead", "build", str(weights_json), "-o", str(weights_json.parent / "h.onnx")]
    )
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    assert exit_info.value.code == 1
    assert "must be within rounding of float64" in capsys.readouterr().err


def test_labels_cannot_rewrite_the_terminal(command, tmp_path) -> None:
    evil = "\x1b[2Jgone\u202e"
    onnxhead.save(
        onnxhead.Head(np.eye(2), np.zeros(2), labels=[evil, "[red]ok[/red]"]), tmp_path / "evil.onnx"
    )
    for arguments in (
        ["run", "evil.onnx", "[1, 0]"],
        ["inspect", "evil.onnx"],
        ["explain", "evil.onnx", "[1, 0]"],
    ):
        output = command(*arguments).stdout
        assert "\\x1b[2Jgone\\u202e" in output
        assert "[red]ok[/red]" in output
        assert "\x1b" not in output


def test_labels_of_every_script_are_shown_as_they_are(command, tmp_path) -> None:
    labels = ["Katze", "Hündin", "猫", "🦉"]
    onnxhead.save(onnxhead.Head(np.eye(4), np.zeros(4), labels=labels), tmp_path / "labels.onnx")
    output = command("run", "labels.onnx", "[0, 0, 9, 0]").stdout
    assert "decision       猫" in output
    assert json.loads(command("run", "labels.onnx", "[0, 0, 0, 9]", "--json").stdout)["labels"] == ["🦉"]


def test_a_file_of_others_runs_and_is_inspected(command, tmp_path) -> None:
    from test_classifier import compose_by_hand

    compose_by_hand(tmp_path / "other.onnx")
    assert "decision       1" in command("run", "other.onnx", "[1, 1]").stdout
    assert "link            not stated" in command("inspect", "other.onnx").stdout
    assert "onnxhead.format" in command("verify", "other.onnx", status=2).stderr


def test_numbers_are_short() -> None:
    assert [display.decimal(value) for value in (0.0, -0.0, 1.0, -2.5, 0.12345, 4e-9, float("inf"))] == [
        "0",
        "0",
        "1",
        "-2.5",
        "0.123",
        "4.00e-09",
        "inf",
    ]


def test_a_model_from_onnx_alone_is_not_touched(command, tmp_path) -> None:
    """`build` of an .onnx that onnxhead built gives the same bytes under another name."""
    command("build", ABC, "-o", "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == ABC.read_bytes()
    assert onnx.load(tmp_path / "again.onnx").producer_name == "onnxhead"
