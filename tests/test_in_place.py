"""Models in place: an .onnx file that refers to a weight in somebody's .safetensors file."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

import onnxhead
from onnxhead.reference import deviation, refer
from onnxhead.summary import inspect
from onnxhead_runtime import providers
from onnxhead_runtime.errors import ModelError, WriteError
from onnxhead_runtime.weights import external_bytes

RANDOM = np.random.default_rng(0)
WEIGHT = RANDOM.standard_normal((7, 5), np.float32)
BIAS = RANDOM.standard_normal(7, np.float32)
OTHERS = {"a": np.zeros(3, np.uint8), "z": np.zeros(9, np.float64)}
ROWS = RANDOM.standard_normal((4, 5), np.float32)


@pytest.fixture
def source(tmp_path) -> Path:
    """A file in which weight and bias lie between others, at odd offsets."""
    save_file({**OTHERS, "weight": WEIGHT, "bias": BIAS}, tmp_path / "head.safetensors")
    return tmp_path / "head.safetensors"


def test_the_file_refers_to_the_tensors_where_they_lie(source, tmp_path) -> None:
    before = source.read_bytes()
    report = onnxhead.save(onnxhead.read(source), tmp_path / "head.onnx", in_place=True)
    assert (report.data_path, source.read_bytes()) == (source, before)
    assert report.path.stat().st_size < 1024
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head.onnx", "head.safetensors"]
    model = onnx.load(report.path)
    assert [onnx.numpy_helper.to_array(tensor).tolist() for tensor in model.graph.initializer] == [
        WEIGHT.tolist(),
        BIAS.tolist(),
    ]
    exact = refer(onnxhead.Head(WEIGHT, BIAS), ROWS)
    prediction = onnxhead.load(report.path, device="cpu")(ROWS)
    assert deviation(prediction.logits, exact.logits, exact.logits_bound).ratio <= 1
    assert onnxhead.verify(report.path).findings == []
    assert onnxhead.read(report.path).weight.tolist() == WEIGHT.tolist()


def test_the_progress_of_a_weight_in_place_is_told(source, tmp_path) -> None:
    steps: list[tuple[int, int | None]] = []
    head = onnxhead.read(source)
    onnxhead.save(head, tmp_path / "head.onnx", in_place=True, progress=lambda *step: steps.append(step))
    assert steps == [(7, 7)]


def test_a_bias_that_is_not_there_is_in_the_model(tmp_path) -> None:
    save_file({"weight": WEIGHT}, tmp_path / "head.safetensors")
    head = onnxhead.read(tmp_path / "head.safetensors", no_bias=True)
    report = onnxhead.save(head, tmp_path / "head.onnx", in_place=True)
    places = [
        tensor.data_location for tensor in onnx.load(report.path, load_external_data=False).graph.initializer
    ]
    assert places == [onnx.TensorProto.EXTERNAL, onnx.TensorProto.DEFAULT]
    assert onnxhead.verify(report.path).findings == []


def test_weight_and_bias_may_lie_in_two_shards(tmp_path) -> None:
    save_file({"classifier.weight": WEIGHT}, tmp_path / "model-1.safetensors")
    save_file({"classifier.bias": BIAS}, tmp_path / "model-2.safetensors")
    places = {"classifier.weight": "model-1.safetensors", "classifier.bias": "model-2.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    (tmp_path / "config.json").write_text("{}")
    report = onnxhead.save(onnxhead.read(tmp_path), tmp_path / "head.onnx", in_place=True)
    assert onnxhead.verify(report.path).findings == []
    exact = refer(onnxhead.Head(WEIGHT, BIAS), ROWS)
    prediction = onnxhead.load(report.path, device="cpu")(ROWS)
    assert deviation(prediction.logits, exact.logits, exact.logits_bound).ratio <= 1


def test_a_small_head_in_a_large_file_is_small(source, tmp_path, monkeypatch) -> None:
    save_file({**OTHERS, "body": np.zeros(10_000), "weight": WEIGHT, "bias": BIAS}, source)
    path = onnxhead.save(onnxhead.read(source), tmp_path / "head.onnx", in_place=True).path
    assert external_bytes(path) == WEIGHT.nbytes + BIAS.nbytes
    assert inspect(path).size_bytes == path.stat().st_size + WEIGHT.nbytes + BIAS.nbytes
    for limit, is_large in ((WEIGHT.nbytes + BIAS.nbytes + 1, False), (WEIGHT.nbytes + BIAS.nbytes, True)):
        monkeypatch.setattr(providers, "_MAPPED_BYTES", limit)
        assert providers.is_large(path) == is_large


@pytest.mark.parametrize(
    ("changed", "size"),
    [
        ({"length": None}, 900),
        ({"length": None, "offset": None}, 1000),
        ({"length": "x", "offset": "-1"}, 1000),
        ({"length": "99999999999999999999"}, 900),
        ({"offset": "1001"}, 0),
        ({"location": None}, 0),
    ],
)
def test_what_a_tensor_does_not_say_is_to_the_end_of_its_file(changed, size, tmp_path) -> None:
    places = {"location": "w.bin", "offset": "100", "length": "140"} | changed
    tensor = onnx.TensorProto(name="weight", data_location=onnx.TensorProto.EXTERNAL)
    for key, value in places.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    # what two names share is there once
    model = onnx.ModelProto(graph=onnx.GraphProto(initializer=[tensor, tensor]))
    (tmp_path / "head.onnx").write_bytes(model.SerializeToString())
    (tmp_path / "w.bin").write_bytes(bytes(1000))
    assert external_bytes(tmp_path / "head.onnx") == size


def test_verify_finds_that_the_weights_have_changed(source, tmp_path) -> None:
    path = onnxhead.save(onnxhead.read(source), tmp_path / "head.onnx", in_place=True).path
    content = source.read_bytes()
    at = content.index(WEIGHT.tobytes())
    source.write_bytes(content[: at + 10] + bytes([content[at + 10] ^ 1]) + content[at + 11 :])
    (finding,) = onnxhead.verify(path).findings
    assert finding.startswith("the SHA-256 of weight and bias is ")
    save_file({**OTHERS, "weight": WEIGHT + 1, "bias": BIAS}, source)
    assert onnxhead.verify(path).findings
    source.write_bytes(content[:100])
    (finding,) = onnxhead.verify(path).findings
    assert finding.startswith(f"weight (7, 5) must have 140 bytes of data, {source} has ")
    source.unlink()
    with pytest.raises(ModelError, match="which is not there: move both files together"):
        onnxhead.verify(path)


@pytest.mark.parametrize(
    "head",
    [
        lambda _: onnxhead.Head(WEIGHT, BIAS),
        lambda source: onnxhead.read(source, weight_key="weight", layout="features-first", bias_key="other"),
        lambda source: onnxhead.read(source, weight_key="half"),
        lambda source: onnxhead.read(source, weight_key="row", bias_key="one", labels=["no", "yes"]),
    ],
    ids=["arrays", "features-first", "float16", "binary"],
)
def test_what_lies_nowhere_as_it_is_saved_is_refused(head, tmp_path) -> None:
    arrays = {
        "weight": WEIGHT,
        "bias": BIAS,
        "other": RANDOM.standard_normal(5, np.float32),
        "half": WEIGHT.astype(np.float16),
        "row": WEIGHT[:1],
        "one": BIAS[:1],
    }
    save_file(arrays, tmp_path / "head.safetensors")
    with pytest.raises(WriteError, match="refers to a float32 weight, classes first, in a .safetensors file"):
        onnxhead.save(head(tmp_path / "head.safetensors"), tmp_path / "head.onnx", in_place=True)
    assert [path.name for path in tmp_path.iterdir()] == ["head.safetensors"]


def test_another_folder_and_links_are_refused(source, tmp_path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(WriteError, match="lies in the folder of the file that it refers to"):
        onnxhead.save(onnxhead.read(source), tmp_path / "other" / "head.onnx", in_place=True)
    link = tmp_path / "other" / "head.safetensors"
    link.symlink_to(source)
    with pytest.raises(WriteError, match="refers to a file, .* is a link: build it in the folder of"):
        onnxhead.save(onnxhead.read(link), tmp_path / "other" / "head.onnx", in_place=True)
    assert not (tmp_path / "other" / "head.onnx").exists()


def test_a_model_in_place_is_shipped_with_its_own_weights_alone(source, tmp_path, monkeypatch) -> None:
    path = onnxhead.save(onnxhead.read(source), tmp_path / "head.onnx", in_place=True).path
    for threshold, suffixes in ((2**20, [".onnx"]), (0, [".data", ".onnx"])):
        monkeypatch.setattr("onnxhead.storage.EXTERNAL_THRESHOLD_BYTES", threshold)
        bundle = onnxhead.ship(path, "bundle", tmp_path / f"out{threshold}").path / "bundle"
        assert onnxhead.verify(bundle).findings == []
        found = [
            file.suffix for file in bundle.iterdir() if file.suffix in (".onnx", ".data", ".safetensors")
        ]
        assert sorted(found) == suffixes


@pytest.mark.usefixtures("source")
def test_the_command_writes_beside_the_source(command, tmp_path) -> None:
    done = command("build", "head.safetensors", "--in-place")
    assert (tmp_path / "head.onnx").stat().st_size < 1024
    assert "head.safetensors" in done.stdout
    assert command("run", "head.onnx", "[1, 2, 3, 4, 5]").stdout
    save_file({"weight": WEIGHT.astype(np.float16), "bias": BIAS}, tmp_path / "half.safetensors")
    done = command("build", "half.safetensors", "--in-place", status=2)
    assert "refers to a float32 weight, classes first, in a .safetensors file" in done.stderr
