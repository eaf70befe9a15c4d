"""Heads from torch: modules in memory, and files of torch.save read without torch and without running them."""

import io
import re
import struct
import sys
import zipfile
from pathlib import Path

import modules
import numpy as np
import pytest
from torch_files import FLOATS, Call, Reference, archive, dumps, tensor

import onnxhead
from onnxhead.reference import refer
from onnxhead_runtime.errors import SourceError

FIXTURES = Path(__file__).parent / "fixtures" / "torch"
W = np.arange(12.0).reshape(3, 4)


@pytest.fixture(params=["stand-in", pytest.param("torch", marks=pytest.mark.torch)])
def nn(request: pytest.FixtureRequest):
    """torch.nn, and what stands in for it."""
    if request.param == "stand-in":
        return modules
    return pytest.importorskip("torch.nn", reason="torch is not installed")


def numbers(tensor) -> np.ndarray:
    return tensor.detach().numpy()


def check(head: onnxhead.Head, linear) -> None:
    assert head.weight[-len(linear.weight.shape) :].dtype == np.float32
    assert np.array_equal(head.weight[-linear.out_features :], numbers(linear.weight))
    assert np.array_equal(head.bias[-linear.out_features :], numbers(linear.bias))


def test_a_linear_layer(nn) -> None:
    linear = nn.Linear(5, 3)
    head = onnxhead.read(linear, labels=["a", "b", "c"])
    check(head, linear)
    assert (head.link, head.labels) == ("softmax", ("a", "b", "c"))
    assert head.origin == "Linear: weight (3, 5) float32, bias (3,) float32"


def test_a_linear_layer_without_bias(nn) -> None:
    head = onnxhead.read(nn.Linear(5, 3, bias=False))
    assert head.bias.tolist() == [0, 0, 0]
    assert head.origin == "Linear: weight (3, 5) float32, no bias"


def test_tensors_by_themselves_and_by_name(nn) -> None:
    linear = nn.Linear(5, 3)
    check(onnxhead.read((linear.weight, linear.bias)), linear)
    check(onnxhead.read(linear.state_dict()), linear)
    check(onnxhead.read({"fc.weight": linear.weight, "fc.bias": linear.bias}), linear)


@pytest.mark.parametrize(
    ("before", "after", "link"),
    [
        ([], [], "softmax"),
        (["Flatten", "Dropout", "Identity"], ["Softmax"], "softmax"),
        ([], ["Dropout", "LogSoftmax", "Identity"], "softmax"),
        (["Identity"], ["Sigmoid"], "sigmoid"),
    ],
)
def test_a_sequential_that_ends_in_a_linear_layer(nn, before, after, link) -> None:
    linear = nn.Linear(5, 3)
    make = {"Softmax": lambda: nn.Softmax(dim=-1), "LogSoftmax": lambda: nn.LogSoftmax(dim=1)}
    layers = [[make.get(name, getattr(nn, name))() for name in names] for names in (before, after)]
    head = onnxhead.read(nn.Sequential(*layers[0], nn.Sequential(linear), *layers[1]))
    check(head, linear)
    assert head.link == link
    assert head.origin.startswith(f"Sequential: {len(before)}.0.weight (3, 5) float32")


def test_one_unit_with_a_sigmoid_is_a_binary_head(nn) -> None:
    linear = nn.Linear(5, 1)
    module = nn.Sequential(linear, nn.Sigmoid())
    head = onnxhead.read(module)
    check(head, linear)
    assert (head.classes, head.link, head.labels) == (2, "softmax", (0, 1))
    assert onnxhead.read(module, labels=["ham", "spam"]).labels == ("ham", "spam")
    assert onnxhead.read(module, labels=["spam"], link="sigmoid").classes == 1


def test_a_hidden_layer_is_said_to_be_one_and_the_last_layer_is_taken_when_asked(nn) -> None:
    last = nn.Linear(4, 3)
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), last, nn.Sigmoid())
    with pytest.raises(
        SourceError, match=r"Sequential has 0 \(Linear\) before it: for the last layer alone.*'2.weight'"
    ):
        onnxhead.read(module)
    head = onnxhead.read(module, weight_key="2.weight")
    check(head, last)
    assert head.link == "sigmoid"
    assert head.origin.endswith("not used: 0.weight, 0.bias")
    with pytest.raises(SourceError, match=r"after a head's linear layer .* has 1 \(ReLU\) there"):
        onnxhead.read(module, weight_key="0.weight")


@pytest.mark.parametrize("layer", [lambda nn: nn.ReLU(), lambda nn: nn.Softmax(dim=0)])
def test_what_may_follow_the_linear_layer(nn, layer) -> None:
    with pytest.raises(
        SourceError, match="after a head's linear layer there may be one of Softmax, LogSoftmax and Sig"
    ):
        onnxhead.read(nn.Sequential(nn.Linear(5, 3), layer(nn)))
    with pytest.raises(SourceError, match="after a head's linear layer there may be one of"):
        onnxhead.read(nn.Sequential(nn.Linear(5, 3), nn.Sigmoid(), nn.Sigmoid()))


def test_a_module_whose_computation_cannot_be_read_needs_the_key(nn) -> None:
    class Probe(nn.Sequential):
        """Its forward may be anything."""

    linear = nn.Linear(5, 3)
    with pytest.raises(SourceError, match=r"what Probe computes cannot be read: .* one of 0.weight, 0.bias"):
        onnxhead.read(Probe(linear))
    check(onnxhead.read(Probe(linear), weight_key="0.weight"), linear)
    with pytest.raises(
        SourceError, match="Probe must hold the key asked for, it has no fc.weight but 0.weight"
    ):
        onnxhead.read(Probe(linear), weight_key="fc.weight")
    hooked = nn.Linear(5, 3)
    hooked.register_forward_hook(lambda *_: None)
    with pytest.raises(SourceError, match="what Linear computes cannot be read"):
        onnxhead.read(hooked)


def test_a_tensor_alone_is_no_head(nn) -> None:
    with pytest.raises(
        SourceError, match=r"a source must be a module, a state dict or a pair \(weight, bias\), got"
    ):
        onnxhead.read(nn.Linear(5, 3).weight)


@pytest.mark.torch
def test_modules_of_every_kind_of_torch_answer_as_torch_does() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.manual_seed(0)
    rows = torch.randn(9, 6)
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        module = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Softmax(-1)).to(dtype)
        head = onnxhead.read(module)
        assert np.array_equal(head.weight, module[0].weight.detach().float().numpy())
        exact = module.double()(rows.double()).detach().numpy()
        assert np.abs(refer(head, rows.numpy()).probabilities - exact).max() < 1e-6


@pytest.mark.torch
def test_tensors_that_are_not_dense_numbers_are_refused() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    with pytest.raises(
        SourceError, match="a tensor must be dense numbers in memory: Cannot copy out of meta"
    ):
        onnxhead.read(torch.nn.Linear(3, 2, device="meta"))
    with pytest.raises(SourceError, match="a tensor must be dense numbers in memory"):
        onnxhead.read((torch.eye(3).to_sparse(), torch.zeros(3)))
    with pytest.raises(SourceError, match="what ParametrizedLinear computes cannot be read"):
        onnxhead.read(torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(4, 3)))


@pytest.mark.torch
@pytest.mark.parametrize("archive", [True, False])
def test_files_of_this_torch(tmp_path: Path, archive: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")

    def saved(name: str, value: object) -> Path:
        torch.save(value, tmp_path / name, _use_new_zipfile_serialization=archive)
        return tmp_path / name

    linear = torch.nn.Linear(6, 4)
    optimizer = torch.optim.AdamW(linear.parameters())
    linear(torch.ones(2, 6)).sum().backward()
    optimizer.step()
    checkpoint = {
        "epoch": 3,
        "model": linear.state_dict(),
        "optimizer": optimizer.state_dict(),
        "classes": ["a", "b", "c", "d"],
    }
    head = onnxhead.read(saved("checkpoint.pt", checkpoint))
    check(head, linear)
    assert head.labels == ("a", "b", "c", "d")
    check(onnxhead.read(saved("parameters.bin", {"weight": linear.weight, "bias": linear.bias})), linear)
    wide = torch.randn(9, 20)
    for name, weight in {
        "transposed": wide.t()[3:7],
        "sliced": wide[2:6, 1::2],
        "bfloat16": wide.bfloat16()[:4],
        "float16": wide.half()[:4],
        "float64": wide.double()[:4],
        "int64": torch.arange(24).reshape(4, 6),
    }.items():
        state = {"fc.weight": weight, "fc.bias": torch.arange(12.0)[::3]}
        head = onnxhead.read(saved(f"{name}.pth", state))
        assert np.array_equal(head.weight, weight.float().numpy()), name
        assert head.bias.tolist() == [0, 3, 6, 9]
    for name, value, what in [
        ("module.pt", linear, "torch.nn.modules.linear.Linear"),
        ("scalar.pt", {"best": np.float64(1)}, r"numpy\._?core\.multiarray\.scalar"),
        ("device.pt", {"device": torch.device("cpu")}, "torch.device"),
        ("sparse.pt", {"weight": torch.eye(3).to_sparse()}, "torch._utils._rebuild_sparse_tensor"),
    ]:
        with pytest.raises(SourceError, match=f"{name} also holds {what}, and nothing is run"):
            onnxhead.read(saved(name, value))


@pytest.mark.parametrize(
    "name",
    [
        "state_dict.pt",
        "checkpoint.pth",
        "sequential_state_dict.pt",
        "legacy.pt",
        "strided_view.pt",
        "float16.pt",
    ],
)
def test_files_of_torch_give_the_expected_answers(name: str, tmp_path: Path) -> None:
    head = onnxhead.read(FIXTURES / f"digits_{name}")
    expected = np.load(
        FIXTURES / ("digits_float16_expected.npz" if "float16" in name else "digits_expected.npz")
    )
    assert np.array_equal(head.weight, expected["weight"])
    assert np.array_equal(head.bias, expected["bias"])
    exact = refer(head, expected["features"])
    assert np.abs(exact.logits - expected["logits"]).max() < 1e-12
    assert np.abs(exact.probabilities - expected["probabilities"]).max() < 1e-12
    report = onnxhead.save(head, tmp_path / "head.onnx")
    assert report.check.passed


def test_bfloat16_safetensors_of_torch() -> None:
    head = onnxhead.read(FIXTURES / "digits_bfloat16.safetensors")
    expected = np.load(FIXTURES / "digits_bfloat16_expected.npz")
    assert np.array_equal(head.weight, expected["weight"])
    assert np.abs(refer(head, expected["features"]).logits - expected["logits"]).max() < 1e-12


def test_a_whole_module_is_refused_by_name() -> None:
    with pytest.raises(
        SourceError, match=r"digits_whole_module.pt also holds torch.nn.modules.linear.Linear, and"
    ):
        onnxhead.read(FIXTURES / "digits_whole_module.pt")
    assert "torch" not in sys.modules or "torch" in str(sys.modules["torch"])


def test_an_archive_made_by_hand(tmp_path: Path) -> None:
    (tmp_path / "h.pt").write_bytes(archive({"weight": tensor(), "bias": tensor((2,), (1,), 4)}))
    head = onnxhead.read(tmp_path / "h.pt")
    assert head.weight.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert head.bias.tolist() == [5, 6]


def test_an_archive_of_a_big_endian_machine(tmp_path: Path) -> None:
    data = struct.pack(">6f", 1, 2, 3, 4, 5, 6)
    (tmp_path / "h.pt").write_bytes(archive({"weight": tensor()}, data, order="big"))
    assert onnxhead.read(tmp_path / "h.pt", no_bias=True).weight.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_containers_that_hold_each_other_end(tmp_path: Path) -> None:
    # a list in the memo that is appended to itself, beside the weight
    loop = b"}(" + dumps("weight") + dumps(tensor()) + dumps("loop") + b"]q\x07h\x07a" + b"u."
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("head/data.pkl", b"\x80\x02" + loop)
        file.writestr("head/data/0", FLOATS)
    (tmp_path / "h.pt").write_bytes(buffer.getvalue())
    assert onnxhead.read(tmp_path / "h.pt", no_bias=True).features == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            archive({"weight": tensor((2, 4), (4, 1))}),
            "h.pt: weight must be a tensor that can be read: ValueError: it must lie within its storage of 6 numbers",
        ),
        (archive({"weight": tensor(offset=1)}), "must lie within its storage of 6 numbers"),
        (archive({"weight": tensor((10**9, 10**9), (0, 0))}), "must lie within its storage of 6 numbers"),
        (
            archive({"weight": tensor((2, 3), (3,))}),
            "h.pt: weight must be a tensor that can be read: ValueError",
        ),
        (archive({"weight": tensor((2, 3), (-3, 1))}), "sizes of tensors must be non-negative integers"),
        (archive({"weight": tensor(key="7")}), "h.pt: weight must be a tensor that can be read: KeyError"),
        (archive({"weight": tensor()}, FLOATS[:-1]), "must lie within its storage of 5 numbers"),
        (
            archive({"weight": tensor()}, compression=zipfile.ZIP_DEFLATED),
            "members of the archive must be uncompressed",
        ),
        (
            archive({"weight": Call("os.system", "touch canary")}),
            "h.pt also holds os.system, and nothing is run",
        ),
        (
            archive({"weight": Call("builtins.eval", "1")}),
            "h.pt also holds builtins.eval, and nothing is run",
        ),
        (archive({"weight": tensor(kind="QInt8Storage")}), "h.pt also holds torch.QInt8Storage"),
        (
            archive({"weight": Call("torch._utils._rebuild_tensor_v2", 1, 2, 3, 4)}),
            "a tensor must have a storage",
        ),
        (archive([]), "a source must hold a weight under a usual name"),
        (archive(3), "h.pt must be a file of torch.save with tensors: TypeError"),
        (b"", "h.pt must be a file of torch.save with tensors: ValueError"),
        (b"\x80\x02K\x01.", "it is neither an archive nor a stream of torch.save"),
        (b"PK\x05\x06" + bytes(18), "h.pt must be a file of torch.save with tensors: StopIteration"),
    ],
)
def test_malformed_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "h.pt").write_bytes(content)
    with pytest.raises(SourceError, match=re.escape(message)):
        onnxhead.read(tmp_path / "h.pt", no_bias=True)
    assert not (tmp_path / "canary").exists()


def test_every_truncation_of_a_stream_is_refused(tmp_path: Path) -> None:
    whole = (FIXTURES / "digits_legacy.pt").read_bytes()
    for length in [*range(1, 700, 7), len(whole) - 1]:
        (tmp_path / "h.pt").write_bytes(whole[:length])
        with pytest.raises(SourceError):
            onnxhead.read(tmp_path / "h.pt")


def state(**shapes: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return a state dict of linear layers; a name's underscores are dots."""
    found = {}
    for name, shape in shapes.items():
        found[f"{name.replace('__', '.')}.weight"] = np.ones(shape)
        found[f"{name.replace('__', '.')}.bias"] = np.zeros(shape[0])
    return found


def test_names_inside_a_larger_model_and_hidden_layers() -> None:
    inside = onnxhead.read(state(model__backbone__0=(7, 5), model__fc=(3, 7)))
    assert inside.origin.startswith("the mapping: model.fc.weight")
    assert onnxhead.read(state(**{"2": (3, 5)})).origin.startswith("the mapping: 2.weight")
    for before, last in [
        ("classifier.dense", "classifier.out_proj"),
        ("classification_head.dense", "classification_head.out_proj"),
        ("pre_classifier", "classifier"),
    ]:
        layers = state(**{before.replace(".", "__"): (7, 7), last.replace(".", "__"): (3, 7)})
        with pytest.raises(SourceError, match=rf"has a hidden layer {before}.weight before {last}.weight"):
            onnxhead.read(layers)
        assert onnxhead.read(layers, weight_key=f"{last}.weight").classes == 3
    with pytest.raises(
        SourceError, match=r"holds 0.weight \(7, 5\) float64, 2.weight .* the last layer's: 2.weight"
    ):
        onnxhead.read(state(**{"0": (7, 5), "2": (3, 7)}))


def test_a_usual_name_that_may_not_be_the_last_layer_is_asked_about() -> None:
    with pytest.raises(
        SourceError, match=r"holds fc.weight \(7, 5\) float64, out.weight \(3, 7\) float64: choose"
    ):
        onnxhead.read(state(fc=(7, 5), out=(3, 7)))
    with pytest.raises(SourceError, match=r"holds head.weight \(7, 5\) float64, head_dist.weight \(7, 5\)"):
        onnxhead.read(state(head=(7, 5), head_dist=(7, 5)))
    assert onnxhead.read(state(fc=(7, 5), out=(3, 7)), weight_key="out.weight").classes == 3


def test_weights_without_bias_and_small_layers_deep_inside_are_told_apart() -> None:
    for names in (("fc", "out"), ("backbone.fc", "cls")):
        rival = {
            f"{names[0]}.weight": np.ones((7, 5)),
            f"{names[0]}.bias": np.zeros(7),
            f"{names[1]}.weight": np.ones((3, 7)),
        }
        with pytest.raises(SourceError, match="choose one with --weight-key"):
            onnxhead.read(rival)
        rival[f"{names[1]}.weight"] = np.ones((3, 7, 1, 1))
        with pytest.raises(SourceError, match=f"usually the last layer's: {names[1]}.weight"):
            onnxhead.read(rival)
    probe = {
        "backbone.fc.weight": np.ones((9, 5)),
        "backbone.fc.bias": np.zeros(9),
        "probe.weight": np.ones((3, 5)),
    }
    with pytest.raises(SourceError, match="choose one with --weight-key"):
        onnxhead.read(probe)
    swin = {
        "head.weight": np.ones((2, 8)),
        "head.bias": np.zeros(2),
        "features.3.0.attn.cpb_mlp.0.weight": np.ones((16, 2)),
        "features.3.0.attn.cpb_mlp.0.bias": np.zeros(16),
    }
    assert onnxhead.read(swin).classes == 2


def test_the_last_layer_is_suggested_by_number_and_depth() -> None:
    layers = state(net__2=(6, 5), net__8=(7, 6), net__10=(3, 7))
    with pytest.raises(SourceError, match="usually the last layer's: net.10.weight"):
        onnxhead.read(dict(sorted(layers.items())))
    with pytest.raises(SourceError, match="usually the last layer's: last_linear.weight"):
        onnxhead.read(state(last_linear=(3, 7), layer1__0__se__fc1=(5, 4), layer1__0__se__fc2=(4, 5)))


@pytest.mark.parametrize(
    ("entries", "key", "message"),
    [
        (
            {"classifier.base_layer.weight": W, "classifier.lora_A.default.weight": W},
            "classifier.base_layer.weight",
            "merge the LoRA",
        ),
        (
            {"classifier.weight": W.astype(np.int8), "classifier.SCB": W[0]},
            "classifier.weight",
            "int8 is what a quantised",
        ),
    ],
)
def test_parts_of_a_weight_are_refused(entries: dict, key: str, message: str) -> None:
    with pytest.raises(
        SourceError, match=f"a weight must be the one that is used, {key} is a part .*{message}"
    ):
        onnxhead.read(entries, weight_key=key, no_bias=True)


def test_a_layer_whose_forward_was_replaced_is_not_looked_into(nn) -> None:
    linear = nn.Linear(5, 3)
    linear.forward = lambda x: x
    with pytest.raises(SourceError, match="what Linear computes cannot be read"):
        onnxhead.read(linear)


def test_negative_bits_and_views_of_storages_are_refused(tmp_path: Path) -> None:
    negative = Call(
        *(
            "torch._utils._rebuild_tensor_v2",
            Reference("0"),
            0,
            (2, 3),
            (3, 1),
            False,
            Call("collections.OrderedDict"),
            {"neg": True},
        )
    )
    (tmp_path / "h.pt").write_bytes(archive({"weight": negative}))
    with pytest.raises(SourceError, match="a tensor must have no negative or conjugate bit"):
        onnxhead.read(tmp_path / "h.pt")


def test_an_expanded_tensor_and_a_set_are_read(tmp_path: Path) -> None:
    saved = {
        "bias": tensor((3,), (0,)),
        "weight": tensor((3, 2), (2, 1)),
        "tags": Call("__builtin__.set", ["a", "b"]),
    }
    (tmp_path / "h.pt").write_bytes(archive(saved))
    assert onnxhead.read(tmp_path / "h.pt").bias.tolist() == [1, 1, 1]


def test_a_bias_of_another_name_is_asked_about(nn) -> None:
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(5, 3, bias=False)
            self.head_bias = nn.Linear(5, 3).bias

    with pytest.raises(
        SourceError, match=r"Model holds no head.bias for head.weight: it has head_bias \(3,\)"
    ):
        onnxhead.read(Model(), weight_key="head.weight")
    assert onnxhead.read(Model(), weight_key="head.weight", bias_key="head_bias").bias.any()
    with pytest.raises(SourceError, match=r"Linear holds no b for weight; name it with --bias-key"):
        onnxhead.read(nn.Linear(5, 3, bias=False), bias_key="b")
    for part in ("weight_orig", "parametrizations.weight.original", "weight_v"):
        with pytest.raises(
            SourceError,
            match=f"a weight must be the one that is used, {part} is a part that it is computed from: remove",
        ):
            onnxhead.read({part: W, "bias": np.zeros(3)}, weight_key=part)


def test_a_layer_in_two_places_counts_twice(nn) -> None:
    square, softmax, relu = nn.Linear(4, 4), nn.Softmax(dim=1), nn.ReLU()
    with pytest.raises(SourceError, match=r"Sequential has 0 \(Linear\) before it"):
        onnxhead.read(nn.Sequential(square, square))
    with pytest.raises(SourceError, match=r"Sequential has 2 \(Softmax\) there"):
        onnxhead.read(nn.Sequential(square, softmax, softmax))
    with pytest.raises(SourceError, match=r"Sequential has 3 \(ReLU\) there"):
        onnxhead.read(nn.Sequential(square, relu, square, relu), weight_key="2.weight")


def test_a_layer_of_ones_own_is_read_by_its_key(nn) -> None:
    class Mine(nn.Linear):
        """Its forward may be anything."""

    assert onnxhead.read(Mine(5, 3), weight_key="weight", bias_key="bias").classes == 3


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x04})" + b"\x85" * 2_000_000 + b"K\x01s.",  # a key of two million tuples, one in the other
        b"\x80\x04})" + b"\x86".join([b"2"] * 60) + b"\x86K\x01s.",  # a key that doubles sixty times
        b"\x80\x02" + b"(" * 100_000 + b"t" * 100_000 + b".",
        b"\x80\x02X\x40\x42\x0f\x00"
        + b"a" * 1_000_000
        + b"q\x000"
        + b"}h\x00" * 1000
        + b"K\x01"
        + b"s" * 1000
        + b".",
    ],
)
def test_pickles_that_would_take_for_ever_are_refused(code: bytes, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("head/data.pkl", code)
    (tmp_path / "h.pt").write_bytes(buffer.getvalue())
    with pytest.raises(SourceError):
        onnxhead.read(tmp_path / "h.pt")


@pytest.mark.torch
def test_negative_views_and_views_of_storages_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    negative = torch._neg_view(torch.ones(3, 4))
    torch.save({"weight": negative, "bias": torch.zeros(3)}, tmp_path / "h.pt")
    with pytest.raises(SourceError, match="a tensor must have no negative or conjugate bit"):
        onnxhead.read(tmp_path / "h.pt")
