"""Heads at every opset and IR version, for targets, and with the most probable classes as outputs."""

import dataclasses
import pickle

import numpy as np
import onnx
import pytest
from conftest import skip_beyond

import onnxhead
from onnxhead import obstacles
from onnxhead.compatibility import RELEASES, RUNTIMES, form_for
from onnxhead.form import IR_VERSIONS, OPSETS, Form
from onnxhead.model import open_model
from onnxhead.summary import inspect
from onnxhead_runtime import Classifier, runner
from onnxhead_runtime.contract import LINKS
from onnxhead_runtime.errors import HeadError, ModelError, WriteError

ROWS = np.random.default_rng(2).standard_normal((9, 5), np.float32)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("link", LINKS)
def test_every_opset_has_the_same_answers(opset, link, random_head, tmp_path) -> None:
    skip_beyond(Form(opset))
    head = random_head(link=link, temperature=2.0)
    report = onnxhead.save(head, tmp_path / "head.onnx", form=Form(opset=opset))
    assert report.check.passed
    assert onnxhead.verify(report.path).findings == []
    model = onnx.load(report.path)
    assert (model.opset_import[0].version, model.ir_version) == (opset, 7)
    onnx.checker.check_model(model, full_check=True)
    default = onnxhead.save(head, tmp_path / "default.onnx").path
    answers = [onnxhead.load(path, device="cpu")(ROWS) for path in (report.path, default)]
    np.testing.assert_array_equal(answers[0].logits, answers[1].logits)
    np.testing.assert_allclose(answers[0].probabilities, answers[1].probabilities, atol=1e-6)


@pytest.mark.parametrize("ir_version", IR_VERSIONS)
def test_every_ir_version_is_written(ir_version, random_head, tmp_path) -> None:
    skip_beyond(Form(ir_version=ir_version))
    path = onnxhead.save(random_head(), tmp_path / "head.onnx", form=Form(ir_version=ir_version)).path
    assert onnx.load(path).ir_version == ir_version
    assert onnxhead.verify(path).findings == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"opset": 6}, "opset must be an integer from 7 to 26, got 6"),
        ({"opset": 27}, "opset must be an integer from 7 to 26, got 27"),
        ({"ir_version": 3}, "ir_version must be an integer from 4 to 13, got 3"),
        ({"ir_version": 14}, "ir_version must be an integer from 4 to 13, got 14"),
        ({"opset": 13.0}, "opset must be an integer from 7 to 26, got 13.0"),
        ({"top_k": 2.5}, "top_k must be an integer, at least 1, got 2.5"),
        ({"top_k": True}, "top_k must be an integer, at least 1, got True"),
        ({"top_k": 0}, "top_k must be an integer, at least 1, got 0"),
        ({"top_k": 1, "opset": 10}, "top_k needs opset 11 or newer, got 10"),
    ],
)
def test_what_no_runtime_loads_is_refused(values, message) -> None:
    with pytest.raises(WriteError, match=message):
        Form(**values)


@pytest.mark.parametrize(
    ("target", "opset", "ir_version"),
    [
        ("onnxruntime==1.0", 11, 6),
        ("onnxruntime==1.2.0", 11, 6),
        ("onnxruntime==1.5", 12, 7),
        ("onnxruntime==1.6.0", 13, 7),
        ("onnxruntime==1.99", 13, 7),
        ("onnxruntime", 13, 7),
        *((runtime, 13, 7) for runtime in RUNTIMES),
    ],
)
def test_a_target_gets_what_it_loads(target, opset, ir_version) -> None:
    assert form_for(target) == Form(opset, ir_version)
    assert form_for(f" {target.upper()} ") == Form(opset, ir_version)
    form = Form(weights="float16", top_k=3)
    if opset > 12:
        assert form_for(target, form) == form


def test_no_release_gets_more_than_it_loads() -> None:
    for release in RELEASES:
        form = form_for(f"onnxruntime=={release.version}")
        assert (form.opset <= release.opset, form.ir_version <= release.ir_version) == (True, True)


@pytest.mark.parametrize(
    ("target", "precision"),
    [
        ("tract", {"weights": "bfloat16"}),
        ("tract", {"compute": "float64"}),
        ("openvino", {"compute": "float64"}),
        ("tensorrt", {"weights": "int8"}),
        ("onnxruntime-web", {"compute": "bfloat16"}),
    ],
)
def test_a_target_that_does_not_run_a_precision_is_refused(target, precision) -> None:
    with pytest.raises(
        WriteError, match=f"{target} does not run a head in .*: build it with other --weights"
    ):
        form_for(target, Form(**precision))


@pytest.mark.parametrize(
    "target",
    [
        *("", "onnx", "tract 1", "openvino==2024", "openvino==", "==", "==1.16"),
        *("onnxruntime==", "onnxruntime== ", "onnxruntime==new", "onnxruntime==0.5"),
    ],
)
def test_an_unknown_target_is_refused(target) -> None:
    with pytest.raises(
        WriteError, match="a target must be onnxruntime==VERSION, such as|must be 1.0 or newer"
    ):
        form_for(target)


@pytest.mark.parametrize("opset", [11, 13, 26])
@pytest.mark.parametrize("link", LINKS)
def test_the_file_itself_finds_the_most_probable_classes(
    opset, link, random_head, tmp_path, monkeypatch
) -> None:
    skip_beyond(Form(opset))
    head = random_head(classes=20, labels=[f"c{i}" for i in range(20)], link=link, temperature=3.0)
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(opset, top_k=4)).path
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    outputs = {value.name: value.type.tensor_type for value in model.graph.output}
    assert list(outputs) == ["logits", "probabilities", "top_probabilities", "top_classes"]
    assert [outputs[name].shape.dim[1].dim_value for name in outputs] == [20, 20, 4, 4]
    assert outputs["top_classes"].elem_type == onnx.TensorProto.INT64
    classify = onnxhead.load(path, device="cpu")
    expected = {k: classify(ROWS).top(k) for k in (1, 4, 5, 20)}
    for k, pairs in expected.items():
        assert classify.top(ROWS, k) == pairs
    assert classify.top(ROWS[0], 2) == [expected[4][0][:2]]
    assert classify.top(ROWS[:0], 2) == []
    assert classify(ROWS[:0]).probabilities.shape == (0, 20)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        classify.top(ROWS, 0)
    assert pickle.loads(pickle.dumps(classify)).top(ROWS, 4) == expected[4]  # noqa: S301  (its own)
    monkeypatch.setattr(runner, "_PIECE_ROWS", 2)
    monkeypatch.setattr(runner, "_PIECE_OUTPUT_BYTES", 1)
    monkeypatch.setattr(Classifier, "__call__", None)  # all logits and probabilities are not asked for
    assert classify.top(ROWS, 4) == expected[4]


@pytest.mark.parametrize(
    ("classes", "rows", "largest"),
    [(10, 200_000, 104_857), (1000, 2000, 1048), (30_000, 600, 256), (500_000, 40, 16), (10**8, 3, 1)],
)
def test_what_the_file_does_not_give_takes_little_memory(classes, rows, largest) -> None:
    class Session:
        """Answers without computing, and keeps how many rows it was asked for."""

        def run(self, _: object, feed: dict[str, np.ndarray], __: object) -> list[np.ndarray]:
            pieces.append(len(feed["features"]))
            return [feed["features"], feed["features"].astype(np.int64)]

    pieces: list[int] = []
    batch = np.arange(rows, dtype=np.float32)[:, np.newaxis]
    probabilities, numbers = runner.Runner(Session(), "cpu", classes).run_top(batch)
    assert max(pieces) == largest
    assert 8 * classes * (max(pieces) - 1) < 64 * 2**20
    assert probabilities.tolist() == numbers.tolist() == batch.tolist()


def test_equal_logits_keep_the_order_of_the_classes_and_nan_has_none(tmp_path) -> None:
    head = onnxhead.Head(np.ones((6, 2)), [0, 1, 1, 0, 1, 0])
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(top_k=4)).path
    classify = onnxhead.load(path, device="cpu")
    tied, undefined = classify.top([[1, 2], [np.nan, 0]], 4)
    assert [label for label, _ in tied] == [1, 2, 4, 0]
    assert undefined == []


def test_saturated_probabilities_are_ranked_by_their_logits(tmp_path) -> None:
    head = onnxhead.Head([[1.0], [3.0], [2.0]], np.zeros(3), link="sigmoid")
    path = onnxhead.save(head, tmp_path / "head.onnx", form=Form(top_k=3)).path
    (pairs,) = onnxhead.load(path, device="cpu").top([100.0], 3)
    assert pairs == [(1, 1.0), (2, 1.0), (0, 1.0)]


def test_more_of_them_than_classes_are_refused(random_head, tmp_path) -> None:
    with pytest.raises(HeadError, match="top_k must be at most the 4 classes, got 5"):
        onnxhead.save(random_head(), tmp_path / "new" / "head.onnx", form=Form(top_k=5))
    assert list(tmp_path.iterdir()) == [], "not even the folder, and no weights, have been written"
    assert not list(tmp_path.iterdir())


def test_the_form_is_read_back_and_held_to(random_head, tmp_path) -> None:
    form = Form(opset=17, ir_version=9, top_k=2)
    path = onnxhead.save(random_head(), tmp_path / "head.onnx", form=form).path
    assert open_model(path).form == form
    model = onnx.load(path)
    model.graph.node[-1].input[0] = "logits"  # another graph under the same outputs
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="must have the graph that onnxhead writes"):
        onnxhead.verify(path)
    model.opset_import[0].version = 28
    path.write_bytes(model.SerializeToString())
    with pytest.raises(
        ModelError, match="is not as onnxhead writes models: opset must be an integer from 7 to 26, got 28"
    ):
        onnxhead.verify(path)


@pytest.mark.parametrize("form", [Form(7, 4), Form(26, 13), Form(top_k=3)])
def test_every_form_is_shipped(form, random_head, tmp_path) -> None:
    skip_beyond(form)
    path = onnxhead.save(random_head(), tmp_path / "head.onnx", form=form).path
    shipment = onnxhead.ship(path, "bundle", tmp_path / "out")
    assert onnxhead.verify(shipment.path).findings == []
    shipped = open_model(shipment.path / "bundle" / "model.onnx")
    assert shipment.left_out == (("top_probabilities", "top_classes") if form.top_k else ())
    assert shipped.form == dataclasses.replace(form, top_k=None), (
        "clients find the most probable ones themselves"
    )


def test_the_command_writes_for_a_target(command, tmp_path, random_head) -> None:
    np.savez(tmp_path / "head.npz", weight=random_head().weight, bias=random_head().bias)
    command("build", "head.npz", "-o", "old.onnx", "--target", "onnxruntime==1.5")
    assert open_model(tmp_path / "old.onnx").form == Form(12, 7)
    command("build", "head.npz", "-o", "hand.onnx", "--opset", "20", "--ir", "9", "--top-k", "2")
    assert open_model(tmp_path / "hand.onnx").form == Form(20, 9, 2)
    done = command("build", "head.npz", "--target", "tract", "--opset", "9", status=2)
    assert "--target chooses opset and IR version, got --opset or --ir too" in done.stderr
    np.save(tmp_path / "x.npy", ROWS)
    (tmp_path / "y.txt").write_text("\n".join("012301230"))
    command("calibrate", "hand.onnx", "x.npy", "y.txt", "-o", "calibrated.onnx")
    assert open_model(tmp_path / "calibrated.onnx").form == Form(20, 9, 2), "calibration keeps the form"


def test_inspect_says_what_refuses_a_file(random_head, tmp_path, monkeypatch) -> None:
    path = onnxhead.save(random_head(), tmp_path / "new.onnx", form=Form(20, 9)).path
    assert inspect(path).obstacles == ["opset 20 with IR version 9: onnxruntime before 1.17 refuses it"]
    for form in (Form(), Form(7, 4), Form(11, 6)):
        assert inspect(onnxhead.save(random_head(), tmp_path / "a.onnx", form=form).path).obstacles == []
    model = onnx.load(path)
    model.opset_import[0].version = 99
    model.opset_import.add(domain="com.example", version=1)
    model.graph.node.add(op_type="Twist", domain="com.example")
    model.graph.node.add(op_type="Bend", domain="com.example")
    monkeypatch.setattr(obstacles, "_LARGEST_BYTES", 1000)
    assert obstacles.find_obstacles(model, 1000) == [
        "operators of com.example (Bend, Twist): only an onnxruntime that was built with them loads the file",
        "opset 99 with IR version 9: no onnxruntime from 1.0 to 1.32 loads it",
        "0.0 GiB: browsers and the .ort format hold less than 2 GiB",
    ]


@pytest.mark.parametrize("depth", [1, 3])
def test_operators_in_the_bodies_of_others_are_obstacles(depth, tmp_path) -> None:
    inner = onnx.helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml")
    for _ in range(depth):
        y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
        branch = onnx.helper.make_graph([inner], "branch", [], [y])
        inner = onnx.helper.make_node("If", ["is"], ["y"], then_branch=branch, else_branch=branch)
    inputs = [onnx.helper.make_tensor_value_info("is", onnx.TensorProto.BOOL, [])]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([inner], "g", inputs, [y])), tmp_path / "if.onnx")
    obstacle, *_ = inspect(tmp_path / "if.onnx").obstacles
    assert obstacle.startswith("operators of ai.onnx.ml (Scaler): OpenVINO and TensorRT refuse them")
    content = (tmp_path / "if.onnx").read_bytes()
    (tmp_path / "bytes.onnx").write_bytes(content.replace(b"ai.onnx.ml", b"ai.onnx.m\xff"))
    with pytest.raises(ModelError, match=r"names and metadata must be UTF-8, those of .* are not"):
        inspect(tmp_path / "bytes.onnx")
