"""Heads from an .npz archive, as numpy.savez writes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnxhead.sources.contents import LABEL_KEYS, Contents, Entry, Request, to_entry
from onnxhead_runtime.arrays import numpy_reason
from onnxhead_runtime.errors import SourceError


def read(path: Path, _: Request) -> Contents:
    """Read an .npz file; nothing in it is unpickled.

    Raises:
        SourceError: It is not an .npz file, or its labels are pickled.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            entries = {key: _read_entry(archive, key, path) for key in archive.files}
    except Exception as cause:  # numpy and zipfile raise many kinds for a broken file
        raise SourceError(
            f"{path.name} must be an .npz file as numpy.savez writes it: {numpy_reason(cause)}"
        ) from cause
    labels = next((entries.pop(key).load() for key in LABEL_KEYS if key in entries), None)
    return Contents(path.name, entries, None if labels is None else labels.tolist())


def _read_entry(archive: np.lib.npyio.NpzFile, key: str, path: Path) -> Entry:
    try:
        array = archive[key]
    except Exception as cause:  # as above; only the entries that are used must be readable
        message = (
            f"{path.name}: {key} must be an array of numbers or text: {numpy_reason(cause)}; "
            f"save it as numpy.asarray({key}, dtype=float), or dtype=str for labels"
        )

        def refuse(cause: Exception = cause) -> None:
            raise SourceError(message) from cause

        return Entry(None, "unreadable", refuse)
    return to_entry(array)
