"""Which arrays of a source are the weight and the bias, and which axis is which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.head import Stored
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
    "classifier.out_proj.weight": "classifier.out_proj.bias",
    "classification_head.out_proj.weight": "classification_head.out_proj.bias",
}
# Parts of a weight that torch puts together in each call.
_REPARAMETRISED = ("original", "original0", "original1", "weight_orig", "weight_g", "weight_v")
LAYOUTS = ("classes-first", "features-first")

# Hidden layers of heads with two: the last layer's name, and that of the layer before it.
_HIDDEN = {"out_proj.weight": "dense.weight", "classifier.weight": "pre_classifier.weight"}


@dataclass(frozen=True, eq=False)
class Selection:
    """Weight (classes, features), bias (classes,), where they were found in one line, and `Head.stored`."""

    weight: NDArray[Any]
    bias: NDArray[Any]
    origin: str
    stored: tuple[Stored, Stored | None] | None


def select(contents: Contents, labels: Iterable[Any] | None, request: Request) -> Selection:
    """Find weight and bias by their usual names or the requested ones, and turn the weight classes-first.

    Raises:
        SourceError: None or several fit, the bias is missing, the head has a hidden layer, or bias or labels
            contradict the layout.
    """
    key = request.weight_key or contents.weight_key or _find_weight(contents)
    layout = _layout(contents, key, request.layout)
    stored = _load(contents, key)
    _refuse_parts(contents, key, stored)
    if stored.ndim == 1 and _last_name(key) == "coef_":
        stored = stored[np.newaxis]  # as some of scikit-learn's binary estimators keep it
    weight = stored.T if layout == "features-first" else stored
    bias_key = request.bias_key or (key == contents.weight_key and contents.bias_key) or _partner(key)
    bias = _find_bias(contents, key, bias_key, request, weight.shape[:1])
    bias_text = "no bias" if bias is None else f"{bias_key} {bias.shape} {bias.dtype}"
    _check_layout(weight, bias, labels, layout)
    transposed = ", transposed" if layout == "features-first" else ""
    weight_text = f"{key} {stored.shape} {stored.dtype}{transposed}"
    origin = f"{contents.name}: {weight_text}, {bias_text}{_list_unused(contents, {key, bias_key})}"
    if bias is None or bias.ndim == 0:  # without an intercept scikit-learn keeps 0.0
        bias = np.broadcast_to(0.0 if bias is None else bias, weight.shape[:1])
    at = contents.entries[key].stored if layout == "classes-first" else None
    bias_at = contents.entries[bias_key].stored if bias_key in contents.entries else None
    return Selection(weight, bias, origin, (at, bias_at) if at else None)


def _list_entries(contents: Contents, keys: Iterable[str]) -> str:
    """Return keys with their shapes, at most 20, for a message."""
    listed = list(keys)
    shown = [f"{key} {contents.entries[key]}" for key in listed[:20]]
    more = [f"{len(listed) - 20} more"] if len(listed) > 20 else []
    return ", ".join(shown + more) or "nothing else"


def _layout(contents: Contents, key: str, asked: str | None) -> str:
    if asked is not None and asked not in LAYOUTS:
        raise SourceError(f"layout must be {' or '.join(LAYOUTS)}, got {asked!r}")
    known = "features-first" if _last_name(key) == "kernel" else "classes-first"
    if contents.is_model and asked not in (None, known):
        raise SourceError(f"layout is for arrays by name; {contents.name} is a model, whose {key} is {known}")
    return asked or known


def _find_weight(contents: Contents) -> str:
    fitting = _usual_keys(contents) or _matrices(contents)
    if len(fitting) == 1:
        _refuse_hidden_layer(contents, fitting[0])
        fitting += _rivals(contents, fitting[0])
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SourceError(
            f"a source must hold one weight, {contents.name} holds {_list_entries(contents, fitting)}: "
            "choose one with --weight-key (weight_key=), usually the last layer's: "
            f"{_likeliest(contents, fitting)}"
        )
    raise SourceError(
        f"a source must hold a weight under a usual name ({', '.join(PAIRS)}), {contents.name} holds "
        f"{_list_entries(contents, contents.entries)}: name yours with --weight-key and --bias-key "
        "(weight_key=, bias_key=)"
    )


def _likeliest(contents: Contents, keys: list[str]) -> str:
    """Return the weight that has a row per label, or else the least deep one, of those the last by number."""
    classes = None if contents.labels is None else len(contents.labels)
    for key in keys:
        if (contents.entries[key].shape or ())[:1] == (classes,):
            return key
    least = min(map(_depth, keys))
    return max(
        (key for key in keys if _depth(key) == least),
        key=lambda key: [(part.zfill(9) if part.isdecimal() else part) for part in re.split(r"(\d+)", key)],
    )


def _usual_keys(contents: Contents) -> list[str]:
    """Return the usual names, or else those inside a larger model, such as `backbone.fc.weight`."""
    endings = tuple(f".{name}" for name in PAIRS if "." in name)
    return [key for key in contents.entries if key in PAIRS] or [
        key for key in contents.entries if key.endswith(endings)
    ]


def _matrices(contents: Contents) -> list[str]:
    """Return the matrices that have a bias beside them, as every linear layer of torch does: `2.weight`."""
    return [
        key
        for key, entry in contents.entries.items()
        if _last_name(key) in ("weight", "kernel")
        and entry.shape is not None
        and len(entry.shape) == 2
        and _partner(key) in contents.entries
    ]


def _rivals(contents: Contents, key: str) -> list[str]:
    """Return weights that may be the last one instead, no deeper inside the model than `key`.

    They read what it gives, are as wide and as long, or are less deep and read what it reads.
    """
    chosen = contents.entries[key].shape
    if chosen is None or len(chosen) != 2:
        return []
    classes, features = chosen
    found = []
    for other, entry in contents.entries.items():
        shape = tuple(entry.shape or ())
        is_matrix = len(shape) == 2 or (len(shape) == 4 and shape[2:] == (1, 1))
        if other == key or not is_matrix or _depth(other) > _depth(key):
            continue
        is_less_deep = _depth(other) < _depth(key) and shape[1] == features
        if shape[1] == classes or shape == chosen or is_less_deep:
            found.append(other)
    return found


def _depth(key: str) -> int:
    return key.replace("/", ".").count(".")


def _refuse_hidden_layer(contents: Contents, key: str) -> None:
    for last, before in _HIDDEN.items():
        hidden = key.removesuffix(last) + before
        if key.endswith(last) and hidden in contents.entries:
            raise SourceError(
                f"a head must be one linear layer, {contents.name} has a hidden layer {hidden} before {key}: "
                "for the last layer alone, whose features are what the hidden layer gives, ask for it with "
                f"--weight-key {key} (weight_key=)"
            )


def _refuse_parts(contents: Contents, key: str, stored: NDArray[Any]) -> None:
    """Raise for an array that is not the weight itself, but one of the parts that it is computed from."""
    reason = ""
    if _last_name(key) in _REPARAMETRISED:
        reason = "remove the parametrisation, torch.nn.utils.parametrize.remove_parametrizations"
    elif any(other.startswith(key.partition("base_layer")[0] + "lora_") for other in contents.entries):
        reason = "merge the LoRA weights beside it, model.merge_and_unload()"
    elif stored.dtype.kind in "iu" and stored.dtype.itemsize == 1:
        reason = f"{stored.dtype} is what a quantised layer keeps, load the model without quantisation"
    if reason:
        raise SourceError(
            f"a weight must be the one that is used, {key} is a part that it is computed from: {reason}, and "
            "save again"
        )


def _partner(weight_key: str) -> str:
    """Return the bias's key beside `weight_key`, such as `a.b.bias` for `a.b.weight`."""
    name = _last_name(weight_key)
    return weight_key.removesuffix(name) + PAIRS.get(name, "bias")


def _last_name(key: str) -> str:
    return key.replace("/", ".").rpartition(".")[2]


def _find_bias(
    contents: Contents, weight_key: str, bias_key: str, request: Request, shape: tuple[int, ...]
) -> NDArray[Any] | None:
    """Return the bias, or None where it is known that there is none."""
    if bias_key in contents.entries:
        if request.no_bias:
            raise SourceError(f"no_bias is for a source without bias, {contents.name} has {bias_key}")
        return _load(contents, bias_key)
    is_known = contents.is_model and request.bias_key is None
    if request.no_bias or (is_known and not any(_lone_biases(contents, shape))):
        return None
    others = [key for key in contents.entries if key != weight_key]
    beside = f": it has {_list_entries(contents, others)}" if others else ""
    raise SourceError(
        f"a head must have a bias, {contents.name} holds no {bias_key} for {weight_key}{beside}; name it "
        "with --bias-key (bias_key=), or say --no-bias (no_bias=True) for a head without one"
    )


def _lone_biases(contents: Contents, shape: tuple[int, ...]) -> Iterator[str]:
    """Yield what may be the bias of a head under another name: of its length, and of no other layer."""
    for key, entry in contents.entries.items():
        layer = key.removesuffix("bias")
        is_of_another = {f"{layer}weight", f"{layer}kernel"} & set(contents.entries)
        if "bias" in _last_name(key) and entry.shape == shape and not is_of_another:
            yield key


def _load(contents: Contents, key: str) -> NDArray[Any]:
    if key not in contents.entries:
        raise SourceError(
            f"{contents.name} must hold the key asked for, it has no {key} but "
            f"{_list_entries(contents, contents.entries)}"
        )
    return to_numeric(contents.entries[key].load(), f"{contents.name}: {key}", SourceError)


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
