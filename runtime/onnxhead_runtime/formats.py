"""Features in, predictions out: .npy, .npz, .csv and .json files, and JSON text."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxhead_runtime.arrays import numpy_reason
from onnxhead_runtime.contract import FEATURES, LOGITS, PROBABILITIES, Decision
from onnxhead_runtime.errors import FeaturesError, WriteError
from onnxhead_runtime.prediction import Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEATURE_KEYS = (FEATURES, "X", "x")


def read_features(source: str) -> Any:
    """Read features from a file, from JSON text such as `[0.5, 0.8]`, or for `-` from standard input.

    Returns:
        Something array-like, as it stands there: the classifier checks and converts it.

    Raises:
        FeaturesError: The source is missing or not of its format.
    """
    if source.lstrip().startswith(("[", "{")):
        return _parse_json(source, "the inline array")
    if source == "-":
        try:
            return _parse_json(sys.stdin.read(), "standard input")
        except UnicodeDecodeError as cause:
            raise FeaturesError(f"standard input must be JSON in UTF-8: {cause}") from cause
    path = Path(source)
    if not os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises for long names)
        raise FeaturesError(
            "features must be a file, an inline JSON array such as '[0.5, 0.8]', or - for standard input, "
            f"there is no file {source}"
        )
    if path.suffix.lower() not in _READERS:
        raise FeaturesError(f"features must be a file in {', '.join(_READERS)}, got {path.name}")
    return _READERS[path.suffix.lower()](path)


def write_prediction(prediction: Prediction, path: Path) -> None:
    """Write logits, probabilities and labels to a .npz, .csv or .json file, in one step; folders are made.

    Labels are text in .npz and .csv, empty for a row without an answer, a JSON array for the link `sigmoid`;
    .json keeps their types.

    Raises:
        WriteError: The format is another or the file cannot be written.
    """
    check_output(path)
    write_in_one_step(path, "predictions", partial(_WRITERS[path.suffix.lower()], prediction))


def write_in_one_step(path: Path, what: str, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file and rename it to `path`; folders are made.

    Raises:
        WriteError: The file cannot be written; what was at `path` is unchanged.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as cause:
        raise WriteError(
            f"{what} must go to a folder that is writable and has room, {path} was not "
            f"written: {cause.strerror or cause}"
        ) from cause


def check_output(path: Path) -> None:
    """Raise WriteError unless `write_prediction` knows the format of `path`."""
    if path.suffix.lower() not in _WRITERS:
        raise WriteError(f"predictions are written to a file in {', '.join(_WRITERS)}, got {path}")


def to_document(prediction: Prediction, top: int | None = None) -> dict[str, Any]:
    """Return the prediction as JSON data, with the `top` most probable classes if asked for.

    NaN and infinity, which JSON lacks, become null.
    """
    document = {
        "labels": prediction.labels,
        LOGITS: _without_nan(prediction.logits),
        PROBABILITIES: _without_nan(prediction.probabilities),
    }
    return document if top is None else {**document, "top": prediction.top(top)}


def _without_nan(array: NDArray[np.float32]) -> list[Any]:
    values = array.astype(object)
    values[~np.isfinite(array)] = None
    return list(values.tolist())


def _parse_json(text: str, name: str) -> Any:
    """Return an array, or the one under `features` in an object."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as cause:
        raise FeaturesError(f"features must be a JSON array of numbers, {name} is not: {cause}") from cause
    if isinstance(document, dict) and FEATURES in document:
        document = document[FEATURES]
    if not isinstance(document, list):
        raise FeaturesError(
            f'features must be a JSON array of numbers, or one under "{FEATURES}" in an object, {name} is a '
            f"{type(document).__name__}"
        )
    return document


def _read_json(path: Path) -> Any:
    try:
        return _parse_json(path.read_text("utf-8-sig"), path.name)
    except (UnicodeDecodeError, OSError) as cause:
        raise FeaturesError(f"{path.name} must be JSON in UTF-8: {cause}") from cause


def _read_numpy(path: Path) -> Any:
    try:
        with path.open("rb") as file:  # numpy leaves a file that it opened and refused open
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else loaded[_choose_array(loaded.files, path)]
    except FeaturesError:
        raise
    except Exception as cause:  # numpy and zipfile raise many kinds for a broken file
        raise FeaturesError(f"{path.name} must be a numpy file of numbers: {numpy_reason(cause)}") from cause


def _choose_array(keys: list[str], path: Path) -> str:
    found = keys if len(keys) == 1 else [key for key in _FEATURE_KEYS if key in keys]
    if len(found) != 1:
        raise FeaturesError(
            f"{path.name} must hold one array, or one of them named {' or '.join(_FEATURE_KEYS)}, it holds "
            f"{', '.join(keys) or 'none'}"
        )
    return found[0]


def _read_csv(path: Path) -> list[list[float]]:
    """Read one row of features per line; a first line without numbers is a header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [row for row in csv.reader(file, strict=True) if row]
    except (UnicodeDecodeError, csv.Error, OSError) as cause:
        raise FeaturesError(
            f"{path.name} must be readable, comma-separated text in UTF-8: {cause}"
        ) from cause
    if lines and not any(is_decimal(cell) for cell in lines[0]) and len(lines) > 1:
        lines = lines[1:]
    if not lines:
        raise FeaturesError(f"{path.name} must hold rows of features, it holds none")
    if len(lines[0]) > 2 and lines[0] == [str(i) for i in range(len(lines[0]))]:
        raise FeaturesError(
            f"{path.name}: the first line is 0, 1, 2, ...: is it a header? Give the columns names, or save "
            "the rows as .npy"
        )
    return [_parse_row(line, number, path) for number, line in enumerate(lines, 1)]


def _parse_row(line: list[str], number: int, path: Path) -> list[float]:
    for column, cell in enumerate(line, 1):
        if not is_decimal(cell):
            raise FeaturesError(
                f"{path.name}: features must be decimals, separated by commas, row {number} has "
                f"{cell[:40]!r} in column {column}"
            )
    return [float(cell) for cell in line]


def is_decimal(text: str) -> bool:
    """Tell whether a cell is a number, as float reads it but without underscores."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _write_npz(prediction: Prediction, path: Path) -> None:
    # text, whatever the labels' type: a row without an answer has none, and arrays of objects are pickles
    labels = np.array([_cell(label) for label in prediction.labels], dtype=np.str_)
    with path.open("wb") as file:
        np.savez(file, logits=prediction.logits, probabilities=prediction.probabilities, labels=labels)


def _write_json(prediction: Prediction, path: Path) -> None:
    path.write_text(json.dumps(to_document(prediction), ensure_ascii=False) + "\n", "utf-8")


def _write_csv(prediction: Prediction, path: Path) -> None:
    names = [f"{output} {label}" for output in (LOGITS, PROBABILITIES) for label in prediction.classes]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["label", *names])
        for label, logits, probabilities in zip(
            prediction.labels, prediction.logits, prediction.probabilities, strict=True
        ):
            writer.writerow([_cell(label), *map(str, logits), *map(str, probabilities)])


def _cell(label: Decision) -> str:
    if isinstance(label, tuple):
        return json.dumps(label, ensure_ascii=False)
    return "" if label is None else str(label)


_READERS: dict[str, Callable[[Path], Any]] = {
    ".npy": _read_numpy,
    ".npz": _read_numpy,
    ".csv": _read_csv,
    ".json": _read_json,
}
_WRITERS: dict[str, Callable[[Prediction, Path], None]] = {
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".json": _write_json,
}
