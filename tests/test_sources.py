"""One head, read from every kind of source; and what is refused, with what it says."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

import onnxhead
from onnxhead.sources.labels import read_labels
from onnxhead_runtime.errors import HeadError, ModelError, SourceError

W = np.array([[1.0, -2.0, 0.5, 3.0], [0.25, 4.0, -1.0, 0.0], [2.0, 0.0, 1.5, -0.5]])
B = np.array([0.5, -0.25, 1.0])
LABELS = ["cat", "dog", "owl"]


def check(head: onnxhead.Head, labels: tuple | None = None) -> None:
    assert head.weight.tolist() == W.tolist()
    assert head.bias.tolist() == B.tolist()
    assert head.labels == labels


def write_csv(path: Path, rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def write_json(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_arrays_in_memory() -> None:
    check(onnxhead.read((W, B)))
    check(onnxhead.read({"W": W, "b": B, "labels": np.array(LABELS)}), tuple(LABELS))


def test_json(tmp_path) -> None:
    path = write_json(tmp_path / "h.json", {"weight": W.tolist(), "bias": B.tolist(), "labels": LABELS})
    check(onnxhead.read(path), tuple(LABELS))
    check(onnxhead.read(str(path), labels=[1, 2, 3]), (1, 2, 3))


def test_json_states_link_and_temperature_and_arguments_go_before(tmp_path) -> None:
    document = {"weight": W.tolist(), "bias": B.tolist(), "link": "sigmoid", "temperature": 2}
    path = write_json(tmp_path / "h.json", document)
    head, other = onnxhead.read(path), onnxhead.read(path, link="ovr", temperature=3)
    assert (head.link, head.temperature) == ("sigmoid", 2)
    assert (other.link, other.temperature) == ("ovr", 3)


def test_coefficients_of_scikit_learn_by_hand(tmp_path) -> None:
    document = {"coef_": W.tolist(), "intercept_": B.tolist(), "classes_": LABELS}
    check(onnxhead.read(write_json(tmp_path / "h.json", document)), tuple(LABELS))
    binary = {"coef_": W[0].tolist(), "intercept_": 0.5, "classes_": ["no", "yes"]}
    head = onnxhead.read(write_json(tmp_path / "h.json", binary))
    assert head.weight.tolist() == [[0, 0, 0, 0], W[0].tolist()]
    assert (head.bias.tolist(), head.labels) == ([0, 0.5], ("no", "yes"))
    document["intercept_"] = 0.0
    assert onnxhead.read(write_json(tmp_path / "h.json", document)).bias.tolist() == [0, 0, 0]
    rows = [[label, *row, bias] for label, row, bias in zip(LABELS, W.tolist(), B.tolist(), strict=True)]
    header = ["classes_", "w", "x", "y", "z", "intercept_"]
    check(onnxhead.read(write_csv(tmp_path / "h.csv", [header, *rows])), tuple(LABELS))
    one = write_csv(tmp_path / "h.csv", [header, ["yes", *W[0].tolist(), 0.5]])
    assert onnxhead.read(one, labels=["no", "yes"]).weight.tolist() == head.weight.tolist()


def test_npz(tmp_path) -> None:
    np.savez(tmp_path / "h.npz", coef_=W, intercept_=B, classes_=np.array([3, 1, 2]))
    check(onnxhead.read(tmp_path / "h.npz"), (3, 1, 2))


def test_a_pair_of_npy(tmp_path) -> None:
    np.save(tmp_path / "w.npy", np.asfortranarray(W))
    np.save(tmp_path / "b.npy", B.astype(">f2"))
    check(onnxhead.read((tmp_path / "w.npy", tmp_path / "b.npy")))


def test_one_npy_without_bias(tmp_path) -> None:
    np.save(tmp_path / "w.npy", W)
    assert onnxhead.read(tmp_path / "w.npy", no_bias=True).bias.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_safetensors(tmp_path, dtype) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    numpy_safetensors = pytest.importorskip("safetensors.numpy")
    kind = getattr(ml_dtypes, dtype, dtype)
    tensors = {"encoder.0.weight": np.zeros((4, 4), np.float32), "fc.weight": W.astype(kind)}
    numpy_safetensors.save_file(tensors | {"fc.bias": B.astype(kind)}, tmp_path / "h.safetensors")
    head = onnxhead.read(tmp_path / "h.safetensors", labels=LABELS)
    check(head, tuple(LABELS))
    assert (
        head.origin
        == f"h.safetensors: fc.weight (3, 4) {dtype}, fc.bias (3,) {dtype}; not used: encoder.0.weight"
    )


def test_csv_with_a_header_that_names_the_bias(tmp_path) -> None:
    rows = [[label, bias, *weights] for label, bias, weights in zip(LABELS, B, W.tolist(), strict=True)]
    path = write_csv(tmp_path / "h.csv", [["label", "bias", "w0", "w1", "w2", "w3"], *rows])
    check(onnxhead.read(path), tuple(LABELS))
    path = write_csv(tmp_path / "h.csv", [["class", "offset", "w0", "w1", "w2", "w3"], *rows])
    check(onnxhead.read(path, bias_key="offset"), tuple(LABELS))


def test_csv_without_a_header_has_the_bias_last(tmp_path) -> None:
    rows = [[label, *weights, bias] for label, bias, weights in zip(range(3), B, W.tolist(), strict=True)]
    check(onnxhead.read(write_csv(tmp_path / "h.csv", rows)), (0, 1, 2))


def test_a_table_that_pandas_wrote_without_names(tmp_path) -> None:
    rows = [[label, *weights, bias] for label, bias, weights in zip(LABELS, B, W.tolist(), strict=True)]
    path = write_csv(tmp_path / "h.csv", [["", 0, 1, 2, 3, 4], *rows])
    check(onnxhead.read(path, bias_key="4"), tuple(LABELS))


def test_what_is_not_used_is_named(tmp_path) -> None:
    document = {"weight": W.tolist(), "bias": B.tolist(), "lables": LABELS, "temp": 2}
    head = onnxhead.read(write_json(tmp_path / "h.json", document))
    assert head.origin == "h.json: weight (3, 4) float64, bias (3,) float64; not used: lables, temp"


def test_csv_without_bias(tmp_path) -> None:
    rows = [[label, *weights] for label, weights in zip(LABELS, W.tolist(), strict=True)]
    head = onnxhead.read(write_csv(tmp_path / "h.csv", rows), no_bias=True)
    assert (head.weight.tolist(), head.bias.tolist()) == (W.tolist(), [0, 0, 0])


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "ovr"])
def test_a_model_that_onnxhead_built_is_read_back_bit_for_bit(link, random_head, tmp_path) -> None:
    head = random_head(classes=3, labels=["a", 7, True], link=link, temperature=1.7)
    onnxhead.save(head, tmp_path / "h.onnx")
    again = onnxhead.read(tmp_path / "h.onnx")
    assert again.weight.tobytes() == head.weight.tobytes()
    assert again.bias.tobytes() == head.bias.tobytes()
    assert (again.labels, again.link, again.temperature) == (head.labels, head.link, head.temperature)
    assert [type(label) for label in again.labels] == [str, int, bool]


@pytest.mark.parametrize(
    ("weight", "bias"),
    [
        ("weight", "bias"),
        ("W", "b"),
        ("coef_", "intercept_"),
        ("classifier.weight", "classifier.bias"),
        ("fc.weight", "fc.bias"),
        ("head.weight", "head.bias"),
        ("score.weight", "score.bias"),
        ("model.backbone.fc.weight", "model.backbone.fc.bias"),
    ],
)
def test_the_usual_names_are_found(weight, bias) -> None:
    check(onnxhead.read({weight: W, bias: B, "step": np.zeros(1), "conv.weight": np.zeros((2, 2))}))


def test_a_kernel_is_features_first_by_its_convention() -> None:
    check(onnxhead.read({"kernel": W.T, "bias": B}))
    square = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert onnxhead.read({"kernel": square, "bias": B[:2]}).weight.tolist() == square.T.tolist()
    explicit = onnxhead.read({"kernel": square, "bias": B[:2]}, layout="classes-first")
    assert explicit.weight.tolist() == square.tolist()


def test_a_named_weight_finds_its_partner() -> None:
    arrays = {"a.weight": W, "a.bias": B, "b.weight": W + 1, "b.bias": B + 1}
    check(onnxhead.read(arrays, weight_key="a.weight"))
    check(onnxhead.read({"arr_0": W, "arr_1": B}, weight_key="arr_0", bias_key="arr_1"))


def test_features_first() -> None:
    head = onnxhead.read((W.T, B), layout="features-first")
    check(head)
    assert head.weight.flags.c_contiguous


def test_a_binary_head_from_scikit_learn_as_it_is() -> None:
    head = onnxhead.read({"coef_": W[:1], "intercept_": B[:1], "classes_": np.array(["no", "yes"])})
    assert head.labels == ("no", "yes")
    assert head.weight.tolist() == [[0, 0, 0, 0], W[0].tolist()]


@pytest.mark.parametrize(
    ("source", "arguments", "message"),
    [
        (
            {"weight": W, "W": W, "bias": B},
            {},
            "a source must hold one weight, the mapping holds weight (3, 4) float64, W (3, 4) float64: choose",
        ),
        (
            {"fc.weight": W, "fc.bias": B, "head.weight": W, "head.bias": B},
            {},
            "choose one with --weight-key (weight_key=), usually the last layer's: head.weight",
        ),
        (
            {"a": W, "c": B},
            {},
            "the mapping holds a (3, 4) float64, c (3,) float64: name yours with",
        ),
        ({}, {}, "the mapping holds nothing else: name yours"),
        (
            {"weight": W},
            {},
            "a head must have a bias, the mapping holds no bias for weight; name it with --bias-key",
        ),
        (
            {"weight": W, "b": B},
            {},
            "holds no bias for weight: it has b (3,) float64; name it with --bias-key (bias_key=), or",
        ),
        (
            {"weight": W, "bias": B},
            {"no_bias": True},
            "no_bias is for a source without bias, the mapping has",
        ),
        (
            {"weight": W, "bias": B},
            {"weight_key": "w"},
            "the key asked for, it has no w but weight (3, 4) fl",
        ),
        (
            (W.T, B),
            {},
            "bias must count the classes, got 3 for a weight that read classes-first has 4 classes",
        ),
        ((W.T, B), {}, '3 features; features-first fits: --layout features-first (layout="features-first")'),
        ((W, B), {"layout": "features-first"}, "classes-first fits: --layout classes-first"),
        ({"weight": W.T}, {"no_bias": True, "labels": LABELS}, "labels must count the classes, got 3 for a"),
        ((W, B), {"layout": "rows"}, "layout must be classes-first or features-first, got 'rows'"),
        (
            (W, B, B),
            {},
            "a source must be a file, a pair (weight, bias) of .npy files or arrays, a mapping",
        ),
        (W, {}, "a source must be a file, a pair (weight, bias) of .npy files or arrays, a mapping"),
        (
            {"weight": [[1, 2], [3]], "bias": B},
            {},
            "the mapping: weight must be a rectangular array of numbers",
        ),
        ({0: W, 1: B}, {}, "a mapping must have names as keys, got 0, 1"),
        ("a" * 300 + ".json", {}, "a source must be a file, there is none at"),
        (
            "head.pkl",
            {},
            "must not run code when it is read, head.pkl is a pickle: save the estimator with skops.io.dump",
        ),
        ("head.joblib", {}, "must not run code when it is read, head.joblib is a pickle"),
        ("head.pt", {}, "a source must be a file, there is none at head.pt"),
        (
            "head.txt",
            {},
            "a source must end in one of .bin, .ckpt, .csv, .h5, .json, .keras, .npy, .npz, .onnx, .pt, .pth, .saf",
        ),
        ("none.npz", {}, "a source must be a file, there is none at none.npz"),
    ],
)
def test_sources_that_are_not_one_head_are_refused(source, arguments, message) -> None:
    with pytest.raises(SourceError, match=re.escape(message)):
        onnxhead.read(source, **arguments)


def test_what_makes_no_head_is_refused_with_the_name_of_the_source(tmp_path) -> None:
    path = write_json(tmp_path / "h.json", {"weight": [[1, 2], [3, 4]], "bias": [0, 0], "labels": ["a"]})
    with pytest.raises(HeadError, match=r"^h\.json: labels must be one per class: got 1 labels"):
        onnxhead.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"weight": [[NaN]], "bias": [0]}', "h.json: numbers must be finite, got NaN"),
        ('{"weight": [[1]], "bias": [-Infinity]}', "h.json: numbers must be finite, got -Infinity"),
        ('{"bias": [1], "bias": [2]}', "h.json: keys must be distinct, got 'bias' twice"),
        ('{"a": {"b": 1, "b": 2}}', "h.json: keys must be distinct, got 'b' twice"),
        ("[1, 2]", 'h.json must be an object such as {"weight": [[...]], "bias": [...]}, got a list'),
        ('{"weight"', "h.json must be JSON in UTF-8"),
    ],
)
def test_json_that_is_not_a_head_is_refused(tmp_path, text, message) -> None:
    (tmp_path / "h.json").write_text(text)
    with pytest.raises(SourceError, match=re.escape(message)):
        onnxhead.read(tmp_path / "h.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no row of numbers"),
        ("label,w0,bias\n", "it has no row of numbers"),
        (",1,2\n,3,4\n", "a row must begin with its label, class row 1 has none"),
        ("f,cat,dog\nage,1,2\nbias,3,4\n", "a row must be a class, one is named bias: transpose the table"),
        (",0,1,2\ncat,1,2,3\ndog,4,5,6\n", "one column must be the bias, 0 are named bias or intercept"),
        ("cat,1,2\ndog,3\n", "rows must have one length, the first has 3 cells and class row 2 has 2"),
        ("cat;1;2\ndog;3;4\n", "must hold a label and its weights, separated by commas, got 'dog;3;4'"),
        ("label\ncat\ndog\n", "must hold a label and its weights, separated by commas, got 'cat'"),
        ("label,w0,w1\ncat,1,2\ndog,3,4\n", "one column must be the bias, 0 are named bias or intercept or"),
        ("label,b,bias\ncat,1,2\ndog,3,4\n", "one column must be the bias, 2 are named bias or intercept or"),
        ("cat,1,two,3\ndog,3,4,5\n", "must be decimals, class row 1 has 'two' in column 3"),
        ("0.5,1,2\n0.7,3,4\n", "the first column must hold the labels, it holds numbers such as 0.5"),
        ('cat,"1\n', "must be comma-separated text in UTF-8"),
    ],
)
def test_tables_that_are_not_a_head_are_refused(tmp_path, text, message) -> None:
    (tmp_path / "h.csv").write_text(text)
    with pytest.raises(SourceError, match=re.escape(message)):
        onnxhead.read(tmp_path / "h.csv")


def test_a_bias_column_is_not_taken_for_a_feature(tmp_path) -> None:
    path = write_csv(tmp_path / "h.csv", [["label", "w0", "bias"], ["cat", 1, 2], ["dog", 3, 4]])
    with pytest.raises(
        SourceError, match=r"no_bias is for a source without bias, h\.csv has a column of that name"
    ):
        onnxhead.read(path, no_bias=True)


def test_a_bias_column_needs_a_header(tmp_path) -> None:
    path = write_csv(tmp_path / "h.csv", [["cat", 1, 2], ["dog", 3, 4]])
    with pytest.raises(SourceError, match="--bias-key offset names a column, the file has no header"):
        onnxhead.read(path, bias_key="offset")


def test_one_npy_needs_a_bias(tmp_path) -> None:
    np.save(tmp_path / "w.npy", W)
    with pytest.raises(SourceError, match=r"one \.npy file holds a weight alone, got w.npy: give the bias"):
        onnxhead.read(tmp_path / "w.npy")


def test_npy_files_that_are_none_are_refused(tmp_path) -> None:
    np.save(tmp_path / "b.npy", B)
    (tmp_path / "w.npy").write_bytes(b"no array")
    with pytest.raises(
        SourceError, match=r"w\.npy must be an \.npy file of numbers: it is none, or would have to be"
    ):
        onnxhead.read((tmp_path / "w.npy", tmp_path / "b.npy"))
    with (tmp_path / "w.npy").open("wb") as file:
        np.savez(file, weight=W)
    with pytest.raises(SourceError, match=r"w\.npy must be an \.npy file of numbers, it is an \.npz archive"):
        onnxhead.read((tmp_path / "w.npy", tmp_path / "b.npy"))


def test_without_the_safetensors_package_the_remedy_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    (tmp_path / "h.safetensors").touch()
    with pytest.raises(SourceError, match=r'pip install "onnxhead\[safetensors\]"'):
        onnxhead.read(tmp_path / "h.safetensors")


def test_a_changed_model_is_refused(random_head, tmp_path) -> None:
    path = onnxhead.save(random_head(), tmp_path / "h.onnx").path
    content = bytearray(path.read_bytes())
    at = content.index(random_head().weight.tobytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="must be as it was built: the SHA-256 of weight and bias is"):
        onnxhead.read(path)


def test_labels_of_a_source_are_not_given_in_another_order(tmp_path) -> None:
    np.savez(tmp_path / "h.npz", weight=W, bias=B, labels=np.array(LABELS))
    with pytest.raises(
        SourceError, match=r"labels must be in the order of the classes, h.npz has them as cat, dog"
    ):
        onnxhead.read(tmp_path / "h.npz", labels=["dog", "cat", "owl"])
    assert onnxhead.read(tmp_path / "h.npz", labels=LABELS).labels == tuple(LABELS)
    assert onnxhead.read(tmp_path / "h.npz", labels=["x", "y", "z"]).labels == ("x", "y", "z")


def test_node_is_for_files_of_others(tmp_path) -> None:
    np.savez(tmp_path / "h.npz", weight=W, bias=B)
    onnxhead.save(onnxhead.read(tmp_path / "h.npz"), tmp_path / "h.onnx")
    with pytest.raises(SourceError, match=r"--node \(node=\) is for .onnx files, got h.npz"):
        onnxhead.read(tmp_path / "h.npz", node="x")
    with pytest.raises(SourceError, match=r"--node \(node=\) is for files of others, onnxhead built h.onnx"):
        onnxhead.read(tmp_path / "h.onnx", node="x")


def test_objects_that_raise_are_a_source_error() -> None:
    class Broken:
        """As a framework's object that is half built."""

        def __getattr__(self, name):
            raise RuntimeError(name)

    Broken.__module__ = "torch.nn.modules.broken"
    with pytest.raises(
        SourceError, match="a source must be whole and of its format, Broken is not: RuntimeError"
    ):
        onnxhead.read(Broken())


def test_two_files_are_npy_and_three_arrays_are_no_source(tmp_path) -> None:
    with pytest.raises(
        SourceError, match=r"two files must be .npy, the weight's and then the bias's, got a.npz and b"
    ):
        onnxhead.read((tmp_path / "a.npz", tmp_path / "b.npz"))
    with pytest.raises(SourceError, match="or a Keras model, got list of 3"):
        onnxhead.read([W, B, B])


def test_labels_from_files(tmp_path) -> None:
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    (tmp_path / "numbers.txt").write_text("0\n1\n")
    (tmp_path / "labels.json").write_text('["a", 1, true]')
    (tmp_path / "bad.json").write_text('{"a": 1}')
    assert read_labels(tmp_path / "labels.txt") == ["cat", "dog"]
    assert read_labels(tmp_path / "numbers.txt") == [0, 1]
    assert read_labels(tmp_path / "labels.json") == ["a", 1, True]
    with pytest.raises(SourceError, match=r"labels must be a JSON array, .* holds a dict"):
        read_labels(tmp_path / "bad.json")
    with pytest.raises(SourceError, match="labels must be text in UTF-8 or a JSON array"):
        read_labels(tmp_path / "none.txt")
