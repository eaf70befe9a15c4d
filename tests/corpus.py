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
from onnx import TensorProto

import onnxhead

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


def tensor(shape: list[int], start: int, end: int, dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def sources() -> Iterator[tuple[str, bytes]]:
    """Files for `build`."""
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
    lie = {"weight": tensor([2, 3], 0, 10**9), "bias": tensor([2], 10**9, 10**9 + 8)}
    yield "safetensors-beyond-the-file.safetensors", safetensors(lie)
    overlap = {"weight": tensor([2, 3], 0, 24), "bias": tensor([2], 8, 16)}
    yield "safetensors-overlap.safetensors", safetensors(overlap)
    shape = {"weight": tensor([2, 300], 0, 24), "bias": tensor([2], 24, 32)}
    yield "safetensors-shape-lies.safetensors", safetensors(shape, bytes(32))
    unknown = {"weight": tensor([2, 3], 0, 24, "F33"), "bias": tensor([2], 24, 32)}
    yield "safetensors-unknown-dtype.safetensors", safetensors(unknown, bytes(32))
    float8 = {"weight": tensor([2, 3], 0, 6, "F8_E4M3"), "bias": tensor([2], 6, 8, "F8_E4M3")}
    yield "safetensors-float8.safetensors", safetensors(float8, bytes(8))
    nan = {"weight": tensor([2, 3], 0, 24), "bias": tensor([2], 24, 32)}
    yield "safetensors-nan.safetensors", safetensors(nan, b"\xff" * 32)
    yield "pickle.pkl", pickle.dumps(Payload())
    yield "pickle.joblib", pickle.dumps(Payload())
    yield "pickle.pt", pickle.dumps(Payload())
    yield "unknown.txt", b"1 2 3"


def model(edit=None) -> bytes:
    proto = onnxhead.compose(HEAD)
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


def commands() -> Iterator[tuple[list[str], str, bytes]]:
    """Each command that must refuse, with the file's name and content."""
    for name, content in sources():
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
        (folder / name).write_bytes(content)
        print("onnxhead", *arguments)
