"""What `ship` writes: the bundle of docs/bundle.md, projects, signatures; and what `verify` finds in it."""

import builtins
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from clients.heads import make_heads, save_heads
from conftest import ROOT
from google.protobuf import text_format
from onnx import TensorProto, numpy_helper

import onnxhead
from onnxhead.check import Check, check_model
from onnxhead.reference import Deviation, deviation, refer
from onnxhead.shipping import bundle as bundles
from onnxhead.shipping.targets import CLIENTS, TARGETS
from onnxhead.shipping.vectors import make_cases, write_cases
from onnxhead_runtime.errors import ModelError, VerificationError, WriteError

ABC = ROOT / "models" / "abc.onnx"
HEADS = make_heads()


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    return save_heads(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def shipped(models, tmp_path_factory) -> dict[str, Path]:
    """The bundle of each head."""
    folder = tmp_path_factory.mktemp("shipped")
    return {
        name: onnxhead.ship(path, "bundle", folder / name).path / "bundle" for name, path in models.items()
    }


@pytest.fixture
def bundle(shipped, tmp_path) -> Path:
    """A bundle of `text` to break."""
    return Path(shutil.copytree(shipped["text"], tmp_path / "bundle"))


def read_json(path: Path) -> dict:
    return json.loads(path.read_bytes())


def restate(bundle: Path) -> None:
    """State the hashes that the files have now, as somebody who breaks them on purpose would."""
    (bundle / "SHA256SUMS").write_text(
        "".join(f"{digest}  {name}\n" for name, digest in bundles._hashes(bundle).items())
    )


@pytest.mark.parametrize("name", HEADS)
def test_the_cases_are_those_of_the_specification(name) -> None:
    cases = {case.name: case for case in make_cases(HEADS[name])}
    rows = {name: len(case.features) for name, case in cases.items()}
    assert rows == {
        **({"example": 1} if name == "abc" else {}),
        "zeros": 1,
        "ones": 1,
        "signs": 3,
        "large logits": 2,
        "denormals": 1,
        "random": 16,
        "near decisions": 8,
        "empty": 0,
    }
    assert all(case.features.dtype == np.float32 for case in cases.values())
    assert all(np.isfinite(case.exact.logits).all() for case in cases.values())
    tempered = cases["large logits"].exact.logits / HEADS[name].temperature
    assert tempered.max() > 710, "exp overflows in float64 too"
    tiny = np.abs(cases["denormals"].features)
    assert ((tiny > 0) & (tiny < np.finfo(np.float32).tiny)).all()
    assert 0.5 < np.abs(cases["random"].exact.logits / HEADS[name].temperature).max() < 50


@pytest.mark.parametrize("temperature", [1e-3, 1e3])
def test_the_usual_rows_leave_probabilities_between_0_and_1(temperature, random_head) -> None:
    cases = {case.name: case for case in make_cases(random_head(temperature=temperature))}
    assert 0.05 < cases["random"].exact.probabilities.std() < 0.45


def test_heads_of_extreme_size_have_finite_cases() -> None:
    for size in (1e38, 1e-38, 1e-45, 0.0):
        head = onnxhead.Head(np.full((2, 50), size), np.zeros(2))
        for case in make_cases(head):
            assert np.isfinite(case.features).all()
            assert np.isfinite(case.exact.logits).all()
            assert np.isfinite(case.exact.logits_bound).all()


@pytest.mark.parametrize("name", HEADS)
def test_vectors_are_the_exact_answers_with_their_tolerances(name, shipped) -> None:
    document = read_json(shipped[name] / "vectors.json")
    assert document["format"] == "1"
    for case in document["cases"]:
        rows = np.array(case["features"], np.float64).reshape(-1, HEADS[name].features)
        assert (rows == rows.astype(np.float32)).all(), "each is exactly one float32"
        exact = refer(HEADS[name], rows.astype(np.float32))
        shape = exact.logits.shape
        np.testing.assert_allclose(np.reshape(case["logits"], shape), exact.logits, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(np.reshape(case["probabilities"], shape), exact.probabilities, atol=1e-12)
        np.testing.assert_allclose(np.reshape(case["logits_tolerance"], shape), exact.logits_bound)
        np.testing.assert_allclose(case["probabilities_tolerance"], exact.probabilities_bound[:, 0])


def test_a_label_is_stated_only_where_float32_cannot_decide_otherwise() -> None:
    weight = [[1.0, 0.0], [1.0, 1e-7], [0.0, 0.0]]
    cases = {
        case.name: case for case in make_cases(onnxhead.Head(weight, np.zeros(3), labels=["a", "b", "c"]))
    }
    assert cases["ones"].labels == [None], "the two largest are nearer than rounding"
    assert cases["signs"].labels[0] == "c"
    independent = onnxhead.Head(weight, [0.0, 0.0, 1.0], labels=["a", "b", "c"], link="sigmoid")
    cases = {case.name: case for case in make_cases(independent)}
    assert cases["zeros"].labels == [None], "two probabilities are one half"
    nearly = onnxhead.Head(np.zeros((1, 2)), [1e-6], labels=["a"], link="sigmoid")
    assert make_cases(nearly)[0].labels == [None], "a quarter of a millionth more than one half"
    assert cases["signs"].labels[0] == ("c",)
    assert cases["ones"].labels == [("a", "b", "c")]


@pytest.mark.parametrize("name", HEADS)
def test_the_data_sets_are_the_vectors_as_tensors_and_as_raw_float32(name, shipped) -> None:
    bundle, head = shipped[name], HEADS[name]
    session = onnxruntime.InferenceSession(bundle / "model.onnx")
    cases = read_json(bundle / "vectors.json")["cases"]
    assert len(list(bundle.glob("test_data_set_*"))) == len(cases)
    for number, case in enumerate(cases):
        folder = bundle / f"test_data_set_{number}"
        tensors = {}
        for file in ("input_0", "output_0", "output_1"):
            tensor = TensorProto.FromString((folder / f"{file}.pb").read_bytes())
            tensors[tensor.name] = numpy_helper.to_array(tensor)
        assert list(tensors) == ["features", "logits", "probabilities"]
        for key, array in tensors.items():
            assert array.tobytes() == (folder / f"{key}.f32").read_bytes()
            np.testing.assert_array_equal(array, np.array(case[key], np.float32).reshape(array.shape))
        assert tensors["features"].shape == (len(case["features"]), head.features)
        answers = session.run(None, {"features": tensors["features"]})
        for key, answer in zip(("logits", "probabilities"), answers, strict=True):
            tolerance = np.fromfile(folder / f"{key}_tolerance.f32", "<f4").reshape(answer.shape)
            stated = np.array(case[f"{key}_tolerance"])
            stated = stated.reshape(answer.shape) if key == "logits" else stated[:, np.newaxis]
            exact = np.array(case[key]).reshape(answer.shape)
            assert (tolerance >= stated + np.abs(tensors[key] - exact)).all()
            assert (tolerance <= 1.1 * stated).all()
            assert (np.abs(answer - tensors[key]) <= tolerance).all()


@pytest.mark.parametrize("name", HEADS)
def test_the_description_is_that_of_the_head(name, shipped) -> None:
    bundle, head = shipped[name], HEADS[name]
    document = read_json(bundle / "head.json")
    data = sorted(path.name for path in bundle.glob("*.data"))
    assert bool(data) == (name == "external")
    assert document == {
        "format": "1",
        "model": "model.onnx",
        "sha256": {
            file: hashlib.sha256((bundle / file).read_bytes()).hexdigest() for file in ["model.onnx", *data]
        },
        "inputs": ["features"],
        "outputs": ["logits", "probabilities"],
        "features": head.features,
        "classes": head.classes,
        "labels": list(range(head.classes)) if head.labels is None else list(head.labels),
        "link": head.link,
        "temperature": head.temperature,
    }
    text = (bundle / "head.json").read_text(encoding="utf-8")
    assert all(json.dumps(label, ensure_ascii=False) in text for label in head.labels or ()), "for people too"
    kinds = [type(label) for label in document["labels"]]
    assert kinds == [type(label) for label in head.labels or range(head.classes)]


def test_the_sums_are_for_sha256sum(shipped) -> None:
    for bundle in shipped.values():
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=bundle, check=True)
        listed = {line.split("  ")[1] for line in (bundle / "SHA256SUMS").read_text().splitlines()}
        files = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()}
        assert listed == files - {"SHA256SUMS"}


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_is_a_project_with_a_bundle_and_always_the_same_bytes(target, tmp_path) -> None:
    contents = []
    for name in ("one", "other"):
        shipment = onnxhead.ship(ABC, target, tmp_path / name / "project")
        assert (shipment.target, shipment.cases, shipment.rows, shipment.signed) == (target, 9, 33, False)
        assert shipment.check.passed
        files = [path for path in shipment.path.rglob("*") if path.is_file()]
        contents.append({path.relative_to(shipment.path).as_posix(): path.read_bytes() for path in files})
    assert contents[0].keys() == contents[1].keys()
    different = {name for name, content in contents[0].items() if content != contents[1][name]}
    # in the .ort file onnxruntime writes the metadata in an order that varies
    assert different <= ({"bundle/abc.ort", "bundle/SHA256SUMS"} if target == "ort" else set())
    sources = {path.relative_to(CLIENTS / target).as_posix() for path in (CLIENTS / target).rglob("*")}
    copied = {name for name in contents[0] if not name.startswith("bundle/")}
    assert {name for name in sources if (CLIENTS / target / name).is_file() and "cache" not in name} <= copied
    readme = contents[0]["README.md"].decode()
    for shown in shipment.commands:
        assert shown in readme, "what is to be typed is in its README"
    assert not [path for path in tmp_path.rglob(".*") if path.name.startswith(".onnxhead-ship")], "no litter"
    for content in contents[0].values():
        assert str(tmp_path).encode() not in content


def test_what_is_installed_of_one_maven_client_is_not_replaced_by_another() -> None:
    """In the local repository, files lie by group, artifact and version."""
    poms = {path.parent.name: path.read_text() for path in CLIENTS.glob("*/pom.xml")}
    assert sorted(poms) == ["java", "kotlin", "scala"]
    for language, pom in poms.items():
        artifact = f"<groupId>onnxhead</groupId>\n  <artifactId>onnxhead-client-{language}</artifactId>"
        assert artifact in pom
        assert artifact in (CLIENTS / language / "README.md").read_text()
        assert "<finalName>onnxhead-client</finalName>" in pom, "the jar of its commands"


def test_the_installed_package_has_every_file_of_every_client() -> None:
    here, installed = (
        {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        for root in (ROOT / "builder/onnxhead/clients", CLIENTS)
    )
    assert {name for name in here if "cache" not in name} == {
        name for name in installed if "cache" not in name
    }


def test_a_bundle_is_replaced_as_the_readmes_say(models, tmp_path) -> None:
    update = "onnxhead ship NEW.onnx --to bundle -o new && mv bundle old && mv new/bundle . && rm -r new old"
    for target in (target for target, described in TARGETS.items() if described.commands):
        readme = (CLIENTS / target / "README.md").read_text()
        assert update in readme
        assert "Add `--sign KEY.pem` to `ship` where the bundle is signed." in readme
    onnxhead.ship(ABC, "python", tmp_path / "project")
    shutil.copyfile(models["text"], tmp_path / "project" / "NEW.onnx")
    before = sorted(path.name for path in (tmp_path / "project").iterdir())
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euc", update], cwd=tmp_path / "project", env={**os.environ, "PATH": programs}, check=True
    )
    assert read_json(tmp_path / "project" / "bundle" / "head.json")["labels"] == list(HEADS["text"].labels)
    assert sorted(path.name for path in (tmp_path / "project").iterdir()) == before, "no litter"


def test_what_the_tools_of_python_leave_is_not_shipped(tmp_path, monkeypatch) -> None:
    clients = shutil.copytree(CLIENTS, tmp_path / "clients")
    for name in ("onnxhead_client/__pycache__", ".mypy_cache", ".ruff_cache"):
        (clients / "python" / name).mkdir(exist_ok=True)
    monkeypatch.setattr("onnxhead.shipping.shipment.CLIENTS", clients)
    onnxhead.ship(ABC, "python", tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if "cache" in path.name]


def test_an_empty_folder_is_filled(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    assert (onnxhead.ship(ABC, "bundle", tmp_path / "out").path / "bundle" / "head.json").is_file()


def test_a_folder_that_holds_something_is_left_alone(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link to a folder").symlink_to(tmp_path / "empty")
    for name in ("out", "file", "link", "link to a folder"):
        with pytest.raises(
            WriteError, match="a folder that is new or empty, .* is neither: give another one"
        ):
            onnxhead.ship(ABC, "bundle", tmp_path / name)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("target", "folder", "message"),
    [
        ("cobol", "out", "a model is shipped to one of python, .*, got 'cobol'"),
        ("python", "", "a folder that has a name, got"),
        ("python", "a\0b", "a folder that has a name, got"),
        ("python", "file/out", "a folder that is writable and has room, .* was not written: "),
        (
            "python",
            "n" * 300,
            "a folder that is writable and has room, .* was not written: File name too long",
        ),
    ],
)
def test_where_nothing_can_be_shipped_to(target, folder, message, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(WriteError, match=message):
        onnxhead.ship(ABC, target, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_model_that_cannot_be_shipped_is_refused_before_anything_is_written(tmp_path) -> None:
    foreign = ROOT / "tests" / "fixtures"
    large = onnxhead.save(
        onnxhead.Head(np.eye(2), [0, 0], labels=[1, 2**53 + 1]), tmp_path / "large.onnx"
    ).path
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(ABC.read_bytes().replace(np.float32(1.2).tobytes(), np.float32(1.25).tobytes()))
    for path, message in (
        (
            large,
            r"within 2\*\*53 for every language to hold them, got 9007199254740993: build the model with",
        ),
        (
            damaged,
            "a model to ship must be as it was built, .*damaged.onnx: the SHA-256 of weight and bias is",
        ),
        (foreign / "missing.onnx", "a model must be a readable .onnx file"),
    ):
        with pytest.raises(ModelError, match=message):
            onnxhead.ship(path, "python", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.onnx", "large.onnx"]


@pytest.mark.parametrize(
    ("module", "because"),
    [
        ("onnxhead.check", "the largest errors are logits 1 (bound 0.5), probabilities 1 (bound 0.5), on "),
        ("onnxhead.shipping.vectors", "the largest error of the case example is 2 of its tolerance; "),
    ],
)
def test_wrong_answers_are_not_shipped(module, because, tmp_path, monkeypatch) -> None:
    wrong = deviation(np.ones(1), np.zeros(1), np.full(1, 0.5))
    monkeypatch.setattr(f"{module}.deviations", lambda *_: (wrong, wrong))
    with pytest.raises(VerificationError, match=re.escape(f"of float64, it does not: {because}")):
        onnxhead.ship(ABC, "python", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_model_that_changes_while_it_is_shipped_is_refused(tmp_path, models, monkeypatch) -> None:
    path = Path(shutil.copy(ABC, tmp_path / "head.onnx"))
    real = shutil.copyfile

    def copy(source: Path, target: Path) -> None:
        real(models["text"] if source == path else source, target)

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(ModelError, match="a model must stay as it is while it is shipped, .* has changed"):
        onnxhead.ship(path, "bundle", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_a_data_file_that_changes_while_it_is_shipped_is_refused(tmp_path, models, monkeypatch) -> None:
    real = shutil.copyfile

    def copy(source: Path, target: Path) -> None:
        real(source, target)
        if source.suffix == ".data":
            target.write_bytes(bytes(source.stat().st_size))

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(ModelError, match="a model must stay as it is while it is shipped, .* has changed"):
        onnxhead.ship(models["external"], "bundle", tmp_path / "out")


def test_nothing_is_written_for_the_first_target_where_the_second_is_refused(
    command, random_head, tmp_path
) -> None:
    onnxhead.save(random_head(classes=2, labels=["a", "b "]), tmp_path / "head.onnx")
    command("ship", "head.onnx", "--to", "bundle,triton", "-o", "out", status=2)
    command("ship", "head.onnx", "--to", "bundle,go", "-o", "out", "--sign", "missing.pem", status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["head.onnx"]


def test_a_model_name_with_two_spaces_and_data_beside_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("onnxhead.storage.EXTERNAL_THRESHOLD_BYTES", 0)
    path = onnxhead.save(HEADS["abc"], tmp_path / "my  head.onnx").path
    bundle = onnxhead.ship(path, "bundle", tmp_path / "out").path
    assert onnxhead.verify(bundle).findings == []


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("onnxhead.shipping.content.write_cases", fail)
    with pytest.raises(WriteError, match="No space left on device"):
        onnxhead.ship(ABC, "python", tmp_path / "deep" / "out")
    assert not list((tmp_path / "deep").iterdir())


def test_a_bundle_that_is_as_it_was_shipped_has_no_findings(shipped) -> None:
    for bundle in shipped.values():
        for folder in (bundle, bundle.parent):
            verification = onnxhead.verify(folder)
            assert (verification.path, verification.findings, verification.signed) == (bundle, [], False)
            assert verification.check.passed


def test_files_that_are_changed_missing_or_new_are_found(bundle) -> None:
    (bundle / "head.json").write_text("{}")
    (bundle / "vectors.json").unlink()
    (bundle / "test_data_set_0" / "more").write_text("")
    shutil.rmtree(bundle / "test_data_set_1")
    assert onnxhead.verify(bundle).findings == [
        "stated in SHA256SUMS and not there: test_data_set_1/features.f32, test_data_set_1/input_0.pb, "
        "test_data_set_1/logits.f32 and 6 more",
        "there and not stated in SHA256SUMS: test_data_set_0/more",
        "another SHA-256 than SHA256SUMS states: head.json",
    ]
    (bundle / "SHA256SUMS").write_text("nothing")
    assert onnxhead.verify(bundle).findings == ["SHA256SUMS must hold a hash per file: it is malformed"]
    (bundle / "SHA256SUMS").unlink()
    (finding,) = onnxhead.verify(bundle).findings
    assert finding == "SHA256SUMS must hold a hash per file: No such file or directory"


def change_case(bundle: Path, key: str, change) -> None:
    document = read_json(bundle / "vectors.json")
    case = next(case for case in document["cases"] if case["name"] == "random")
    case[key] = change(case[key])
    (bundle / "vectors.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("logits", lambda rows: [[rows[0][0] + 1e-6, *rows[0][1:]], *rows[1:]]),
        ("probabilities", lambda rows: [[rows[0][0] + 1e-6, *rows[0][1:]], *rows[1:]]),
        ("logits_tolerance", lambda rows: [[2 * value for value in row] for row in rows]),
        ("probabilities_tolerance", lambda values: [2 * value for value in values]),
        ("labels", lambda labels: ["another", *labels[1:]]),
        ("labels", lambda labels: [None] * len(labels)),
        ("logits", lambda rows: rows[1:]),
    ],
)
def test_vectors_that_were_made_to_fit_are_found(key, change, bundle) -> None:
    change_case(bundle, key, change)
    restate(bundle)
    verification = onnxhead.verify(bundle)
    assert verification.findings == ["vectors.json states other answers than float64 for the case random"]


def test_a_file_that_no_server_asks_for_is_found(tmp_path) -> None:
    bundle = onnxhead.ship(ABC, "triton", tmp_path / "out").path / "bundle"
    (bundle / "model_repository" / "abc" / "1" / "more").write_text("")
    restate(bundle)
    (finding,) = onnxhead.verify(bundle).findings
    assert finding == "model_repository/abc/1/more is not the model in model.onnx"


def test_labels_of_another_type_are_found(shipped, tmp_path) -> None:
    bundle = Path(shutil.copytree(shipped["binary"], tmp_path / "bundle"))
    change_case(bundle, "labels", lambda labels: [None if label is None else int(label) for label in labels])
    restate(bundle)
    (finding,) = onnxhead.verify(bundle).findings
    assert finding == "vectors.json states other answers than float64 for the case random"


def test_vectors_from_a_machine_with_other_last_digits_hold(bundle) -> None:
    cases = []
    for case in make_cases(HEADS["text"]):
        moved = dataclasses.replace(case.exact, logits=case.exact.logits + 1e-4 * case.exact.logits_bound)
        cases.append(dataclasses.replace(case, exact=moved))
    for folder in bundle.glob("test_data_set_*"):
        shutil.rmtree(folder)
    write_cases(cases, bundle)
    restate(bundle)
    assert onnxhead.verify(bundle).findings == []


def test_another_description_is_found(bundle) -> None:
    for key, value in (("labels", ["a", "b", "c", "d"]), ("link", "ovr"), ("features", 9)):
        document = read_json(bundle / "head.json")
        (bundle / "head.json").write_text(json.dumps({**document, key: value}))
        restate(bundle)
        assert onnxhead.verify(bundle).findings == ["head.json does not describe what is in model.onnx"]
        (bundle / "head.json").write_text(json.dumps(document))


def test_another_model_is_found(bundle, shipped) -> None:
    shutil.copy(shipped["decimals"] / "model.onnx", bundle / "model.onnx")
    restate(bundle)
    findings = onnxhead.verify(bundle).findings
    assert findings[0] == "head.json does not describe what is in model.onnx"
    assert "vectors.json states other answers than float64 for the case zeros" in findings


def test_labels_of_another_kind_are_found(shipped, tmp_path) -> None:
    bundle = Path(shutil.copytree(shipped["binary"], tmp_path / "bundle"))
    document = read_json(bundle / "head.json")
    (bundle / "head.json").write_text(json.dumps({**document, "labels": [0, 1]}))
    restate(bundle)
    assert onnxhead.verify(bundle).findings == ["head.json does not describe what is in model.onnx"]


def test_data_sets_that_are_others_are_found(bundle) -> None:
    for name in ("input_0.pb", "output_1.pb", "logits_tolerance.f32"):
        with (bundle / "test_data_set_5" / name).open("ab") as file:
            file.write(b"1")
    restate(bundle)
    assert onnxhead.verify(bundle).findings == [
        f"test_data_set_5/{name} is not what vectors.json states for the case random"
        for name in ("input_0.pb", "output_1.pb", "logits_tolerance.f32")
    ]


@pytest.mark.parametrize("change", [{"cases": []}, {"format": "9"}])
def test_vectors_that_hold_other_cases_are_found(change, bundle) -> None:
    document = read_json(bundle / "vectors.json")
    (bundle / "vectors.json").write_text(json.dumps({**document, **change}))
    restate(bundle)
    (finding,) = onnxhead.verify(bundle).findings
    assert finding.startswith("vectors.json must have format 1 and the cases of docs/bundle.md")


def test_links_are_found(bundle, tmp_path) -> None:
    (bundle / "model.onnx").rename(tmp_path / "model.onnx")
    (bundle / "model.onnx").symlink_to(tmp_path / "model.onnx")
    assert onnxhead.verify(bundle).findings == ["model.onnx must be a file, it is a link or something else"]


@pytest.mark.parametrize(
    ("target", "name"), [("triton", "model_repository/abc/1/model.onnx"), ("ort", "abc.ort")]
)
def test_another_model_for_a_server_or_phone_is_found(target, name, tmp_path) -> None:
    bundle = onnxhead.ship(ABC, target, tmp_path / "out").path / "bundle"
    assert onnxhead.verify(bundle).findings == []
    head = onnxhead.read(ABC)
    changed = onnxhead.Head(head.weight * np.float32(1.001), head.bias)
    onnxhead.save(changed, tmp_path / "abc.onnx")
    wrong = onnxhead.ship(tmp_path / "abc.onnx", target, tmp_path / "changed").path / "bundle"
    shutil.copy(wrong / name, bundle / name)
    restate(bundle)
    assert onnxhead.verify(bundle).findings == [f"{name} is not the model in model.onnx"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"cases": [1]}', '{"cases": [{"name": "x"}]}', "[" * 10**5]
)
def test_malformed_vectors_are_an_error(text, bundle) -> None:
    (bundle / "vectors.json").write_text(text)
    restate(bundle)
    with pytest.raises(ModelError, match=r"must hold what docs/bundle\.md says, it does not"):
        onnxhead.verify(bundle)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("labels", lambda _: 1j),
        ("logits", lambda _: 1j),
        ("logits", lambda rows: [[10**400], *rows[1:]]),
        ("logits", lambda rows: [rows[0][1:], *rows[1:]]),
        ("logits_tolerance", lambda _: 1j),
        ("features", lambda rows: [[0.1, *rows[0][1:]], *rows[1:]]),
    ],
)
def test_a_malformed_case_is_an_error(key, change, bundle) -> None:
    document = read_json(bundle / "vectors.json")
    case = document["cases"][5]
    case[key] = change(case[key])
    if case[key] == 1j:
        del case[key]
    (bundle / "vectors.json").write_text(json.dumps(document))
    restate(bundle)
    with pytest.raises(ModelError, match=r"must hold what docs/bundle\.md says, it does not"):
        onnxhead.verify(bundle)


def test_a_folder_without_a_bundle_is_an_error(tmp_path) -> None:
    with pytest.raises(ModelError, match=r"must be what onnxhead ship writes, .* has no bundle/head\.json"):
        onnxhead.verify(tmp_path)
    with pytest.raises(ModelError, match="a signature is that of a folder that was shipped"):
        onnxhead.verify(ABC, key=tmp_path / "public.pem")


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    paths = {name: folder / f"{name}.pem" for name in ("private", "public", "other", "encrypted", "rsa")}
    for name in ("private", "other"):
        make = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", paths[name]]
        subprocess.run(make, check=True)
    subprocess.run(["openssl", "ec", "-in", paths["private"], "-pubout", "-out", paths["public"]], check=True)
    encrypt = ["openssl", "ec", "-in", paths["private"], "-aes256", "-passout", "pass:secret"]
    subprocess.run([*encrypt, "-out", paths["encrypted"]], check=True)
    subprocess.run(["openssl", "genrsa", "-out", paths["rsa"], "2048"], check=True)
    subprocess.run(
        ["openssl", "ec", "-in", paths["other"], "-pubout", "-out", folder / "other-public.pem"], check=True
    )
    subprocess.run(
        ["openssl", "rsa", "-in", paths["rsa"], "-pubout", "-out", folder / "rsa-public.pem"], check=True
    )
    return paths | {name: folder / f"{name}.pem" for name in ("other-public", "rsa-public")}


@pytest.fixture
def signed(keys, tmp_path) -> Path:
    shipment = onnxhead.ship(ABC, "bundle", tmp_path / "signed", sign=keys["private"])
    assert shipment.signed
    return shipment.path


def test_a_signature_holds_for_the_key_of_the_signer_alone(signed, keys) -> None:
    verification = onnxhead.verify(signed, key=keys["public"])
    assert (verification.findings, verification.signed) == ([], True)
    (finding,) = onnxhead.verify(signed, key=keys["other-public"]).findings
    assert finding.startswith("bundle.sig does not hold for ")
    assert onnxhead.verify(signed).signed is None, "there is one, which was not checked"
    (signed / "bundle" / "more").write_text("")
    assert onnxhead.verify(signed).signed is None, "also where something else is wrong"
    (signed / "bundle" / "more").unlink()
    shutil.move(signed / "bundle", signed / "moved")
    assert onnxhead.verify(signed / "moved", key=keys["public"]).signed, "it goes with the bundle"


@pytest.mark.parametrize("name", ["head.json", ".gitignore", "test_data_set_0/features.f32"])
def test_a_change_with_new_hashes_breaks_the_signature(name, signed, keys) -> None:
    with (signed / "bundle" / name).open("ab") as file:
        file.write(b" ")
    restate(signed / "bundle")
    verification = onnxhead.verify(signed, key=keys["public"])
    assert not verification.signed
    (finding,) = verification.findings
    assert finding == f"bundle.sig does not hold for {keys['public']}: what was signed is another bundle"


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_a_missing_or_broken_signature_is_found(content, signed, keys) -> None:
    (signed / "bundle" / "bundle.sig").unlink()
    if content is not None:
        (signed / "bundle" / "bundle.sig").write_bytes(content)
    (finding,) = onnxhead.verify(signed, key=keys["public"]).findings
    assert finding.startswith("bundle.sig is not there" if content is None else "bundle.sig does not hold")


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("public", ""),
        ("encrypted", ""),
        ("rsa", "it is a key of another kind; "),
        ("missing", "No such file or directory; "),
    ],
)
def test_a_key_that_does_not_sign_is_refused(name, because, keys, tmp_path) -> None:
    key = keys.get(name, tmp_path / "missing.pem")
    with pytest.raises(
        WriteError,
        match=f"signed with an elliptic-curve private key .* as PEM, not encrypted, .* is none: {because}",
    ):
        onnxhead.ship(ABC, "bundle", tmp_path / "out", sign=key)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("private", ""),
        ("rsa", ""),
        ("rsa-public", "it is a key of another kind; "),
        ("missing", "No such file or directory; "),
    ],
)
def test_a_key_that_does_not_verify_is_refused(name, because, signed, keys, tmp_path) -> None:
    with pytest.raises(
        ModelError, match=f"checked with an elliptic-curve public key as PEM, .* is none: {because}"
    ):
        onnxhead.verify(signed, key=keys.get(name, tmp_path / "missing.pem"))


def test_without_model_signing_the_extra_is_named(signed, keys, tmp_path, monkeypatch) -> None:
    find = builtins.__import__

    def blocked(name: str, *arguments: object, **keywords: object) -> object:
        if name.startswith("model_signing"):
            raise ImportError(name)
        return find(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", blocked)
    with pytest.raises(WriteError, match=r'pip install "onnxhead\[sign\]"'):
        onnxhead.ship(ABC, "bundle", tmp_path / "out", sign=keys["private"])
    with pytest.raises(ModelError, match=r'pip install "onnxhead\[sign\]"'):
        onnxhead.verify(signed, key=keys["public"])


@pytest.mark.parametrize("name", ["abc", "external", "one-class"])
def test_the_configuration_for_triton_is_of_its_schema(name, models, tmp_path) -> None:
    from tritonclient.grpc import model_config_pb2

    project = onnxhead.ship(models[name], "triton", tmp_path / "out").path
    (folder,) = (project / "bundle" / "model_repository").iterdir()
    config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    head = HEADS[name]
    assert (config.name, config.platform) == (folder.name, "onnxruntime_onnx")
    assert config.max_batch_size == 1024
    (features,) = config.input
    float32 = model_config_pb2.TYPE_FP32
    assert (features.name, features.data_type, list(features.dims)) == ("features", float32, [head.features])
    outputs = [(output.name, output.data_type, list(output.dims)) for output in config.output]
    assert outputs == [("logits", float32, [head.classes]), ("probabilities", float32, [head.classes])]
    assert config.output[1].label_filename == "labels.txt"
    labels = (folder / "labels.txt").read_text().splitlines()
    assert labels == [str(label) for label in head.labels or range(head.classes)]
    classify = onnxhead.load(folder / "1" / "model.onnx", device="cpu")
    assert classify.features == head.features


def test_a_name_with_quotes_is_quoted_for_triton(tmp_path) -> None:
    from tritonclient.grpc import model_config_pb2

    path = shutil.copy(ABC, tmp_path / 'a "quoted" näme.onnx')
    onnxhead.ship(path, "triton", tmp_path / "out")
    (config,) = tmp_path.glob("out/bundle/model_repository/*/config.pbtxt")
    parsed = text_format.Parse(config.read_text(), model_config_pb2.ModelConfig())
    assert parsed.name == config.parent.name == 'a "quoted" näme'


@pytest.mark.parametrize("label", ["two\nlines", " spaced", "two\u2028lines", "", "a\0b"])
def test_labels_that_are_not_one_line_are_refused_for_triton(label, random_head, tmp_path) -> None:
    path = onnxhead.save(random_head(classes=2, labels=["a", label]), tmp_path / "head.onnx").path
    with pytest.raises(ModelError, match="^labels for triton must be distinct lines of printable text"):
        onnxhead.ship(path, "triton", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [path]


def test_labels_that_are_one_line_are_refused_for_triton(random_head, tmp_path) -> None:
    path = onnxhead.save(random_head(classes=2, labels=[1, "1"]), tmp_path / "head.onnx").path
    with pytest.raises(ModelError, match="got two that are the same line: build the model with other labels"):
        onnxhead.ship(path, "triton", tmp_path / "out")


@pytest.mark.parametrize("name", HEADS)
def test_the_ort_file_has_the_same_answers(name, models, tmp_path) -> None:
    project = onnxhead.ship(models[name], "ort", tmp_path / "out").path / "bundle"
    session = onnxruntime.InferenceSession(project / f"{name}.ort")
    for case in make_cases(HEADS[name]):
        logits, probabilities = session.run(["logits", "probabilities"], {"features": case.features})
        exact = case.exact
        assert deviation(logits, exact.logits, exact.logits_bound).ratio <= 1
        assert deviation(probabilities, exact.probabilities, exact.probabilities_bound).ratio <= 1
    operators = (project / "required_operators.config").read_text()
    assert re.search(r"^ai\.onnx;13;.*\bGemm\b", operators, re.MULTILINE)


def test_an_ort_file_with_wrong_answers_is_not_shipped(tmp_path, monkeypatch) -> None:
    wrong = Deviation(error=1.0, bound=0.5)
    failed = Check(rows=1, classes=3, is_sample=False, logits=wrong, probabilities=wrong, uncertainty=0.0)

    def check(path: Path, *args: object) -> Check:
        return failed if path.suffix == ".ort" else check_model(path, *args)

    monkeypatch.setattr("onnxhead.shipping.content.check_model", check)
    with pytest.raises(
        VerificationError, match=r"does not: abc\.ort is not the model in model\.onnx; nothing"
    ):
        onnxhead.ship(ABC, "ort", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_converter_that_fails_is_an_error(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("onnxhead.shipping.mobile._CONVERTER", "onnxruntime.tools.missing")
    with pytest.raises(
        WriteError, match="onnxruntime's converter must turn the model into .ort, it did not: "
    ):
        onnxhead.ship(ABC, "ort", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_the_command_ships_to_several_and_says_what_to_type(command, tmp_path) -> None:
    done = command("ship", ABC, "--to", "python, bundle", "-o", "out")
    lines = [line for line in done.stdout.splitlines() if line.startswith(("project", "next"))]
    assert lines[0].startswith("project        out/python (Python: onnxruntime and numpy")
    assert lines[1] == "next           out/python/README.md says what is needed there"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bundle", "python"]
    assert "files, vectors and answers are as they were built" in command("verify", "out/python").stdout
    document = json.loads(command("ship", ABC, "--to", "bundle", "-o", "again", "--json").stdout)
    assert [shipment["target"] for shipment in document["shipments"]] == ["bundle"]
    for targets, message in (
        ("bundle,cobol", "got 'cobol'"),
        ("bundle,Bundle", "must name each target once"),
    ):
        assert message in command("ship", ABC, "--to", targets, "-o", "third", status=2).stderr
    assert not (tmp_path / "third").exists()


def test_the_command_verifies_a_signature(command, keys) -> None:
    done = command("ship", ABC, "--to", "bundle", "-o", "out", "--sign", keys["private"])
    assert "signature      bundle.sig" in done.stdout
    assert "the signature holds" in command("verify", "out", "--verify-key", keys["public"]).stdout
    assert "bundle.sig is there and was not checked" in command("verify", "out").stdout
    done = command("verify", "out", "--verify-key", keys["other-public"], status=1)
    assert "FOUND: bundle.sig does not hold" in done.stdout
