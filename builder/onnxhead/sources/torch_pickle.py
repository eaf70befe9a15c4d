"""The pickles inside torch's files, read as data: nothing that they name is imported or called.

A pickle is a program for a small stack machine. This one knows numbers, text, containers and the few
functions by which torch rebuilds a tensor, and gives descriptions of tensors, not tensors. Whatever else a
pickle names is an error that says what it named. The opcodes are those of `pickletools`.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from onnxhead_runtime.errors import SourceError

STORAGE_DTYPES = {
    "BFloat16Storage": "bfloat16",
    "BoolStorage": "bool",
    "ByteStorage": "uint8",
    "CharStorage": "int8",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "IntStorage": "int32",
    "LongStorage": "int64",
    "ShortStorage": "int16",
}


@dataclass(frozen=True)
class Storage:
    """Where numbers lie in the file: under which key, of which type, how many."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class Tensor:
    """A view of a storage: offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Global:
    """Something that the pickle names, as `module name`."""

    name: str


def load(file: IO[bytes], name: str) -> Any:
    """Read one pickle, and leave the file where it ends.

    Args:
        file: Anything with read, readline and tell.
        name: The file's name, for messages.

    Returns:
        Plain values, lists, tuples, dicts, sets and `Tensor`.

    Raises:
        SourceError: The pickle names anything beyond tensors and containers.
        Exception: It is malformed; of whatever kind.
    """
    machine = _Machine(name)
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name == "STOP":
            return machine.pop()
        machine.step(opcode.name, argument)
    raise ValueError("a pickle must end")


class _Machine:
    """The stack, the memo, and what each opcode does to them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stacks: list[list[Any]] = [[]]  # a mark begins another one
        self._memo: dict[int, Any] = {}

    @property
    def _stack(self) -> list[Any]:
        return self._stacks[-1]

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _PUSHES:
            self._push(_PUSHES[opcode](argument))
        elif opcode in _TUPLES:
            items = [self.pop() for _ in range(_TUPLES[opcode])]
            self._push(tuple(reversed(items)))
        elif opcode in _HANDLERS:
            _HANDLERS[opcode](self, argument)
        else:
            raise self._refusal(f"the instruction {opcode}")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        """Return the value on top, and take it away."""
        return self._stack.pop()

    def _mark(self, _: None) -> None:
        self._stacks.append([])

    def _items(self) -> list[Any]:
        """Return what lies above the last mark, and take both away."""
        if len(self._stacks) == 1:
            raise ValueError("a pickle must set the marks that it uses")
        return self._stacks.pop()

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise ValueError(f"a pickle must fill a {kind.__name__}, this fills another thing")
        return self._stack[-1]

    def _put(self, place: int | None) -> None:
        self._memo[len(self._memo) if place is None else place] = self._stack[-1]

    def _get(self, place: int) -> None:
        self._push(self._memo[place])

    def _extend(self, _: None) -> None:
        items = self._items()
        self._top(list).extend(items)

    def _append(self, _: None) -> None:
        item = self.pop()
        self._top(list).append(item)

    def _set_items(self, _: None) -> None:
        items = self._items()
        self._top(dict).update(_pairs(items))

    def _set_item(self, _: None) -> None:
        value, key = self.pop(), self.pop()
        self._top(dict)[_key(key)] = value

    def _add_items(self, _: None) -> None:
        items = self._items()
        self._top(set).update(map(_key, items))

    def _tuple(self, _: None) -> None:
        self._push(tuple(self._items()))

    def _list(self, _: None) -> None:
        self._push(self._items())

    def _dict(self, _: None) -> None:
        self._push(dict(_pairs(self._items())))

    def _global(self, name: str) -> None:
        storage = name.removeprefix("torch ")
        if name not in _FUNCTIONS and storage not in STORAGE_DTYPES:
            raise self._refusal(name.replace(" ", "."))
        self._push(_Global(name))

    def _stack_global(self, _: None) -> None:
        name, module = self.pop(), self.pop()
        self._global(f"{module} {name}")

    def _reduce(self, _: None) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, _Global) or function.name not in _FUNCTIONS:
            raise ValueError("a pickle must call a function, this calls another thing")
        self._push(_FUNCTIONS[function.name](*arguments))

    def _build(self, _: None) -> None:
        self.pop()  # attributes of an OrderedDict: torch keeps the versions of its layers there
        self._top(dict)

    def _persistent(self, _: None) -> None:
        kind, storage, key, _device, count, *view = self.pop()
        if kind != "storage" or not isinstance(storage, _Global) or view not in ([], [None]):
            raise ValueError("a pickle of torch must refer to whole storages alone")
        dtype = STORAGE_DTYPES[storage.name.removeprefix("torch ")]
        self._push(Storage(str(key), dtype, _count(count)))

    def _refusal(self, what: str) -> SourceError:
        return SourceError(
            f"a source must hold tensors and plain containers alone, {self._name} also holds {what}, and "
            "nothing is run to read it; save torch.save(module.state_dict(), path), or use safetensors"
        )


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("sizes of tensors must be non-negative integers")
    return value


def _key(value: Any) -> Any:
    if not isinstance(value, str | int | float | None) or (isinstance(value, str) and len(value) > 1000):
        raise ValueError("keys of containers must be text or numbers")
    return value


def _pairs(items: list[Any]) -> Iterator[tuple[Any, Any]]:
    return zip(map(_key, items[::2]), items[1::2], strict=True)


def _container(*pairs: Any) -> dict[Any, Any]:
    """Return an OrderedDict or a Counter as a dict."""
    (items,) = pairs or ([],)
    return dict(_pairs([part for pair in getattr(items, "items", lambda: items)() for part in pair]))


def _set(items: Any = ()) -> set[Any]:
    return set(map(_key, items))


def _tensor(
    storage: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    _grad: Any = None,
    _hooks: Any = None,
    bits: Any = None,
) -> Tensor:
    if not isinstance(storage, Storage):
        raise ValueError("a tensor must have a storage")
    if bits:
        raise ValueError("a tensor must have no negative or conjugate bit: save tensor.resolve_neg()")
    return Tensor(storage, _count(offset), tuple(map(_count, shape)), tuple(map(_count, strides)))


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "__builtin__ set": _set,
    "builtins set": _set,
    "collections Counter": _container,
    "collections OrderedDict": _container,
    "torch Size": tuple,
    "torch._utils _rebuild_parameter": _parameter,
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_tensor_v2": _tensor,
}
_LITERALS = (
    "INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE "
    "BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8"
)
_PUSHES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(_LITERALS.split(), lambda argument: argument),
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "EMPTY_SET": lambda _: set(),
}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_HANDLERS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda *_: None,
    "FRAME": lambda *_: None,
    "MARK": _Machine._mark,
    "PUT": _Machine._put,
    "BINPUT": _Machine._put,
    "LONG_BINPUT": _Machine._put,
    "MEMOIZE": _Machine._put,
    "GET": _Machine._get,
    "BINGET": _Machine._get,
    "LONG_BINGET": _Machine._get,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._extend,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "ADDITEMS": _Machine._add_items,
    "TUPLE": _Machine._tuple,
    "LIST": _Machine._list,
    "DICT": _Machine._dict,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "REDUCE": _Machine._reduce,
    "BUILD": _Machine._build,
    "BINPERSID": _Machine._persistent,
}
