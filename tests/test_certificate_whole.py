"""Certificates of whole models: networks with their head, with inputs of any number and type."""

import dataclasses
import json
import re
from pathlib import Path

import networks
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss

import onnxhead
from onnxhead.certificate import Thresholds, certify, runtimes
from onnxhead.certificate.opening import open_subject
from onnxhead.certificate.page import render
from onnxhead.completing import complete
from onnxhead.model import open_model
from onnxhead_runtime import links
from onnxhead_runtime.errors import FeaturesError, ModelError, SourceError

LABELS = ("rot", "grün", "blau")
OPTIONS = {"pictures": {"at": "hidden"}, "texts": {"pool": "mean"}}
COUNT = 75  # two blocks and a part of one


def head(seed: int = 0, **arguments) -> onnxhead.Head:
    random = np.random.default_rng(seed)
    given = {"labels": LABELS, "temperature": 1.5, **arguments}
    return onnxhead.Head(random.normal(size=(3, 4)), random.normal(size=3), **given)


def whole(name: str, folder: Path, to: str = "whole.onnx", seed: int = 0, **arguments) -> Path:
    """Attach a head to a network."""
    backbone = networks.save(name, folder)
    return onnxhead.attach(backbone, head(seed, **arguments), folder / to, **OPTIONS.get(name, {})).path


def save_rows(folder: Path, compressed: bool = False, **arrays) -> Path:
    (np.savez_compressed if compressed else np.savez)(folder / "inputs.npz", **arrays)
    return folder / "inputs.npz"


def features_of(name: str, folder: Path, feeds: dict) -> np.ndarray:
    """What the network itself gives, pooled by hand."""
    path = folder / f"{name.replace(' ', '_')}.onnx"
    found = networks.run(path, feeds, "hidden" if name == "pictures" else None)
    if name == "texts":
        mask = feeds["attention_mask"][..., None]
        return (found * mask).sum(axis=1) / mask.sum(axis=1)
    return found.astype(np.float32)


def draw_labels(count: int, seed: int = 3) -> np.ndarray:
    return np.array(LABELS)[np.random.default_rng(seed).integers(0, 3, count)]


def states(found) -> dict[str, str]:
    return {one.name: one.state for one in found.runtimes}


# what is measured


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", ["texts", "pictures", "two inputs", "half", "older"])
def test_the_figures_are_those_of_the_network_run_by_hand(name, compressed, tmp_path) -> None:
    path, feeds, labels = whole(name, tmp_path), networks.inputs(name, COUNT), draw_labels(COUNT)
    np.save(tmp_path / "labels.npy", labels)
    rows = save_rows(tmp_path, compressed, **feeds)
    found = certify(path, rows, tmp_path / "labels.npy")
    features = features_of(name, tmp_path, feeds).astype(np.float64)
    logits = features @ head().weight.T.astype(np.float64) + head().bias
    given, p = np.array(LABELS)[logits.argmax(axis=1)], links.probabilities(logits, "softmax", 1.5)
    places = [LABELS.index(label) for label in labels]
    rel = 1e-3 if name == "half" else 1e-5
    assert found.quality.accuracy == accuracy_score(labels, given)
    assert found.quality.nll == pytest.approx(log_loss(places, p, labels=range(3)), rel=rel)
    matrix = np.zeros((3, 3), int)
    for cell in found.confusion.cells:
        matrix[LABELS.index(cell.true), LABELS.index(cell.predicted)] = cell.count
    assert np.array_equal(matrix, confusion_matrix(labels, given, labels=LABELS))
    assert found.findings == ()
    assert (found.rows.count, found.rows.unanswered, len(found.rounding.margins)) == (COUNT, 0, COUNT)
    # the bound allows for a backbone that rounds otherwise: a share of the largest feature, times the weights
    share = 2.0**-6 if name == "half" else 2.0**-14
    allowed = share * np.abs(features).max(axis=1) * np.abs(head().weight).sum(axis=1).max()
    assert (found.rounding.bounds >= allowed * 0.999).all()
    assert found.rounding.bounds == pytest.approx(allowed, rel=0.1, abs=1e-5)
    for one in found.runtimes:
        assert one.state in ("ran", "not installed", "not for this form")
    assert (found.runtimes[0].name, found.runtimes[0].state) == ("onnxruntime CPU", "ran")
    assert found.runtimes[0].logits <= 1
    # margins by their definition, the gap to each class by both bounds
    bounds = open_subject(path).refer(features.astype(np.float32)).logits_bound
    for row in range(COUNT):
        top, *others = np.argsort(-logits[row])
        ratios = [(logits[row, top] - logits[row, j]) / (bounds[row, top] + bounds[row, j]) for j in others]
        assert found.rounding.margins[row] == pytest.approx(min(ratios), rel=1e-2, abs=0.1)


def test_facts_are_those_of_the_file_and_its_head(tmp_path) -> None:
    path = whole("texts", tmp_path)
    rows = save_rows(tmp_path, **networks.inputs("texts", 5))
    model, file = certify(path, rows).model, open_model(path)
    assert (model.graph_sha256, model.sha256) == (file.metadata.graph_sha256, file.sha256)
    assert (model.features, model.classes, model.precision) == (4, 3, "float32")
    assert model.weights_sha256 == file.metadata.weights_sha256
    assert (model.opset, model.ir_version, model.labels) == (17, 8, LABELS)
    assert [(one.name, one.dtype, one.shape) for one in model.inputs] == [
        ("input_ids", "int64", ("N", "T")),
        ("attention_mask", "int64", ("N", "T")),
    ]


@pytest.mark.parametrize("name", ["softmax", "sigmoid", "scores"])
def test_a_classifier_without_a_head_that_is_known_is_certified_too(name, tmp_path, command) -> None:
    path = complete(networks.save(name, tmp_path), tmp_path / "both.onnx", labels=list("abcd")).path
    feeds = networks.inputs(name, COUNT)
    prediction = onnxhead.load(path, device="cpu")(feeds)
    truth = [["a"]] * COUNT if name == "sigmoid" else ["a"] * COUNT
    found = certify(path, save_rows(tmp_path, **feeds), truth)
    wanted = np.tile([1, 0, 0, 0], (COUNT, 1))
    if name == "sigmoid":
        assert found.quality.accuracy == pytest.approx(((prediction.logits > 0) == wanted).mean())
        p = prediction.probabilities.astype(np.float64)
        assert found.quality.nll == pytest.approx(-np.log(np.where(wanted, p, 1 - p)).mean(), rel=1e-5)
    else:
        assert found.quality.accuracy == (prediction.logits.argmax(axis=1) == 0).mean()
        p = links.probabilities(prediction.logits.astype(np.float64), "softmax", 1.0)
        nll = log_loss([0] * COUNT, p, labels=range(4))
        assert found.quality.nll == pytest.approx(nll, rel=1e-5)
    largest = np.abs(prediction.logits).max(axis=1)
    assert found.rounding.bounds == pytest.approx(2.0**-14 * largest, rel=1e-4)
    assert found.findings == ()
    model = found.model
    assert (model.features, model.weights_sha256, model.precision, model.top_k) == (None, None, None, None)
    page = render(found)
    assert "no head of which weight and bias are known" in page
    assert "None" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    assert "its weights" not in page
    out = command("verify", path, "--rows", tmp_path / "inputs.npz").stdout
    assert "4 classes, no head of which weight and bias are known" in out
    assert "inputs" in out
    assert "None" not in out


def test_a_fixed_batch_is_given_in_blocks_of_that_size(tmp_path) -> None:
    path, feeds = whole("fixed batch", tmp_path), networks.inputs("fixed batch", 8)
    pairs = [onnxhead.load(path, device="cpu")({"x": feeds["x"][at : at + 2]}) for at in range(0, 8, 2)]
    labels = [label for pair in pairs for label in pair.labels]
    found = certify(path, save_rows(tmp_path, **feeds), labels)
    assert (found.rows.count, found.quality.accuracy, found.findings) == (8, 1, ())
    rows = save_rows(tmp_path, **networks.inputs("fixed batch", 7))
    with pytest.raises(
        FeaturesError, match=r"takes 2 rows at once, no more and no fewer, inputs.npz has 7: give a multiple"
    ):
        certify(path, rows)


@pytest.mark.parametrize("turn", [True, False])
def test_an_input_without_rows_is_given_to_every_block(turn, tmp_path) -> None:
    path = whole("branches", tmp_path)
    feeds = {**networks.inputs("branches", COUNT), "turn": np.array(turn)}
    labels = onnxhead.load(path, device="cpu")(feeds).labels
    other = onnxhead.load(path, device="cpu")({**feeds, "turn": np.array(not turn)}).labels
    assert labels != other
    found = certify(path, save_rows(tmp_path, compressed=turn, **feeds), labels)
    assert (found.rows.count, found.quality.accuracy, found.findings) == (COUNT, 1, ())


def test_labels_may_be_a_further_array(tmp_path) -> None:
    path, feeds = whole("texts", tmp_path), networks.inputs("texts", COUNT)
    labels = draw_labels(COUNT)
    expected = certify(path, save_rows(tmp_path, **feeds), labels).quality
    for compressed in (False, True):
        rows = save_rows(tmp_path, compressed, **feeds, truth=labels)
        assert certify(path, rows, label_column="truth").quality == expected
    many = whole("texts", tmp_path, "many.onnx", link="sigmoid")
    truth = np.random.default_rng(0).integers(0, 2, (COUNT, 3))
    expected = certify(many, save_rows(tmp_path, **feeds), truth).quality
    for compressed in (False, True):
        rows = save_rows(tmp_path, compressed, **feeds, truth=truth)
        assert certify(many, rows, label_column="truth").quality == expected


def test_rows_are_read_and_answered_in_blocks(tmp_path) -> None:
    path = whole("texts", tmp_path)
    subject = open_subject(path)
    rows = save_rows(tmp_path, **networks.inputs("texts", COUNT))
    blocks = list(subject.read(str(rows), None, None).blocks(2**14))
    sizes = [block.rows for block in blocks]
    assert sizes == [32, 32, 11]
    joined = np.concatenate([block.feeds["input_ids"] for block in blocks])
    assert np.array_equal(joined, networks.inputs("texts", COUNT)["input_ids"])
    assert [block.rows for block in subject.read(str(rows), None, None).blocks(50)] == [32, 32, 11]
    assert [block.rows for block in subject.read(str(rows), None, None).blocks(30)] == [30, 30, 15]


def test_a_row_without_an_answer_is_named_and_in_no_figure(tmp_path) -> None:
    path, feeds = whole("pictures", tmp_path), networks.inputs("pictures", COUNT)
    clean = onnxhead.load(path, device="cpu")(feeds)
    feeds["pixels"][[3, 40], 0, 1, 1] = np.nan
    feeds["pixels"][50] *= 1e38  # numbers, of which the sums are none
    found = certify(path, save_rows(tmp_path, **feeds), clean.labels, on_bad_row="null")
    # a runtime gets the bad rows too
    assert set(states(found).values()) <= {"ran", "not installed"}
    assert found.rows.unanswered == 3
    assert found.rows.bad[0] == (3, "pixels holds NaN or infinity")
    assert [row for row, _ in found.rows.bad] == [3, 40, 50]
    assert found.rows.bad[2][1] == "its features or its answer are NaN or infinite"
    assert (found.quality.accuracy, found.findings) == (1, ())
    assert np.flatnonzero(np.isnan(found.rounding.margins)).tolist() == [3, 40, 50]
    (finding,) = certify(path, tmp_path / "inputs.npz").findings
    assert finding.startswith("3 of 75 rows have no answer, the first is row 3, counted from 0: pixels holds")


def test_a_tie_of_a_model_without_a_head_is_uncertain(tmp_path) -> None:
    model = networks.make("softmax")
    for tensor in model.graph.initializer:
        zeros = np.zeros_like(numpy_helper.to_array(tensor))
        tensor.CopyFrom(numpy_helper.from_array(zeros, tensor.name))
    onnx.save(model, tmp_path / "zero.onnx")
    path = complete(tmp_path / "zero.onnx", tmp_path / "both.onnx").path
    found = certify(path, save_rows(tmp_path, **networks.inputs("softmax", 3))).rounding
    assert found.uncertain.tolist() == [one.row for one in found.listed] == [0, 1, 2]


# against an older model


def test_another_head_on_the_same_backbone_is_compared(tmp_path) -> None:
    new, old = whole("texts", tmp_path), whole("texts", tmp_path, "old.onnx", seed=5)
    feeds = networks.inputs("texts", COUNT)
    after, before = (onnxhead.load(path, device="cpu")(feeds) for path in (new, old))
    found = certify(new, save_rows(tmp_path, **feeds), after.labels, against=old)
    flipped = [row for row in range(COUNT) if after.labels[row] != before.labels[row]]
    assert 0 < len(flipped) < COUNT
    assert found.comparison.flipped.tolist() == flipped
    assert (found.comparison.mended, found.comparison.broken) == (len(flipped), 0)
    assert found.comparison.before.accuracy == pytest.approx(1 - len(flipped) / COUNT)
    difference = np.abs(after.probabilities.astype(float) - before.probabilities).max()
    assert found.comparison.largest_change == pytest.approx(difference, rel=1e-5)
    assert [one.what for one in found.comparison.changes] == ["graph", "weights"]


def test_a_completed_classifier_is_compared_with_a_head_on_its_hidden_layer(tmp_path) -> None:
    source = networks.save("softmax", tmp_path)
    new = complete(source, tmp_path / "new.onnx", labels=[*LABELS, "weiß"]).path
    old = onnxhead.attach(source, head(), tmp_path / "old.onnx", at="sum").path
    found = certify(new, save_rows(tmp_path, **networks.inputs("softmax", 9)), against=old)
    changes = {one.what: (one.before, one.after) for one in found.comparison.changes}
    assert changes["features"] == ("4", "none")
    assert changes["precision"] == ("float32", "none")
    assert changes["weights"][1] == "none"
    assert "None" not in re.sub(r"<style>.*?</style>", "", render(found), flags=re.DOTALL)


def test_what_takes_other_inputs_is_not_compared(tmp_path) -> None:
    texts, pictures = whole("texts", tmp_path), whole("pictures", tmp_path, "pictures_whole.onnx")
    alone = onnxhead.save(head(), tmp_path / "alone.onnx").path
    fixed, free = whole("fixed batch", tmp_path, "fixed.onnx"), whole("older", tmp_path, "free.onnx")
    half = whole("half", tmp_path, "half_whole.onnx")
    network = networks.make("older")
    network.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    network.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((5, 4), np.float32), "weight"))
    onnx.save(network, tmp_path / "wide_network.onnx")
    wide = onnxhead.attach(tmp_path / "wide_network.onnx", head(), tmp_path / "wide.onnx").path
    rows = save_rows(tmp_path, **networks.inputs("texts", 4))
    for new, old, message in (
        (
            texts,
            pictures,
            "pictures_whole.onnx takes the inputs pixels float32 [N, 3, H, W] and whole.onnx the",
        ),
        (texts, alone, "alone.onnx takes 4 features and whole.onnx the inputs input_ids int64 [N, T]; att"),
        (alone, texts, "whole.onnx takes the inputs input_ids int64 [N, T]; attention_mask int64 [N, T] and"),
        (free, wide, "wide.onnx takes the inputs x float32 [N, 5] and free.onnx the inputs x float32 [N, 3]"),
        (free, half, "half_whole.onnx takes the inputs x float16 [N, 3] and free.onnx the inputs x float32"),
        (
            free,
            fixed,
            "fixed.onnx takes the inputs x float32 [2, 3] and free.onnx the inputs x float32 [N, 3]",
        ),
    ):
        with pytest.raises(ModelError, match=re.escape(f"must take the same rows, {message}")):
            certify(new, rows, against=old)


# rows and labels that do not fit


def test_rows_that_are_not_the_inputs_are_refused(tmp_path) -> None:
    path, feeds = whole("texts", tmp_path), networks.inputs("texts", 6)
    ids, mask = feeds["input_ids"], feeds["attention_mask"]
    (tmp_path / "rows.csv").write_text("1,2,3,4\n")
    np.save(tmp_path / "rows.npy", ids)
    for rows in ("rows.csv", "rows.npy"):
        with pytest.raises(
            FeaturesError,
            match=r"must be an .npz file with an array for each input, input_ids int64 \[N, T\]; a",
        ):
            certify(path, tmp_path / rows)
    for arrays, message in (
        ({"input_ids": ids}, "attention_mask is missing: it holds input_ids"),
        ({"input_ids": ids, "attention_mask": mask[:5]}, "has input_ids 6, attention_mask 5"),
        (
            {"input_ids": ids + 0.5, "attention_mask": mask},
            "input_ids must be int64, got shape (6, 6), dtype float64: convert it",
        ),
        (
            {"input_ids": ids[0], "attention_mask": mask[0]},
            "with all its axes, inputs.npz has input_ids of sh",
        ),
        ({"input_ids": ids[:0], "attention_mask": mask[:0]}, "at least one row with an answer, got 0 rows"),
        (
            {"input_ids": ids, "attention_mask": mask.astype(object)},
            "must be a numpy file of numbers: it is none, or would have",
        ),
    ):
        with pytest.raises(FeaturesError, match=re.escape(message)):
            certify(path, save_rows(tmp_path, **arrays))
    rows = save_rows(tmp_path, **feeds, short=np.array(LABELS))
    with pytest.raises(
        FeaturesError, match=r"feature columns are those of a head alone, whole.onnx takes the"
    ):
        certify(path, rows, features=["input_ids"])
    with pytest.raises(FeaturesError, match=r"has input_ids 6, attention_mask 6, short 3"):
        certify(path, rows, label_column="short")
    with pytest.raises(FeaturesError, match=r"for each of input_ids, attention_mask, none, none is missing"):
        certify(path, rows, label_column="none")
    with pytest.raises(SourceError, match=r"labels must be one per row, got 5 for 6 rows"):
        certify(path, rows, list(draw_labels(5)))
    with pytest.raises(
        SourceError, match=r"labels must be among the model's, rot, grün, blau, row 0 has 'x'"
    ):
        certify(path, rows, ["x"] * 6)
    (tmp_path / "inputs.npz").write_bytes(b"PK")
    with pytest.raises(FeaturesError, match=r"inputs.npz must be a numpy file of numbers"):
        certify(path, tmp_path / "inputs.npz")


def test_a_network_that_gives_no_answer_per_row_is_refused(tmp_path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 2, 4] x) => (float[M, 4] hidden) {
            shape = Constant <value_ints = [-1, 4]> () hidden = Reshape (x, shape)
        }""")
    onnx.save(model, tmp_path / "two.onnx")
    path = onnxhead.attach(tmp_path / "two.onnx", head(), tmp_path / "whole.onnx").path
    rows = save_rows(tmp_path, x=np.ones((3, 2, 4), np.float32))
    with pytest.raises(FeaturesError, match=r"needs one answer per row, whole.onnx gives 6 to 3 rows"):
        certify(path, rows)


# runtimes


@pytest.mark.parametrize("name", ["texts", "two inputs", "branches", "fixed batch"])
def test_openvino_runs_the_same_inputs_by_name(name, tmp_path) -> None:
    pytest.importorskip("openvino")
    path, feeds = whole(name, tmp_path), networks.inputs(name, 36)
    found = certify(path, save_rows(tmp_path, **feeds), onnxhead_labels(path, feeds, name))
    one = next(one for one in found.runtimes if one.name == "OpenVINO")
    assert (one.state, one.other_labels, one.quality.accuracy) == ("ran", 0, 1)
    assert 0 <= one.logits <= 1


def onnxhead_labels(path: Path, feeds: dict, name: str) -> list:
    step = 2 if name == "fixed batch" else 36
    classify = onnxhead.load(path, device="cpu")
    blocks = (
        [{**feeds, "x": feeds["x"][at : at + step]} for at in range(0, 36, step)] if "x" in feeds else [feeds]
    )
    return [label for block in blocks for label in classify(block).labels]


@pytest.mark.parametrize("name", ["texts", "two inputs", "older"])
def test_tract_runs_inputs_by_their_place(name, tmp_path) -> None:
    pytest.importorskip("tract")
    path = whole(name, tmp_path)
    found = certify(path, save_rows(tmp_path, **networks.inputs(name, 36)))
    one = next(one for one in found.runtimes if one.name == "tract")
    assert (one.state, one.other_labels) == ("ran", 0)
    assert one.logits <= 1


@pytest.fixture
def stand_in(monkeypatch):
    """Let a function take the place of tract."""

    def put(answering) -> None:
        runtime = dataclasses.replace(runtimes._TRACT, open=lambda subject: answering(subject.open()))
        monkeypatch.setattr(runtimes, "_TRACT", runtime)
        monkeypatch.setattr(runtimes, "_version", lambda one: "1.0" if one is runtime else None)

    return put


def test_a_runtime_that_cannot_run_a_network_is_no_finding_and_one_that_is_wrong_is(
    tmp_path, stand_in
) -> None:
    path = whole("two inputs", tmp_path)
    rows = save_rows(tmp_path, **networks.inputs("two inputs", 5))

    def refuse(given):
        assert given
        raise RuntimeError("no int32 here")

    def fail(own):
        assert own
        return refuse

    for answering in (refuse, fail):
        stand_in(answering)
        found = certify(path, rows)
        assert (found.runtimes[-1].state, found.runtimes[-1].reason) == ("not for this form", "no int32 here")
        assert found.passed
    stand_in(lambda own: lambda feeds: own(feeds)._replace(logits=own(feeds).logits + np.float32(0.01)))
    (finding,) = certify(path, rows).findings
    assert re.match(r"tract 1.0: one of the logits is \S+ bounds away from the exact one", finding)


# the command


def test_the_command_passes_and_fails_by_its_thresholds(tmp_path, command) -> None:
    new, old = whole("texts", tmp_path), whole("texts", tmp_path, "old.onnx", seed=5)
    feeds = networks.inputs("texts", COUNT)
    np.save(tmp_path / "labels.npy", onnxhead.load(new, device="cpu")(feeds).labels)
    rows = save_rows(tmp_path, **feeds)
    given = ("verify", new, "--rows", rows, "--labels", tmp_path / "labels.npy", "--against", old)
    done = command(*given, "--report", tmp_path / "page.html", "--min-accuracy", 1, "--max-uncertain", 1)
    assert "3 classes x 4 features, float32, softmax of logits / 1.5" in done.stdout
    assert re.search(r"inputs +input_ids int64 \[N, T\]; attention_mask int64 \[N, T\]", done.stdout)
    assert "logits of the parts" in done.stdout
    page = (tmp_path / "page.html").read_text()
    assert open_model(new).metadata.graph_sha256 in page
    assert "attention_mask int64 [N, T]" in page
    failed = command(*given, "--max-flips", 0, status=1).stdout
    assert "--max-flips 0: NOT MET" in failed
    document = json.loads(command(*given, "--json").stdout)
    assert document["model"]["inputs"][0] == {"name": "input_ids", "dtype": "int64", "shape": ["N", "T"]}
    assert document["check"]["apart"]["error"] <= document["check"]["apart"]["bound"]
    assert document["passed"] is True
    assert "attention_mask" in command("verify", new, "--rows", "rows.csv", status=2).stderr


def test_a_sample_goes_into_the_first_check(tmp_path, command) -> None:
    path, feeds = whole("texts", tmp_path), networks.inputs("texts", 7)
    np.savez(tmp_path / "sample.npz", **feeds)
    rows = save_rows(tmp_path, **networks.inputs("texts", 5))
    out = command("verify", path, "--rows", rows, "--sample", tmp_path / "sample.npz").stdout
    assert "on 7 rows" in out


def test_a_shipped_whole_model_is_certified_by_its_bundle(tmp_path) -> None:
    path = whole("texts", tmp_path)
    onnxhead.ship(path, "bundle", tmp_path / "shipped")
    rows = save_rows(tmp_path, **networks.inputs("texts", 5))
    assert certify(tmp_path / "shipped", rows, thresholds=Thresholds(max_uncertain=1)).passed
