"""Heads from Keras 3: its files without Keras, and its layers and models where it is installed."""

import io
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import onnxhead
from onnxhead.reference import refer
from onnxhead_runtime.errors import SourceError

FIXTURES = Path(__file__).parent / "fixtures" / "keras"
DIGITS = np.load(FIXTURES.parent / "torch" / "digits_expected.npz")


def config(name: str) -> dict:
    with zipfile.ZipFile(FIXTURES / name) as archive:
        return json.loads(archive.read("config.json"))


def write(
    path: Path, document: object, weights: bytes | None = None, compression: int = zipfile.ZIP_STORED
) -> Path:
    """Write a .keras archive with the weights of the digits."""
    with zipfile.ZipFile(FIXTURES / "digits_softmax.keras") as archive:
        weights = archive.read("model.weights.h5") if weights is None else weights
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("config.json", json.dumps(document))
        archive.writestr("model.weights.h5", weights)
    return path


def h5(edit) -> bytes:
    """Return a file of weights that `edit` writes."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        edit(file.create_group("layers/dense/vars"))
    return buffer.getvalue()


def dense(document: dict) -> dict:
    return document["config"]["layers"][-1]["config"]


@pytest.mark.parametrize("name", ["digits_softmax.keras", "digits_softmax.weights.h5"])
def test_a_dense_layer_with_softmax(name: str) -> None:
    head = onnxhead.read(FIXTURES / name)
    assert np.array_equal(head.weight, DIGITS["weight"])
    assert np.array_equal(head.bias, DIGITS["bias"])
    assert head.link == "softmax"
    exact = refer(head, DIGITS["features"])
    assert np.abs(exact.probabilities - DIGITS["probabilities"]).max() < 1e-12
    layer = "predictions" if name.endswith(".keras") else "layers/dense"
    assert head.origin == f"{name}: {layer}/kernel (64, 10) float32, transposed, {layer}/bias (10,) float32"


def test_one_unit_with_a_sigmoid_is_a_binary_head() -> None:
    expected = np.load(FIXTURES / "binary_sigmoid_expected.npz")
    head = onnxhead.read(FIXTURES / "binary_sigmoid.keras", labels=["no", "yes"])
    assert np.array_equal(head.weight[1:], expected["weight"])
    assert (head.link, head.labels) == ("softmax", ("no", "yes"))
    exact = refer(head, expected["features"])
    assert np.abs(exact.probabilities - expected["probabilities"]).max() < 1e-12


def test_several_units_with_a_sigmoid_are_independent_labels(tmp_path: Path) -> None:
    head = onnxhead.read(FIXTURES / "multilabel_sigmoid.keras")
    assert np.array_equal(head.weight, DIGITS["weight"])
    assert head.link == "sigmoid"
    exact = refer(head, DIGITS["features"]).probabilities
    assert np.abs(exact - 1 / (1 + np.exp(-DIGITS["logits"]))).max() < 1e-12
    assert onnxhead.save(head, tmp_path / "head.onnx").check.passed


def test_a_hidden_layer_is_said_to_be_one_and_the_last_layer_is_taken_when_asked() -> None:
    expected = np.load(FIXTURES / "hidden_then_logits_expected.npz")
    with pytest.raises(
        SourceError, match=r"has hidden \(Dense\) before logits: .* --weight-key logits/kernel"
    ):
        onnxhead.read(FIXTURES / "hidden_then_logits.keras")
    head = onnxhead.read(FIXTURES / "hidden_then_logits.keras", weight_key="logits/kernel")
    assert np.array_equal(head.weight, expected["weight"])
    assert np.array_equal(head.bias, expected["bias"])
    assert head.link == "softmax"


def test_weights_alone_of_several_layers_need_the_key(tmp_path: Path) -> None:
    with zipfile.ZipFile(FIXTURES / "hidden_then_logits.keras") as archive:
        (tmp_path / "h.weights.h5").write_bytes(archive.read("model.weights.h5"))
    with pytest.raises(
        SourceError, match=r"h.weights.h5 holds layers/dense/kernel \(64, 16\) float32, layers/dense_1/kernel"
    ):
        onnxhead.read(tmp_path / "h.weights.h5")
    assert onnxhead.read(tmp_path / "h.weights.h5", weight_key="layers/dense_1/kernel").features == 16


def test_an_activation_may_be_a_layer_but_no_function_of_ones_own(tmp_path: Path) -> None:
    document = config("digits_softmax.keras")
    dense(document)["activation"] = {"module": "builtins", "class_name": "function", "config": "softmax"}
    with pytest.raises(SourceError, match="has predictions \\(a function that is not Keras's\\)"):
        onnxhead.read(write(tmp_path / "a.keras", document))
    dense(document)["activation"] = {
        "module": "keras.layers",
        "class_name": "Softmax",
        "config": {"axis": -1},
    }
    assert onnxhead.read(write(tmp_path / "a.keras", document)).link == "softmax"
    dense(document)["activation"] = "linear"
    after = {
        "module": "keras.layers",
        "class_name": "Activation",
        "config": {"name": "a", "activation": "sigmoid"},
    }
    document["config"]["layers"].append(after)
    assert onnxhead.read(write(tmp_path / "b.keras", document)).link == "sigmoid"
    after["class_name"], after["config"] = "Softmax", {"name": "s", "axis": -1}
    assert onnxhead.read(write(tmp_path / "c.keras", document)).link == "softmax"


def test_bfloat16_weights_are_read_exactly(tmp_path: Path) -> None:
    weight = np.arange(12, dtype=np.float32).reshape(4, 3) / 8

    def edit(group) -> None:
        halves = (weight.view(np.uint32) >> 16).astype(np.uint16)
        group.create_dataset("0", data=halves.view("V2"))
        group.create_dataset("1", data=np.zeros(3, np.float32))

    (tmp_path / "h.weights.h5").write_bytes(h5(edit))
    head = onnxhead.read(tmp_path / "h.weights.h5")
    assert np.array_equal(head.weight, weight.T)


def relu(document: dict) -> None:
    dense(document)["activation"] = "relu"


def twice(document: dict) -> None:
    after = {
        "module": "keras.layers",
        "class_name": "Activation",
        "config": {"name": "a", "activation": "sigmoid"},
    }
    document["config"]["layers"].append(after)


def followed(document: dict) -> None:
    after = {"module": "keras.layers", "class_name": "LayerNormalization", "config": {"name": "norm"}}
    document["config"]["layers"].append(after)


def preceded(document: dict) -> None:
    before = {"module": "keras.layers", "class_name": "Normalization", "config": {"name": "norm"}}
    document["config"]["layers"].insert(1, before)


def custom(document: dict) -> None:
    document["config"]["layers"][-1]["module"] = "mine"


def no_bias(document: dict) -> None:
    dense(document)["use_bias"] = False


def wider(document: dict) -> None:
    dense(document)["units"] = 11


def subclassed(document: dict) -> None:
    document["class_name"], document["config"] = "Mine", {}


def cyclic(document: dict) -> None:
    document["class_name"] = "Functional"
    document["config"]["output_layers"] = ["predictions", 0, 0]
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["predictions", 0, 0]}}
    document["config"]["layers"][-1]["inbound_nodes"] = [{"args": [tensor], "kwargs": {}}]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (relu, "a head's activation must be softmax, sigmoid or linear, h.keras has predictions (relu)"),
        (twice, "must be softmax, sigmoid or linear, h.keras has predictions (softmax), a (sigmoid)"),
        (
            followed,
            "there may be one activation, softmax or sigmoid, h.keras has norm (LayerNormalization) there",
        ),
        (preceded, "a head must be one linear layer, h.keras has norm (Normalization) before predictions"),
        (
            custom,
            "a model must have a Dense layer on the way to its output, h.keras has input_layer (InputLayer), ",
        ),
        (
            no_bias,
            "predictions must have the kernel and the bias that its configuration states, its weights are (64, 10) float32, (10,) float32",
        ),
        (wider, "predictions must have the kernel and the bias that its configuration states"),
        (subclassed, "h.keras must be a .keras archive of a Sequential or functional model: KeyError"),
        (
            cyclic,
            "h.keras has a part (several calls) before predictions",
        ),
    ],
)
def test_models_that_are_no_head_are_refused(edit, message: str, tmp_path: Path) -> None:
    document = config("digits_softmax.keras")
    edit(document)
    with pytest.raises(SourceError, match=re.escape(message)):
        onnxhead.read(write(tmp_path / "h.keras", document))


def functional(*nodes: list) -> dict:
    """Return a functional model whose Dense layer is called with `nodes`."""
    document = config("digits_softmax.keras")
    document["class_name"] = "Functional"
    document["config"]["output_layers"] = [["predictions", 0, 0]]
    document["config"]["layers"][-1]["inbound_nodes"] = list(nodes)
    return document


def call(name: str) -> dict:
    tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}
    return {"args": [tensor], "kwargs": {}}


def test_a_layer_that_is_called_twice_or_in_an_unknown_way_is_refused_unless_asked_for(
    tmp_path: Path,
) -> None:
    assert onnxhead.read(write(tmp_path / "h.keras", functional(call("input_layer")))).classes == 10
    for nodes in (
        [call("input_layer"), call("predictions")],  # predictions(predictions(x))
        [[["input_layer", 0, 0, {}]]],  # as Keras 2 writes a call
        [{"args": [], "kwargs": {}}],
        [],
    ):
        path = write(tmp_path / "h.keras", functional(*nodes))
        with pytest.raises(SourceError, match=r"h.keras has a part \(several calls\) before predictions"):
            onnxhead.read(path)
        assert onnxhead.read(path, weight_key="predictions/kernel").classes == 10


def test_layers_of_one_name_are_told_apart_by_their_place(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "h.weights.h5", "w") as file:
        for place, shape in {"layers/backbone/layers/dense": (6, 8), "layers/dense": (8, 3)}.items():
            group = file.create_group(f"{place}/vars")
            group["0"], group["1"] = np.ones(shape, np.float32), np.zeros(shape[1], np.float32)
    with pytest.raises(
        SourceError, match=r"holds layers/backbone/layers/dense/kernel \(6, 8\) .* layers/dense"
    ):
        onnxhead.read(tmp_path / "h.weights.h5")
    assert onnxhead.read(tmp_path / "h.weights.h5", weight_key="layers/dense/kernel").classes == 3


def test_a_flatten_that_moves_features_is_no_identity(tmp_path: Path) -> None:
    document = config("digits_softmax.keras")
    flatten = {
        "module": "keras.layers",
        "class_name": "Flatten",
        "config": {"name": "f", "data_format": "channels_first"},
    }
    document["config"]["layers"].insert(1, flatten)
    with pytest.raises(SourceError, match=r"has f \(Flatten of channels first\) before predictions"):
        onnxhead.read(write(tmp_path / "h.keras", document))
    flatten["config"]["data_format"] = "channels_last"
    assert onnxhead.read(write(tmp_path / "h.keras", document)).classes == 10


def test_weights_of_a_quantised_layer_and_of_a_whole_old_model_are_refused(tmp_path: Path) -> None:
    def quantised(group) -> None:
        group.create_dataset("0", data=np.zeros((4, 3), np.int8))
        group.create_dataset("1", data=np.zeros(3, np.float32))
        group.create_dataset("2", data=np.zeros(3, np.float32))

    (tmp_path / "q.weights.h5").write_bytes(h5(quantised))
    with pytest.raises(SourceError, match="a source must hold a weight under a usual name"):
        onnxhead.read(tmp_path / "q.weights.h5")
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["model_config"] = "{}"
    with pytest.raises(
        SourceError, match="old.h5 is a whole model in Keras's old format, whose layers cannot be read"
    ):
        onnxhead.read(tmp_path / "old.h5")


def external(group) -> None:
    group.create_dataset("0", (64, 10), "f4", external=[("/etc/passwd", 0, 2560)])


def link_out(group) -> None:
    group["0"] = h5py.ExternalLink("/etc/passwd", "x")
    group["1"] = h5py.SoftLink("/layers/dense")


def unwritten(group) -> None:
    group.create_dataset("0", (10**6, 10**6), "f4")


def compressed(group) -> None:
    group.create_dataset("0", data=np.zeros((64, 10), np.float32), compression="gzip")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (external, "layers/dense/vars/0 must lie in the file itself, uncompressed"),
        (link_out, "it has no layers/dense/kernel but nothing else"),
        (unwritten, "layers/dense/vars/0 must lie in the file itself, uncompressed"),
        (compressed, "layers/dense/vars/0 must lie in the file itself, uncompressed"),
    ],
)
def test_weights_that_lie_elsewhere_or_nowhere_are_refused(edit, message: str, tmp_path: Path) -> None:
    (tmp_path / "h.weights.h5").write_bytes(h5(edit))
    with pytest.raises(SourceError, match=re.escape(message)):
        onnxhead.read(tmp_path / "h.weights.h5", weight_key="layers/dense/kernel", no_bias=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must be a .keras archive of a Sequential or functional model: BadZipFile"),
        (b"PK\x03\x04", "must be a .keras archive of a Sequential or functional model: BadZipFile"),
    ],
)
def test_files_that_are_no_archive_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "h.keras").write_bytes(content)
    with pytest.raises(SourceError, match=re.escape(message)):
        onnxhead.read(tmp_path / "h.keras")
    (tmp_path / "h.weights.h5").write_bytes(content)
    with pytest.raises(SourceError, match="h.weights.h5 must hold weights as Keras 3 writes them"):
        onnxhead.read(tmp_path / "h.weights.h5")


def test_compressed_archives_and_broken_weights_are_refused(tmp_path: Path) -> None:
    document = config("digits_softmax.keras")
    with pytest.raises(SourceError, match=r"members of the archive must be uncompressed, config.json is not"):
        onnxhead.read(write(tmp_path / "h.keras", document, compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(SourceError, match="h.keras must hold weights as Keras 3 writes them: OSError"):
        onnxhead.read(write(tmp_path / "h.keras", document, b"no h5"))
    shutil.copy(FIXTURES / "digits_softmax.weights.h5", tmp_path / "h.h5")
    assert onnxhead.read(tmp_path / "h.h5").classes == 10


# Keras with jax warns of itself on numpy 2
OF_KERAS = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def keras():
    """Keras, on a backend without a compiler where none is chosen."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    return pytest.importorskip("keras", reason="Keras is not installed")


def answer(model, features: np.ndarray) -> np.ndarray:
    return np.asarray(model(features), np.float64)


@OF_KERAS
@pytest.mark.keras
@pytest.mark.parametrize("units", [1, 4])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid", None])
@pytest.mark.parametrize("kind", ["sequential", "functional"])
def test_models_of_this_keras_in_memory_and_in_files(
    keras, tmp_path: Path, units: int, activation, kind: str
) -> None:
    if units == 1 and activation != "sigmoid":
        pytest.skip("one class has no such link")
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dropout(0.5), keras.layers.Dense(units, activation=activation, name="head")]
    inputs = keras.layers.Input((6,))
    model = keras.Sequential([inputs, *layers])
    if kind == "functional":
        model = keras.Model(inputs, layers[1](layers[0](inputs)))
    model.get_layer("head").set_weights([weight + 0.1 for weight in model.get_layer("head").get_weights()])
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    features = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    head = onnxhead.read(model)
    exact = refer(head, features)
    ours = exact.logits if activation is None else exact.probabilities
    assert np.abs(ours[:, -units:] - answer(model, features)).max() < 1e-6
    assert head.link == ("softmax" if units == 1 or activation is None else activation)
    for source in ("model.keras", "model.weights.h5"):
        # weights alone state no activation: that one unit tells two classes apart is for the user to say
        same = onnxhead.read(tmp_path / source, labels=[0, 1] if units == 1 else None)
        assert same.weight[-units:].tobytes() == head.weight[-units:].tobytes()
        assert same.bias[-units:].tobytes() == head.bias[-units:].tobytes()


@OF_KERAS
@pytest.mark.keras
def test_layers_and_branches_of_this_keras(keras, tmp_path: Path) -> None:
    inputs = keras.layers.Input((6,))
    left = keras.layers.Dense(4, name="left")(inputs)
    right = keras.layers.Dense(4, name="right")(inputs)
    last = keras.layers.Dense(3, activation="softmax", use_bias=False, name="last")
    model = keras.Model(inputs, last(keras.layers.Add(name="sum")([left, right])))
    model.save(tmp_path / "model.keras")
    for source in (model, tmp_path / "model.keras"):
        with pytest.raises(SourceError, match=r"has sum \(Add\) before last"):
            onnxhead.read(source)
        head = onnxhead.read(source, weight_key="last/kernel")
        assert np.array_equal(head.weight.T, last.get_weights()[0])
    assert np.array_equal(onnxhead.read(last).weight.T, last.get_weights()[0])
    two = keras.Model(inputs, [left, right])
    with pytest.raises(SourceError, match="a model must have one output"):
        onnxhead.read(two)
    quantised = keras.Sequential([keras.layers.Input((6,)), keras.layers.Dense(3, name="q")])
    quantised.layers[0].quantize("int8")
    quantised.save(tmp_path / "int8.keras")
    for source in (quantised, tmp_path / "int8.keras"):
        with pytest.raises(
            SourceError, match="q must have the kernel and the bias that its configuration states"
        ):
            onnxhead.read(source)
    with pytest.raises(
        SourceError, match="a source must be a Dense layer, or a Sequential or functional model"
    ):
        onnxhead.read(keras.Model())
