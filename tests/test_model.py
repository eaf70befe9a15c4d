"""Model files: what is in them, and every kind of damage."""

import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
import pytest

import onnxhead
from onnxhead import reference, storage
from onnxhead.compatibility import RELEASES, oldest_onnxruntime
from onnxhead.graph import compose
from onnxhead.model import open_model
from onnxhead.scan import scan
from onnxhead.summary import inspect
from onnxhead_runtime.errors import HeadError, ModelError


@pytest.fixture
def pair(random_head, tmp_path, monkeypatch) -> tuple[Path, Path]:
    """A model and its data file."""
    monkeypatch.setattr(storage, "EXTERNAL_THRESHOLD_BYTES", 0)
    report = onnxhead.save(random_head(), tmp_path / "head.onnx")
    return report.path, report.data_path


def test_inspect_says_what_is_in_the_file(random_head, tmp_path) -> None:
    head = random_head(labels=["a", "b", 3, 4.5], link="ovr", temperature=2)
    report = onnxhead.save(head, tmp_path / "head.onnx")
    summary = inspect(report.path)
    assert [str(tensor) for tensor in summary.inputs] == ["features float32 [batch, 5]"]
    assert [str(tensor) for tensor in summary.outputs] == [
        "logits float32 [batch, 4]",
        "probabilities float32 [batch, 4]",
    ]
    assert (summary.opset, summary.ir_version, summary.oldest_onnxruntime) == (13, 7, "1.6")
    assert (summary.labels, summary.link, summary.temperature) == (("a", "b", 3, 4.5), "ovr", 2.0)
    assert (summary.sha256, summary.size_bytes) == (report.sha256, report.size_bytes)
    assert summary.weights_sha256 == scan(head.matrix, head.bias).sha256


def test_inspect_describes_a_file_of_others(tmp_path) -> None:
    from test_classifier import compose_by_hand

    summary = inspect(compose_by_hand(tmp_path / "other.onnx"))
    assert (summary.labels, summary.link, summary.weights_sha256) == (None, None, None)
    assert (summary.opset, summary.ir_version, summary.oldest_onnxruntime) == (17, 8, "1.13")
    assert summary.operators == ["MatMul", "Add", "Softmax"]


def test_inspect_names_what_is_no_tensor(tmp_path) -> None:
    value = onnx.helper.make_tensor_sequence_value_info("s", onnx.TensorProto.FLOAT, [2])
    node = onnx.helper.make_node("Identity", ["s"], ["t"])
    output = onnx.helper.make_tensor_sequence_value_info("t", onnx.TensorProto.FLOAT, [2])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [output]))
    onnx.save(model, tmp_path / "sequence.onnx")
    assert [str(tensor) for tensor in inspect(tmp_path / "sequence.onnx").inputs] == ["s sequence []"]


def test_inspect_names_the_data_file(pair) -> None:
    path, data = pair
    summary = inspect(path)
    assert summary.data_paths == [data]
    assert summary.size_bytes == path.stat().st_size + data.stat().st_size


def test_the_table_of_releases_is_ordered_and_ends() -> None:
    versions = [tuple(map(int, release.version.split("."))) for release in RELEASES]
    assert versions == sorted(versions)
    assert [r.opset for r in RELEASES] == sorted(r.opset for r in RELEASES)
    assert [r.ir_version for r in RELEASES] == sorted(r.ir_version for r in RELEASES)
    assert oldest_onnxruntime(99, 13) is None
    assert (oldest_onnxruntime(3, 7), oldest_onnxruntime(3, 6)) == ("1.0", None)


def test_the_table_of_releases_is_right_for_the_installed_one(abc) -> None:
    """A file at the limits loads; one beyond either does not, in a release that the table knows."""
    import onnxruntime

    installed = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
    limits = [r for r in RELEASES if tuple(map(int, r.version.split("."))) <= installed][-1]
    model = compose(abc)
    beyond = [(limits.ir_version + 1, limits.opset, False), (limits.ir_version, limits.opset + 1, False)]
    is_known = installed <= tuple(map(int, RELEASES[-1].version.split(".")))  # a newer one may load more
    for ir_version, opset, loads in [(limits.ir_version, limits.opset, True), *(beyond if is_known else [])]:
        model.ir_version, model.opset_import[0].version = ir_version, opset
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        except Exception:
            assert not loads, f"IR {ir_version}, opset {opset} should load in {onnxruntime.__version__}"
        else:
            assert loads, f"IR {ir_version}, opset {opset} should not load in {onnxruntime.__version__}"


def test_a_sound_file_verifies(pair) -> None:
    verification = onnxhead.verify(pair[0])
    assert verification.findings == []
    assert verification.check.passed


def test_a_flipped_bit_in_the_model_is_found(random_head, tmp_path) -> None:
    path = onnxhead.save(random_head(), tmp_path / "head.onnx").path
    content = bytearray(path.read_bytes())
    content[content.index(random_head().weight.tobytes())] ^= 1
    path.write_bytes(content)
    findings = onnxhead.verify(path).findings
    assert len(findings) == 1
    assert "the SHA-256 of weight and bias is" in findings[0]


def test_a_flipped_bit_in_the_data_file_is_found(pair) -> None:
    path, data = pair
    content = bytearray(data.read_bytes())
    content[5] ^= 0x80
    data.write_bytes(content)
    findings = onnxhead.verify(path).findings
    assert len(findings) == 2
    assert f"the SHA-256 of {data.name} begins with" in findings[1]


def test_wrong_answers_are_found(random_head, tmp_path, monkeypatch) -> None:
    path = onnxhead.save(random_head(), tmp_path / "head.onnx").path
    # ask for more than float32 can give
    monkeypatch.setattr(reference, "_UNIT_ROUNDOFF", 2.0**-60)
    monkeypatch.setitem(reference._ROUNDINGS, "float32", 2.0**-60)
    assert "the largest errors against float64 are logits" in onnxhead.verify(path).findings[0]


def test_a_data_file_cut_short_is_found(pair) -> None:
    path, data = pair
    for content in (data.read_bytes()[:-4], b""):
        data.write_bytes(content)
        expected = f"weight (4, 5) must have 80 bytes of data, {data} has {len(content)}: copy it again"
        (finding,) = onnxhead.verify(path).findings
        assert finding.startswith(expected)
        with pytest.raises(ModelError, match=re.escape(expected)):
            onnxhead.read(path)
    with pytest.raises(ModelError, match="onnxhead verify whether it is damaged"):
        onnxhead.load(path, device="cpu")


def test_a_missing_data_file_is_refused(pair) -> None:
    path, data = pair
    data.unlink()
    with pytest.raises(ModelError, match="which is not there: move both files together"):
        open_model(path)


@pytest.mark.parametrize("location", ["../outside.data", "/etc/hostname", "a/b.data", "", "..", "a\\b"])
def test_data_outside_the_folder_is_refused(pair, location) -> None:
    path, _ = pair
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=re.escape(f"keeps weight in {location!r}")):
        open_model(path)


def test_a_link_out_of_the_folder_is_refused(pair, tmp_path_factory) -> None:
    path, data = pair
    outside = tmp_path_factory.mktemp("outside") / "data"
    data.rename(outside)
    data.symlink_to(outside)
    with pytest.raises(ModelError, match="is a link: put the file itself there"):
        open_model(path)


def edited(head: onnxhead.Head, path: Path, edit) -> Path:
    model = compose(head)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda m: m.graph.node[1].attribute[0].__setattr__("i", 0),
            "must have the graph that onnxhead writes",
        ),
        (
            lambda m: m.graph.node[0].__setattr__("op_type", "MatMul"),
            "must have the graph that onnxhead writes",
        ),
        (lambda m: m.graph.node.pop(), "must have the graph that onnxhead writes"),
        (lambda m: m.opset_import.add(domain="ai.onnx.ml", version=3), "must have the opset import that"),
        (lambda m: m.opset_import[0].__setattr__("version", 12), "must have the graph that onnxhead writes"),
        (
            lambda m: m.opset_import[0].__setattr__("version", 28),
            "opset must be an integer from 7 to 26, got 28",
        ),
        (lambda m: m.__setattr__("ir_version", 3), "ir_version must be an integer from 4 to 13, got 3"),
        (lambda m: m.graph.initializer.pop(), "must have a float32 or float16 or bfloat16 initializer bias"),
        (
            lambda m: m.graph.initializer[0].__setattr__("data_type", 11),
            "must have a float32 or float16 or bfloat16 or int8 initializer weight",
        ),
        (lambda m: m.graph.initializer[0].dims.__setitem__(0, 9), "labels must be one per class"),
        (lambda m: m.graph.initializer[0].dims.__setitem__(1, -5), "weight must have positive lengths"),
        (lambda m: m.graph.initializer[0].dims.__setitem__(1, 6), "weight (3, 6) must have 72 bytes of data"),
    ],
)
def test_a_graph_that_is_not_what_the_metadata_say_is_refused(abc, tmp_path, edit, message) -> None:
    path = edited(abc, tmp_path / "edited.onnx", edit)
    with pytest.raises(ModelError, match=re.escape(message)):
        inspect(path)


def test_further_metadata_are_accepted(abc, tmp_path) -> None:
    path = edited(abc, tmp_path / "more.onnx", lambda m: m.metadata_props.add(key="author", value="me"))
    assert onnxhead.verify(path).findings == []


def test_weights_near_the_end_of_float32_are_saved(tmp_path) -> None:
    head = onnxhead.Head([[3e38, -3e38], [1e38, 3e38]], [1e30, -1e30])
    assert onnxhead.save(head, tmp_path / "large.onnx").check.passed


def test_a_model_beyond_what_protobuf_holds_is_refused(random_head, monkeypatch) -> None:
    monkeypatch.setattr("onnxhead.graph.PROTOBUF_LIMIT_BYTES", 2**24)
    with pytest.raises(HeadError, match=r"a model in memory must be below 2 GiB, weight has 0\.0 GiB; save"):
        compose(random_head())


def test_weights_that_are_not_finite_are_refused(abc, tmp_path) -> None:
    def edit(model: onnx.ModelProto) -> None:
        weight = abc.weight.copy()
        weight[1, 2] = np.nan
        model.graph.initializer[0].raw_data = weight.tobytes()
        digest = hashlib.sha256(weight.tobytes() + abc.bias.tobytes()).hexdigest()
        model.metadata_props[-1].value = digest

    path = edited(abc, tmp_path / "nan.onnx", edit)
    assert onnxhead.verify(path).findings == ["weight must be finite, got nan at [1, 2]"]
    with pytest.raises(onnxhead.OnnxHeadError, match=re.escape("weight must be finite, got nan at [1, 2]")):
        onnxhead.read(path)
