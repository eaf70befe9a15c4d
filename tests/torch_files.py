"""Files as torch.save writes them, and others that it never would, made opcode by opcode."""

import io
import pickle
import struct
import zipfile

FLOATS = struct.pack("<6f", 1, 2, 3, 4, 5, 6)


class Reference:
    """Pickles as torch's persistent id of a storage."""

    def __init__(self, key: str, kind: str = "FloatStorage", count: object = 6):
        self.key, self.kind, self.count = key, kind, count


class Call:
    """Pickles as a call of a function by its name."""

    def __init__(self, name: str, *arguments: object):
        self.name, self.arguments = name, arguments


def dumps(value: object) -> bytes:
    """Pickle plain values, references and calls with the opcodes that torch uses."""
    if isinstance(value, Reference):
        kind = b"ctorch\n" + value.kind.encode() + b"\n"
        parts = [dumps("storage"), kind, dumps(value.key), dumps("cpu"), dumps(value.count)]
        return b"(" + b"".join(parts) + b"tQ"
    if isinstance(value, Call):
        module, _, function = value.name.rpartition(".")
        return f"c{module}\n{function}\n".encode() + dumps(value.arguments) + b"R"
    if isinstance(value, dict):
        return b"}(" + b"".join(dumps(key) + dumps(item) for key, item in value.items()) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(dumps, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(dumps, value)) + b"t"
    return pickle.dumps(value, 2)[2:-1]


def tensor(shape: tuple = (2, 3), strides: tuple = (3, 1), offset: int = 0, **storage: object) -> Call:
    reference = Reference(**{"key": "0", **storage})
    return Call(
        "torch._utils._rebuild_tensor_v2",
        reference,
        offset,
        shape,
        strides,
        False,
        Call("collections.OrderedDict"),
    )


def archive(
    value: object, data: bytes = FLOATS, compression: int = zipfile.ZIP_STORED, order: str = ""
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr("head/data.pkl", b"\x80\x02" + dumps(value) + b".")
        file.writestr("head/data/0", data)
        if order:
            file.writestr("head/byteorder", order)
    return buffer.getvalue()
