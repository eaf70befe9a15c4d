"""Where heads come from: one module per kind of source, one table that lists them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxhead.head import Head
from onnxhead.sources import (
    arrays,
    csv,
    huggingface,
    json,
    keras,
    npy,
    npz,
    onnx,
    safetensors,
    sklearn,
    skops,
    torch,
    torch_file,
)
from onnxhead.sources.contents import Contents, Request
from onnxhead.sources.selection import Selection, select
from onnxhead_runtime.errors import HeadError, OnnxHeadError, SourceError

__all__ = ["read"]

_READERS: dict[str, Callable[[Path, Request], Contents]] = {
    ".bin": torch_file.read,
    ".ckpt": torch_file.read,
    ".csv": csv.read,
    ".h5": keras.read_h5,
    ".json": json.read,
    ".keras": keras.read,
    ".npy": npy.read,
    ".npz": npz.read,
    ".onnx": onnx.read,
    ".pt": torch_file.read,
    ".pth": torch_file.read,
    ".safetensors": safetensors.read,
    ".skops": skops.read,
}
# In memory, by the package that a class comes from, itself or through a class that it extends.
_OBJECTS: dict[str, Callable[[Any, Request], Contents]] = {
    "keras": keras.read_object,
    "sklearn": sklearn.read,
    "torch": torch.read,
}
_PICKLES = (".pkl", ".pickle", ".joblib")


def read(
    source: Any,
    *,
    labels: Iterable[Any] | None = None,
    layout: str | None = None,
    weight_key: str | None = None,
    bias_key: str | None = None,
    no_bias: bool = False,
    node: str | None = None,
    link: str | None = None,
    temperature: float | None = None,
) -> Head:
    """Read a head.

    Args:
        source: A file (.npz .json .csv .safetensors .skops .pt .pth .bin .ckpt .keras .weights.h5 .onnx),
            a Hugging Face folder, a pair of .npy files (weight, bias), a pair of arrays or tensors, a mapping
            of names to those, a fitted scikit-learn estimator, a torch module, or a Keras layer or model. No
            source runs code; docs/sources.md says what each must hold.
        labels: One per class; by default those of the source.
        layout: `classes-first` or `features-first`: which axis of the weight comes first. By default
            classes-first, and features-first for a `kernel`, as Keras and Flax keep it.
        weight_key: Which array is the weight; by default the one with a usual name.
        bias_key: Which array, or which column of a .csv, is the bias; by default the weight's partner.
        no_bias: The source has no bias: it is zero.
        node: Which node of an .onnx file is the linear layer, where several could be.
        link: `softmax`, `sigmoid` or `ovr`; by default what the source states, or softmax. An estimator
            that has scores without probabilities needs it.
        temperature: The divisor of the logits; by default what the source states, or 1.

    Raises:
        SourceError: The source is unreadable, holds no or more than one weight, or no bias, its bias or
            labels contradict the layout, or it is more than one linear layer with one of the links.
        HeadError: The numbers, labels, link or temperature make no head.

    Example:
        >>> import numpy as np
        >>> read({"coef_": np.eye(3), "intercept_": np.zeros(3), "classes_": ["a", "b", "c"]})
        Head(classes=3, features=3, labels=('a', 'b', 'c'), link='softmax')
        >>> read("models/abc.json").bias
        array([ 0.2, -0.1,  0.5], dtype=float32)
    """
    contents, selection = _find(source, labels, Request(layout, weight_key, bias_key, no_bias, node, link))
    chosen, origin, folding = link or contents.link, selection.origin, contents.folding
    divisor = contents.temperature if temperature is None else temperature
    if (chosen, divisor) != (contents.link, contents.temperature) and contents.is_model:
        origin += f"; link and temperature are yours, not its {contents.link}, {contents.temperature:g}"
        folding = folding and replace(folding, probabilities_error=None)
    try:
        return Head(
            selection.weight,
            selection.bias,
            labels=contents.labels if labels is None else labels,
            link=chosen,
            temperature=divisor,
            origin=origin,
            folding=folding,
            stored=selection.stored,
        )
    except HeadError as error:
        raise HeadError(f"{contents.name}: {error}") from error


def _find(source: Any, labels: Iterable[Any] | None, request: Request) -> tuple[Contents, Selection]:
    """Open a source and find weight and bias in it; whatever a reader raises is a SourceError."""
    try:
        contents = _open(source, request)
        if labels is not None and contents.labels is not None:
            _check_order(labels, contents)
        return contents, select(contents, contents.labels if labels is None else labels, request)
    except OnnxHeadError:
        raise
    except Exception as cause:  # malformed files and foreign objects raise whatever they like
        name = source if isinstance(source, str | os.PathLike) else type(source).__name__
        raise SourceError(
            f"a source must be whole and of its format, {name} is not: {type(cause).__name__}: {cause}"
        ) from cause


def _check_order(labels: Iterable[Any], contents: Contents) -> None:
    """Raise where the labels of a source are given again in another order: they name its classes in order."""
    if not isinstance(labels, Collection) or isinstance(labels, str):
        return
    own = [] if contents.labels is None else list(map(str, contents.labels))
    given = list(map(str, labels))
    if given != own and sorted(given) == sorted(own):
        raise SourceError(
            f"labels must be in the order of the classes, {contents.name} has them as {', '.join(own[:10])}: "
            "leave them out, or give new names"
        )


def _open(source: Any, request: Request) -> Contents:
    for base in type(source).__mro__:
        package = base.__module__.partition(".")[0]
        if package in _OBJECTS:
            return _OBJECTS[package](source, request)
    if isinstance(source, Mapping):
        return arrays.from_mapping(source)
    if isinstance(source, str | os.PathLike):
        return _open_file(Path(source), request)
    if isinstance(source, Sequence) and len(source) == 2:
        weight, bias = source[0], source[1]
        if isinstance(weight, str | os.PathLike) and isinstance(bias, str | os.PathLike):
            return npy.read_pair(Path(weight), Path(bias))
        return arrays.from_mapping({"weight": weight, "bias": bias})
    raise SourceError(
        "a source must be a file, a pair (weight, bias) of .npy files or arrays, a mapping of names to "
        "arrays, a scikit-learn estimator, a torch module or a Keras model, got "
        f"{type(source).__name__}{f' of {len(source)}' if isinstance(source, Sequence) else ''}"
    )


def _open_file(path: Path, request: Request) -> Contents:
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises for long names)
        return huggingface.read(path, request)
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise SourceError(
            f"a source must not run code when it is read, {path.name} is a pickle: save the estimator with "
            "skops.io.dump(estimator, 'head.skops'), or weight and bias with numpy.savez"
        )
    if suffix not in _READERS:
        raise SourceError(f"a source must end in one of {', '.join(_READERS)}, got {path.name}")
    if not os.path.isfile(path):  # noqa: PTH113  (Path.is_file raises for long names)
        raise SourceError(f"a source must be a file, there is none at {path}")
    if request.node is not None and suffix != ".onnx":
        raise SourceError(f"--node (node=) is for .onnx files, got {path.name}")
    return _READERS[suffix](path, request)
