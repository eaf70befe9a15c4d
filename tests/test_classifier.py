"""Loading and calling: shapes, conversions, threads, processes, files of others."""

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import ROOT
from onnx import TensorProto, helper, numpy_helper

import onnxhead
import onnxhead_runtime
from onnxhead.graph import compose
from onnxhead.reference import deviation, refer
from onnxhead_runtime.errors import FeaturesError, ModelError

ABC = ROOT / "models" / "abc.onnx"
F = [0.5, 0.8, 1.2]


@pytest.fixture(scope="module")
def classify() -> onnxhead.Classifier:
    return onnxhead.load(ABC, device="cpu")


def test_the_worked_example(classify) -> None:
    prediction = classify(F)
    assert prediction.logits.round(2).tolist() == np.float32([[0.5, 0.34, 2.41]]).tolist()
    assert prediction.probabilities.round(3).tolist() == np.float32([[0.116, 0.099, 0.785]]).tolist()
    assert prediction.labels == ["C"]
    assert (prediction.logits.dtype, prediction.probabilities.dtype) == (np.float32, np.float32)


def test_what_the_file_says_is_there(classify) -> None:
    assert (classify.features, classify.classes, classify.link) == (3, ("A", "B", "C"), "softmax")
    assert (classify.temperature, classify.device, classify.path) == (1.0, "cpu", ABC)


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "ovr"])
@pytest.mark.parametrize("temperature", [1.0, 0.25, 3.0])
def test_every_link_and_temperature_is_within_the_bound(link, temperature, random_head, tmp_path) -> None:
    head = random_head(classes=9, features=33, link=link, temperature=temperature)
    onnxhead.save(head, tmp_path / "head.onnx")
    rows = np.random.default_rng(1).normal(size=(50, 33)).astype(np.float32) * 5
    prediction, exact = onnxhead.load(tmp_path / "head.onnx")(rows), refer(head, rows)
    assert deviation(prediction.logits, exact.logits, exact.logits_bound).ratio <= 1
    assert deviation(prediction.probabilities, exact.probabilities, exact.probabilities_bound).ratio <= 1


@pytest.mark.parametrize(
    "features",
    [
        [1, 2, 3],
        (1.0, 2.0, 3.0),
        np.array([1, 2, 3], np.float16),
        np.array([1, 2, 3], np.float64),
        np.array([1, 2, 3], ">f4"),
        np.array([1, 2, 3], np.int8),
        np.array([[1, 2, 3]], np.uint64),
        np.array([[3, 0, 2, 0, 1]], np.float32)[:, ::-2],
    ],
)
def test_other_numbers_are_converted(classify, features) -> None:
    expected = classify(np.array([[1, 2, 3]], np.float32)).logits
    assert np.array_equal(classify(features).logits, expected)


@pytest.mark.parametrize("rows", [0, 1, 2, 1000])
def test_a_batch_has_a_row_for_each_row(classify, rows) -> None:
    prediction = classify(np.ones((rows, 3), np.float32))
    assert prediction.logits.shape == prediction.probabilities.shape == (rows, 3)
    assert len(prediction.labels) == rows


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([1.0, 2.0], "features must be (3,) or (batch, 3) for this model, got shape (2,), dtype float64"),
        (np.ones((3, 5)), "got shape (3, 5), dtype float64; its transpose fits: pass features.T"),
        (np.ones((1, 1, 3)), "got shape (1, 1, 3), dtype float64"),
        (1.0, "got shape (), dtype float64"),
        ([], "got shape (0,), dtype float64"),
        (["a", "b", "c"], "features must be real numbers, got text among them"),
        ([1.0, None, 3.0], "features must be real numbers, got null or objects among them"),
        ([1j, 0, 0], "features must be real numbers, got complex numbers among them"),
        ([[1, 2, 3], [1, 2]], "in main memory, got rows of different lengths: row 1 has 2, row 0 has 3"),
        ([1e39, 0, 0], "features must fit float32 (largest 3.403e+38), got 1e+39 at [0, 0]"),
    ],
)
def test_features_that_do_not_fit_are_refused(classify, features, message) -> None:
    with pytest.raises(FeaturesError, match=re.escape(message)):
        classify(features)


@pytest.mark.parametrize("width", [3, 64, 1000])
def test_a_nan_row_is_nan_for_itself_alone(width, random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=10, features=width), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx")
    rows = np.random.default_rng(0).normal(size=(9, width)).astype(np.float32)
    expected = classify(rows)
    rows[4, width // 2] = np.nan
    prediction = classify(rows)
    assert np.isnan(prediction.logits[4]).all()
    assert np.isnan(prediction.probabilities[4]).all()
    others = np.arange(9) != 4
    assert np.array_equal(prediction.logits[others], expected.logits[others])
    assert np.array_equal(prediction.probabilities[others], expected.probabilities[others])
    assert prediction.labels[4] is None
    assert prediction.undefined_rows == [4]


def test_the_caller_owns_what_is_returned(classify) -> None:
    first = classify(F)
    kept = first.logits.copy()
    classify([9.0, 9.0, 9.0])
    assert np.array_equal(first.logits, kept)
    first.logits[:] = 0  # writable


def test_many_threads_share_one_classifier(classify) -> None:
    batches = [np.random.default_rng(i).normal(size=(i % 50 + 1, 3)).astype(np.float32) for i in range(200)]
    expected = [classify(batch).probabilities for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda batch: classify(batch).probabilities, batches))
    for answer, right in zip(answers, expected, strict=True):
        assert np.array_equal(answer, right)


def test_it_pickles_as_path_and_device(classify, tmp_path) -> None:
    data = pickle.dumps(classify)
    assert len(data) < 300
    program = f"import pickle; c = pickle.loads({data!r}); print(c({F}).labels, c.device)"
    # in another folder, since the path is absolute
    child = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert child.stdout == "['C'] cpu\n", child.stderr


def _in_fork(work) -> int | None:
    """Run `work` in a forked child; return its exit status, None if it hung."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error))
            os._exit(1)
        os._exit(0)
    for _ in range(300):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_it_works_after_a_fork(random_head, tmp_path) -> None:
    head = random_head(classes=500, features=600)  # large enough for onnxruntime's threads
    onnxhead.save(head, tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx")
    rows = np.ones((512, 600), np.float32)
    expected = classify(rows).logits

    def work() -> None:
        assert np.allclose(classify(rows).logits, expected, atol=1e-3)

    assert _in_fork(work) == 0


def test_a_forked_child_that_exits_as_usual_does_not_hang(random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=500, features=600), tmp_path / "head.onnx")
    program = (
        "import os, numpy, onnxhead\n"
        f"used, unused = (onnxhead.load({str(tmp_path / 'head.onnx')!r}) for _ in range(2))\n"
        "rows = numpy.ones((512, 600), numpy.float32)\n"
        "used(rows), unused(rows)\n"
        "if child := os.fork():\n"
        "    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "used(rows)\n"  # the child then ends as any program does, and destroys both classifiers
    )
    # onnxruntime's telemetry, whose thread makes such a child hang, is off by itself where CI is set
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY")}
    assert subprocess.run([sys.executable, "-c", program], timeout=60, env=environment).returncode == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_fork_refuses_a_file_that_was_replaced(random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx")
    onnxhead.save(random_head(seed=1), tmp_path / "head.onnx")

    def work() -> None:
        with pytest.raises(ModelError, match="has been replaced since it was loaded: load it again"):
            classify(np.ones(5))

    assert _in_fork(work) == 0


def compose_by_hand(
    path: Path, *, names: tuple[str, str, str] = ("features", "logits", "probabilities"), axis: int = -1
) -> Path:
    """Write a head as somebody else would, without metadata."""
    features, logits, probabilities = names
    nodes = [
        helper.make_node("MatMul", [features, "W"], ["Wf"]),
        helper.make_node("Add", ["Wf", "b"], [logits]),
        helper.make_node("Softmax", [logits], [probabilities], axis=axis),
    ]
    graph = helper.make_graph(
        nodes,
        "by-hand",
        [helper.make_tensor_value_info(features, TensorProto.FLOAT, ["n", 2])],
        [
            helper.make_tensor_value_info(probabilities, TensorProto.FLOAT, ["n", 3]),
            helper.make_tensor_value_info(logits, TensorProto.FLOAT, ["n", 3]),
        ],
        [
            helper.make_tensor("W", TensorProto.FLOAT, (2, 3), [1, 2, 3, 4, 5, 6]),
            helper.make_tensor("b", TensorProto.FLOAT, (3,), [0, 0, -9]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_a_file_of_others_with_the_contract_is_accepted(tmp_path) -> None:
    classify = onnxhead.load(compose_by_hand(tmp_path / "other.onnx"))
    assert (classify.features, classify.classes, classify.link) == (2, (0, 1, 2), None)
    prediction = classify([1.0, 1.0])
    assert prediction.logits.tolist() == [[5, 7, 0]]  # by name: this file has the probabilities first
    assert prediction.labels == [1]


def test_a_file_of_others_without_the_contract_is_refused_with_what_it_has(tmp_path) -> None:
    path = compose_by_hand(tmp_path / "other.onnx", names=("x", "scores", "probabilities"))
    message = (
        "has the inputs x tensor(float) ['n', 2] and the outputs probabilities tensor(float) ['n', 3], "
        "scores tensor(float) ['n', 3]"
    )
    with pytest.raises(ModelError, match=re.escape(message)):
        onnxhead.load(path)


def answer_with(path: Path, nodes: list, shapes: dict[str, list], width: int | str = 2) -> Path:
    """Write a model with the contract's names and these nodes."""
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in shapes.items()]
    initializers = [helper.make_tensor("shape", TensorProto.INT64, (2,), [1, 2])]
    batch = "n" if width != "fixed" else 1
    inputs = [
        helper.make_tensor_value_info(
            "features", TensorProto.FLOAT, [batch, 2 if width == "fixed" else width]
        )
    ]
    graph = helper.make_graph(nodes, "other", inputs, infos, initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


BOTH = {"logits": ["n", 2], "probabilities": ["n", 2]}
SOFTMAX = [
    helper.make_node("Identity", ["features"], ["logits"]),
    helper.make_node("Softmax", ["features"], ["probabilities"]),
]


@pytest.mark.parametrize("width", ["fixed", "F"])
def test_a_batch_of_one_size_or_a_width_of_any_size_is_refused(width, tmp_path) -> None:
    with pytest.raises(
        ModelError, match=r"one input features float32 \[batch, F\] .* has the inputs features"
    ):
        onnxhead.load(answer_with(tmp_path / "m.onnx", SOFTMAX, BOTH, width))


def test_a_model_that_fails_on_two_rows_is_refused(tmp_path) -> None:
    nodes = [helper.make_node("Reshape", ["features", "shape"], ["logits"]), SOFTMAX[1]]
    with pytest.raises(ModelError, match=r"a model must answer any number of rows, .* does not: "):
        onnxhead.load(answer_with(tmp_path / "m.onnx", nodes, BOTH))


def test_outputs_of_different_widths_are_refused(tmp_path) -> None:
    nodes = [
        helper.make_node("Concat", ["features", "features"], ["logits"], axis=1),
        SOFTMAX[1],
    ]
    shapes = {"logits": ["n", 4], "probabilities": ["n", 2]}
    with pytest.raises(ModelError, match=r"must be \[batch, C\], .* gives \(\(2, 4\), \(2, 2\)\) for 2 rows"):
        onnxhead.load(answer_with(tmp_path / "m.onnx", nodes, shapes))


def test_logits_that_depend_on_the_batch_are_refused(tmp_path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["features"], ["mean"], axes=[0], keepdims=1),
        helper.make_node("Sub", ["features", "mean"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    with pytest.raises(ModelError, match="of a row must depend on that row alone"):
        onnxhead.load(answer_with(tmp_path / "m.onnx", nodes, BOTH))


@pytest.mark.parametrize(("moved", "is_valid"), [(1e-6, True), (0.1, False)])
@pytest.mark.parametrize("link", ["softmax", "ovr"])
def test_the_last_bits_of_logits_may_depend_on_the_batch_at_any_temperature(
    link, moved, is_valid, tmp_path
) -> None:
    # as the sums of long rows do, in an order that depends on how many rows there are
    head = onnxhead.Head([[1.0, -2.0], [0.0, 3.0], [4.0, 1.0]], [-4, -4, -4], link=link, temperature=1e-3)
    model = compose(head)
    model.graph.node[0].input[2] = "moved_bias"
    moves = np.array([moved, -moved, 0], np.float32)
    model.graph.initializer.append(numpy_helper.from_array(moves, "moves"))
    nodes = [
        helper.make_node("Shape", ["features"], ["shape"]),
        helper.make_node("Cast", ["shape"], ["lengths"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMin", ["lengths"], ["rows"], axes=[0]),
        helper.make_node("Mul", ["moves", "rows"], ["move"]),
        helper.make_node("Add", ["bias", "move"], ["moved_bias"]),
    ]
    nodes += list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, tmp_path / "head.onnx")
    if is_valid:
        assert onnxhead_runtime.load(tmp_path / "head.onnx", device="cpu").temperature == np.float32(1e-3)
        return
    with pytest.raises(ModelError, match="of a row must depend on that row alone"):
        onnxhead_runtime.load(tmp_path / "head.onnx", device="cpu")


def test_a_softmax_over_the_batch_is_refused(tmp_path) -> None:
    with pytest.raises(ModelError, match="they change with the batch: the softmax runs over the wrong axis"):
        onnxhead.load(compose_by_hand(tmp_path / "other.onnx", axis=0))


def test_probabilities_that_are_not_the_stated_link_are_refused(random_head, tmp_path) -> None:
    model = compose(random_head())
    model.graph.node[-1].op_type = "Sigmoid"
    del model.graph.node[-1].attribute[:]
    onnx.save(model, tmp_path / "lying.onnx")
    with pytest.raises(ModelError, match="must be the softmax of logits / 1 that the file states"):
        onnxhead.load(tmp_path / "lying.onnx")


def _with_props(head: onnxhead.Head, path: Path, **props: str) -> Path:
    model = compose(head)
    for prop in model.metadata_props:
        prop.value = props.get(prop.key.removeprefix("onnxhead."), prop.value)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({"format": "2"}, "this version reads file format 1, the file states '2': upgrade with pip"),
        ({"labels": "[1, 2"}, "the file's onnxhead.labels must be a JSON array, it is not JSON"),
        ({"labels": '{"a": 1}'}, "the file's onnxhead.labels must be a JSON array, it is a dict"),
        ({"labels": '["a"]'}, "labels must be one per class: got 1 labels for 3 classes"),
        ({"labels": '["a", "b", ["c"]]'}, "labels must be strings, integers, booleans or floats, got ['c']"),
        ({"labels": '["a", "b", NaN]'}, "labels must be finite, got nan"),
        ({"link": "probit"}, "link must be one of softmax, sigmoid, ovr, got 'probit'"),
        ({"temperature": "hot"}, "onnxhead.temperature must be a positive decimal, it is 'hot'"),
        ({"temperature": "-1"}, "onnxhead.temperature must be a positive decimal, it is '-1'"),
    ],
)
def test_metadata_that_lie_are_refused(abc, tmp_path, props, message) -> None:
    path = _with_props(abc, tmp_path / "lying.onnx", **props)
    with pytest.raises(ModelError, match=re.escape(message)):
        onnxhead.load(path)


def test_a_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(
        ModelError, match=r"a model must be a readable \.onnx file, .* is not: No such file or dir"
    ):
        onnxhead.load(tmp_path / "none.onnx")
    for name in ("none.onnx", "a" * 300 + ".onnx"):
        with pytest.raises(ModelError, match=r"a model must be an \.onnx file, there is no file"):
            onnxhead_runtime.load(tmp_path / name)
    with pytest.raises(ModelError, match="embedded null byte"):
        onnxhead.load("a\0b.onnx")


def test_the_library_refuses_two_initializers_with_one_name(tmp_path) -> None:
    import corpus

    (tmp_path / "twice.onnx").write_bytes(corpus.model(corpus.duplicate))
    with pytest.raises(ModelError, match=r"initializers must have distinct names, .* has weight twice"):
        onnxhead.load(tmp_path / "twice.onnx")


def test_metadata_that_are_not_utf8_are_refused(tmp_path) -> None:
    path = tmp_path / "bytes.onnx"
    path.write_bytes(ABC.read_bytes().replace(b'["A","B","C"]', b'["A","B","\xff"]'))
    for load in (onnxhead.load, onnxhead_runtime.load):
        with pytest.raises(ModelError, match="names and metadata must be UTF-8"):
            load(path)
