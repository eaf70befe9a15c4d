"""Files of rows to files of answers: every format, bad rows, and runs that end in the middle."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow
import pytest
from conftest import ROOT
from pyarrow import feather, ipc, parquet
from safetensors.numpy import save_file

import onnxhead
from onnxhead_runtime import run
from onnxhead_runtime.answers import thrift
from onnxhead_runtime.errors import FeaturesError, ModelError, WriteError
from onnxhead_runtime.journal import Journal
from onnxhead_runtime.pipeline import Ahead, in_order
from onnxhead_runtime.prediction import top_classes
from onnxhead_runtime.rows import Selection, open_rows
from onnxhead_runtime.scoring import score

ROWS = np.random.default_rng(0).normal(size=(101, 5)).astype(np.float32)
IDS = [f"row {i}" for i in range(101)]
NUMBERS = np.arange(101) * 3
LABELS = ("ja", "nein", "ä", "")


@pytest.fixture
def small_blocks(monkeypatch) -> None:
    """Blocks of 16 rows, committed by 48."""
    monkeypatch.setattr(run, "_MOST_ROWS", 16)
    monkeypatch.setattr(run, "_FEWEST_ROWS", 16)
    monkeypatch.setattr(run, "_COMMIT_ROWS", 48)


@pytest.fixture
def model(random_head, tmp_path) -> onnxhead.Classifier:
    onnxhead.save(random_head(labels=LABELS), tmp_path / "model.onnx")
    return onnxhead.load(tmp_path / "model.onnx", device="cpu")


def lists(rows: np.ndarray, fixed: bool = True) -> pyarrow.Array:
    if fixed:
        return pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(rows.ravel()), rows.shape[1])
    return pyarrow.array(rows.tolist(), pyarrow.list_(pyarrow.float32()))


def table(fixed: bool = True) -> pyarrow.Table:
    return pyarrow.table({"id": IDS, "number": NUMBERS, "embedding": lists(ROWS, fixed)})


def wide_table() -> pyarrow.Table:
    columns = {f"f{i}": ROWS[:, i].astype(np.float64) for i in range(5)}
    return pyarrow.table({"id": IDS, **columns, "number": NUMBERS})


def write_stream(path: Path) -> None:
    with ipc.new_stream(str(path), table().schema) as stream:
        stream.write_table(table(), max_chunksize=30)


def write_jsonl(path: Path, document) -> None:
    path.write_text("".join(json.dumps(document(i)) + "\n" for i in range(101)))


def write_csv(path: Path, names: list[str], columns: list) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([names, *zip(*columns, strict=True)])


SOURCES = {
    "rows.npy": lambda path: np.save(path, ROWS),
    "fortran.npy": lambda path: np.save(path, np.asfortranarray(ROWS)),
    "float64.npy": lambda path: np.save(path, ROWS.astype(np.float64)),
    "stored.npz": lambda path: np.savez(path, number=NUMBERS, features=ROWS),
    "deflated.npz": lambda path: np.savez_compressed(path, number=NUMBERS, features=ROWS),
    "rows.safetensors": lambda path: save_file({"features": ROWS, "number": NUMBERS}, path),
    "fixed.parquet": lambda path: parquet.write_table(table(), path, row_group_size=37),
    "lists.parquet": lambda path: parquet.write_table(table(False), path),
    "wide.parquet": lambda path: parquet.write_table(wide_table(), path, row_group_size=10),
    "rows.arrow": lambda path: feather.write_feather(table(), path, compression="uncompressed", chunksize=30),
    "lz4.arrow": lambda path: feather.write_feather(table(), path, compression="lz4"),
    "stream.arrow": write_stream,
    "rows.csv": lambda path: write_csv(
        path, ["id", *"abcde", "number"], [IDS, *ROWS.astype(np.float64).T.tolist(), NUMBERS]
    ),
    "arrays.jsonl": lambda path: write_jsonl(path, lambda i: ROWS[i].tolist()),
    "objects.jsonl": lambda path: write_jsonl(
        path, lambda i: {"id": IDS[i], "features": ROWS[i].tolist(), "number": int(NUMBERS[i])}
    ),
    "wide.jsonl": lambda path: write_jsonl(
        path, lambda i: {"id": IDS[i], **{f"f{j}": float(ROWS[i, j]) for j in range(5)}, "number": 3 * i}
    ),
    "rows.json": lambda path: path.write_text(json.dumps(ROWS.tolist())),
}
NAMED = [name for name in SOURCES if not name.endswith(("npy", "json")) and name != "arrays.jsonl"]
KEPT = {name: ["number"] if name.endswith(("npz", "safetensors")) else ["id", "number"] for name in NAMED}


def read_answers(path: Path) -> dict[str, list]:
    """Read what was written as lists per column."""
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pydict()
    if path.suffix == ".arrow":
        return ipc.open_file(str(path)).read_all().to_pydict()
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: arrays[name].tolist() for name in arrays}
    if path.suffix == ".jsonl":
        documents = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        return {name: [document[name] for document in documents] for name in documents[0]}
    with path.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    return dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", SOURCES)
def test_every_format_is_read(name, model, tmp_path) -> None:
    SOURCES[name](tmp_path / name)
    kept = KEPT.get(name, [])
    report = score(model, tmp_path / name, tmp_path / "out.parquet", keep=kept)
    written, expected = read_answers(tmp_path / "out.parquet"), model(ROWS)
    assert report.columns == (*kept, "label", "probability", "logits", "probabilities")
    assert (report.rows, report.resumed_rows, report.bad_rows, report.device) == (101, 0, 0, "cpu")
    assert list(written) == list(report.columns)
    labels = parquet.read_schema(tmp_path / "out.parquet").metadata[b"onnxhead.labels"]
    assert json.loads(labels) == list(LABELS)
    assert np.allclose(written["logits"], expected.logits, atol=1e-5)
    assert np.allclose(written["probabilities"], expected.probabilities, atol=1e-6)
    assert written["label"] == expected.labels
    assert np.allclose(written["probability"], expected.probabilities.max(axis=1), atol=1e-6)
    if "id" in kept:
        assert written["id"] == IDS
    if kept:
        assert [int(number) for number in written["number"]] == NUMBERS.tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "model.onnx", "out.parquet"])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".npz", ".csv", ".jsonl"])
@pytest.mark.parametrize("kept", [[], ["number"]])
def test_every_format_is_written(suffix, kept, model, tmp_path) -> None:
    SOURCES["fixed.parquet"](tmp_path / "in.parquet")
    path = tmp_path / f"new/folder/out{suffix}"
    columns = ["label", "probability", "logits", "probabilities", "top"]
    score(model, tmp_path / "in.parquet", path, keep=kept, columns=columns, top=2)
    written, expected = read_answers(path), model(ROWS)
    assert written["label"] == expected.labels
    if kept:
        assert [int(number) for number in written["number"]] == NUMBERS.tolist()
    if suffix == ".csv":
        logits = [np.float32(written[f"logits {label}"]) for label in LABELS]
        assert np.allclose(np.stack(logits, axis=1), expected.logits, atol=1e-5)
        assert written["top1 label"] == expected.labels
        assert [row[1][0] for row in expected.top(2)] == written["top2 label"]
    else:
        assert np.allclose(np.float32(written["logits"]), expected.logits, atol=1e-5)
        assert np.allclose(np.float32(written["probabilities"]), expected.probabilities, atol=1e-6)
        if suffix == ".npz":
            top = [
                list(zip(*row, strict=True))
                for row in zip(written["top_label"], written["top_probability"], strict=True)
            ]
        elif suffix == ".jsonl":
            top = written["top"]
        else:
            top = [[(item["label"], item["probability"]) for item in row] for row in written["top"]]
        assert [[pair[0] for pair in row] for row in top] == [
            [label for label, _ in row] for row in expected.top(2)
        ]
    assert not list(path.parent.glob(".*"))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("column", ["label", "probability", "logits", "probabilities"])
def test_one_column_goes_to_npy(column, model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", ROWS)
    score(model, tmp_path / "in.npy", tmp_path / "out.npy", columns=[column])
    expected = model(ROWS)
    values = {
        "label": expected.labels,
        "probability": expected.probabilities.max(axis=1),
        "logits": expected.logits,
        "probabilities": expected.probabilities,
    }
    written = np.load(tmp_path / "out.npy")
    assert (
        written.tolist() == values["label"]
        if column == "label"
        else np.allclose(written, values[column], atol=1e-5)
    )


def test_float32_numbers_are_written_with_the_digits_that_they_have(model, tmp_path) -> None:
    for suffix in (".csv", ".jsonl"):
        score(model, "[[0, 0, 0, 0, 0]]", tmp_path / f"out{suffix}", columns=["probability"])
        (written,) = read_answers(tmp_path / f"out{suffix}")["probability"]
        assert str(written) == str(model(np.zeros(5)).probabilities.max())


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ((True, False, True), None),
        ((7, -3, 2**40), "int64"),
        ((7, -3, 2**80), "string"),
        ((0.5, 1.5, 2.5), "double"),
        (("a", 1, 2.5), "string"),
        (None, "int64"),
    ],
)
def test_labels_keep_their_type_in_arrow(labels, kind, random_head, tmp_path) -> None:
    if kind is None:
        labels, kind = (True, False), "bool"
    onnxhead.save(random_head(classes=len(labels or "abc"), labels=labels), tmp_path / "m.onnx")
    classify = onnxhead.load(tmp_path / "m.onnx", device="cpu")
    score(classify, json.dumps(ROWS.tolist()), tmp_path / "out.arrow")
    column = ipc.open_file(str(tmp_path / "out.arrow")).read_all()["label"]
    assert str(column.type) == kind
    expected = classify(ROWS).labels
    assert column.to_pylist() == ([str(label) for label in expected] if kind == "string" else expected)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".npz", ".csv", ".jsonl"])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_independent_labels_are_lists(suffix, threshold, random_head, tmp_path) -> None:
    onnxhead.save(random_head(link="sigmoid", labels=LABELS), tmp_path / "m.onnx")
    classify = onnxhead.load(tmp_path / "m.onnx", device="cpu")
    score(classify, json.dumps(ROWS.tolist()), tmp_path / f"out{suffix}", threshold=threshold)
    written = read_answers(tmp_path / f"out{suffix}")["label"]
    if suffix == ".csv":
        written = [json.loads(text) for text in written]
    if suffix == ".npz":
        written = [[LABELS[i] for i in np.flatnonzero(row)] for row in written]
    expected = classify(ROWS)
    expected = expected if threshold is None else expected.with_threshold(threshold)
    assert [tuple(labels) for labels in written] == expected.labels


def test_many_classes_are_written_as_the_most_probable_ones(random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=101), tmp_path / "m.onnx")
    classify = onnxhead.load(tmp_path / "m.onnx", device="cpu")
    source = json.dumps(ROWS.tolist())
    assert score(classify, source, tmp_path / "a.jsonl").columns == ("label", "probability", "top")
    written = read_answers(tmp_path / "a.jsonl")
    top = classify(ROWS).top(5)
    assert [[label for label, _ in row] for row in written["top"]] == [
        [label for label, _ in row] for row in top
    ]
    assert np.allclose([row[0][1] for row in written["top"]], written["probability"])
    score(classify, source, tmp_path / "b.jsonl", top=7)
    assert {len(row) for row in read_answers(tmp_path / "b.jsonl")["top"]} == {7}


def test_a_few_classes_get_the_column_top_when_it_is_asked_for(model, tmp_path) -> None:
    report = score(model, "[0, 0, 0, 0, 0]", tmp_path / "a.jsonl", top=9)
    assert report.columns == ("label", "probability", "logits", "probabilities", "top")
    assert len(read_answers(tmp_path / "a.jsonl")["top"][0]) == 4


def test_no_rows_make_an_empty_file(model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", ROWS[:0])
    for suffix in (".parquet", ".arrow", ".npz", ".npy", ".csv", ".jsonl"):
        assert score(model, tmp_path / "in.npy", tmp_path / f"out{suffix}").rows == 0
    assert parquet.read_table(tmp_path / "out.parquet").num_rows == 0
    assert ipc.open_file(str(tmp_path / "out.arrow")).read_all().num_rows == 0
    assert np.load(tmp_path / "out.npy").shape == (0, 4)
    assert (tmp_path / "out.jsonl").read_text() == ""


BAD = {
    "nan.npy": (lambda path, rows: np.save(path, rows), "column 2 is NaN"),
    "overflow.npy": (
        lambda path, rows: np.save(
            path, np.where(np.isnan(rows).any(1, keepdims=True), np.float32(3e38), rows)
        ),
        "a logit overflows",
    ),
    "beyond.npy": (
        lambda path, rows: np.save(path, np.where(np.isnan(rows), 1e39, rows.astype(np.float64))),
        "1e+39 in column 2 is beyond float32",
    ),
    "null.parquet": (lambda path, rows: write_table(path, rows, None), "it is null"),
    "short.parquet": (lambda path, rows: write_table(path, rows, [1.0]), "it has 1 features instead of 5"),
    "item.parquet": (
        lambda path, rows: write_table(path, rows, [1.0, 2.0, None, 4.0, 5.0]),
        "column 2 is null",
    ),
    "null.arrow": (lambda path, rows: write_table(path, rows, None), "it is null"),
    "wide.parquet": (lambda path, rows: write_wide(path, rows), "column 2 (f2) is null"),
    "cell.csv": (
        lambda path, rows: write_cells(path, rows, "1,2,,4,5"),
        "it has '' in column 2 instead of a number",
    ),
    "text.csv": (lambda path, rows: write_cells(path, rows, "1,2,x,4,5"), "it has 'x' in column 2 instead"),
    "short.csv": (lambda path, rows: write_cells(path, rows, "1,2"), "it has 2 columns instead of 5"),
    "null.jsonl": (lambda path, rows: write_lines(path, rows, "null"), "it is null"),
    "item.jsonl": (lambda path, rows: write_lines(path, rows, "[1, 2, null, 4, 5]"), "column 2 is null"),
    "text.jsonl": (lambda path, rows: write_lines(path, rows, '[1, 2, "x", 4, 5]'), "column 2 is 'x'"),
    "short.jsonl": (lambda path, rows: write_lines(path, rows, "[1, 2]"), "it has 2 features instead of 5"),
    "huge.jsonl": (
        lambda path, rows: write_lines(path, rows, f"[1, 2, {10**400}, 4, 5]"),
        "is beyond float32",
    ),
    "object.jsonl": (lambda path, rows: write_lines(path, rows, '{"a": 1}'), "instead of a list"),
}
BAD_ROWS = [3, 77]


def listed(rows: np.ndarray, bad) -> list:
    return [bad if np.isnan(row).any() else row.tolist() for row in rows]


def write_table(path: Path, rows: np.ndarray, bad) -> None:
    column = pyarrow.array(listed(rows, bad), pyarrow.list_(pyarrow.float32()))
    written = pyarrow.table({"features": column})
    parquet.write_table(written, path) if path.suffix == ".parquet" else feather.write_feather(written, path)


def write_wide(path: Path, rows: np.ndarray) -> None:
    masks = np.isnan(rows)
    columns = {f"f{i}": pyarrow.array(rows[:, i], mask=masks[:, i]) for i in range(5)}
    parquet.write_table(pyarrow.table(columns), path)


def write_cells(path: Path, rows: np.ndarray, bad: str) -> None:
    path.write_text("\n".join(bad if np.isnan(row).any() else ",".join(map(str, row)) for row in rows))


def write_lines(path: Path, rows: np.ndarray, bad: str) -> None:
    path.write_text("\n".join(bad if row is None else json.dumps(row) for row in listed(rows, None)))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", BAD)
def test_a_bad_row_is_named_and_ends_the_run_or_has_no_answer(name, model, tmp_path) -> None:
    write, reason = BAD[name]
    rows = ROWS.copy()
    rows[BAD_ROWS, 2] = np.nan
    write(tmp_path / name, rows)
    with pytest.raises(FeaturesError, match=re.escape("row 3, counted from 0, has none: ")) as raised:
        score(model, tmp_path / name, tmp_path / "out.jsonl")
    assert reason in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "model.onnx"])

    report = score(model, tmp_path / name, tmp_path / "out.jsonl", on_bad_row="null")
    assert (report.rows, report.bad_rows, [row for row, _ in report.bad]) == (101, 2, BAD_ROWS)
    assert all(reason in why for _, why in report.bad)
    written, expected = read_answers(tmp_path / "out.jsonl"), model(ROWS)
    for row in range(101):
        if row in BAD_ROWS:
            assert {written[column][row] for column in written} == {None}
        else:
            assert written["label"][row] == expected.labels[row]
            assert np.allclose(written["logits"][row], expected.logits[row], atol=1e-5)


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_a_row_without_an_answer_is_null_in_every_format(link, random_head, tmp_path) -> None:
    onnxhead.save(random_head(link=link, labels=LABELS), tmp_path / "m.onnx")
    classify = onnxhead.load(tmp_path / "m.onnx", device="cpu")
    rows = ROWS[:3].copy()
    rows[1] = np.nan
    np.save(tmp_path / "in.npy", rows)
    columns = ["label", "probability", "logits", "probabilities", "top"]
    for suffix in (".parquet", ".arrow", ".jsonl"):
        score(classify, tmp_path / "in.npy", tmp_path / f"o{suffix}", columns=columns, on_bad_row="null")
        written = read_answers(tmp_path / f"o{suffix}")
        assert [written[name][1] for name in columns] == [None] * 5
        assert all(written[name][0] is not None for name in columns)
    score(classify, tmp_path / "in.npy", tmp_path / "o.csv", columns=columns, on_bad_row="null")
    assert {cells[1] for cells in read_answers(tmp_path / "o.csv").values()} == {""}
    score(classify, tmp_path / "in.npy", tmp_path / "o.npz", columns=columns, on_bad_row="null")
    with np.load(tmp_path / "o.npz") as arrays:
        assert not np.any(arrays["label"][1]) if link == "sigmoid" else arrays["label"][1] == ""
        assert set(arrays["top_label"][1]) == {""}
        assert np.isnan(arrays["logits"][1]).all()
        assert np.isnan([arrays["probability"][1], *arrays["top_probability"][1]]).all()


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"a": [1.0], "b": [2.0]},
            {},
            "must have one column of lists or 5 columns of numbers as features, left are 2",
        ),
        (
            {"x": [[1.0] * 5], "y": [[1.0] * 5]},
            {},
            "it has x (list<element: double>), y (list<element: double>)",
        ),
        ({"x": [[1.0] * 5]}, {"keep": ["z"]}, "must have the columns that are named, it has no z: it has x"),
        ({"x": [[1.0] * 5]}, {"features": ["z"]}, "it has no z"),
        ({"x": [["a"] * 5]}, {}, "left are 1: name them with --features"),
        ({"x": [["a"] * 5]}, {"features": ["x"]}, "named are 1"),
        ({**{c: [1.0] for c in "abcd"}, "e": ["text"]}, {}, "features must be 5 numbers, column e is string"),
        ({"x": lists(ROWS[:, :4])}, {}, "features must be 5 numbers, column x is fixed_size_list"),
    ],
)
def test_columns_that_are_not_plain_are_refused_with_what_there_is(
    columns, options, message, model, tmp_path
) -> None:
    parquet.write_table(pyarrow.table(columns), tmp_path / "in.parquet")
    with pytest.raises(FeaturesError, match=re.escape(message)):
        score(model, tmp_path / "in.parquet", tmp_path / "out.csv", **options)


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("x.parquet", b"PAR1 no PAR1", {}, "x.parquet must be a readable .parquet file: "),
        ("x.arrow", b"ARROW1 no", {}, "x.arrow must be a readable .arrow file: "),
        ("x.jsonl", b"", {}, "x.jsonl must hold rows of features, it holds none"),
        ("x.jsonl", b"[1,2,3,4,5]\n{", {}, "x.jsonl must hold JSON in each line, line 2 is not"),
        ("x.jsonl", b"7\n", {}, "must hold an array of numbers or an object in each line, line 1 is a int"),
        ("x.jsonl", b"[1,2,3,4,5]\n", {"keep": ["id"]}, "must hold objects for --features and --keep"),
        ("x.jsonl", b"\xff\n", {}, "x.jsonl must be JSON in UTF-8"),
        ("x.csv", b"1,2,3,4,5\n", {"keep": ["id"]}, "it has no id: it has 1 (text), 2 (text)"),
        ("x.csv", b"a,b,a,c,d\n1,2,3,4,5\n", {}, "must have distinct column names, it has a twice"),
        (
            "x.csv",
            b"i,a,b,c,d,e\nx,1,2,3,4,5\n",
            {},
            "must have 5 columns of features, it has 6: i, a, b, c, d, e",
        ),
        ("x.npz", b"PK no", {}, "x.npz must be a numpy file of numbers"),
        ("x.safetensors", b"no", {}, "x.safetensors must be a .safetensors file"),
        ("x.txt", b"", {}, "features must be a file in .npy, .npz, .safetensors, .parquet, .arrow, .csv"),
    ],
)
def test_files_that_are_not_of_their_format_are_refused(
    name, content, options, message, model, tmp_path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FeaturesError, match=re.escape(message)):
        score(model, tmp_path / name, tmp_path / "out.csv", **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "model.onnx"])


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        (
            "out.txt",
            {},
            "predictions are written to a file in .parquet, .arrow, .npz, .npy, .csv, .jsonl, got",
        ),
        (
            "out.csv",
            {"columns": ["best"]},
            "columns must be some of label, probability, logits, probabilities, top",
        ),
        ("out.csv", {"columns": []}, "got none"),
        ("out.csv", {"columns": ["label", "label"]}, "each once"),
        ("out.csv", {"keep": ["label"]}, "none that is carried through too, got label, label"),
        ("out.npy", {"columns": ["label", "logits"]}, ".npy holds one array"),
        (
            "out.npz",
            {"keep": ["id"]},
            ".npz carries columns of numbers through, without null, id holds others",
        ),
        ("in.parquet", {}, "answers must not replace the rows that they are of"),
        ("model.onnx/out.csv", {}, "must go to a folder that is writable and has room"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused(output, options, message, model, tmp_path) -> None:
    SOURCES["fixed.parquet"](tmp_path / "in.parquet")
    with pytest.raises(WriteError, match=re.escape(message)):
        score(model, tmp_path / "in.parquet", tmp_path / output, **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "model.onnx"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.3}, "a threshold is for the link sigmoid, the link is softmax"),
        ({"on_bad_row": "skip"}, "on_bad_row must be fail or null, got 'skip'"),
        ({"top": 0}, "top must be at least 1, got 0"),
        ({"keep": "id"}, "keep must be a list of names, got the text 'id'"),
    ],
)
def test_options_that_do_not_fit_are_value_errors(options, message, model, tmp_path) -> None:
    with pytest.raises(ValueError, match=message):
        score(model, "[1, 2, 3, 4, 5]", tmp_path / "out.csv", **options)
    assert not (tmp_path / "out.csv").exists()


def jsonl_rows(path: Path, kept: list) -> None:
    path.write_text("".join(json.dumps({"v": value, "features": [0] * 5}) + "\n" for value in kept))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("kept", "suffix", "message"),
    [
        (
            ["a"] * 20 + [1],
            ".parquet",
            "columns that are carried through must be of types that .parquet holds",
        ),
        (
            [1] * 20 + [0.5],
            ".parquet",
            "a column that is carried through must have one type, v has double after int64",
        ),
        ([1] * 16 + [0.5] * 4, ".npz", "an array of .npz has one dtype, v has float64 () after int64 ()"),
        (
            [[1, 2], [1, 2, 3]],
            ".npz",
            ".npz carries columns of numbers through, without null, v holds others",
        ),
        ([1, None], ".npz", "without null, v holds others"),
        ([2**60 + 1, 0.5], ".npz", "without null, v holds others"),
        ([2**70], ".arrow", "must be of types that .arrow holds"),
        ([{}], ".parquet", "must be of types that .parquet holds"),
        (["\ud800"], ".csv", "must be of types that .csv holds"),
        (["\ud800"], ".jsonl", "must be of types that .jsonl holds"),
    ],
)
def test_kept_values_that_a_format_cannot_hold_are_refused(kept, suffix, message, model, tmp_path) -> None:
    jsonl_rows(tmp_path / "in.jsonl", kept)
    with pytest.raises(WriteError, match=re.escape(message)):
        score(model, tmp_path / "in.jsonl", tmp_path / f"out{suffix}", keep=["v"])
    assert not (tmp_path / f"out{suffix}").exists()


def test_kept_integers_with_nulls_stay_integers_or_are_refused(model, tmp_path) -> None:
    ids = pyarrow.array([*range(100), None], pyarrow.int64())
    parquet.write_table(pyarrow.table({"id": ids, "x": lists(ROWS)}), tmp_path / "in.parquet")
    score(model, tmp_path / "in.parquet", tmp_path / "out.parquet", keep=["id"])
    assert parquet.read_table(tmp_path / "out.parquet")["id"].to_pylist() == ids.to_pylist()
    with pytest.raises(WriteError, match="without null, id holds others"):
        score(model, tmp_path / "in.parquet", tmp_path / "out.npz", keep=["id"])


@pytest.mark.usefixtures("small_blocks")
def test_a_column_that_begins_with_nulls_may_go_on_with_text(model, tmp_path) -> None:
    kept = [None] * 40 + ["url"]
    jsonl_rows(tmp_path / "in.jsonl", kept)
    score(model, tmp_path / "in.jsonl", tmp_path / "out.parquet", keep=["v"])
    assert parquet.read_table(tmp_path / "out.parquet")["v"].to_pylist() == kept


def test_bytes_are_written_as_digits(model, tmp_path) -> None:
    table = pyarrow.table({"id": [b"\xff\x00"], "x": lists(ROWS[:1])})
    parquet.write_table(table, tmp_path / "in.parquet")
    for suffix in (".csv", ".jsonl"):
        score(model, tmp_path / "in.parquet", tmp_path / f"out{suffix}", keep=["id"])
        assert read_answers(tmp_path / f"out{suffix}")["id"] == ["ff00"]


@pytest.mark.parametrize("text", ["id,0,1,2,3,4\na,1,2,3,4,5\n", "id,a,b,c,d,e\n"])
def test_where_columns_are_named_the_first_line_is_the_header(text, model, tmp_path) -> None:
    (tmp_path / "in.csv").write_text(text)
    report = score(model, tmp_path / "in.csv", tmp_path / "out.csv", keep=["id"])
    assert report.rows == len(text.splitlines()) - 1


@pytest.mark.usefixtures("small_blocks")
def test_rows_that_change_while_they_are_read_make_no_file(model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", ROWS)

    def change(done: int, _: int | None) -> None:
        if done == 32:
            os.utime(tmp_path / "in.npy", (1, 1))

    with pytest.raises(
        FeaturesError, match=r"must stay as they are while they are read, .*in\.npy has changed"
    ):
        score(model, tmp_path / "in.npy", tmp_path / "out.csv", progress=change)
    assert not (tmp_path / "out.csv").exists()


def test_the_output_appears_in_one_step(model, tmp_path, monkeypatch) -> None:
    output, before = tmp_path / "out.csv", []
    output.write_bytes(b"earlier")
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        if Path(target) == output:
            before.append(output.read_bytes())
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    score(model, "[1, 2, 3, 4, 5]", output)
    assert before == [b"earlier"]
    assert len(read_answers(output)["label"]) == 1


def test_an_output_that_is_a_folder_is_refused_at_once(model, tmp_path) -> None:
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(WriteError, match="answers go to a file, got a folder"):
        score(model, "[1, 2, 3, 4, 5]", tmp_path / "out.csv")


def test_json_that_is_written_is_json(model, tmp_path) -> None:
    (tmp_path / "in.jsonl").write_text('{"v": [NaN, {"a": Infinity}], "features": [0, 0, 0, 0, 0]}\n')
    score(model, tmp_path / "in.jsonl", tmp_path / "out.jsonl", keep=["v"])
    assert read_answers(tmp_path / "out.jsonl")["v"] == [[None, {"a": None}]]


@pytest.mark.parametrize(
    ("name", "suffix"), [("top_label", ".npz"), ("logits ja", ".csv"), ("top1 label", ".csv")]
)
def test_kept_columns_do_not_take_the_names_of_answers(name, suffix, model, tmp_path) -> None:
    table = pyarrow.table({name: NUMBERS, "x": lists(ROWS)})
    parquet.write_table(table, tmp_path / "in.parquet")
    with pytest.raises(WriteError, match=f"columns must have distinct names, got {name} twice"):
        score(model, tmp_path / "in.parquet", tmp_path / f"out{suffix}", keep=[name], top=2)


@pytest.mark.parametrize("name", ["a/b", "../x", "/x"])
def test_kept_columns_with_names_of_paths_stay_in_the_file(name, model, tmp_path) -> None:
    parquet.write_table(pyarrow.table({name: NUMBERS, "x": lists(ROWS)}), tmp_path / "in.parquet")
    score(model, tmp_path / "in.parquet", tmp_path / "out.npz", keep=[name])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "model.onnx", "out.npz"]


def test_kept_columns_of_a_source_without_rows_keep_their_types(model, tmp_path) -> None:
    table = pyarrow.table({"id": pyarrow.array([], pyarrow.int32()), "x": lists(ROWS)[:0]})
    parquet.write_table(table, tmp_path / "in.parquet")
    feather.write_feather(table, tmp_path / "in.arrow")
    for source in ("in.parquet", "in.arrow"):
        score(model, tmp_path / source, tmp_path / "out.parquet", keep=["id"])
        assert parquet.read_schema(tmp_path / "out.parquet").field("id").type == pyarrow.int32()


def npz_of(path: Path, header_rows: int, rows: np.ndarray, compression: int) -> None:
    """Write a .npz whose header says another number of rows than there are."""
    import io
    import zipfile

    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, {"descr": rows.dtype.str, "fortran_order": False, "shape": (header_rows, *rows.shape[1:])}
    )
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("features.npy", member.getvalue() + rows.tobytes())
        archive.writestr("other.npy", bytes(10_000))


@pytest.mark.parametrize("compression", [0, 8])
@pytest.mark.parametrize("header_rows", [102, 10**15, -1, 100])
def test_an_array_that_is_not_as_long_as_it_says_is_refused(
    compression, header_rows, model, tmp_path
) -> None:
    npz_of(tmp_path / "in.npz", header_rows, ROWS, compression)
    with pytest.raises(FeaturesError, match="in.npz must be a numpy file of numbers: features.npy must hold"):
        score(model, tmp_path / "in.npz", tmp_path / "out.csv")


@pytest.mark.parametrize("values", [ROWS + 1j, ROWS.astype("<U4"), ROWS.astype("M8[s]")])
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_arrays_of_other_than_numbers_are_refused(values, write, model, tmp_path) -> None:
    write(tmp_path / "in.npz", features=values)
    with pytest.raises(FeaturesError, match="features must be"):
        score(model, tmp_path / "in.npz", tmp_path / "out.csv")


def test_an_arrow_file_whose_offsets_lie_outside_is_refused(model, tmp_path) -> None:
    SOURCES["rows.arrow"](tmp_path / "in.arrow")
    data = bytearray((tmp_path / "in.arrow").read_bytes())
    offsets = np.cumsum([0, *map(len, IDS[:30])]).astype("<i4").tobytes()
    at = data.index(offsets)
    data[at + 16 : at + 20] = (2**30).to_bytes(4, "little")
    (tmp_path / "in.arrow").write_bytes(data)
    with pytest.raises(FeaturesError, match=r"in\.arrow must be a readable \.arrow file"):
        score(model, tmp_path / "in.arrow", tmp_path / "out.csv", keep=["id"])


def test_lists_of_text_are_no_features(model, tmp_path) -> None:
    (tmp_path / "in.jsonl").write_text('{"tags": ["a"], "vector": [1, 2, 3, 4, 5]}\n')
    assert score(model, tmp_path / "in.jsonl", tmp_path / "out.csv").rows == 1


def test_a_file_whose_name_looks_like_json_is_a_file(model, tmp_path) -> None:
    np.save(tmp_path / "[x].npy", ROWS)
    assert score(model, tmp_path / "[x].npy", tmp_path / "out.csv").rows == 101


@pytest.mark.usefixtures("small_blocks")
def test_the_working_directory_may_change_while_it_runs(model, tmp_path, monkeypatch) -> None:
    (tmp_path / "a").mkdir()
    np.save(tmp_path / "in.npy", ROWS)
    monkeypatch.chdir(tmp_path)
    score(model, "in.npy", "out.csv", progress=lambda *_: os.chdir(tmp_path / "a"))
    assert (tmp_path / "out.csv").exists()


def test_runs_to_one_output_at_once_are_told_so_and_leave_it_whole(model, tmp_path) -> None:
    program = (
        "import sys, time, onnxhead_runtime as r\n"
        f"classify = r.load({str(model.path)!r}, device='cpu')\n"
        "others, end = set(), time.monotonic() + 3\n"
        "while time.monotonic() < end:\n"
        f"    try: r.score(classify, '[1, 2, 3, 4, 5]', {str(tmp_path / 'out.csv')!r})\n"
        "    except r.OnnxHeadError as error: others.add(str(error).split(',')[0])\n"
        "print(others - {'one run at a time writes a file'})"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert [run.communicate()[0] for run in runs] == ["set()\n"] * 4
    assert len(read_answers(tmp_path / "out.csv")["label"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "out.csv"]


def test_a_model_that_was_replaced_is_refused(model, random_head, tmp_path) -> None:
    onnxhead.save(random_head(seed=5), model.path)
    with pytest.raises(ModelError, match="has been replaced since it was loaded: load it again"):
        score(model, "[1, 2, 3, 4, 5]", tmp_path / "out.csv")


KILLED = {
    "out.parquet": "in.parquet",
    "out.arrow": "in.parquet",
    "out.npz": "in.npz",
    "out.npy": "in.npy",
    "out.csv": "in.csv",
    "out.jsonl": "in.jsonl",
}


def write_killed_source(path: Path) -> None:
    ids = np.arange(101)
    if path.suffix == ".parquet":
        written = pyarrow.table({"id": IDS, "features": lists(ROWS)})
        parquet.write_table(written, path, row_group_size=37)
    elif path.suffix == ".npz":
        np.savez_compressed(path, id=ids, features=ROWS)
    elif path.suffix == ".npy":
        np.save(path, ROWS)
    elif path.suffix == ".csv":
        path.write_text("id,a,b,c,d,e\n" + "".join(f"{i},{','.join(map(str, ROWS[i]))}\n" for i in ids))
    else:
        path.write_text("".join(json.dumps({"id": int(i), "features": ROWS[i].tolist()}) + "\n" for i in ids))


@pytest.mark.parametrize("output", KILLED)
def test_a_run_that_is_killed_anywhere_goes_on_to_the_same_bytes(output, model, tmp_path) -> None:
    source, path = tmp_path / KILLED[output], tmp_path / output
    write_killed_source(source)
    program = [sys.executable, ROOT / "tests/kill_score.py", model.path, source, path]

    def run(at: int, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*program, str(at), *options], capture_output=True, text=True)

    whole = run(0)
    operations, resumed = map(int, whole.stdout.split())
    expected = path.read_bytes()
    assert resumed == 0
    assert operations > 8
    path.unlink()
    went_on = set()
    moments = sorted({1, operations} | {round(operations * part / 7) for part in range(1, 7)})
    for at in moments:
        path.write_bytes(b"earlier")
        killed = run(at)
        assert killed.returncode == -signal.SIGKILL
        assert path.read_bytes() in (b"earlier", expected), "there is no half file under the name"
        again = run(2, "--resume") if at % 2 else None  # killed once more, while it goes on
        assert again is None or again.returncode == -signal.SIGKILL
        done = run(0, "--resume")
        assert done.returncode == 0, done.stderr
        assert path.read_bytes() == expected
        assert not list(tmp_path.glob(".*"))
        went_on.add(int(done.stdout.split()[1]))
    assert went_on - {0}, "some runs go on in the middle"


def test_what_is_resumed_is_what_pyarrow_reads(model, tmp_path) -> None:
    source, path = tmp_path / "in.parquet", tmp_path / "out.parquet"
    write_killed_source(source)
    program = [sys.executable, ROOT / "tests/kill_score.py", model.path, source, path]
    subprocess.run([*program, "12"])
    subprocess.run([*program, "0", "--resume"], check=True, capture_output=True)
    file = parquet.ParquetFile(path)
    groups = [file.read_row_group(i).num_rows for i in range(file.num_row_groups)]
    assert sum(groups) == 101
    assert len(groups) > 1
    statistics = file.metadata.row_group(1).column(0).statistics
    assert (statistics.min, statistics.max) == ("row 48", "row 95")
    assert file.read().column("id").to_pylist() == IDS
    assert file.metadata.num_rows == 101


@pytest.fixture
def failed_run(model, tmp_path, request) -> tuple[Any, Path, Path]:
    """The arguments of a run that ended at row 77, with 48 rows done."""
    request.getfixturevalue("small_blocks")
    rows = ROWS.copy()
    rows[77, 0] = np.nan
    np.save(tmp_path / "in.npy", rows)
    arguments = (model, tmp_path / "in.npy", tmp_path / "out.csv")
    with pytest.raises(FeaturesError, match="row 77") as raised:
        score(*arguments)
    assert raised.value.__notes__ == [
        "48 rows are done: --resume goes on behind them if the rows stay as they are"
    ]
    return arguments


def test_a_run_that_failed_goes_on_and_says_so(failed_run, tmp_path) -> None:
    with pytest.raises(WriteError, match="there is another columns: run without --resume to begin anew"):
        score(*failed_run, columns=["label"], resume=True)
    report = score(*failed_run, on_bad_row="null", resume=True)
    assert (report.resumed_rows, report.rows, report.bad) == (48, 101, ((77, "column 0 is NaN"),))
    assert not list(tmp_path.glob(".*"))


@pytest.mark.usefixtures("small_blocks")
def test_bad_rows_from_before_are_reported_by_the_run_that_goes_on(model, tmp_path) -> None:
    rows = ROWS.copy()
    rows[[5, 77], 0] = np.nan

    class StopError(Exception):
        pass

    def stop(done: int, total: int | None) -> None:
        assert total == 101
        if done > 60:
            raise StopError

    np.save(tmp_path / "in.npy", rows)
    arguments = (model, tmp_path / "in.npy", tmp_path / "out.csv")
    with pytest.raises(StopError):
        score(*arguments, on_bad_row="null", progress=stop)
    report = score(*arguments, on_bad_row="null", resume=True)
    assert ([row for row, _ in report.bad], report.resumed_rows) == ([5, 77], 48)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".npz", ".npy", ".csv", ".jsonl"])
@pytest.mark.usefixtures("small_blocks")
def test_a_run_that_had_all_rows_goes_on_at_the_end(suffix, model, tmp_path, monkeypatch) -> None:
    np.save(tmp_path / "in.npy", ROWS[:96])
    score(model, tmp_path / "in.npy", tmp_path / f"whole{suffix}")
    arguments = (model, tmp_path / "in.npy", tmp_path / f"out{suffix}")
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "finish", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            score(*arguments)
    assert score(*arguments, resume=True).resumed_rows == 96
    assert arguments[2].read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()


def test_another_source_is_not_gone_on_with(failed_run, tmp_path) -> None:
    np.save(tmp_path / "in.npy", ROWS)
    with pytest.raises(WriteError, match="there is another source file: run without"):
        score(*failed_run, resume=True)
    assert score(*failed_run).resumed_rows == 0, "without resume it begins anew"


def test_parts_that_are_shorter_than_the_journal_says_are_not_gone_on_with(failed_run, tmp_path) -> None:
    (part,) = tmp_path.glob(".out.csv.partial/rows")
    os.truncate(part, part.stat().st_size // 2)
    assert score(*failed_run, on_bad_row="null", resume=True).resumed_rows == 0


@pytest.mark.usefixtures("small_blocks")
def test_two_runs_do_not_write_one_file(model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", ROWS)

    def begin_another(*_: object) -> None:
        with pytest.raises(
            WriteError, match=r"one run at a time writes a file, another is writing .*out\.csv"
        ):
            score(model, tmp_path / "in.npy", tmp_path / "out.csv")

    score(model, tmp_path / "in.npy", tmp_path / "out.csv", progress=begin_another)
    assert len(read_answers(tmp_path / "out.csv")["label"]) == 101


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".npz", ".csv"])
def test_a_full_disk_leaves_the_old_file_and_what_is_done(suffix, model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", np.random.default_rng(0).normal(size=(101_000, 5)))
    output = tmp_path / f"out{suffix}"
    output.write_bytes(b"earlier")
    program = (
        "import resource, signal, sys, onnxhead_runtime\n"
        "from onnxhead_runtime import run\n"
        "run._COMMIT_ROWS = run._MOST_ROWS = 4096\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "if sys.argv[1] == 'full': resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        f"classify = onnxhead_runtime.load({str(model.path)!r}, device='cpu')\n"
        "try:\n"
        f"    report = onnxhead_runtime.score(classify, {str(tmp_path / 'in.npy')!r}, {str(output)!r}, resume=True)\n"
        "    print(report.resumed_rows > 0, report.rows)\n"
        "except onnxhead_runtime.OnnxHeadError as error: print(error, *error.__notes__)\n"
    )
    full = subprocess.run([sys.executable, "-c", program, "full"], capture_output=True, text=True)
    assert f"{output.name} was not written: File too large" in full.stdout, full.stderr
    assert "rows are done: --resume goes on behind them" in full.stdout
    assert output.read_bytes() == b"earlier"
    done = subprocess.run([sys.executable, "-c", program, "room"], capture_output=True, text=True)
    assert done.stdout == "True 101000\n", done.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_command_that_is_interrupted_says_how_to_go_on(name, model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", np.tile(ROWS, (4000, 1)))
    program = [Path(sys.executable).with_name("onnxhead"), "run", model.path, "in.npy", "-o", "out.jsonl"]
    # a shell's background job, which a test may be, ignores SIGINT, and so does what it starts
    running = subprocess.Popen(
        program,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (tmp_path / ".out.jsonl.partial/journal.json").exists():
        time.sleep(0.01)
        assert running.poll() is None
    running.send_signal(getattr(signal, name))
    message = running.communicate()[1]
    assert running.returncode == 130, message
    assert re.search(r"interrupted; \d+ rows are done: --resume goes on behind them\n$", message)
    assert not (tmp_path / "out.jsonl").exists()
    done = subprocess.run([*program, "--resume", "--json"], cwd=tmp_path, capture_output=True, text=True)
    report = json.loads(done.stdout)
    assert report["rows"] == 101 * 4000
    assert report["resumed_rows"] > 0


def test_memory_does_not_grow_with_the_file(model, tmp_path) -> None:
    rows = np.lib.format.open_memmap(tmp_path / "in.npy", "w+", np.float32, (8_000_000, 5))
    rows[:] = 1
    del rows
    program = (
        "import threading, time, sys, onnxhead_runtime\n"
        "def anonymous():\n"
        "    return next(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith('RssAnon'))\n"
        f"classify = onnxhead_runtime.load({str(model.path)!r}, device='cpu')\n"
        "import pyarrow.parquet\n"
        "before, peak = anonymous(), []\n"
        "watch = lambda done, total: peak.append(anonymous())\n"
        f"onnxhead_runtime.score(classify, 'in.npy', 'out.parquet', progress=watch)\n"
        "print((max(peak) - before) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert 0 < int(done.stdout) < 512, done.stderr


def test_progress_is_told_without_a_terminal_and_quiet_is_quiet(model, tmp_path, monkeypatch, capsys) -> None:
    from onnxhead import progress

    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
    np.save(tmp_path / "in.npy", ROWS)
    with progress.shown(quiet=False) as report:
        score(model, tmp_path / "in.npy", tmp_path / "out.csv", progress=report)
    assert re.search(r"^101 rows of 101, 0 s left, [\d,]+ rows/s\n$", capsys.readouterr().err, re.MULTILINE)
    with progress.shown(quiet=True) as report:
        assert report is None


def test_the_speed_of_a_run_that_goes_on_is_its_own(monkeypatch, capsys) -> None:
    from onnxhead import progress

    now = 50.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.shown(quiet=False) as report:
        report(1000, 1500)
        now += 10
        report(1100, 1500)
    assert capsys.readouterr().err == "1,100 rows of 1,500, 40 s left, 10 rows/s\n"


def test_a_signal_interrupts_the_block_alone() -> None:
    from onnxhead.progress import ended_by_signals

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), ended_by_signals():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_terminal_shows_a_bar(model, tmp_path) -> None:
    pty = pytest.importorskip("pty")
    np.save(tmp_path / "in.npy", ROWS)
    program = [Path(sys.executable).with_name("onnxhead"), "run", model.path, "in.npy", "-o", "out.csv"]
    master, slave = pty.openpty()
    subprocess.run(program, cwd=tmp_path, stderr=slave, check=True)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert "101 rows" in shown
    assert "rows/s" in shown


@pytest.mark.usefixtures("small_blocks")
def test_a_row_group_has_rows(model, tmp_path) -> None:
    np.save(tmp_path / "in.npy", ROWS[:96])
    score(model, tmp_path / "in.npy", tmp_path / "out.parquet")
    metadata = parquet.read_metadata(tmp_path / "out.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [48, 48]


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_a_number_beyond_float32_is_bad_with_every_link(link, random_head, tmp_path) -> None:
    onnxhead.save(random_head(link=link), tmp_path / "m.onnx")
    classify = onnxhead.load(tmp_path / "m.onnx", device="cpu")
    with pytest.raises(FeaturesError, match=r"1e\+39 in column 0 is beyond float32"):
        score(classify, "[1e39, 0, 0, 0, 0]", tmp_path / "out.csv")


@pytest.mark.parametrize("number", [0, 1, -1, 63, -64, 2**40, -(2**40)])
def test_thrift_keeps_numbers(number) -> None:
    struct = {1: (thrift.I64, number), 40: (thrift.LIST, (thrift.I32, [number] * 20))}
    assert thrift.decode(thrift.encode(struct)) == struct


def test_footers_are_written_as_they_were_read(tmp_path) -> None:
    SOURCES["wide.parquet"](tmp_path / "x.parquet")
    data = (tmp_path / "x.parquet").read_bytes()
    footer = data[-8 - int.from_bytes(data[-8:-4], "little") : -8]
    assert thrift.encode(thrift.decode(footer)) == footer


def test_an_exception_ahead_is_raised_where_the_items_are_used() -> None:
    def items():
        yield 1
        raise FeaturesError("no second one")

    taken = []
    with pytest.raises(FeaturesError, match="no second one"), Ahead(items()) as ahead:
        taken.extend(iter(ahead))
    assert taken == [1]


def test_leaving_early_ends_the_threads_and_closes_the_items() -> None:
    closed = []

    def items():
        try:
            yield from range(1000)
        finally:
            closed.append(True)

    with Ahead(in_order(abs, items(), workers=2)) as ahead:
        assert next(ahead) == 0
    with Ahead(items()) as ahead:
        assert next(ahead) == 0
    assert len(closed) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("onnxhead")]


@pytest.mark.parametrize("k", [1, 3, 9, 17, 200])
def test_the_largest_logits_are_found_in_the_order_of_a_stable_sort(k) -> None:
    random = np.random.default_rng(k)
    logits = random.integers(-3, 3, size=(50, 120)).astype(np.float32)  # many are equal
    logits[10:20, 2:] = -np.inf
    logits[20, :] = -np.inf
    assert np.array_equal(top_classes(logits, k), np.argsort(-logits, axis=1, kind="stable")[:, :k])


@pytest.mark.parametrize("name", ["in.npy", "in.parquet"])
def test_a_span_is_read_alone_in_the_blocks_of_the_whole(name, tmp_path) -> None:
    rows = np.arange(300_000, dtype=np.float32).reshape(-1, 1)
    if name.endswith(".npy"):
        np.save(tmp_path / name, rows)
    else:
        parquet.write_table(pyarrow.table({"features": rows[:, 0]}), tmp_path / name, row_group_size=50_000)
    opened = open_rows(str(tmp_path / name), Selection(1))
    assert list(opened.spans) == ([0, 131_072, 262_144] if name.endswith(".npy") else [0, 150_000])
    whole = [block.features for block in opened.blocks(0, 4096)]
    firsts = [int(block[0, 0]) for block in whole]
    for first in opened.spans:
        at = firsts.index(first)
        alone = [block.features for block in opened.blocks(first, 4096)]
        assert len(alone) == len(whole) - at
        assert all(map(np.array_equal, alone, whole[at:]))
