"""How a weight is kept in a file: as float32, in half the bytes, or in a quarter.

A weight is rounded to what its storage holds, as float32 still, and encoded from that without further change.
int8 keeps integers q from -63 to 63 and one scale s per class, w = q s. Seven bits, since CPUs that have AVX2
and no VNNI add two products of an unsigned and a signed byte in 16 bits: 2 * 255 * 63 fits there, and with
127 sums would be cut off in silence. Scales have at most 17 significant bits, so that every product is exact
in float32, and 63 s is the largest magnitude of its class: q and s can be found again in the weight.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Storage = Literal["float32", "float16", "bfloat16", "int8"]
STORAGES: tuple[Storage, ...] = get_args(Storage)
INT8_LIMIT = 63

_DTYPES: dict[Storage, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "int8": np.dtype(np.int8),
}
_DROPPED = np.uint32(2**7 - 1)  # bits of the 24 of a float32
_SMALLEST_SCALE = 2.0**-100


def dtype_of(storage: Storage) -> np.dtype[Any]:
    """Return the little-endian dtype in which a weight is kept."""
    return _DTYPES[storage]


def round_to(values: NDArray[np.float32], storage: Storage) -> NDArray[np.float32]:
    """Round values, float32 (classes, features), to what a storage holds; infinite beyond the largest.

    Example:
        >>> values = np.array([[1.0, -0.3], [0.001, 0.0]], np.float32)
        >>> round_to(values, "int8").round(4)
        array([[ 1.    , -0.3016],
               [ 0.001 ,  0.    ]], dtype=float32)
    """
    if storage == "float32":
        return values
    if storage == "int8":
        scale = scales(np.abs(values).max(axis=-1))
        return _divide(values, scale) * scale[:, np.newaxis]
    with np.errstate(over="ignore"):
        return values.astype(_DTYPES[storage]).astype(np.float32)


def encode(values: NDArray[np.float32], storage: Storage) -> NDArray[Any]:
    """Return values that `round_to` gave as they are kept, in row order."""
    if storage == "int8":
        return _divide(values, scales(np.abs(values).max(axis=-1))).astype(np.int8)
    return np.ascontiguousarray(values, _DTYPES[storage])


def stored_bytes(values: NDArray[np.float32], storage: Storage = "float32") -> memoryview:
    """Return the bytes of values as they are kept, without a copy of float32 on a little-endian machine."""
    return encode(values, storage).view(np.uint8).data.cast("B")


def scales(largest: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scale of each class for int8, from its largest magnitude: 0 where all is next to nothing."""
    scale = np.ascontiguousarray(largest / np.float32(INT8_LIMIT), np.float32)
    # up, so that no quotient is beyond the limit
    rounded = ((scale.view(np.uint32) + _DROPPED) & ~_DROPPED).view(np.float32)
    return np.where(scale < _SMALLEST_SCALE, np.float32(0), rounded)


def _divide(values: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values by their class's scale, rounded to integers; 0 where the scale is."""
    divisor = np.where(scale == 0, np.float32(1), scale)[:, np.newaxis]
    quotient = np.rint(values / divisor)
    quotient[scale == 0] = 0
    return quotient
