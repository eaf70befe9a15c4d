"""The arrays of a .weights.h5 file, alone or in a .keras archive; read by h5py without following links."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.sources.archive import open_member
from onnxhead.sources.contents import Entry, from_bfloat16
from onnxhead_runtime.errors import SourceError


def read_weights(path: Path) -> dict[str, Entry]:
    """List the arrays of a .keras archive or a .weights.h5 file by place, such as `layers/dense/vars/0`.

    They are read when they are asked for. Attributes are not read: libhdf5 loops for ever on broken ones.

    Raises:
        SourceError: h5py is missing, or the file is none.
    """
    arrays: dict[str, Entry] = {}
    with _open(path) as file:
        if "model_config" in file.attrs:
            raise SourceError(
                f"{path.name} is a whole model in Keras's old format, whose layers cannot be read: "
                "save it as .keras"
            )

        def visit(place: str, item: Any) -> None:
            if hasattr(item, "dtype"):
                place = str(place)
                dtype = "bfloat16" if _is_bfloat16(item.dtype) else str(item.dtype)
                arrays[place] = Entry(tuple(item.shape), dtype, partial(_load, path, place))

        file.visititems(visit)  # the groups and datasets of this file alone, no links to others
    return arrays


def _is_bfloat16(dtype: np.dtype[Any]) -> bool:
    return dtype.kind == "V" and dtype.itemsize == 2  # HDF5 has no such type: Keras writes two bytes


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
        return from_bfloat16(array.view(np.uint16)) if _is_bfloat16(array.dtype) else array
