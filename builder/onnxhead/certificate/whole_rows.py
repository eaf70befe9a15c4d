"""The rows of a whole model: an .npz file with one array per input, cut along the first axis."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from onnxhead.certificate.subject import Block, Source
from onnxhead.part import BLOCK_ROWS
from onnxhead.whole_file import WholeFile
from onnxhead_runtime.errors import FeaturesError
from onnxhead_runtime.inputs import Feeds, Input, to_feeds
from onnxhead_runtime.rows.numpy_files import open_arrays


class Batch(NamedTuple):
    """Along which inputs of a model rows are counted.

    Attributes:
        names: Those of which the first axis is that of the rows; the others are given whole to each block.
        size: How many rows there must be at once; None for any number.
    """

    names: tuple[str, ...]
    size: int | None

    def rows(self, feeds: Feeds) -> int:
        """Return how many rows a block has."""
        return len(feeds[self.names[0]])


def batch_of(model: WholeFile) -> Batch:
    """Return along which inputs of a model rows are counted: those with a free first axis.

    Where no input has one, those of which it is as long as that of the logits.

    Raises:
        FeaturesError: There is none.
    """
    free = tuple(one.name for one in model.inputs if one.is_batched)
    if free:
        return Batch(free, None)
    size = model.batch if isinstance(model.batch, int) else 0
    names = tuple(one.name for one in model.inputs if one.shape and one.shape[0] == size)
    if not names:
        raise FeaturesError(
            f"rows are counted along the first axis of inputs, {model.path.name} has none with the batch: "
            f"{'; '.join(map(str, model.inputs))}; export the network with a batch of any size"
        )
    return Batch(names, size)


def read_whole_rows(source: str, inputs: tuple[Input, ...], batch: Batch, label_column: str | None) -> Source:
    """Open an .npz file with an array for each input, and one of true labels where that is named.

    Raises:
        FeaturesError: It is no such file, an array is missing, or shapes, types or lengths are others.
    """
    arrays = _open(source, inputs, label_column)
    labels = None if label_column is None else arrays[label_column]
    by_row = (*batch.names, *([] if label_column is None else [label_column]))
    total = _count({name: arrays[name] for name in by_row}, source)
    if batch.size and total % batch.size:
        raise FeaturesError(
            f"this model takes {batch.size} rows at once, no more and no fewer, {Path(source).name} has "
            f"{total}: give a multiple of {batch.size}, or export the network with a batch of any size"
        )
    whole = {one.name: np.asarray(arrays[one.name][...]) for one in inputs if one.name not in batch.names}

    def blocks(size: int) -> Iterator[Block]:
        step = batch.size or min(size, BLOCK_ROWS)
        for start in range(0, total, step):
            part = slice(start, min(start + step, total))
            rows = {name: np.asarray(arrays[name][part]) for name in batch.names}
            feeds = to_feeds({**whole, **rows}, inputs)
            yield Block(part.stop - start, feeds, None if labels is None else labels[part], {})

    width = sum(math.prod(arrays[name].shape[1:]) for name in batch.names)
    return Source(total, max(1, width), blocks)


def _open(source: str, inputs: tuple[Input, ...], label_column: str | None) -> dict[str, Any]:
    """Return the arrays of a file, by name, each with the axes that it must have."""
    path = Path(source)
    wanted = [one.name for one in inputs] + ([] if label_column is None else [label_column])
    if path.suffix.lower() != ".npz" or not os.path.isfile(path):  # noqa: PTH113  (raises for long names)
        raise FeaturesError(
            "the rows of a whole model must be an .npz file with an array for each input, "
            f"{'; '.join(map(str, inputs))}: got {source!r:.80}"
        )

    def choose(keys: list[str]) -> list[str]:
        missing = [name for name in wanted if name not in keys]
        if missing:
            raise FeaturesError(
                f"{path.name} must hold an array for each of {', '.join(wanted)}, {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} missing: it holds {', '.join(keys) or 'none'}"
            )
        return wanted

    arrays = open_arrays(path, choose)
    for one in inputs:
        shape = tuple(arrays[one.name].shape)
        if len(shape) != len(one.shape):
            raise FeaturesError(
                f"this model takes {one}, with all its axes, {path.name} has {one.name} of shape {shape}"
            )
    return arrays


def _count(arrays: dict[str, Any], source: str) -> int:
    """Return how many rows arrays have, the same in all."""
    lengths = {name: int(array.shape[0]) if array.shape else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise FeaturesError(
            f"the arrays must have as many rows as each other, {Path(source).name} has {listed}: cut them "
            "to the same rows"
        )
    return next(iter(lengths.values()))
