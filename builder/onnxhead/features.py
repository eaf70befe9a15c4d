"""The features of a network, as a head that is attached to it gets them: what to fit that head on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.model import open_model
from onnxhead.model_file import ModelFile
from onnxhead.part import BLOCK_ROWS
from onnxhead.pooling import Pool, Pooling, check_pool, check_pool_name, pool_rows
from onnxhead.tap import Tap, choose_features, open_tap
from onnxhead_runtime.errors import FeaturesError, ModelError
from onnxhead_runtime.inputs import Feeds, to_feeds

Progress = Callable[[int, int | None], object]
_MASK = "attention_mask"
_TOKENS_RANK = 3


def features(
    backbone: str | os.PathLike[str],
    inputs: Any,
    *,
    at: str | None = None,
    pool: Pool | None = None,
    normalize: bool = False,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Run a network on inputs, and return the features (rows, F) that `attach` gives to a head.

    Args:
        backbone: An .onnx file; of one that `attach` wrote, what its head gets.
        inputs: Arrays by name, as a whole model takes them; all rows at once.
        at: As for `attach`; None for the only output that is [batch, F], after `pool`.
        pool: As for `attach`.
        normalize: As for `attach`.
        progress: Called with the number of rows done, and of all.

    Raises:
        ModelError: The network is broken, has no such tensor, or does not run on the inputs.
        FeaturesError: The inputs do not fit, or have no rows.
        ProviderError: onnxruntime is missing.

    Example:
        >>> import onnx
        >>> backbone = onnx.parser.parse_model('''<ir_version: 8, opset_import: ["": 17]>
        ...     network (float[N, 2] pixels) => (float[N, 2] hidden) { hidden = Relu(pixels) }''')
        >>> onnx.save(backbone, tmp / "network.onnx")
        >>> features(tmp / "network.onnx", [[1.0, -1.0], [0.5, 2.0]]).tolist()
        [[1.0, 0.0], [0.5, 2.0]]
    """
    extractor = open_extractor(open_model(backbone), None, at, pool, normalize)
    feeds = to_feeds(inputs, extractor.tap.part.inputs)
    found: list[NDArray[np.float32]] = []
    for done, total, block in _blocks(feeds, extractor.tap):
        found.append(extractor.run(block).astype(np.float32))
        if progress:
            progress(done, total)
    return np.concatenate(found)


@dataclass(frozen=True, eq=False)
class Extractor:
    """Where features come from, and how.

    Attributes:
        tap: The tensor, and the part of the network before it.
        pool: As in `Pooling`.
        normalize: As in `Pooling`.
        has_mask: Whether the network has an input `attention_mask`.
    """

    tap: Tap
    pool: Pool | None
    normalize: bool
    has_mask: bool

    def pooling(self, rank: int) -> Pooling:
        """Return how a tensor of so many axes becomes features.

        Raises:
            ModelError: It does not.
        """
        check_pool(self.pool, rank, self.tap.tensor)
        is_masked = self.has_mask and self.pool == "mean" and rank == _TOKENS_RANK
        return Pooling(self.pool, self.normalize, _MASK if is_masked else None)

    def run(self, feeds: Feeds) -> NDArray[np.float64]:
        """Return the features (batch, F) of inputs, pooled in float64."""
        return self.rows(self.tap.part.run(feeds)[0], feeds)

    def rows(self, given: NDArray[Any], feeds: Feeds) -> NDArray[np.float64]:
        """Return the features of inputs, from what the network gives for them.

        Raises:
            ModelError: The mask does not fit the tokens.
        """
        pooling = self.pooling(given.ndim)
        mask = feeds[pooling.mask] if pooling.mask else None
        if mask is not None and mask.shape != given.shape[:2]:
            raise ModelError(
                f"a mask must have one number for each token of {self.tap.tensor}, {given.shape[:2]} here, "
                f"{_MASK} has {mask.shape}: pool in the network, or name another tensor with --at (at=)"
            )
        return pool_rows(pooling, given, mask)


def open_extractor(
    model: ModelFile, width: int | None, at: str | None, pool: Pool | None, normalize: bool
) -> Extractor:
    """Find where a network's features are.

    Args:
        model: The network.
        width: How many there are to be; None for any number.
        at: The tensor; None for the only output that fits.
        pool: As in `Pooling`.
        normalize: As in `Pooling`.

    Raises:
        ModelError: No or several tensors could be it, or `pool` is none.
    """
    check_pool_name(pool)
    has_mask = _MASK in {one.name for one in model.proto.graph.input}
    tensor = at or choose_features(model, width, pool)
    tap = open_tap(model, tensor, [_MASK] if has_mask and pool == "mean" else [])
    return Extractor(tap, pool, normalize, has_mask)


def _blocks(feeds: Feeds, tap: Tap) -> Iterator[tuple[int, int, Feeds]]:
    """Yield the number of rows so far and in all, and the inputs of the next; a fixed batch at once."""
    free = [one.name for one in tap.part.inputs if one.is_batched]
    total = len(feeds[free[0]]) if free else 1
    if not all(array.size for array in feeds.values()):
        raise FeaturesError("features are those of at least one row, got an input that is empty")
    step = BLOCK_ROWS if free else total
    for start in range(0, total, step):
        part = {name: feeds[name][start : start + step] for name in free}
        yield min(start + step, total), total, {**feeds, **part}
