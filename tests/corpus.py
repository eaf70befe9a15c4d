"""Malformed inputs, each refused with exit status 2 and no traceback.

    python tests/corpus.py FOLDER

writes them all to a folder and prints the command that must refuse each; `test_malformed.py` runs them.
"""

import io
import json
import pickle
import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import skops.io
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch_files import archive as torch_archive
from torch_files import tensor

import onnxhead
from onnxhead.graph import compose

FIXTURES = Path(__file__).parent / "fixtures"
W = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
B = [0.0, 1.0]
HEAD = onnxhead.Head(W, B, labels=["a", "b"])


class Payload:
    """Unpickling this would write a file."""

    def __reduce__(self) -> tuple:
        return Path.write_text, (Path("canary"), "code was run")


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(array) for name, array in arrays.items()})
    return buffer.getvalue()


def npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array))
    return buffer.getvalue()


def npy_header(shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def pickled_array() -> bytes:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickle.dumps([Payload()])


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def safetensors(header: object, data: bytes = bytes(24), length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor_header(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def pickled(protocol: int) -> bytes:
    return pickle.dumps({"weight": Payload()}, protocol)


def zipped(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def torch_zip(pickle_bytes: bytes) -> bytes:
    return zipped(**{"m/data.pkl": pickle_bytes, "m/data/0": bytes(24), "m/version": b"3"})


def torch_sources() -> Iterator[tuple[str, bytes]]:
    """Files for the reader of torch.save."""
    stream = (FIXTURES / "torch" / "digits_legacy.pt").read_bytes()
    archive = (FIXTURES / "torch" / "digits_state_dict.pt").read_bytes()
    yield "torch-empty.pt", b""
    yield "torch-text.pth", b"no tensors here"
    yield "torch-truncated.pt", archive[: len(archive) // 2]
    yield "torch-truncated-stream.pt", stream[: len(stream) // 2]
    yield "torch-no-pickle.pt", zipped(**{"m/data/0": bytes(24)})
    yield (
        "torch-compressed.pt",
        zipped(zipfile.ZIP_DEFLATED, **{"m/data.pkl": b"\x80\x02}.", "m/data/0": bytes(9)}),
    )
    yield "torch-whole-module.pt", (FIXTURES / "torch" / "digits_whole_module.pt").read_bytes()
    for protocol in range(6):
        yield f"torch-payload-{protocol}.pt", torch_zip(pickled(protocol))
        yield f"torch-payload-bare-{protocol}.bin", pickled(protocol)
    yield "torch-payload-stream.pt", stream[: stream.index(b"}q\x00(X\x10")] + pickled(2)
    for name, code in {
        "system": b"cposix\nsystem\n(X\x0c\x00\x00\x00touch canarytR.",
        "stack-global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0ctouch canary\x85R.",
        "instance": b"(X\x0c\x00\x00\x00touch canaryiposix\nsystem\n.",
        "object": b"(cposix\nsystem\nX\x0c\x00\x00\x00touch canaryo.",
        "new-object": b"\x80\x02cposix\nsystem\nX\x0c\x00\x00\x00touch canary\x85\x81.",
        "extension": b"\x80\x02\x82\x01.",
        "build": b"\x80\x02ccollections\nOrderedDict\n}X\x01\x00\x00\x00aK\x01sb.",
        "endless": b"\x80\x02}",
        "empty-stack": b"\x80\x02.",
        "mark-alone": b"\x80\x02(.",
        "memo-missing": b"\x80\x02h\x05.",
        "memo-far": b"\x80\x02}r\xff\xff\xff\x7f.",
        "unhashable": b"\x80\x02}]K\x01s.",
        "call-of-a-number": b"\x80\x02K\x01)R.",
        "size-of-a-function": b"\x80\x02ctorch\nSize\nK\x01\x85R.",
        "reference-to-nothing": b"\x80\x02K\x01Q.",
        "long-text": b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        "long-number": b"\x80\x02\x8b\xff\xff\xff\x7f\x01.",
        "odd-items": b"\x80\x02}(K\x01u.",
        "deep": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    }.items():
        yield f"torch-pickle-{name}.pt", torch_zip(code)
    for name, value in {
        "beyond": tensor((2, 9), (9, 1)),
        "negative": tensor((2, 3), (-3, 1)),
        "endless": tensor((10**9, 10**9), (0, 0)),
        "huge": tensor((2**62, 2**62), (1, 1)),
        "no-storage": tensor(key="9"),
        "complex": tensor((1, 3), (3, 1), kind="ComplexFloatStorage"),
        "bool": tensor(kind="BoolStorage"),
    }.items():
        yield f"torch-tensor-{name}.pt", torch_archive({"weight": value, "bias": tensor((2,), (1,))})


def skops_sources() -> Iterator[tuple[str, bytes]]:
    """Files for the reader of .skops."""
    whole = skops.io.dumps(LogisticRegression().fit([[0.0], [1.0]], ["a", "b"]))
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        schema, members = json.loads(file.read("schema.json")), {n: file.read(n) for n in file.namelist()}

    def changed(**values: object) -> bytes:
        return zipped(**members | {"schema.json": json.dumps(schema | values).encode()})

    call = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "__id__": 1}
    yield "skops-empty.skops", b""
    yield "skops-truncated.skops", whole[: len(whole) // 2]
    yield "skops-a-pickle.skops", pickled(2)
    yield "skops-no-schema.skops", zipped(x=b"y")
    yield "skops-schema-no-json.skops", zipped(**{"schema.json": b"{"})
    yield "skops-schema-a-list.skops", zipped(**{"schema.json": b"[]"})
    yield "skops-system.skops", changed(**call)
    yield (
        "skops-operator.skops",
        changed(__class__="methodcaller", __module__="operator", __loader__="OperatorFuncNode"),
    )
    yield "skops-unknown-loader.skops", changed(__loader__="NoSuchNode")
    yield "skops-unknown-class.skops", changed(__class__="Missing")
    yield "skops-no-content.skops", changed(content=None)
    yield "skops-unfitted.skops", skops.io.dumps(LogisticRegression())
    yield "skops-a-list.skops", skops.io.dumps([1, 2])
    yield "skops-a-tree.skops", skops.io.dumps(DecisionTreeClassifier().fit([[0.0], [1.0]], ["a", "b"]))


def keras_sources() -> Iterator[tuple[str, bytes]]:
    """Files for the readers of Keras."""
    whole = (FIXTURES / "keras" / "digits_softmax.keras").read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        config, weights = file.read("config.json"), file.read("model.weights.h5")

    def parts(config: bytes = config, weights: bytes = weights) -> bytes:
        return zipped(**{"config.json": config, "model.weights.h5": weights})

    yield "keras-empty.keras", b""
    yield "keras-truncated.keras", whole[: len(whole) // 2]
    yield "keras-no-config.keras", zipped(**{"model.weights.h5": weights})
    yield "keras-no-weights.keras", zipped(**{"config.json": config})
    yield "keras-config-no-json.keras", parts(config=b"{")
    yield "keras-config-a-list.keras", parts(config=b"[]")
    yield "keras-config-deep.keras", parts(config=b"[" * 100_000)
    yield "keras-lambda.keras", parts(config=config.replace(b'"Dense"', b'"Lambda"'))
    yield "keras-weights-text.keras", parts(weights=b"no h5 file")
    yield "keras-weights-truncated.keras", parts(weights=weights[: len(weights) // 2])
    yield (
        "keras-compressed.keras",
        zipped(zipfile.ZIP_DEFLATED, **{"config.json": config, "model.weights.h5": weights}),
    )
    yield "h5-empty.weights.h5", b""
    yield "h5-text.h5", b"no h5 file"
    yield "h5-truncated.weights.h5", weights[: len(weights) // 2]


def folders() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Folders for the reader of Hugging Face's models."""
    config = b'{"id2label": {"0": "a", "1": "b"}}'
    whole = safetensors({"score.weight": tensor_header([2, 3], 0, 24)})
    yield "hf-empty", {}
    yield "hf-no-weights", {"config.json": config}
    yield "hf-no-config", {"model.safetensors": whole}
    yield "hf-config-a-list", {"config.json": b"[]", "model.safetensors": whole}
    yield "hf-config-deep", {"config.json": b"[" * 100_000, "model.safetensors": whole}
    yield "hf-labels-odd", {"config.json": b'{"id2label": {"0": "a", "7": "b"}}', "model.safetensors": whole}
    yield "hf-labels-wrong-number", {"config.json": b'{"id2label": {"0": "a"}}', "model.safetensors": whole}
    yield "hf-regression", {"config.json": b'{"problem_type": "regression"}', "model.safetensors": whole}
    yield "hf-weights-broken", {"config.json": config, "model.safetensors": whole[:-1]}
    yield "hf-payload", {"config.json": config, "pytorch_model.bin": pickled(2)}
    for name, place in {
        "above": "../good.onnx",
        "absolute": "/etc/hostname",
        "missing": "x.safetensors",
    }.items():
        index = json.dumps({"weight_map": {"score.weight": place}}).encode()
        yield f"hf-index-{name}", {"config.json": config, "model.safetensors.index.json": index}


def foreign_models() -> Iterator[tuple[str, bytes]]:
    """Models of others for `build`."""

    def graph(*nodes: onnx.NodeProto, width: int = 3, **constants: object) -> bytes:
        values = {"W": np.float32(W).T, **constants}
        initializers = [
            onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()
        ]
        made = helper.make_graph(
            nodes,
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
            [onnx.ValueInfoProto(name="y")],
            initializers,
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid("ai.onnx.ml", 1)]
        return helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()

    def linear(**attributes: object) -> onnx.NodeProto:
        return helper.make_node("LinearClassifier", ["x"], ["label", "y"], domain="ai.onnx.ml", **attributes)

    node = helper.make_node
    labels = {"classlabels_ints": [0, 1]}
    yield "foreign-relu.onnx", graph(node("MatMul", ["x", "W"], ["z"]), node("Relu", ["z"], ["y"]))
    yield "foreign-no-layer.onnx", graph(node("Relu", ["x"], ["y"]))
    yield "foreign-width.onnx", graph(node("MatMul", ["x", "W"], ["y"]), width=4)
    yield (
        "foreign-unknown-operator.onnx",
        graph(node("MatMul", ["x", "W"], ["z"]), node("Nonsense", ["z"], ["y"])),
    )
    yield "foreign-ring.onnx", graph(node("Transpose", ["T"], ["T"]), node("MatMul", ["x", "T"], ["y"]))
    yield "foreign-one-input.onnx", graph(node("MatMul", ["x"], ["y"]))
    yield "foreign-nan.onnx", graph(node("MatMul", ["x", "W"], ["y"]), W=np.float32(W).T * np.nan)
    yield "foreign-text.onnx", graph(node("MatMul", ["x", "W"], ["y"]), W=np.array([["a"], ["b"], ["c"]]))
    reshape = node("Reshape", ["W", "S"], ["T"]), node("MatMul", ["x", "T"], ["y"])
    yield "foreign-reshape.onnx", graph(*reshape, S=np.array([2**31, 2**31]))
    grow = node("Add", ["a", "b"], ["T"]), node("MatMul", ["x", "T"], ["y"])
    yield (
        "foreign-grow.onnx",
        graph(*grow, a=np.zeros((10**6, 1), np.float32), b=np.zeros((1, 10**6), np.float32)),
    )
    yield "foreign-count.onnx", graph(linear(coefficients=[1.0] * 5, intercepts=[0.0, 1.0], **labels))
    yield (
        "foreign-count-of-width.onnx",
        graph(linear(coefficients=[1.0] * 8, intercepts=[0.0, 1.0], **labels)),
    )
    yield "foreign-no-coefficients.onnx", graph(linear(intercepts=[0.0, 1.0], **labels))


def sources() -> Iterator[tuple[str, bytes]]:
    """Files for `build`."""
    yield from torch_sources()
    yield from skops_sources()
    yield from keras_sources()
    yield from foreign_models()
    whole = npz(weight=W, bias=B)
    yield "npz-empty.npz", b""
    yield "npz-truncated.npz", whole[: len(whole) // 2]
    yield "npz-not-a-zip.npz", b"PK\x03\x04" + bytes(50)
    yield "npz-a-pickle.npz", pickle.dumps(Payload())
    yield "npz-pickled-weight.npz", archive(weight=pickled_array(), bias=npy(B))
    yield "npz-pickled-labels.npz", archive(weight=npy(W), bias=npy(B), labels=pickled_array())
    yield "npz-member-lies.npz", archive(weight=npy_header("(1000000000, 1000000)"), bias=npy(B))
    yield "npz-member-negative.npz", archive(weight=npy_header("(-2, 3)"), bias=npy(B))
    yield "npz-corrupt-member.npz", whole.replace(np.float64(5.0).tobytes(), np.float64(7.0).tobytes())
    yield "npz-complex.npz", npz(weight=np.array(W) * 1j, bias=B)
    yield "npz-text.npz", npz(weight=[["1", "2"], ["3", "4"]], bias=B)
    yield "npz-dates.npz", npz(weight=np.zeros((2, 3), "M8[s]"), bias=B)
    yield "npz-records.npz", npz(weight=np.zeros((2, 3), [("a", "f4")]), bias=B)
    yield "npz-3d.npz", npz(weight=[W], bias=B)
    yield "npz-nan.npz", npz(weight=np.array(W) * np.nan, bias=B)
    yield "npz-beyond-float32.npz", npz(weight=np.array(W) * 1e300, bias=B)
    yield "npz-no-classes.npz", npz(weight=np.zeros((0, 3)), bias=[])
    yield "npz-labels-2d.npz", npz(weight=W, bias=B, labels=[["a", "b"]])
    yield "npz-labels-complex.npz", npz(weight=W, bias=B, labels=[1j, 2j])
    yield "npz-labels-scalar.npz", npz(weight=W, bias=B, labels="ab")
    yield "npy-alone.npy", npy(W)
    yield "npy-a-pickle.npy", pickle.dumps(Payload())
    yield "json-empty.json", b""
    yield "json-truncated.json", b'{"weight": [[1, 2'
    yield "json-list.json", b"[[1, 2], [3, 4]]"
    yield "json-ragged.json", b'{"weight": [[1, 2], [3]], "bias": [0, 0]}'
    yield (
        "json-duplicate-key.json",
        b'{"weight": [[1, 2], [3, 4]], "bias": [0, 0], "weight": [[5, 6], [7, 8]]}',
    )
    yield "json-nan.json", b'{"weight": [[1, NaN], [3, 4]], "bias": [0, 0]}'
    yield "json-infinity.json", b'{"weight": [[1, -Infinity], [3, 4]], "bias": [0, 0]}'
    yield "json-overflow.json", b'{"weight": [[1, 1e999], [3, 4]], "bias": [0, 0]}'
    yield "json-big-integer.json", b'{"weight": [[1, ' + b"9" * 400 + b'], [3, 4]], "bias": [0, 0]}'
    yield "json-long-integer.json", b'{"weight": [[1, ' + b"9" * 5000 + b'], [3, 4]], "bias": [0, 0]}'
    yield "json-text.json", b'{"weight": [["1", "2"], ["3", "4"]], "bias": [0, 0]}'
    yield "json-null.json", b'{"weight": [[1, null], [3, 4]], "bias": [0, 0]}'
    yield "json-boolean.json", b'{"weight": [[true, false], [true, true]], "bias": [0, 0]}'
    yield "json-deep.json", b"[" * 100_000
    yield "json-not-utf8.json", b'{"weight": [[1, 2]], "bias": [0], "labels": ["\xff"]}'
    yield "json-labels-wrong-number.json", b'{"weight": [[1, 2], [3, 4]], "bias": [0, 0], "labels": ["a"]}'
    yield "json-labels-twice.json", b'{"weight": [[1, 2], [3, 4]], "bias": [0, 0], "labels": ["a", "a"]}'
    yield "json-labels-nested.json", b'{"weight": [[1, 2], [3, 4]], "bias": [0, 0], "labels": [["a"], "b"]}'
    yield "json-labels-number.json", b'{"weight": [[1, 2], [3, 4]], "bias": [0, 0], "labels": 7}'
    yield "json-link-number.json", b'{"weight": [[1, 2], [3, 4]], "bias": [0, 0], "link": 7}'
    yield "json-temperature-text.json", b'{"weight": [[1, 2], [3, 4]], "bias": [0, 0], "temperature": "x"}'
    yield "json-temperature-list.json", b'{"weight": [[1, 2], [3, 4]], "bias": [0, 0], "temperature": [1, 2]}'
    yield "csv-empty.csv", b""
    yield "csv-ragged.csv", b"a,1,2,0\nb,3,0\n"
    yield "csv-words.csv", b"label,w,bias\na,one,0\nb,two,0\n"
    yield "csv-nan.csv", b"a,1,nan,0\nb,3,4,0\n"
    yield "csv-infinite.csv", b"a,1,inf,0\nb,3,4,0\n"
    yield "csv-labels-twice.csv", b"a,1,2,0\na,3,4,0\n"
    yield "csv-no-labels.csv", b"0.5,1,2,0\n0.7,3,4,0\n"
    yield "csv-not-utf8.csv", b"\xff\xfe,1,2,0\n"
    yield "csv-nul.csv", b"a,1,\x00,0\nb,3,4,0\n"
    yield "csv-open-quote.csv", b'a,1,2,"0\nb,3,4,0\n'
    yield "safetensors-empty.safetensors", b""
    yield "safetensors-header-longer-than-file.safetensors", safetensors({}, length=10**6)
    yield "safetensors-header-of-exabytes.safetensors", safetensors({}, length=2**63)
    yield "safetensors-not-json.safetensors", safetensors(b"{weight}")
    lie = {"weight": tensor_header([2, 3], 0, 10**9), "bias": tensor_header([2], 10**9, 10**9 + 8)}
    yield "safetensors-beyond-the-file.safetensors", safetensors(lie)
    overlap = {"weight": tensor_header([2, 3], 0, 24), "bias": tensor_header([2], 8, 16)}
    yield "safetensors-overlap.safetensors", safetensors(overlap)
    shape = {"weight": tensor_header([2, 300], 0, 24), "bias": tensor_header([2], 24, 32)}
    yield "safetensors-shape-lies.safetensors", safetensors(shape, bytes(32))
    unknown = {"weight": tensor_header([2, 3], 0, 24, "F33"), "bias": tensor_header([2], 24, 32)}
    yield "safetensors-unknown-dtype.safetensors", safetensors(unknown, bytes(32))
    float8 = {"weight": tensor_header([2, 3], 0, 6, "F8_E4M3"), "bias": tensor_header([2], 6, 8, "F8_E4M3")}
    yield "safetensors-float8.safetensors", safetensors(float8, bytes(8))
    nan = {"weight": tensor_header([2, 3], 0, 24), "bias": tensor_header([2], 24, 32)}
    yield "safetensors-nan.safetensors", safetensors(nan, b"\xff" * 32)
    yield "pickle.pkl", pickle.dumps(Payload())
    yield "pickle.joblib", pickle.dumps(Payload())
    yield "unknown.txt", b"1 2 3"


def model(edit=None) -> bytes:
    proto = compose(HEAD)
    if edit:
        edit(proto)
    return proto.SerializeToString()


def external(location: str):
    def edit(proto: onnx.ModelProto) -> None:
        weight = proto.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value=location)

    return edit


def duplicate(proto: onnx.ModelProto) -> None:
    again = proto.graph.initializer.add()
    again.CopyFrom(proto.graph.initializer[0])
    again.raw_data = bytes(24)


def wrong_axis(proto: onnx.ModelProto) -> None:
    proto.graph.node[-1].attribute[0].i = 0


def stated(key: str, value: str):
    def edit(proto: onnx.ModelProto) -> None:
        for prop in proto.metadata_props:
            if prop.key == f"onnxhead.{key}":
                prop.value = value

    return edit


def models() -> Iterator[tuple[str, bytes]]:
    """Files for `run`, `explain`, `inspect`, `verify` and `build`."""
    whole = model()
    yield "onnx-empty.onnx", b""
    yield "onnx-truncated.onnx", whole[: len(whole) // 2]
    yield "onnx-truncated-by-one.onnx", whole[:-1]
    yield "onnx-text.onnx", b"this is no protobuf"
    yield "onnx-a-pickle.onnx", pickle.dumps(Payload())
    yield "onnx-no-graph.onnx", onnx.ModelProto(ir_version=7).SerializeToString()
    yield "onnx-data-above.onnx", model(external("../outside.data"))
    yield "onnx-data-absolute.onnx", model(external("/etc/hostname"))
    yield "onnx-data-missing.onnx", model(external("missing.data"))
    yield "onnx-data-directory.onnx", model(external("."))
    yield "onnx-data-unnamed.onnx", model(external(""))
    yield "onnx-wrong-axis.onnx", model(wrong_axis)
    yield "onnx-duplicate-initializers.onnx", model(duplicate)
    yield "onnx-absurd-dims.onnx", model(lambda p: p.graph.initializer[0].dims.__setitem__(0, 2**62))
    yield "onnx-negative-dims.onnx", model(lambda p: p.graph.initializer[0].dims.__setitem__(0, -2))
    yield "onnx-labels-wrong-number.onnx", model(stated("labels", '["a"]'))
    yield "onnx-labels-twice.onnx", model(stated("labels", '["a", "a"]'))
    yield "onnx-labels-no-json.onnx", model(stated("labels", "a, b"))
    yield "onnx-link-unknown.onnx", model(stated("link", "probit"))
    yield "onnx-link-another.onnx", model(stated("link", "sigmoid"))
    yield "onnx-temperature-another.onnx", model(stated("temperature", "3.0"))
    yield "onnx-temperature-infinite.onnx", model(stated("temperature", "inf"))
    yield "onnx-not-utf8.onnx", whole.replace(b'["a","b"]', b'["a","\xff"]')
    yield "onnx-format-newer.onnx", model(stated("format", "99"))


def features() -> Iterator[tuple[str, bytes]]:
    """Files of features for `run` and `explain`."""
    yield "x-empty.npy", b""
    yield "x-truncated.npy", npy(W)[:-8]
    yield "x-pickled.npy", pickled_array()
    yield "x-header-lies.npy", npy_header("(1000000000, 1000000)")
    yield "x-text.npy", npy([["a", "b", "c"]])
    yield "x-complex.npy", npy([[1j, 2, 3]])
    yield "x-wrong-width.npy", npy([[1.0, 2.0]])
    yield "x-3d.npy", npy([[[1.0, 2.0, 3.0]]])
    yield "x-beyond-float32.npy", npy([[1e300, 0, 0]])
    yield "x-two-arrays.npz", npz(a=W, b=W)
    yield "x-no-arrays.npz", npz()
    yield "x-ragged.json", b"[[1, 2, 3], [4]]"
    yield "x-words.json", b'[["1", "2", "3"]]'
    yield "x-object.json", b'{"rows": [[1, 2, 3]]}'
    yield "x-not-utf8.json", b'["\xff"]'
    yield "x-deep.json", b"[" * 100_000
    yield "x-words.csv", b"1,2,3\n4,five,6\n"
    yield "x-ragged.csv", b"1,2,3\n4,5\n"
    yield "x-not-utf8.csv", b"\xff\xfe1,2,3\n"
    yield "x-unknown.txt", b"1 2 3"


def write(folder: Path, name: str, content: bytes | dict[str, bytes]) -> None:
    """Write a file, or a folder of files."""
    if isinstance(content, bytes):
        (folder / name).write_bytes(content)
        return
    (folder / name).mkdir(parents=True, exist_ok=True)
    for inner, part in content.items():
        (folder / name / inner).write_bytes(part)


def commands() -> Iterator[tuple[list[str], str, bytes | dict[str, bytes]]]:
    """Each command that must refuse, with the file's name and content."""
    for name, content in [*sources(), *folders()]:
        yield ["build", name, "-o", "out.onnx"], name, content
    for name, content in models():
        yield ["run", name, "[1, 2, 3]"], name, content
        yield ["explain", name, "[1, 2, 3]"], name, content
        yield ["inspect", name], name, content
        yield ["verify", name], name, content
        yield ["build", name, "-o", "out.onnx"], name, content
    for name, content in features():
        yield ["run", "good.onnx", name], name, content
        yield ["explain", "good.onnx", name], name, content


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "good.onnx").write_bytes(model())
    for arguments, name, content in commands():
        write(folder, name, content)
        print("onnxhead", *arguments)
