"""Which arrays of a source are the weight and the bias, and which axis is which."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.sources.contents import Contents, Request
from onnxhead_runtime.arrays import to_numeric
from onnxhead_runtime.errors import SourceError

# The usual names of a weight, each with the name of its bias.
PAIRS = {
    "weight": "bias",
    "W": "b",
    "coef_": "intercept_",
    "kernel": "bias",
    "classifier.weight": "classifier.bias",
    "fc.weight": "fc.bias",
    "head.weight": "head.bias",
    "score.weight": "score.bias",
}
LAYOUTS = ("classes-first", "features-first")


@dataclass(frozen=True, eq=False)
class Selection:
    """Weight (classes, features), bias (classes,), and one line that says where they were found."""

    weight: NDArray[Any]
    bias: NDArray[Any]
    origin: str


def select(contents: Contents, labels: Iterable[Any] | None, request: Request) -> Selection:
    """Find weight and bias by their usual names or the requested ones, and turn the weight classes-first.

    Raises:
        SourceError: None or several fit, the bias is missing, or bias or labels contradict the layout.
    """
    key = request.weight_key or _find_weight(contents)
    layout = request.layout or ("features-first" if _last_name(key) == "kernel" else "classes-first")
    if layout not in LAYOUTS:
        raise SourceError(f"layout must be {' or '.join(LAYOUTS)}, got {layout!r}")
    stored = _load(contents, key)
    weight = stored.T if layout == "features-first" else stored
    bias_key = request.bias_key or _partner(key)
    if request.no_bias:
        if bias_key in contents.entries:
            raise SourceError(f"no_bias is for a source without bias, {contents.name} has {bias_key}")
        bias, bias_text = np.zeros(weight.shape[:1], np.float32), "no bias"
    else:
        bias = _load_bias(contents, key, bias_key)
        bias_text = f"{bias_key} {bias.shape} {bias.dtype}"
    _check_layout(weight, None if request.no_bias else bias, labels, layout)
    transposed = ", transposed" if layout == "features-first" else ""
    weight_text = f"{key} {stored.shape} {stored.dtype}{transposed}"
    origin = f"{contents.name}: {weight_text}, {bias_text}{_list_unused(contents, {key, bias_key})}"
    return Selection(weight, bias, origin)


def _find_weight(contents: Contents) -> str:
    # the exact names first, then the same names inside a larger model: "backbone.fc.weight"
    fitting = [key for key in contents.entries if key in PAIRS] or [
        key for key in contents.entries if key.endswith(tuple(f".{name}" for name in PAIRS if "." in name))
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SourceError(
            f"a source must hold one weight, {contents.name} holds {_list(contents, fitting)}: choose one "
            f"with --weight-key (weight_key=), such as {fitting[0]}"
        )
    raise SourceError(
        f"a source must hold a weight under a usual name ({', '.join(PAIRS)}), {contents.name} holds "
        f"{_list(contents, list(contents.entries))}: name yours with --weight-key and --bias-key "
        "(weight_key=, bias_key=)"
    )


def _partner(weight_key: str) -> str:
    """Return the bias's key beside `weight_key`, such as `a.b.bias` for `a.b.weight`."""
    name = _last_name(weight_key)
    return weight_key.removesuffix(name) + PAIRS.get(name, "bias")


def _last_name(key: str) -> str:
    return key.rpartition(".")[2]


def _load_bias(contents: Contents, weight_key: str, bias_key: str) -> NDArray[Any]:
    if bias_key not in contents.entries:
        raise SourceError(
            f"the weight {weight_key} must have a bias, {contents.name} has no {bias_key} but "
            f"{_list(contents, [key for key in contents.entries if key != weight_key])}: name it with "
            "--bias-key (bias_key=), or say --no-bias (no_bias=True) for a head without one"
        )
    return _load(contents, bias_key)


def _load(contents: Contents, key: str) -> NDArray[Any]:
    if key not in contents.entries:
        raise SourceError(
            f"{contents.name} must hold the key asked for, it has no {key} but "
            f"{_list(contents, list(contents.entries))}"
        )
    return to_numeric(contents.entries[key].load(), f"{contents.name}: {key}", SourceError)


def _list(contents: Contents, keys: list[str]) -> str:
    shown = [f"{key} {contents.entries[key].description}" for key in keys[:20]]
    more = [f"{len(keys) - 20} more"] if len(keys) > 20 else []
    return ", ".join(shown + more) or "nothing else"


def _list_unused(contents: Contents, used: set[str]) -> str:
    unused = [key for key in [*contents.entries, *contents.ignored] if key not in used]
    more = f" and {len(unused) - 5} more" if len(unused) > 5 else ""
    return f"; not used: {', '.join(unused[:5])}{more}" if unused else ""


def _check_layout(
    weight: NDArray[Any], bias: NDArray[Any] | None, labels: Iterable[Any] | None, layout: str
) -> None:
    """Raise where bias or labels count the features: the weight lies the other way round."""
    if weight.ndim != 2:
        return  # Head says so
    classes, features = weight.shape
    if bias is not None:
        evidence, count = "bias", bias.size
    elif isinstance(labels, Sized) and not (classes == 1 and len(labels) == 2):
        evidence, count = "labels", len(labels)
    else:
        return
    if count == features != classes:
        other = LAYOUTS[1 - LAYOUTS.index(layout)]
        raise SourceError(
            f"{evidence} must count the classes, got {count} for a weight that read {layout} has {classes} "
            f'classes and {features} features; {other} fits: --layout {other} (layout="{other}")'
        )
