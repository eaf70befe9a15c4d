"""The last linear layer of ONNX files that onnxhead did not build: graphs by hand, each run by onnxruntime."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxhead
from onnxhead.reference import refer
from onnxhead.rows import decision_rows
from onnxhead_runtime import links
from onnxhead_runtime.errors import ModelError, SourceError

RANDOM = np.random.default_rng(0)
W = RANDOM.normal(size=(3, 5)).astype(np.float32)
B = RANDOM.normal(size=3).astype(np.float32)
X = RANDOM.normal(size=(20, 5)).astype(np.float32)


def node(kind: str, inputs: str, outputs: str, name: str = "", domain: str = "", **attributes: object):
    return helper.make_node(kind, inputs.split(), outputs.split(), name, domain=domain, **attributes)


def build(
    path: Path,
    nodes: list,
    outputs: str = "y",
    constants: dict | None = None,
    width: object = 5,
    opset: int = 13,
) -> Path:
    """Write a model with the input x and the constants, by default the weight W, its transpose V and the bias B."""
    values = {"W": W, "V": W.T.copy(), "B": B, **(constants or {})}
    used = {name for one in nodes for name in one.input}
    initializers = [numpy_helper.from_array(np.asarray(v), k) for k, v in values.items() if k in used]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [onnx.ValueInfoProto(name=name) for name in outputs.split()],
        initializers,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


GEMM = node("Gemm", "x W B", "z", "gemm", transB=1)
SPELLED_OUT = [
    node("ReduceMax", "z", "m", axes=[1]),
    node("Sub", "z m", "s"),
    node("Exp", "s", "e"),
    node("ReduceSum", "e axis", "t"),
    node("Div", "e t", "y"),
]
ONE_VS_REST = [
    node("Sigmoid", "z", "p"),
    node("ReduceSum", "p axis", "t", keepdims=1),
    node("Div", "p t", "y"),
]
FROM_F = [node("Gemm", "f W B", "z", "gemm", transB=1), node("Softmax", "z", "y")]
AXIS = {"axis": np.array([1])}


@pytest.mark.parametrize(
    ("nodes", "link", "constants"),
    [
        ([GEMM, node("Softmax", "z", "y")], "softmax", {}),
        ([GEMM, node("Softmax", "z", "p"), node("Cast", "p", "y", to=TensorProto.DOUBLE)], "softmax", {}),
        ([GEMM, node("Identity", "z", "i"), node("Softmax", "i", "y", axis=1)], "softmax", {}),
        ([GEMM, node("LogSoftmax", "z", "y")], "softmax", {}),
        ([GEMM, node("Sigmoid", "z", "y")], "sigmoid", {}),
        ([GEMM, *SPELLED_OUT], "softmax", AXIS),
        ([GEMM, *ONE_VS_REST], "ovr", AXIS),
        ([GEMM, node("Identity", "z", "y")], "softmax", {}),
        ([node("Gemm", "x V B", "z"), node("Softmax", "z", "y")], "softmax", {}),
        ([node("MatMul", "x V", "u"), node("Add", "u B", "z"), node("Softmax", "z", "y")], "softmax", {}),
        ([node("MatMul", "x V", "u"), node("Add", "B u", "z"), node("Sigmoid", "z", "y")], "sigmoid", {}),
        (
            [node("MatMul", "x V", "u"), node("Add", "u B2", "z"), node("Softmax", "z", "y")],
            "softmax",
            {"B2": B[None]},
        ),
        (
            [
                node("Transpose", "W", "T"),
                node("MatMul", "x T", "u"),
                node("Add", "u B", "z"),
                node("Softmax", "z", "y"),
            ],
            "softmax",
            {},
        ),
        (
            [
                node("Constant", "", "C", value=numpy_helper.from_array(W.astype(np.float64))),
                node("Cast", "C", "D", to=TensorProto.FLOAT),
                node("Gemm", "x D B", "z", transB=1),
                node("Softmax", "z", "y"),
            ],
            "softmax",
            {},
        ),
    ],
)
def test_a_classifier_gives_its_weight_bias_and_link(nodes, link, constants, tmp_path: Path) -> None:
    path = build(tmp_path / "m.onnx", nodes, constants=constants)
    head = onnxhead.read(path, labels=["a", "b", "c"])
    assert np.array_equal(head.weight, W)
    assert np.array_equal(head.bias, B)
    assert (head.link, head.labels) == (link, ("a", "b", "c"))
    answer = onnxruntime.InferenceSession(path).run(["y"], {"x": X})[0]
    exact = refer(head, X)
    readings = {"LogSoftmax": np.log(exact.probabilities)}
    expected = readings.get(
        nodes[-1].op_type,
        exact.probabilities if len(nodes) > 1 and nodes[-1].op_type != "Identity" else exact.logits,
    )
    assert np.abs(answer - expected).max() < 1e-5


def test_alpha_beta_and_no_bias(tmp_path: Path) -> None:
    scaled = node("Gemm", "x W B", "z", transB=1, alpha=0.5, beta=2.0)
    head = onnxhead.read(build(tmp_path / "m.onnx", [scaled, node("Softmax", "z", "y")]))
    assert np.array_equal(head.weight, W / 2)
    assert np.array_equal(head.bias, B * 2)
    head = onnxhead.read(
        build(tmp_path / "m.onnx", [node("Gemm", "x W", "z", transB=1), node("Softmax", "z", "y")])
    )
    assert not head.bias.any()


def test_a_temperature_is_one(tmp_path: Path) -> None:
    for kind, value in (("Div", 2.5), ("Mul", 0.4)):
        nodes = [GEMM, node(kind, "z t", "s"), node("Softmax", "s", "y")]
        head = onnxhead.read(build(tmp_path / "m.onnx", nodes, constants={"t": np.float32(value)}))
        assert head.temperature == pytest.approx(2.5)
        assert np.array_equal(head.weight, W)


def test_one_logit_is_a_binary_head(tmp_path: Path) -> None:
    row = {"R": W[:1], "r": B[:1], "one": np.float32(1)}
    gemm, sigmoid = node("Gemm", "x R r", "z", transB=1), node("Sigmoid", "z", "p")
    both = [gemm, sigmoid, node("Sub", "one p", "q"), node("Concat", "q p", "y", axis=1)]
    for nodes, outputs in ((both, "y"), ([gemm, sigmoid], "p")):
        head = onnxhead.read(build(tmp_path / "m.onnx", nodes, outputs, row))
        assert (head.link, head.labels) == ("softmax", (0, 1))
        assert np.array_equal(head.weight, np.concatenate([np.zeros_like(W[:1]), W[:1]]))


def test_affine_steps_before_the_layer_are_folded(tmp_path: Path) -> None:
    mean, scale = np.arange(5, dtype=np.float32), np.array([2, 4, 1, 8, 0.5], np.float32)
    steps = {
        "standard": [node("Sub", "x m", "c", "center"), node("Div", "c s", "f", "scale")],
        "scaler": [
            node("Scaler", "x", "f", "scaler", "ai.onnx.ml", offset=mean.tolist(), scale=(1 / scale).tolist())
        ],
    }
    for before in steps.values():
        nodes = [*before, node("Gemm", "f W B", "z", "gemm", transB=1), node("Softmax", "z", "y")]
        path = build(tmp_path / "m.onnx", nodes, constants={"m": mean, "s": scale})
        head = onnxhead.read(path)
        assert np.allclose(head.weight, W / scale)
        assert head.folding.steps == tuple(f"{one.name} ({one.op_type})" for one in before)
        answer = onnxruntime.InferenceSession(path).run(["y"], {"x": X})[0]
        assert np.abs(answer - refer(head, X).probabilities).max() < 1e-6
        assert head.folding.probabilities_error < 1e-6
    project = {
        "P": RANDOM.normal(size=(5, 4)).astype(np.float32),
        "U": RANDOM.normal(size=(3, 4)).astype(np.float32),
    }
    nodes = [
        node("MatMul", "x P", "u", "project"),
        node("Mul", "two u", "f", "double"),
        node("Gemm", "f U B", "z", "gemm", transB=1),
        node("Softmax", "z", "y"),
    ]
    head = onnxhead.read(build(tmp_path / "m.onnx", nodes, constants=project | {"two": np.float32(2)}))
    assert np.allclose(head.weight, 2 * project["U"] @ project["P"].T, atol=1e-6)
    assert head.folding.steps == ("project (MatMul)", "double (Mul)")


def test_what_is_not_affine_before_the_layer_stays_outside(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "f"), node("Gemm", "f W B", "z", "gemm", transB=1), node("Softmax", "z", "y")]
    head = onnxhead.read(build(tmp_path / "m.onnx", nodes))
    assert np.array_equal(head.weight, W)
    assert head.origin.startswith(
        "m.onnx: node gemm on f, which is not an input of the file: W (3, 5) float32"
    )


def test_a_network_gives_its_last_layer(tmp_path: Path) -> None:
    hidden = {
        "H": RANDOM.normal(size=(7, 5)).astype(np.float32),
        "L": RANDOM.normal(size=(3, 7)).astype(np.float32),
    }
    nodes = [
        node("Gemm", "x H", "h", "first", transB=1),
        node("Relu", "h", "r"),
        node("Gemm", "r L B", "z", "last", transB=1),
        node("Softmax", "z", "y"),
    ]
    path = build(tmp_path / "m.onnx", nodes, constants=hidden)
    head = onnxhead.read(path)
    assert np.array_equal(head.weight, hidden["L"])
    with pytest.raises(SourceError, match="what m.onnx computes after node first is none of them"):
        onnxhead.read(path, node="first")
    with pytest.raises(SourceError, match="what m.onnx computes after node first is none of them"):
        onnxhead.read(path, node="first", link="sigmoid")


def test_of_several_heads_one_is_chosen_by_node(tmp_path: Path, command) -> None:
    nodes = [
        GEMM,
        node("Softmax", "z", "y"),
        node("MatMul", "x Q", "u", "second"),
        node("Sigmoid", "u", "v"),
    ]
    path = build(tmp_path / "m.onnx", nodes, "y v", {"Q": W[:2].T.copy()})
    with pytest.raises(
        SourceError, match=r"ends in several linear layers, gemm, second: choose one with --node"
    ):
        onnxhead.read(path)
    assert np.array_equal(onnxhead.read(path, node="gemm").weight, W)
    head = onnxhead.read(path, node="second")
    assert np.array_equal(head.weight, W[:2])
    assert head.link == "sigmoid"
    command("build", path, "--node", "gemm", "-o", "head.onnx")
    with pytest.raises(
        SourceError, match=r"--node \(node=\) must name a linear layer, m.onnx has gemm, second, got u2"
    ):
        onnxhead.read(path, node="u2")


CLASSIFIER = {
    "coefficients": W.ravel().tolist(),
    "intercepts": B.tolist(),
    "classlabels_strings": ["ant", "bee", "cat"],
    "multi_class": 1,
}


def classifier(**attributes: object):
    given = {key: value for key, value in {**CLASSIFIER, **attributes}.items() if value != []}
    return node("LinearClassifier", "x", "label p", "linear", "ai.onnx.ml", **given)


@pytest.mark.parametrize(
    ("post", "after", "link"),
    [
        ("SOFTMAX", [node("Normalizer", "p", "y", domain="ai.onnx.ml", norm="L1")], "softmax"),
        ("SOFTMAX", [node("Identity", "p", "y")], "softmax"),
        ("LOGISTIC", [node("Normalizer", "p", "y", domain="ai.onnx.ml", norm="L1")], "ovr"),
        ("LOGISTIC", [node("Identity", "p", "y")], "sigmoid"),
        (
            "SOFTMAX",
            [node("ZipMap", "p", "y", domain="ai.onnx.ml", classlabels_strings=["ant", "bee", "cat"])],
            "softmax",
        ),
    ],
)
def test_a_linear_classifier(post: str, after: list, link: str, tmp_path: Path) -> None:
    path = build(tmp_path / "m.onnx", [classifier(post_transform=post), *after], "label y")
    head = onnxhead.read(path)
    assert np.array_equal(head.weight, W)
    assert np.array_equal(head.bias, B)
    assert (head.link, head.labels) == (link, ("ant", "bee", "cat"))
    assert onnxhead.save(head, tmp_path / "head.onnx").check.passed


def test_a_linear_classifier_of_two_classes(tmp_path: Path) -> None:
    attributes = {
        "coefficients": np.concatenate([-W[0], W[0]]).tolist(),
        "intercepts": [-float(B[0]), float(B[0])],
        "classlabels_strings": ["no", "yes"],
        "multi_class": 0,
    }
    path = build(tmp_path / "m.onnx", [classifier(**attributes, post_transform="LOGISTIC")], "label p")
    head = onnxhead.read(path)
    assert (head.link, head.labels) == ("softmax", ("no", "yes"))
    answer = onnxruntime.InferenceSession(path).run(["p"], {"x": X})[0]
    assert np.abs(answer - refer(head, X).probabilities).max() < 1e-6
    assert np.array_equal(head.weight[1], W[0])


def test_weights_in_a_data_file_are_read(tmp_path: Path) -> None:
    path = build(tmp_path / "m.onnx", [GEMM, node("Softmax", "z", "y")])
    onnx.save_model(onnx.load(path), path, save_as_external_data=True, location="m.data", size_threshold=0)
    assert np.array_equal(onnxhead.read(path).weight, W)


@pytest.mark.parametrize(
    ("nodes", "width", "message"),
    [
        (
            [GEMM, node("Relu", "z", "y")],
            5,
            "what m.onnx computes after node gemm is none of them",
        ),
        (
            [GEMM, node("Softmax", "z", "y", axis=0)],
            5,
            "what m.onnx computes after node gemm is none of them",
        ),
        ([GEMM, node("ArgMax", "z", "y")], 5, "what m.onnx computes after node gemm is none of them"),
        (
            [node("Relu", "x", "y")],
            5,
            "a model must end in a linear layer (Gemm, MatMul or LinearClassifier with a",
        ),
        ([node("Gemm", "x x", "y", transB=1)], 5, "m.onnx has none"),
        ([node("Gemm", "x W B", "y", transA=1, transB=1)], 5, "m.onnx has none"),
        ([GEMM, node("Softmax", "z", "y")], 6, "m.onnx declares 6 features for x, and node gemm has 5"),
        (
            [classifier(coefficients=[1.0] * 7), node("Identity", "p", "y")],
            5,
            "linear has 7 coefficients, 3 intercepts and 3 labels",
        ),
        (
            [classifier(coefficients=[1.0] * 12), node("Identity", "p", "y")],
            5,
            "m.onnx declares 5 features for x, and node",
        ),
        (
            [classifier(intercepts=[], classlabels_strings=[]), node("Identity", "p", "y")],
            5,
            "0 intercepts and 0 labels",
        ),
        (
            [node("Gemm", "w W B", "z", transB=1), node("Softmax", "z", "w")],
            5,
            "a model must end in a linear layer",
        ),
    ],
)
def test_files_without_one_head_are_refused(nodes: list, width: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=re.escape(message)):
        onnxhead.read(build(tmp_path / "m.onnx", nodes, width=width))


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Gemm", "x", "y")],
        [node("Gemm", "x W Z", "z"), node("Softmax", "z", "y")],
        [node("MatMul", "x", "z"), node("Softmax", "z", "y")],
        [node("LinearClassifier", "x", "label", domain="ai.onnx.ml", coefficients=[1.0], intercepts=[1.0])],
        [GEMM, node("Softmax", "z", "q"), node("Nonsense", "q", "y")],
        [node("Transpose", "T", "T"), node("MatMul", "x T", "y")],
        [node("Reshape", "W S", "T"), node("MatMul", "x T", "y")],
    ],
)
def test_malformed_graphs_are_refused(nodes: list, tmp_path: Path) -> None:
    constants = {"S": np.array([10**9, 10**9]), "Z": np.zeros((3, 3), np.float32)}
    with pytest.raises((SourceError, ModelError)):
        onnxhead.read(build(tmp_path / "m.onnx", nodes, constants=constants))


def test_the_labels_nearest_to_the_output_are_the_files(tmp_path: Path) -> None:
    zipmap = node("ZipMap", "p", "y", domain="ai.onnx.ml", classlabels_strings=["x", "y", "z"])
    path = build(tmp_path / "m.onnx", [classifier(post_transform="SOFTMAX"), zipmap])
    assert onnxhead.read(path).labels == ("x", "y", "z")


def test_scores_of_a_classifier_alone_need_the_link(tmp_path: Path) -> None:
    path = build(
        tmp_path / "m.onnx", [classifier(post_transform="NONE"), node("Identity", "p", "y")], "label y"
    )
    with pytest.raises(
        SourceError, match="a head must have probabilities, m.onnx has scores alone: name the link"
    ):
        onnxhead.read(path)
    assert onnxhead.read(path, link="ovr").link == "ovr"
    two = {
        "coefficients": np.concatenate([-W[0], W[0]]).tolist(),
        "intercepts": [-float(B[0]), float(B[0])],
        "classlabels_strings": ["no", "yes"],
    }
    path = build(tmp_path / "m.onnx", [classifier(**two, post_transform="NONE")], "label p")
    head = onnxhead.read(path, link="softmax")
    assert np.array_equal(head.weight, [np.zeros(5), W[0]])
    assert head.labels == ("no", "yes")


SOFTMAX_OF = {
    "relu": [node("Relu", "z", "r"), node("Softmax", "r", "y")],
    "permuted": [node("Gather", "z order", "r", axis=1), node("Softmax", "r", "y")],
    "hard": [node("HardSigmoid", "z", "y")],
    "negative": [node("Neg", "z", "r"), node("Softmax", "r", "y")],
}


@pytest.mark.parametrize("name", SOFTMAX_OF)
def test_logits_beside_probabilities_that_are_not_theirs_are_refused(name: str, tmp_path: Path) -> None:
    nodes = [GEMM, *SOFTMAX_OF[name]]
    path = build(tmp_path / "m.onnx", nodes, "z y", {"order": np.array([2, 0, 1])})
    for arguments in ({}, {"link": "softmax"}):
        with pytest.raises(SourceError, match="what m.onnx computes after node gemm is none of them"):
            onnxhead.read(path, **arguments)


def test_a_temperature_is_found_on_either_side_and_through_constants(tmp_path: Path) -> None:
    scaled = [
        [node("Mul", "t z", "s")],
        [node("Exp", "l", "e"), node("Mul", "z e", "s")],
        [node("Clip", "d", "c"), node("Div", "z c", "s")],
    ]
    constants = {"t": np.float32(2.5), "l": np.log(np.float32(2.5)), "d": np.float32(0.4)}
    for before in scaled:
        nodes = [GEMM, *before, node("Softmax", "s", "y")]
        for outputs in ("y", "z y", "z s y"):
            head = onnxhead.read(build(tmp_path / "m.onnx", nodes, outputs, constants))
            assert head.temperature == pytest.approx(0.4)
            assert np.array_equal(head.weight, W)


def test_constants_are_added_in_several_steps(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x V", "u"),
        node("Add", "u B", "v"),
        node("Sub", "v one", "z"),
        node("Softmax", "z", "y"),
    ]
    head = onnxhead.read(build(tmp_path / "m.onnx", nodes, constants={"one": np.float32([1, 0, 2])}))
    assert np.allclose(head.bias, B - [1, 0, 2])


def test_labels_are_those_of_the_chosen_head(tmp_path: Path) -> None:
    def head(name: str, weight: str) -> list:
        return [
            node("Gemm", f"x {weight} B", f"z{name}", name, transB=1),
            node("Softmax", f"z{name}", f"p{name}"),
            node("ArgMax", f"p{name}", f"i{name}", axis=1, keepdims=0),
            node("ArrayFeatureExtractor", f"names{name} i{name}", f"l{name}", domain="ai.onnx.ml"),
        ]

    constants = {"namesa": np.array([10, 20, 30]), "namesb": np.array([7, 8, 9])}
    nodes = [*head("a", "W"), *head("b", "W")]
    path = build(tmp_path / "m.onnx", nodes, "pa la pb lb", constants)
    assert onnxhead.read(path, node="a").labels == (10, 20, 30)
    assert onnxhead.read(path, node="b").labels == (7, 8, 9)


@pytest.mark.parametrize("kind", ["ArgMin", "permuted"])
def test_labels_that_the_file_does_not_answer_with_are_left_out(kind: str, tmp_path: Path) -> None:
    last = {
        "ArgMin": [node("ArgMin", "y", "i", axis=1, keepdims=0)],
        "permuted": [node("Gather", "y order", "q", axis=1), node("ArgMax", "q", "i", axis=1, keepdims=0)],
    }
    nodes = [GEMM, node("Softmax", "z", "y"), *last[kind], node("Gather", "names i", "label")]
    constants = {"names": np.array([10, 20, 30]), "order": np.array([2, 0, 1])}
    head = onnxhead.read(build(tmp_path / "m.onnx", nodes, "y label", constants))
    assert head.labels is None
    right = [GEMM, node("Softmax", "z", "y"), node("ArgMax", "y", "i", axis=1, keepdims=0), nodes[-1]]
    other = node("Gather", "others i", "o")
    constants["others"] = np.array([9, 8, 7])
    for outputs in ("y label", "y o label", "y label o"):
        head = onnxhead.read(build(tmp_path / "m.onnx", [*right, other], outputs, constants))
        assert head.labels in ((10, 20, 30), (9, 8, 7))


def test_logits_that_are_only_shown_scaled_are_the_logits(tmp_path: Path) -> None:
    for kind, value in (("Mul", 100.0), ("Div", 0.01)):
        nodes = [node("MatMul", "x V", "z"), node(kind, "z t", "y")]
        path = build(tmp_path / "m.onnx", nodes, constants={"t": np.float32(value)})
        head = onnxhead.read(path)
        assert np.allclose(head.weight, 100 * W)
        assert (head.temperature, head.link) == (1, "softmax")
        answer = onnxruntime.InferenceSession(path).run(["y"], {"x": X})[0]
        assert np.abs(answer - refer(head, X).logits).max() < 1e-3
        both = onnxhead.read(build(path, nodes, "z y", {"t": np.float32(value)}))
        assert np.array_equal(both.weight, W)
        assert both.temperature == pytest.approx(0.01)


def test_two_linear_layers_in_a_row_with_their_own_biases_are_folded(tmp_path: Path) -> None:
    first = {
        "P": RANDOM.normal(size=(5, 4)).astype(np.float32),
        "p": RANDOM.normal(size=4).astype(np.float32),
    }
    nodes = [
        node("MatMul", "x P", "a", "first"),
        node("Add", "a p", "b", "plus"),
        node("MatMul", "b U", "c", "last"),
        node("Add", "c B", "z"),
        node("Softmax", "z", "y"),
    ]
    second = {"U": RANDOM.normal(size=(4, 3)).astype(np.float32)}
    path = build(tmp_path / "m.onnx", nodes, constants=first | second)
    head = onnxhead.read(path)
    assert head.folding.steps == ("first (MatMul)", "plus (Add)")
    answer = onnxruntime.InferenceSession(path).run(["y"], {"x": X})[0]
    assert np.abs(answer - refer(head, X).probabilities).max() < 1e-5


def test_one_output_per_class_is_one_table(tmp_path: Path) -> None:
    nodes = [GEMM, node("Softmax", "z", "p"), node("Split", "p", "a b c", axis=1)]
    assert onnxhead.read(build(tmp_path / "m.onnx", nodes, "a b c")).link == "softmax"


def test_a_table_narrower_than_the_classes_is_no_answer_of_theirs(tmp_path: Path) -> None:
    nodes = [GEMM, node("Identity", "z", "y"), node("ReduceMax", "z", "m", axes=[1])]
    assert onnxhead.read(build(tmp_path / "m.onnx", nodes, "y m")).link == "softmax"


def test_a_small_head_in_float16(tmp_path: Path) -> None:
    half = {"H": W.astype(np.float16), "h": B.astype(np.float16)}
    nodes = [node("Gemm", "x H h", "z", transB=1), node("Softmax", "z", "y")]
    path = build(tmp_path / "m.onnx", nodes, constants=half)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.save(model, path)
    assert np.array_equal(onnxhead.read(path).weight, half["H"].astype(np.float32))


def test_integer_inputs_are_rounded_before_they_are_compared(tmp_path: Path) -> None:
    path = build(tmp_path / "m.onnx", [node("Cast", "x", "f", to=TensorProto.FLOAT), *FROM_F])
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    onnx.save(model, path)
    assert np.array_equal(onnxhead.read(path).weight, W)


def test_a_pipeline_of_steps_that_are_not_affine_is_refused_unless_its_layer_is_asked_for(
    tmp_path: Path,
) -> None:
    nodes = [node("Normalizer", "x", "f", domain="ai.onnx.ml", norm="L2"), *FROM_F]
    path = build(tmp_path / "m.onnx", nodes)
    with pytest.raises(
        SourceError, match=r"in m.onnx f \(Normalizer\) is not: read the estimator itself .* --node gemm"
    ):
        onnxhead.read(path)
    head = onnxhead.read(path, node="gemm")
    assert "node gemm on f, which is not an input of the file" in head.origin


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Cast", "x", "i", to=TensorProto.INT32), node("Cast", "i", "f", to=TensorProto.FLOAT)],
        [node("Flatten", "x", "f", axis=0)],
        [node("Add", "x x", "f")],
    ],
)
def test_what_only_looks_affine_is_not_folded(nodes: list, tmp_path: Path) -> None:
    head = onnxhead.read(build(tmp_path / "m.onnx", [*nodes, *FROM_F]))
    assert "which is not an input of the file" in head.origin
    assert head.folding.steps == ()


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Identity", "q", "a"), node("Identity", "a", "q"), node("Gemm", "q W B", "y", transB=1)],
        [node("Add", "q B5", "a"), node("Mul", "a B5", "q"), node("Gemm", "q W B", "y", transB=1)],
    ],
)
def test_rings_end(nodes: list, tmp_path: Path) -> None:
    head = onnxhead.read(build(tmp_path / "m.onnx", nodes, constants={"B5": np.ones(5, np.float32)}))
    assert "on q, which is not an input of the file" in head.origin


def test_what_follows_must_be_plain_arithmetic(tmp_path: Path) -> None:
    generate = [GEMM, node("Softmax", "z", "p"), node("Shape", "p", "s"), node("Tile", "p s", "y")]
    with pytest.raises(SourceError, match=r"which must be plain arithmetic, it is y \(Tile\)"):
        onnxhead.read(build(tmp_path / "m.onnx", generate))


def test_a_constant_that_lies_outside_the_file_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(bytes(60))
    value = TensorProto(data_type=TensorProto.FLOAT, dims=[3, 5], data_location=TensorProto.EXTERNAL)
    value.external_data.add(key="location", value="secret.bin")
    nodes = [node("Constant", "", "C", value=value), node("Gemm", "x C B", "y", "gemm", transB=1)]
    with pytest.raises(ModelError, match="external data must be that of the graph's own initializers"):
        onnxhead.read(build(tmp_path / "m.onnx", nodes))


def test_no_two_links_agree_on_the_rows_that_decide() -> None:
    for seed in range(50):
        random = np.random.default_rng(seed)
        classes, features = random.integers(2, 6), random.integers(1, 8)
        weight = random.normal(size=(classes, features)) * 10.0 ** random.integers(-3, 4)
        bias = random.normal(size=classes) * 10.0 ** random.integers(-2, 2)
        if seed % 2 and classes > 2:  # no row has logits about zero
            weight[-1] = -weight[:-1].sum(axis=0)
            bias -= 50
        logits = decision_rows(weight, bias, 1.0) @ weight.T + bias
        softmax, sigmoid, ovr = (links.probabilities(logits, link) for link in ("softmax", "sigmoid", "ovr"))
        assert (
            min(np.abs(softmax - ovr).max(), np.abs(softmax - sigmoid).max(), np.abs(ovr - sigmoid).max())
            > 0.02
        )
