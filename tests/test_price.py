"""What another precision costs, and the command that refuses too high a price."""

import json
import re
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import onnxhead
from onnxhead import precision
from onnxhead.check import Answers, open_answers
from onnxhead.cli.building import _price
from onnxhead.form import Form
from onnxhead.model import open_model
from onnxhead.precision import price
from onnxhead_runtime.errors import FeaturesError, HeadError, WriteError

ROWS = np.random.default_rng(3).standard_normal((50, 20), np.float32)


@pytest.fixture
def head(random_head) -> onnxhead.Head:
    return random_head(classes=30, features=20)


@pytest.mark.parametrize(
    "form", [Form(weights="float16"), Form(weights="bfloat16"), Form(weights="int8")], ids=str
)
@pytest.mark.parametrize("block", [1, 10**6])
def test_the_price_is_what_the_answers_differ_by(form, block, head, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(precision, "_ANSWERS", block)
    found = price(head, form, ROWS, tmp_path)
    assert list(tmp_path.iterdir()) == [], "both files are removed"
    reports = [
        onnxhead.save(head, tmp_path / "a.onnx"),
        onnxhead.save(head, tmp_path / "b.onnx", form=form),
    ]
    old, new = (onnxhead.load(report.path, device="cpu")(ROWS) for report in reports)
    logits, probabilities = np.abs(old.logits - new.logits), np.abs(old.probabilities - new.probabilities)
    assert found.largest_logit == pytest.approx(logits.max(), rel=1e-3)
    assert found.mean_logit == pytest.approx(logits.mean(), rel=1e-3)
    assert found.largest_probability == pytest.approx(probabilities.max(), rel=1e-3)
    assert found.mean_probability == pytest.approx(probabilities.mean(), rel=1e-3)
    assert found.flips == np.mean(np.array(old.labels) != np.array(new.labels))
    assert (found.float32_bytes, found.size_bytes) == tuple(report.size_bytes for report in reports)
    assert 0.05 < found.speed < 20


def test_float32_is_priced_without_the_outputs_of_the_form(head, tmp_path) -> None:
    found = price(head, Form(weights="float16", top_k=3), ROWS, tmp_path)
    assert found.float32_bytes == onnxhead.save(head, tmp_path / "head.onnx").size_bytes


def test_the_speed_is_how_many_times_as_fast_the_form_is(head, tmp_path, monkeypatch) -> None:
    seconds = {}

    def open_timed(path: Path, form: Form) -> Answers:
        answers = open_answers(path, form)
        seconds[answers] = 6.0 if form.weights == "float32" else 1.5
        return answers

    monkeypatch.setattr(precision, "open_answers", open_timed)
    monkeypatch.setattr(precision, "_seconds", lambda answers, _, count: count * seconds[answers])
    assert price(head, Form(weights="int8"), ROWS, tmp_path).speed == 4


@pytest.mark.parametrize("rows", [None, "rows.npy"])
def test_both_models_are_written_where_the_one_will_be(rows, head, tmp_path, monkeypatch) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    parents, make = [], precision.scratch
    monkeypatch.setattr(
        precision, "scratch", lambda parent, purpose: parents.append(parent) or make(parent, purpose)
    )
    monkeypatch.chdir(tmp_path)
    _price(head, Form(weights="int8"), tmp_path / "new" / "deep" / "head.onnx", rows)
    assert parents == [tmp_path]


@pytest.mark.parametrize(("kind", "dtype"), [("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16)])
def test_what_a_gpu_rounds_is_counted(kind, dtype, head, tmp_path) -> None:
    found = price(head, Form(compute=kind), ROWS, tmp_path)
    rows, weight, bias = (part.astype(dtype).astype(np.float64) for part in (ROWS, head.weight, head.bias))
    logits = (rows @ weight.T + bias).astype(dtype).astype(np.float64)
    exact = ROWS.astype(np.float64) @ head.weight.T + head.bias
    assert found.largest_logit == pytest.approx(np.abs(logits - exact).max(), rel=0.05)
    assert found.speed is None


def test_flips_are_rows_whose_label_changes(tmp_path) -> None:
    head = onnxhead.Head([[1.0035], [1.003]], np.zeros(2))  # both are 1 in bfloat16
    rows = np.array([[1.0], [2.0], [-1.0], [0.0]], np.float32)
    assert price(head, Form(weights="bfloat16"), rows, tmp_path).flips == 0.25
    independent = onnxhead.Head([[1.0, 0.003], [1.0, 1.0]], [-1.002, 5.0], link="sigmoid")
    rows = np.array([[1.0, 1.0], [0.0, 0.0]], np.float32)
    assert price(independent, Form(weights="int8"), rows, tmp_path).flips == 0.5


def test_without_rows_there_are_random_ones(head, tmp_path) -> None:
    assert price(head, Form(weights="int8"), folder=tmp_path).rows == 1000
    with pytest.raises(FeaturesError, match="rows to compare on must be at least one, got none"):
        price(head, Form(weights="int8"), ROWS[:0], tmp_path)


def test_random_rows_are_of_the_scale_of_the_temperature(head, tmp_path) -> None:
    heads = [onnxhead.Head(head.weight, t * head.bias, temperature=t) for t in (1.0, 1024.0)]
    one, other = (price(each, Form(weights="float16"), folder=tmp_path) for each in heads)
    assert other.mean_probability == pytest.approx(one.mean_probability, rel=1e-3)
    assert other.mean_logit == pytest.approx(1024 * one.mean_logit, rel=1e-3)


def test_a_head_that_does_not_fit_leaves_nothing(tmp_path) -> None:
    with pytest.raises(HeadError, match="weight must fit float16"):
        price(onnxhead.Head(np.full((2, 2), 1e5), np.zeros(2)), Form(weights="float16"), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0], [np.nan]], "rows to compare on must be finite, row 1, counted from 0, has NaN or infinity"),
        ([[3e38]], "rows to compare on must have answers, in float32 logits overflow"),
        ([[60000.0]], "in float16, computed in float16 logits overflow: .* such as bfloat16"),
    ],
)
def test_rows_without_an_answer_have_no_price(rows, message, tmp_path) -> None:
    head = onnxhead.Head([[100.0], [1.0]], np.zeros(2))
    with pytest.raises(FeaturesError, match=message):
        price(head, Form(compute="float16"), np.array(rows, np.float32), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_room_is_named(head, tmp_path) -> None:
    with pytest.raises(WriteError, match="must be writable and have room for them: No such file"):
        price(head, Form(weights="int8"), ROWS, tmp_path / "none")


@pytest.fixture
def source(head, tmp_path) -> None:
    np.savez(tmp_path / "head.npz", weight=head.weight, bias=head.bias)
    np.save(tmp_path / "rows.npy", ROWS)


@pytest.mark.usefixtures("source")
def test_the_command_prints_the_price_first(command, tmp_path) -> None:
    lines = command("build", "head.npz", "-o", "head.onnx", "--weights", "int8").stdout.splitlines()
    assert lines[0] == "precision      int8"
    assert (
        lines[1]
        == "compared       with float32 on 1,000 random rows, which say little of yours: give some with --rows"
    )
    assert re.fullmatch(r"logits         changed by \S+ at most, \S+ on average", lines[2])
    assert re.fullmatch(r"probabilities  changed by \S+ at most, \S+ on average", lines[3])
    assert re.fullmatch(r"labels         \d+\.\d\d% of the rows have another", lines[4])
    assert re.fullmatch(r"size           [\d,]+ bytes, 0\.\d\d of float32", lines[5])
    assert re.fullmatch(r"speed          \d+\.\d\d times that of float32 on this CPU(, slower)?", lines[6])
    assert lines[8].startswith("source ")
    assert open_model(tmp_path / "head.onnx").form == Form(weights="int8")
    done = command("build", "head.npz", "-o", "g.onnx", "--compute", "bfloat16", "--rows", "rows.npy")
    assert "precision      bfloat16, computed in bfloat16" in done.stdout
    assert "compared       with float32 on 50 rows of rows.npy" in done.stdout
    assert "speed          not measured: it is for GPUs" in done.stdout
    done = command("build", "head.npz", "-o", "f.onnx", "--compute", "float64")
    assert "precision      float32, computed in float64" in done.stdout
    done = command("build", "head.npz", "-o", "j.onnx", "--weights", "float16", "--json")
    assert json.loads(done.stdout)["price"]["rows"] == 1000
    assert json.loads(command("build", "head.npz", "-o", "k.onnx", "--json").stdout)["price"] is None


@pytest.mark.usefixtures("source")
def test_rows_that_cannot_be_read_are_named(command, tmp_path) -> None:
    table = ",".join([*(f"f{i}" for i in range(20)), "id"]) + "\n" + ",".join(["0"] * 21)
    (tmp_path / "rows.csv").write_text(table)
    done = command("build", "head.npz", "--weights", "int8", "--rows", "rows.csv", status=2)
    assert "--rows rows.csv: rows.csv must have 20 columns of features, it has 21: f0, " in done.stderr
    assert "; write a file with the features alone" in done.stderr
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({f"f{i}": [0.0] for i in range(21)}), tmp_path / "rows.parquet")
    done = command("build", "head.npz", "--weights", "int8", "--rows", "rows.parquet", status=2)
    assert "left are 21: write a file with the features alone" in done.stderr


@pytest.mark.usefixtures("source")
def test_too_high_a_price_is_refused_before_anything_is_written(command, tmp_path) -> None:
    before = sorted(tmp_path.iterdir())
    arguments = ("build", "head.npz", "-o", "new/head.onnx", "--weights", "int8", "--rows", "rows.npy")
    for share in ("-0.1", "1.5", "nan"):
        done = command(*arguments, "--max-flips", share, status=2)
        assert f"--max-flips must be a share of the rows, from 0 to 1, got {share}" in done.stderr
    np.savez(tmp_path / "head.npz", weight=[[1.0035], [1.003]], bias=np.zeros(2))
    np.save(tmp_path / "rows.npy", [[1.0], [2.0], [-1.0], [0.0]])
    arguments = ("build", "head.npz", "-o", "new/head.onnx", "--weights", "bfloat16", "--rows", "rows.npy")
    before = sorted(tmp_path.iterdir())
    done = command(*arguments, "--max-flips", "0.2", status=1)
    assert "labels         25.00% of the rows have another" in done.stdout
    assert "at most 0.2 of the rows may change their label (--max-flips), 0.25 of 4 rows do" in done.stderr
    assert sorted(tmp_path.iterdir()) == before
    command(*arguments, "--max-flips", "0.25")
    assert (tmp_path / "new" / "head.onnx").exists()
    done = command(*arguments[:-2], "--max-flips", "0.1", status=2)
    assert "--max-flips must be judged on rows as the head will get" in done.stderr
    done = command("build", "head.npz", "--rows", "rows.npy", status=2)
    assert "--rows and --max-flips are for another precision than float32" in done.stderr
    done = command("build", "head.npz", "-o", "a.txt", "--weights", "int8", status=2)
    assert (done.stdout, "must end in .onnx, got a.txt" in done.stderr) == ("", True), (
        "no price is worked out"
    )
    done = command("build", "head.npz", "--weights", "int4", status=2)
    assert "weights must be one of float32, float16, bfloat16, int8, got 'int4'" in done.stderr
