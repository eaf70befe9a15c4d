"""From anything array-like to a checked numpy array, with errors that name the argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.errors import OnnxHeadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# ml_dtypes registers bfloat16 with numpy as an extension type, whose kind is "V".
_EXTENSION_FLOATS = {"bfloat16"}
NUMBER_KINDS = "biuf"


def to_numeric(value: Any, name: str, error: type[OnnxHeadError]) -> NDArray[Any]:
    """Return `value` as an array of booleans, integers or floats, without a copy where possible.

    Args:
        value: An array, nested lists, or an object with `__array__` or `__dlpack__`.
        name: What the array is, for the message.
        error: The exception to raise.

    Raises:
        error: The value is ragged, masked, text, complex or not an array of numbers.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise error(f"{name} must have no mask, got a masked array: call .filled(value) first")
    try:
        array = _as_array(value)
    except Exception as cause:  # foreign __array__ and __dlpack__ methods raise what they like
        raise error(
            f"{name} must be a rectangular array of numbers in main memory, got {_irregularity(value, cause)}"
        ) from cause
    if array.dtype.kind not in NUMBER_KINDS and array.dtype.name not in _EXTENSION_FLOATS:
        if isinstance(value, list | tuple):
            kind = {"U": "text", "S": "text", "c": "complex numbers"}.get(array.dtype.kind, "null or objects")
            raise error(f"{name} must be real numbers, got {kind} among them")
        raise error(
            f"{name} must be real numbers, got {describe(array)}; "
            "convert it first, for example with .astype('float32') or .toarray()"
        )
    return array


def to_batch(array: NDArray[Any], width: int, error: type[OnnxHeadError]) -> NDArray[Any]:
    """Return one row (width,) or a batch (batch, width) of features as a batch.

    Raises:
        error: The array has another shape.
    """
    batch = array[np.newaxis] if array.ndim == 1 else array
    if batch.ndim != 2 or batch.shape[1] != width:
        hint = "; its transpose fits: pass features.T" if batch.ndim == 2 and batch.shape[0] == width else ""
        raise error(
            f"features must be ({width},) or (batch, {width}) for this model, got {describe(array)}{hint}"
        )
    return batch


def to_float32(
    array: NDArray[Any], name: str, error: type[OnnxHeadError], first: int = 0
) -> NDArray[np.float32]:
    """Return `array` as float32 in row order, the array itself where it is that already.

    Args:
        array: Numbers.
        name: What they are, for the message.
        error: The exception to raise.
        first: The index of the first row, for the message.

    Raises:
        error: A finite value lies beyond the range of float32.
    """
    rounded, lost = round_to_float32(array)
    if lost is not None and lost.any():
        where = tuple(int(i) for i in np.argwhere(lost)[0])
        raise error(
            f"{name} must fit float32 (largest {np.finfo(np.float32).max:.4g}), "
            f"got {array[where]:.4g} at {[*(i + first for i in where[:1]), *where[1:]]}"
        )
    return rounded


def round_to_float32(array: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Return `array` as float32 in row order, and where a finite value became infinite.

    The second is None where the dtype has no value beyond float32's range.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = np.ascontiguousarray(array, dtype=np.float32)
    rounded = rounded.reshape(array.shape)  # ascontiguousarray turns () into (1,)
    if array.dtype.itemsize <= rounded.itemsize or array.dtype.kind not in "iuf":
        return rounded, None
    return rounded, np.isinf(rounded) & np.isfinite(array)


def check_target(array: Any, shape: tuple[int, int], name: str, error: type[OnnxHeadError]) -> None:
    """Raise `error` unless so many rows and columns of float32 may be written from an array's address on."""
    if (
        isinstance(array, np.ndarray)
        and array.dtype == np.float32
        and array.ndim == 2
        and array.shape[0] >= shape[0]
        and array.shape[1] == shape[1]
        and array.flags.c_contiguous
        and array.flags.writeable
    ):
        return
    raise error(
        f"{name} must be a writeable float32 array in row order, {shape[0]} rows or more of {shape[1]}, got "
        f"{_describe_target(array)}: numpy.empty({shape}, numpy.float32) is one"
    )


def numpy_reason(cause: Exception) -> str:
    """Return why numpy refuses a file, without its advice to unpickle it."""
    text = str(cause)
    return "it is none, or would have to be unpickled, which is never done" if "pickle" in text else text


def is_decimal(text: str) -> bool:
    """Tell whether a cell is a number, as float reads it but without underscores."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def describe(array: NDArray[Any]) -> str:
    """Return shape and dtype for a message, such as `shape (3, 4), dtype float64`."""
    return f"shape {array.shape}, dtype {array.dtype}"


def _describe_target(array: Any) -> str:
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    order = "" if array.flags.c_contiguous else ", not in row order"
    return f"{describe(array)}{order}{'' if array.flags.writeable else ', read-only'}"


def _irregularity(value: Any, cause: Exception) -> str:
    """Say what is wrong with a value that numpy does not take."""
    if isinstance(value, list | tuple):
        lengths = [len(row) if isinstance(row, list | tuple) else None for row in value]
        for number, length in enumerate(lengths):
            if length != lengths[0]:
                return f"rows of different lengths: row {number} has {length}, row 0 has {lengths[0]}"
    return f"{type(value).__name__}: {cause}"


def _as_array(value: Any) -> NDArray[Any]:
    if hasattr(value, "__dlpack__") and not hasattr(value, "__array__"):
        return np.from_dlpack(value)
    return np.asarray(value)
