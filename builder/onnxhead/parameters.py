"""Weight and bias as float32: rounded and checked, a large weight block by block as it is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead_runtime.arrays import describe, to_float32, to_numeric
from onnxhead_runtime.contract import BIAS, WEIGHT
from onnxhead_runtime.errors import HeadError

LARGE_BYTES = 64 * 2**20
_BLOCK_BYTES = 2 * 2**20  # stays in the processor's cache from the check to the copy


class Block(NamedTuple):
    """Some classes of a weight.

    Attributes:
        classes: Which ones.
        values: float32 (classes, features), finite, in row order.
        rounding: The largest change that rounding to float32 made.
    """

    classes: slice
    values: NDArray[np.float32]
    rounding: float


class Weight:
    """A weight of real numbers, read as float32.

    One of less than 64 MiB is rounded and checked when it is given. A larger one, such as a map of a file,
    stays as it is: it is rounded and checked when it is read, so that no second copy of it is in memory.

    Attributes:
        shape: (classes, features).
    """

    def __init__(self, value: Any) -> None:
        """Take a weight (classes, features).

        Raises:
            HeadError: It is not a matrix of real numbers, or a small one is not finite in float32.
        """
        array = to_real(value, WEIGHT)
        if array.ndim != 2:
            hint = f"; for one class pass shape (1, {array.size})" if array.ndim == 1 else ""
            raise HeadError(f"weight must be 2-D (classes, features), got shape {array.shape}{hint}")
        if array.size == 0:
            raise HeadError(f"weight must have at least one class and feature, got shape {array.shape}")
        self.shape: tuple[int, int] = array.shape
        self._rounding = 0.0
        self._largest = np.empty(0, np.float32)
        if self.nbytes < LARGE_BYTES:
            array, _, self._rounding = _round(array, WEIGHT)
        self._array = read_only(array)

    @property
    def nbytes(self) -> int:
        """The size as float32."""
        return 4 * self.shape[0] * self.shape[1]

    @property
    def largest(self) -> NDArray[np.float32]:
        """float32 (classes,), the largest magnitude of each class; reads the weight unless it has been read.

        Raises:
            HeadError: As for `blocks`.
        """
        if not self._largest.size:
            deque(self.blocks(), maxlen=0)
        return self._largest

    def whole(self) -> NDArray[np.float32]:
        """Return all of it; a large one is copied unless it is float32 in row order, and not checked."""
        return to_float32(self._array, WEIGHT, HeadError)

    def some(self, classes: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some classes, float32 (classes, features); those of a large weight are not checked."""
        return to_float32(self._array[classes], WEIGHT, HeadError)

    def blocks(self) -> Iterator[Block]:
        """Read all of it once, in the order of the classes.

        Raises:
            HeadError: A number is NaN, infinite or beyond float32.
        """
        count, features = self.shape
        largest = np.empty(count, np.float32)
        step = max(1, _BLOCK_BYTES // (4 * features))
        for start in range(0, count, step):
            classes = slice(start, min(start + step, count))
            values, largest[classes], rounding = _round(self._array[classes], WEIGHT, start)
            yield Block(classes, values, max(rounding, self._rounding))
        self._largest = largest


def to_real(value: Any, name: str) -> NDArray[Any]:
    """Return a parameter as an array of real numbers, as it is."""
    if value is None:
        raise HeadError(f"{name} must be an array, got None; a head without bias has numpy.zeros(classes)")
    array = to_numeric(value, name, HeadError)
    if array.dtype.kind == "b":
        raise HeadError(f"{name} must be real numbers, got {describe(array)}")
    return array


def to_bias(value: Any) -> tuple[NDArray[np.float32], float]:
    """Return a bias as read-only float32, and the largest change that rounding made."""
    bias, _, rounding = _round(to_real(value, BIAS), BIAS)
    return read_only(bias), rounding


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of an array that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


def little_endian_bytes(array: NDArray[np.float32]) -> memoryview:
    """Return the bytes of an array in row order, without a copy on a little-endian machine."""
    return np.ascontiguousarray(array, "<f4").data.cast("B")


class _Rounded(NamedTuple):
    values: NDArray[np.float32]
    largest: NDArray[np.float32]  # magnitude along the last axis
    rounding: float


def _round(array: NDArray[Any], name: str, first: int = 0) -> _Rounded:
    """Round real numbers to float32 in row order; `first` is the index of the first row, for messages.

    Raises:
        HeadError: One is NaN, infinite or beyond float32.
    """
    rounded = to_float32(array, name, HeadError, first)
    if not array.size:
        return _Rounded(rounded, np.zeros(array.shape[:-1], np.float32), 0.0)
    # NaN and infinities all show in the minimum or the maximum, at no cost in memory
    rows = np.atleast_1d(rounded)
    largest = np.maximum(rows.max(axis=-1), -rows.min(axis=-1))
    if not np.isfinite(largest).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(rows))[0])
        raise HeadError(f"{name} must be finite, got {rows[where]} at {[where[0] + first, *where[1:]]}")
    if array.dtype.itemsize <= 4 and array.dtype.kind not in "iu":
        return _Rounded(rounded, largest, 0.0)  # float16, bfloat16 and float32 are exact in float32
    wide = np.result_type(array.dtype, np.float64) if array.dtype.kind == "f" else np.float64
    return _Rounded(rounded, largest, float(np.abs(array.astype(wide) - rounded).max()))
