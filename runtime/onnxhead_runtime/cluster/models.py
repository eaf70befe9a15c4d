"""The files of a model, on the driver and where a worker finds them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxhead_runtime.weights import external_files, file_sha256


@dataclass(frozen=True)
class ModelFiles:
    """A model as it is sent to workers.

    Attributes:
        path: The .onnx file, where the driver has it.
        hashes: The SHA-256 of each of its files, by their names in its folder.
        contents: A reference to their bytes in Ray's object store; None where every worker has the files.
    """

    path: Path
    hashes: Mapping[str, str]
    contents: Any


def send(path: Path, store: Any) -> ModelFiles:
    """Return what workers need to open a model.

    Args:
        path: The .onnx file.
        store: Puts an object into Ray's object store and returns a reference, such as `ray.put`; None where
            workers run on this machine.
    """
    names = [path.name, *sorted(external_files(path))]
    hashes = {name: file_sha256(path.parent / name) for name in names}
    contents = None
    if store:
        # mapped: they go into the store without another copy
        contents = store({name: np.memmap(path.parent / name, np.uint8, "r") for name in names})
    return ModelFiles(path, hashes, contents)


@contextlib.contextmanager
def found(model: ModelFiles) -> Iterator[Path]:
    """Yield where the model is on this machine: at its path, or in a folder that lasts as long as the block.

    A session that is opened in the block outlasts it: what it has mapped stays.
    """
    folder = model.path.parent
    if model.contents is None or all(
        (folder / name).is_file() and file_sha256(folder / name) == digest
        for name, digest in model.hashes.items()
    ):
        yield model.path
        return
    import ray

    with tempfile.TemporaryDirectory(prefix="onnxhead-") as temporary:
        for name, content in ray.get(model.contents).items():
            path = Path(temporary) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            content.tofile(path)
        yield Path(temporary) / model.path.name
