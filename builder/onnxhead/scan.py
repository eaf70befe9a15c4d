"""One pass over a weight: hashed, checked, measured, and handed on block by block."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.encoding import Storage, scales, stored_bytes
from onnxhead.parameters import Weight

Progress = Callable[[int, int | None], None]
_AHEAD_STEPS = 8  # that wait to be hashed or written


@dataclass(frozen=True, eq=False)
class Scan:
    """What one pass found.

    Attributes:
        sha256: Hexadecimal SHA-256 of the weight's bytes as they are kept, of the scales that int8 has, and
            of the bias's: little-endian, in row order.
        weight_sha256: The same of the weight's bytes alone.
        rounding: The largest change that rounding to float32 made to a weight; 0 if none.
    """

    sha256: str
    weight_sha256: str
    rounding: float


def scan(
    weight: Weight,
    bias: NDArray[np.float32],
    bias_storage: Storage = "float32",
    write: Callable[[memoryview], Any] | None = None,
    progress: Progress | None = None,
) -> Scan:
    """Read a weight once.

    Args:
        weight: The weight.
        bias: float32 (classes,).
        bias_storage: How it is kept.
        write: Gets the bytes of each block, in order.
        progress: Called after each block with the number of classes read, and of all.

    Raises:
        HeadError: A weight is NaN, infinite or beyond float32.

    Example:
        >>> found = scan(Weight([[1.0, -2.0], [0.1, 0.0]]), np.zeros(2, np.float32))
        >>> found.weight_sha256[:12], f"{found.rounding:.1e}"
        ('c1048c21368f', '1.5e-09')
    """
    digest = hashlib.sha256()
    rounding = 0.0
    waiting: deque[Future[Any]] = deque()
    # reading, hashing and writing take about as long as each other, and release the interpreter
    with ThreadPoolExecutor(1) as hashing, ThreadPoolExecutor(1) as writing:
        for block in weight.blocks():
            content = stored_bytes(block.values, weight.storage)
            waiting.append(hashing.submit(digest.update, content))
            if write:
                waiting.append(writing.submit(write, content))
            if progress:
                progress(block.classes.stop, len(bias))
            rounding = max(rounding, block.rounding)
            while len(waiting) > _AHEAD_STEPS:
                waiting.popleft().result()
        for step in waiting:
            step.result()
    both = digest.copy()
    if weight.storage == "int8":
        both.update(stored_bytes(scales(weight.largest)))
    both.update(stored_bytes(bias, bias_storage))
    return Scan(both.hexdigest(), digest.hexdigest(), rounding)
