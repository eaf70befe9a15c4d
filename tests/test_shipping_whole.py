"""What `ship` writes of whole models: format 2 of docs/bundle.md; and what `verify` finds in it."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from clients.wholes import (
    DTYPES,
    FEATURES,
    LABELS,
    make_network,
    save_network,
    save_wholes,
)
from conftest import ROOT
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper

import onnxhead
from onnxhead.attaching import attach
from onnxhead.shipping import bundle as bundles
from onnxhead.shipping.targets import CLIENTS, TARGETS, WHOLE_CLIENTS
from onnxhead_runtime import links
from onnxhead_runtime.errors import FeaturesError, ModelError, WriteError

NAMES = ("picture", "tokens", "dtypes", "one size", "data file", "completed")
WHOLE_TARGETS = [name for name, target in TARGETS.items() if target.takes_whole]


class Paths(dict[str, Path]):
    """Paths by name; a test of one that is not there is skipped."""

    def __missing__(self, name: str) -> Path:
        pytest.skip(f"onnxruntime {onnxruntime.__version__} is too old for the model {name!r}")


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Paths:
    return Paths(save_wholes(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def shipped(models, tmp_path_factory) -> Paths:
    """The bundle of each model."""
    folder = tmp_path_factory.mktemp("shipped")
    return Paths(
        {name: onnxhead.ship(path, "bundle", folder / name).path / "bundle" for name, path in models.items()}
    )


@pytest.fixture
def bundle(shipped, tmp_path) -> Path:
    """A bundle of `dtypes` to break."""
    return Path(shutil.copytree(shipped["dtypes"], tmp_path / "bundle"))


def read_json(path: Path) -> dict:
    return json.loads(path.read_bytes())


def restate(bundle: Path) -> None:
    """State the hashes that the files have now, as somebody who breaks them on purpose would."""
    (bundle / "SHA256SUMS").write_text(
        "".join(f"{digest}  {name}\n" for name, digest in bundles._hashes(bundle).items())
    )


def change_first_case(bundle: Path, change) -> None:
    document = read_json(bundle / "vectors.json")
    change(document["cases"][0])
    (bundle / "vectors.json").write_text(json.dumps(document))
    restate(bundle)


def test_the_models_are_those_of_the_names(models) -> None:
    assert models["data file"]
    assert tuple(models) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_description_is_that_of_the_specification(name, shipped) -> None:
    inputs = {
        "picture": [{"name": "pixels", "dtype": "float32", "shape": [None, 3, None, None]}],
        "tokens": [
            {"name": one, "dtype": "int64", "shape": [None, None]} for one in ("input_ids", "attention_mask")
        ],
        "dtypes": [{"name": f"of_{dtype}", "dtype": dtype, "shape": [None, 2]} for dtype in DTYPES],
        "one size": [{"name": "pixels", "dtype": "float32", "shape": [2, 3, 8, 8]}],
        "data file": [{"name": "pixels", "dtype": "float32", "shape": [None, 3, 8, 8]}],
        "completed": [{"name": "x", "dtype": "float32", "shape": [None, 4]}],
    }
    labels = {
        "picture": list(LABELS),
        "tokens": [0, 1, 2],
        "dtypes": ["red", "round", "large", "soft", "sweet", "wet"],
        "one size": [-7, 0, 2**40, 1],
        "data file": [False, True],
        "completed": ["left", "middle", "right"],
    }
    bundle = shipped[name]
    data = sorted(path.name for path in bundle.glob("*.data"))
    assert bool(data) == (name == "data file")
    assert read_json(bundle / "head.json") == {
        "format": "2",
        "model": "model.onnx",
        "sha256": {
            file: hashlib.sha256((bundle / file).read_bytes()).hexdigest() for file in ["model.onnx", *data]
        },
        "inputs": inputs[name],
        "outputs": ["logits", "probabilities"],
        "classes": len(labels[name]),
        "labels": labels[name],
        "link": {"dtypes": "sigmoid", "one size": "ovr"}.get(name, "softmax"),
        "temperature": 0.5 if name == "tokens" else 1.0,
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_vectors_are_those_of_the_specification(name, shipped) -> None:
    bundle = shipped[name]
    description, document = read_json(bundle / "head.json"), read_json(bundle / "vectors.json")
    assert document["format"] == "2"
    cases = {case["name"]: len(case["labels"]) for case in document["cases"]}
    assert cases == ({"sample": 2} if name == "one size" else {"sample": 3, "first row": 1})
    assert sorted(path.name for path in bundle.glob("test_data_set_*")) == [
        f"test_data_set_{number}" for number in range(len(cases))
    ]
    session = onnxruntime.InferenceSession(bundle / "model.onnx")
    for number, case in enumerate(document["cases"]):
        folder = bundle / f"test_data_set_{number}"
        feeds = {}
        for place, (one, described) in enumerate(zip(case["inputs"], description["inputs"], strict=True)):
            assert (one["name"], one["dtype"]) == (described["name"], described["dtype"])
            assert one["file"] == f"test_data_set_{number}/input_{place}.bin"
            assert all(
                axis in (None, length) for axis, length in zip(described["shape"], one["shape"], strict=True)
            )
            dtype = np.dtype(one["dtype"]).newbyteorder("<")
            feeds[one["name"]] = np.fromfile(bundle / one["file"], dtype).reshape(one["shape"])
            tensor = TensorProto.FromString((folder / f"input_{place}.pb").read_bytes())
            assert tensor.name == one["name"]
            stored = numpy_helper.to_array(tensor)
            assert stored.dtype == one["dtype"]
            np.testing.assert_array_equal(stored, feeds[one["name"]])
        logits, probabilities = session.run(["logits", "probabilities"], feeds)
        assert (np.abs(logits - case["logits"]) <= case["logits_tolerance"]).all()
        tolerance = np.array(case["probabilities_tolerance"])[:, np.newaxis]
        assert (np.abs(probabilities - case["probabilities"]) <= tolerance).all()
        for place, key in enumerate(("logits", "probabilities")):
            tensor = TensorProto.FromString((folder / f"output_{place}.pb").read_bytes())
            assert tensor.name == key
            np.testing.assert_array_equal(numpy_helper.to_array(tensor), np.array(case[key], np.float32))
        exact = links.probabilities(np.array(case["logits"]), description["link"], description["temperature"])
        np.testing.assert_allclose(case["probabilities"], exact, atol=1e-12)
        decided = [label for label in case["labels"] if label is not None]
        assert decided, "a label that every rounding decides"


def test_the_tolerance_is_that_of_the_specification(shipped, models) -> None:
    """Of the head's features, or of the logits where no head is known."""
    session = onnxruntime.InferenceSession(_with_features(models["tokens"]))
    case = read_json(shipped["tokens"] / "vectors.json")["cases"][0]
    feeds = {
        one["name"]: np.fromfile(shipped["tokens"] / one["file"], np.int64).reshape(one["shape"])
        for one in case["inputs"]
    }
    (features,) = session.run(["features"], feeds)
    head = onnxhead.read(models["tokens"])
    rounding = 2.0**-14 * np.abs(features).max(axis=1)[:, np.newaxis] * np.abs(head.weight).sum(axis=1)
    arithmetic = np.array(case["logits_tolerance"]) - rounding
    assert (arithmetic > 0).all()
    assert (arithmetic < 1e-5).all()
    tolerance = 2 * np.array(case["logits_tolerance"]).max(axis=1) / head.temperature + 1e-6
    np.testing.assert_allclose(case["probabilities_tolerance"], tolerance, rtol=1e-9)
    case = read_json(shipped["completed"] / "vectors.json")["cases"][0]
    largest = np.abs(case["logits"]).max(axis=1)[:, np.newaxis]
    np.testing.assert_allclose(case["logits_tolerance"], np.broadcast_to(2.0**-14 * largest, (3, 3)))


def _with_features(path: Path) -> bytes:
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name="features"))
    return model.SerializeToString()


def test_a_bundle_that_is_as_it_was_shipped_has_no_findings(shipped) -> None:
    for bundle in shipped.values():
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=bundle, check=True)
        for folder in (bundle, bundle.parent):
            verification = onnxhead.verify(folder)
            assert (verification.path, verification.findings, verification.signed) == (bundle, [], False)
            assert verification.check.passed


@pytest.mark.parametrize("target", WHOLE_TARGETS)
def test_every_target_is_a_project_with_a_bundle_and_always_the_same_bytes(target, models, tmp_path) -> None:
    contents = []
    for name in ("one", "other"):
        shipment = onnxhead.ship(models["tokens"], target, tmp_path / name / "project")
        assert (shipment.target, shipment.cases, shipment.rows) == (target, 2, 4)
        assert shipment.check.passed
        files = [path for path in shipment.path.rglob("*") if path.is_file()]
        contents.append({path.relative_to(shipment.path).as_posix(): path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    own = {
        path.relative_to(WHOLE_CLIENTS / target).as_posix(): path for path in files_of(WHOLE_CLIENTS / target)
    }
    shared = {path.relative_to(CLIENTS / target).as_posix(): path for path in files_of(CLIENTS / target)}
    for name, path in {**shared, **own}.items():
        assert contents[0][name] == path.read_bytes(), name
    assert own, "whole models have files of their own"
    assert not [
        name
        for name, path in own.items()
        if shared.get(name, path).read_bytes() == path.read_bytes() and name in shared
    ]
    readme = contents[0]["README.md"].decode()
    assert "README.md" in own
    for shown in shipment.commands:
        assert shown in readme, "what is to be typed is in its README"
    update = "onnxhead ship NEW.onnx --to bundle -o new && mv bundle old && mv new/bundle . && rm -r new old"
    assert (update in readme) == bool(shipment.commands)
    for content in contents[0].values():
        assert str(tmp_path).encode() not in content


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "cache" not in str(path)]


def test_the_clients_of_whole_models_are_of_targets_that_take_them() -> None:
    folders = sorted(
        path.name for path in WHOLE_CLIENTS.iterdir() if path.is_dir() and "cache" not in path.name
    )
    assert folders == sorted(WHOLE_TARGETS) == ["bundle", "go", "node", "python", "triton"]


@pytest.mark.parametrize("target", sorted(TARGETS.keys() - set(WHOLE_TARGETS)))
def test_other_targets_are_refused_before_anything_is_written(target, models, tmp_path) -> None:
    message = (
        f"a model with a backbone is shipped to python, go, node, triton, bundle, got {target}: take one"
    )
    with pytest.raises(WriteError, match=message):
        onnxhead.ship(models["picture"], target, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_sample_becomes_the_vectors(models, tmp_path) -> None:
    sample = {"input_ids": [[5, 6, 7, 8], [9, 10, 0, 0]], "attention_mask": [[1, 1, 1, 1], [1, 1, 0, 0]]}
    shipment = onnxhead.ship(models["tokens"], "bundle", tmp_path / "out", sample=sample)
    assert (shipment.cases, shipment.rows) == (2, 3)
    ids = np.fromfile(shipment.path / "bundle" / "test_data_set_0" / "input_0.bin", "<i8")
    assert ids.tolist() == [5, 6, 7, 8, 9, 10, 0, 0]
    assert onnxhead.verify(shipment.path).findings == []
    assert onnxhead.verify(shipment.path, sample=sample).check.rows == 2
    one_row = {name: rows[0] for name, rows in sample.items()}
    shipment = onnxhead.ship(models["tokens"], "bundle", tmp_path / "one", sample=one_row)
    assert (shipment.cases, shipment.rows) == (1, 1), "the first row is all of it"


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ({"input_ids": [[1]]}, "attention_mask is missing"),
        ({"input_ids": [[0.5]], "attention_mask": [[1]]}, "input_ids must be int64"),
        (
            {"input_ids": np.zeros((0, 4), int), "attention_mask": np.zeros((0, 4), int)},
            "must have at least one row",
        ),
    ],
)
def test_a_sample_that_does_not_fit_is_refused(sample, message, models, tmp_path) -> None:
    with pytest.raises(FeaturesError, match=message):
        onnxhead.ship(models["tokens"], "bundle", tmp_path / "out", sample=sample)
    assert not list(tmp_path.iterdir())


def test_a_sample_on_which_the_model_does_not_run_is_refused(models, tmp_path) -> None:
    beyond = {"input_ids": [[10**6]], "attention_mask": [[1]]}
    with pytest.raises(ModelError, match=r"must run on input_ids \(1, 1\), .*, it fails"):
        onnxhead.ship(models["tokens"], "bundle", tmp_path / "out", sample=beyond)
    assert not list(tmp_path.iterdir())


def test_a_sample_is_for_whole_models(tmp_path) -> None:
    with pytest.raises(ModelError, match="a sample is for a model with a backbone, .* is a head alone"):
        onnxhead.ship(ROOT / "models/abc.onnx", "bundle", tmp_path / "out", sample={"features": [[1, 2, 3]]})
    assert not list(tmp_path.iterdir())


def test_a_model_that_runs_on_a_sample_alone_is_verified_on_that_in_its_bundle(tmp_path) -> None:
    """Nothing that is made up has 17 places."""
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", "places"])
    nodes = [
        helper.make_node("Reshape", ["pixels", "seventeen"], ["rows"]),
        helper.make_node("Gather", ["rows", "first"], ["hidden"], axis=1),
    ]
    weights = {"seventeen": np.array([-1, 17]), "first": np.arange(FEATURES)}
    network = make_network(
        nodes, [pixels], helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["n", FEATURES]), weights
    )
    sample = {"pixels": np.ones((2, 17), np.float32)}
    source = save_network(network, tmp_path / "network.onnx")
    model = tmp_path / "whole.onnx"
    attach(source, onnxhead.Head(np.eye(2, FEATURES), [0, 1]), model, sample=sample)
    with pytest.raises(ModelError, match=r"inputs that are made up.*\(--sample, sample=\)"):
        onnxhead.ship(model, "bundle", tmp_path / "out")
    bundle = onnxhead.ship(model, "bundle", tmp_path / "out", sample=sample).path
    verification = onnxhead.verify(bundle)
    assert (verification.findings, verification.check.rows) == ([], 2)


@pytest.mark.parametrize("dtype", [TensorProto.FLOAT16, TensorProto.STRING])
def test_inputs_that_not_every_language_has_are_refused(dtype, tmp_path) -> None:
    given = helper.make_tensor_value_info("given", dtype, ["batch", FEATURES])
    if dtype == TensorProto.STRING:
        nodes = [
            helper.make_node("Equal", ["given", "word"], ["same"]),
            helper.make_node("Cast", ["same"], ["hidden"], to=TensorProto.FLOAT),
        ]
        weights = {"word": np.array(["a"], object)}
    else:
        nodes, weights = [helper.make_node("Cast", ["given"], ["hidden"], to=TensorProto.FLOAT)], {}
    output = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", FEATURES])
    graph = helper.make_graph(
        nodes,
        "network",
        [given],
        [output],
        [helper.make_tensor(name, TensorProto.STRING, [1], [b"a"]) for name in weights],
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    source = save_network(network, tmp_path / "network.onnx")
    model = tmp_path / "whole.onnx"
    attach(source, onnxhead.Head(np.eye(2, FEATURES), [0, 1]), model)
    with pytest.raises(ModelError, match="float32, float64, integers or booleans, given .* is another: cast"):
        onnxhead.ship(model, "bundle", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name",
    ["test_data_set_0/input_3.bin", "test_data_set_1/output_0.pb", "head.json", "vectors.json", "model.onnx"],
)
def test_a_file_that_is_changed_or_missing_is_found(name, bundle) -> None:
    with (bundle / name).open("ab") as file:
        file.write(b" ")
    assert onnxhead.verify(bundle).findings == [f"another SHA-256 than SHA256SUMS states: {name}"]
    (bundle / name).unlink()
    if name != "head.json":  # by which a bundle is known
        assert onnxhead.verify(bundle).findings == [f"stated in SHA256SUMS and not there: {name}"]


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("logits", lambda rows: [[rows[0][0] + 1e-3, *rows[0][1:]], *rows[1:]]),
        ("probabilities", lambda rows: [[rows[0][0] + 1e-3, *rows[0][1:]], *rows[1:]]),
        ("logits_tolerance", lambda rows: [[2 * value for value in row] for row in rows]),
        ("probabilities_tolerance", lambda values: [2 * value for value in values]),
        ("labels", lambda labels: [["red"], *labels[1:]]),
        ("labels", lambda labels: [None] * len(labels)),
        ("logits", lambda rows: rows[1:]),
    ],
)
def test_answers_that_were_made_to_fit_are_found(key, change, bundle) -> None:
    change_first_case(bundle, lambda case: case.update({key: change(case[key])}))
    assert onnxhead.verify(bundle).findings == [
        "vectors.json states other answers than the model has for the case sample"
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"labels": ["a", "b", "c", "d", "e", "f"]},
        {"link": "softmax"},
        {"classes": 7},
        {"inputs": []},
        {"temperature": 2.0},
    ],
)
def test_another_description_is_found(change, bundle) -> None:
    document = read_json(bundle / "head.json")
    (bundle / "head.json").write_text(json.dumps({**document, **change}))
    restate(bundle)
    assert onnxhead.verify(bundle).findings == ["head.json does not describe what is in model.onnx"]


def test_an_axis_that_is_free_in_the_description_alone_is_found(shipped, tmp_path) -> None:
    bundle = Path(shutil.copytree(shipped["one size"], tmp_path / "bundle"))
    document = read_json(bundle / "head.json")
    document["inputs"][0]["shape"][0] = None
    (bundle / "head.json").write_text(json.dumps(document))
    restate(bundle)
    assert onnxhead.verify(bundle).findings == ["head.json does not describe what is in model.onnx"]


def test_a_changed_input_is_found(bundle) -> None:
    path = bundle / "test_data_set_0" / "input_0.bin"
    path.write_bytes((np.fromfile(path, "<f4") + 1).astype("<f4").tobytes())
    restate(bundle)
    assert onnxhead.verify(bundle).findings == [
        "vectors.json states other answers than the model has for the case sample"
    ]


@pytest.mark.parametrize("name", ["input_0.pb", "output_0.pb", "output_1.pb"])
def test_tensors_that_are_others_are_found(name, bundle) -> None:
    with (bundle / "test_data_set_0" / name).open("ab") as file:
        file.write(b"1")
    restate(bundle)
    assert onnxhead.verify(bundle).findings == [
        f"test_data_set_0/{name} is not what vectors.json states for the case sample"
    ]


@pytest.mark.parametrize(
    ("name", "part"), [("dtypes", "weight"), ("dtypes", "mixing"), ("completed", "matrix")]
)
def test_a_changed_model_is_found(name, part, shipped, tmp_path) -> None:
    bundle = Path(shutil.copytree(shipped[name], tmp_path / "bundle"))
    model = onnx.load(bundle / "model.onnx")
    (weight,) = (tensor for tensor in model.graph.initializer if tensor.name == part)
    weight.raw_data = (np.frombuffer(weight.raw_data, "<f4") * np.float32(1.5)).tobytes()
    onnx.save(model, bundle / "model.onnx")
    restate(bundle)
    findings = onnxhead.verify(bundle).findings
    assert any("the file states" in finding for finding in findings), findings


def test_a_changed_data_file_is_found(shipped, tmp_path) -> None:
    bundle = Path(shutil.copytree(shipped["data file"], tmp_path / "bundle"))
    (path,) = bundle.glob("*.data")
    path.write_bytes(path.read_bytes()[:-4] + np.float32(3).tobytes())
    restate(bundle)
    findings = onnxhead.verify(bundle).findings
    assert any("the file states" in finding for finding in findings), findings


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"file": "../secret.bin"}, "lies in test_data_set_N"),
        ({"file": "test_data_set_0/.."}, "lies in test_data_set_N"),
        ({"file": "test_data_set_0/../head.json"}, "lies in test_data_set_N"),
        ({"file": "/etc/passwd"}, "lies in test_data_set_N"),
        ({"file": "head.json"}, "lies in test_data_set_N"),
        ({"file": "test_data_set_0/missing.bin"}, "No such file"),
        ({"file": "test_data_set_0/a\0b"}, "lies in test_data_set_N"),
        ({"file": 3}, "TypeError"),
        ({"dtype": "float64"}, r"must hold \(3, 2\) of float64, it has 24 bytes"),
        ({"dtype": "object"}, "must hold"),
        ({"dtype": "float33"}, "float33"),
        ({"shape": [10**30, 2]}, "must hold"),
        ({"shape": [-3, -2]}, "negative|unknown dimension"),
        ({"shape": "many"}, "invalid literal"),
        ({"shape": None}, "TypeError"),
    ],
)
def test_an_input_that_is_not_as_specified_is_an_error(change, reason, bundle, tmp_path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(24))
    change_first_case(bundle, lambda case: case["inputs"][0].update(change))
    with pytest.raises(ModelError, match=rf"must hold what docs/bundle\.md says, it does not: .*({reason})"):
        onnxhead.verify(bundle)


@pytest.mark.parametrize(
    "change",
    [{"shape": [3, 2.0]}, {"dtype": "<f4"}, {"dtype": "int32"}, {"file": "test_data_set_0/input_00.bin"}],
)
def test_an_input_that_clients_would_refuse_is_found(change, bundle) -> None:
    folder = bundle / "test_data_set_0"
    shutil.copy(folder / "input_0.bin", folder / "input_00.bin")
    change_first_case(bundle, lambda case: case["inputs"][0].update(change))
    assert onnxhead.verify(bundle).findings == [
        "vectors.json names other inputs than docs/bundle.md for the case sample"
    ]


def test_inputs_in_another_order_are_found(bundle) -> None:
    change_first_case(bundle, lambda case: case["inputs"].reverse())
    assert onnxhead.verify(bundle).findings == [
        "vectors.json names other inputs than docs/bundle.md for the case sample"
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"cases": [1]}', '{"format": "2", "cases": [{}]}'])
def test_malformed_vectors_are_an_error(text, bundle) -> None:
    (bundle / "vectors.json").write_text(text)
    restate(bundle)
    with pytest.raises(ModelError, match=r"must hold what docs/bundle\.md says, it does not"):
        onnxhead.verify(bundle)


def test_vectors_of_format_1_are_found(bundle) -> None:
    document = read_json(bundle / "vectors.json")
    (bundle / "vectors.json").write_text(json.dumps({**document, "format": "1"}))
    restate(bundle)
    assert onnxhead.verify(bundle).findings == ["vectors.json must have format 2 and cases, it has not"]


def test_a_model_with_data_beside_it_goes_with_all_its_files(models, tmp_path) -> None:
    for target in ("bundle", "triton"):
        bundle = onnxhead.ship(models["data file"], target, tmp_path / target).path / "bundle"
        (data,) = bundle.glob("*.data")
        assert data.name in read_json(bundle / "head.json")["sha256"]
        assert onnxhead.verify(bundle).findings == []
    (served,) = bundle.glob("model_repository/*/1/model.onnx")
    assert (served.parent / data.name).read_bytes() == data.read_bytes()
    classify = onnxhead.load(served, device="cpu")
    assert classify({"pixels": np.zeros((1, 3, 8, 8), np.float32)}).logits.shape == (1, 2)


def test_a_bundle_of_a_whole_model_is_signed(models, tmp_path) -> None:
    pytest.importorskip("model_signing")
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private]
    subprocess.run(make, check=True)
    subprocess.run(["openssl", "ec", "-in", private, "-pubout", "-out", public], check=True)
    project = onnxhead.ship(models["tokens"], "bundle", tmp_path / "out", sign=private).path
    assert onnxhead.verify(project, key=public).signed
    with (project / "bundle" / "test_data_set_0" / "input_0.bin").open("r+b") as file:
        file.write(b"\1")
    restate(project / "bundle")
    assert onnxhead.verify(project, key=public).findings == [
        f"bundle.sig does not hold for {public}: what was signed is another bundle"
    ]


@pytest.mark.parametrize("name", ["tokens", "dtypes", "data file", "completed"])
def test_the_configuration_for_triton_is_of_its_schema(name, models, tmp_path) -> None:
    from tritonclient.grpc import model_config_pb2

    project = onnxhead.ship(models[name], "triton", tmp_path / "out").path
    (folder,) = (project / "bundle" / "model_repository").iterdir()
    config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert (config.name, config.platform) == (name, "onnxruntime_onnx")
    description = read_json(project / "bundle" / "head.json")
    kinds = {"float32": "FP32", "float64": "FP64"}
    expected = [
        (
            one["name"],
            f"TYPE_{kinds.get(one['dtype'], one['dtype'].upper())}",
            [-1 if axis is None else axis for axis in one["shape"][1:]],
        )
        for one in description["inputs"]
    ]
    found = [
        (one.name, model_config_pb2.DataType.Name(one.data_type), list(one.dims)) for one in config.input
    ]
    assert found == expected
    classes = description["classes"]
    outputs = [(one.name, one.data_type, list(one.dims)) for one in config.output]
    float32 = model_config_pb2.TYPE_FP32
    assert outputs == [("logits", float32, [classes]), ("probabilities", float32, [classes])]


def test_a_batch_of_one_size_is_not_for_triton(models, tmp_path) -> None:
    with pytest.raises(
        ModelError, match="Triton batches along the first axis, which must be that of the answers in every"
    ):
        onnxhead.ship(models["one size"], "triton", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_commands_take_a_sample(command, models, tmp_path) -> None:
    shutil.copy(models["tokens"], tmp_path / "tokens.onnx")
    ids = np.array([[5, 6, 7, 8], [9, 10, 0, 0]])
    np.savez(tmp_path / "sample.npz", input_ids=ids, attention_mask=(ids > 0).astype(int))
    done = command("ship", "tokens.onnx", "--to", "bundle", "-o", "out", "--sample", "sample.npz")
    assert "vectors        3 rows in 2 cases" in done.stdout
    assert "files, vectors and answers are as they were built" in command("verify", "out").stdout
    done = command("ship", "tokens.onnx", "--to", "bundle,rust", "-o", "both", status=2)
    assert "is shipped to python, go, node, triton, bundle, got rust" in done.stderr
    assert not (tmp_path / "both").exists()
