"""Weight and bias as float32: rounded and checked, a large weight block by block as it is read."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onnxhead.encoding import Storage, dtype_of, round_to
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
    """A weight of real numbers, read as float32 and rounded to what its storage holds.

    One of less than 64 MiB is rounded and checked when it is given. A larger one, such as a map of a file,
    stays as it is: it is rounded and checked when it is read, so that no second copy of it is in memory.

    Attributes:
        shape: (classes, features).
        storage: How it is kept in a file.
    """

    def __init__(
        self, value: Any, storage: Storage = "float32", scale: NDArray[np.float32] | None = None
    ) -> None:
        """Take a weight (classes, features).

        Args:
            value: Real numbers.
            storage: What they are rounded to.
            scale: (classes,), by which each class is multiplied.

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
        self.storage = storage
        self._scale = scale
        self._rounding = 0.0
        self._largest = np.empty(0, np.float32)
        if self.nbytes < LARGE_BYTES:
            array, _, self._rounding = _round(self._scaled(array, slice(None)), WEIGHT, 0, storage)
            self._scale = None
        self._array = read_only(array)

    @property
    def nbytes(self) -> int:
        """The size as float32."""
        return 4 * self.shape[0] * self.shape[1]

    @property
    def stored_bytes(self) -> int:
        """The size as it is kept."""
        return self.nbytes // 4 * dtype_of(self.storage).itemsize

    @property
    def largest(self) -> NDArray[np.float32]:
        """float32 (classes,), the largest magnitude of each class; reads the weight unless it has been read.

        Raises:
            HeadError: As for `blocks`.
        """
        if not self._largest.size:
            deque(self.blocks(), maxlen=0)
        return self._largest

    def stored_as(self, storage: Storage) -> Weight:
        """Return the weight rounded to another storage."""
        return self if storage == self.storage else Weight(self._array, storage, self._scale)

    def whole(self) -> NDArray[np.float32]:
        """Return all of it; a large one is copied unless it is float32 in row order, and not checked."""
        return self.some(slice(None))

    def some(self, classes: slice | NDArray[np.intp]) -> NDArray[np.float32]:
        """Return some classes, float32 (classes, features); those of a large weight are not checked."""
        return round_to(
            to_float32(self._scaled(self._array[classes], classes), WEIGHT, HeadError), self.storage
        )

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
            given = self._scaled(self._array[classes], classes)
            values, largest[classes], rounding = _round(given, WEIGHT, start, self.storage)
            yield Block(classes, values, max(rounding, self._rounding))
        self._largest = largest

    def _scaled(self, values: NDArray[Any], classes: slice | NDArray[np.intp]) -> NDArray[Any]:
        return values if self._scale is None else values * self._scale[classes, np.newaxis]


def to_real(value: Any, name: str) -> NDArray[Any]:
    """Return a parameter as an array of real numbers, as it is."""
    if value is None:
        raise HeadError(f"{name} must be an array, got None; a head without bias has numpy.zeros(classes)")
    array = to_numeric(value, name, HeadError)
    if array.dtype.kind == "b":
        raise HeadError(f"{name} must be real numbers, got {describe(array)}")
    return array


def to_bias(value: Any, storage: Storage = "float32") -> tuple[NDArray[np.float32], float]:
    """Return a bias as read-only float32, rounded to a storage, and the largest change that rounding made."""
    bias, _, rounding = _round(to_real(value, BIAS), BIAS, 0, storage)
    return read_only(bias), rounding


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view of an array that cannot be written through."""
    view = array.view()
    view.flags.writeable = False
    return view


class _Rounded(NamedTuple):
    values: NDArray[np.float32]
    largest: NDArray[np.float32]  # magnitude along the last axis
    rounding: float


def _round(array: NDArray[Any], name: str, first: int, storage: Storage) -> _Rounded:
    """Round real numbers to a storage, as float32 in row order.

    Args:
        array: The numbers.
        name: What they are, for messages.
        first: The index of the first row, for messages.
        storage: What to round to.

    Raises:
        HeadError: One is NaN, infinite or beyond what the storage holds.
    """
    exact = to_float32(array, name, HeadError, first)
    rounded = round_to(exact, storage)
    if not array.size:
        return _Rounded(rounded, np.zeros(array.shape[:-1], np.float32), 0.0)
    # NaN and infinities all show in the minimum or the maximum, at no cost in memory
    rows = np.atleast_1d(rounded)
    largest = np.maximum(rows.max(axis=-1), -rows.min(axis=-1))
    if not np.isfinite(largest).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(rows))[0])
        given, place = np.atleast_1d(exact)[where], [where[0] + first, *where[1:]]
        if np.isfinite(given):
            raise HeadError(f"{name} must fit {storage}, got {given:.4g} at {place}")
        raise HeadError(f"{name} must be finite, got {given} at {place}")
    if storage == "float32" and array.dtype.itemsize <= 4 and array.dtype.kind not in "iu":
        return _Rounded(rounded, largest, 0.0)  # float16, bfloat16 and float32 are exact in float32
    wide = np.result_type(array.dtype, np.float64) if array.dtype.kind == "f" else np.float64
    return _Rounded(rounded, largest, float(np.abs(array.astype(wide) - rounded).max()))
