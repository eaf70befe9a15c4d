"""The arrays of a .weights.h5 file, alone or in a .keras archive; read by h5py without following links."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.sources.archive import open_member
from onnxhead.sources.contents import Entry
from onnxhead_runtime.errors import SourceError


@dataclass(frozen=True)
class Weights:
    """What a file of weights holds.

    Attributes:
        arrays: The arrays by their place, such as `layers/dense/vars/0`.
        names: The layer's own name by its place, such as `layers/dense/vars`, where the file has it.
    """

    arrays: dict[str, Entry]
    names: dict[str, str]


def read_weights(path: Path) -> Weights:
    """List the arrays of a .keras archive or a .weights.h5 file; they are read when they are asked for.

    Raises:
        SourceError: h5py is missing, or the file is none.
    """
    arrays: dict[str, Entry] = {}
    names: dict[str, str] = {}
    with _open(path) as file:
        if "model_config" in file.attrs:
            raise SourceError(
                f"{path.name} is a whole model in Keras's old format, whose layers cannot be read: "
                "save it as .keras"
            )

        def visit(place: str, item: Any) -> None:
            place = str(place)
            if hasattr(item, "dtype"):
                dtype = str(item.attrs.get("dtype", item.dtype))
                arrays[place] = Entry(tuple(item.shape), dtype, partial(_load, path, place))
            elif isinstance(item.attrs.get("name"), str):
                names[place] = item.attrs["name"]

        file.visititems(visit)  # the groups and datasets of this file alone, no links to others
    return Weights(arrays, names)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ImportError as cause:
        raise SourceError(
            f'reading {path.suffix} needs the h5py package: pip install "onnxhead[keras]"'
        ) from cause
    with contextlib.ExitStack() as stack:
        try:
            if path.suffix.lower() == ".keras":
                archive = stack.enter_context(zipfile.ZipFile(path))
                member = stack.enter_context(open_member(archive, "model.weights.h5"))
                file = stack.enter_context(h5py.File(member, "r"))
            else:
                file = stack.enter_context(h5py.File(path, "r"))
            yield file
        except SourceError:
            raise
        except Exception as cause:  # h5py and zipfile share no base
            raise SourceError(
                f"{path.name} must hold weights as Keras 3 writes them: {type(cause).__name__}: {cause}"
            ) from cause


def _load(path: Path, place: str) -> NDArray[Any]:
    with _open(path) as file:
        dataset = file[place]
        # a file may point into other files, or state a shape of which it holds nothing
        if dataset.external or dataset.is_virtual or dataset.id.get_storage_size() != dataset.nbytes:
            raise SourceError(f"{path.name}: {place} must lie in the file itself, uncompressed")
        array = np.asarray(dataset[()])
        if dataset.attrs.get("dtype") == "bfloat16":  # the upper half of a float32
            return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        return array
