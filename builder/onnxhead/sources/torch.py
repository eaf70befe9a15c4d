"""Heads from torch modules and tensors in memory; torch is not imported, they bring their own methods."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from onnxhead.sources.contents import Contents, Entry, Request, unit_link
from onnxhead_runtime.errors import SourceError

_INERT = {"Dropout", "AlphaDropout", "Flatten", "Identity"}
_LINKS = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}


def read(module: Any, request: Request) -> Contents:
    """Read a Linear, or a Sequential whose only layer with weights is one; of others the layer asked for.

    Raises:
        SourceError: The module is no head, and no key was asked for.
    """
    name = type(module).__name__
    if not hasattr(module, "named_modules"):
        raise SourceError(
            f"a source must be a module, a state dict or a pair (weight, bias), got a {name} alone"
        )
    state = module.state_dict().items()
    entries = {key: tensor_entry(value) for key, value in state if is_tensor(value)}
    asked = request.weight_key
    layers = list(_flatten(module, "")) if _is_layer(module, "Sequential") else [("", module)]
    known = [_key(prefix) for prefix, layer in layers if _is_layer(layer, "Linear")]
    if asked and asked not in known:
        return Contents(name, entries, is_model=True)  # a layer of a module that cannot be looked into
    linear = [place for place, (_, layer) in enumerate(layers) if _is_layer(layer, "Linear")]
    if not linear:
        raise SourceError(
            f"a module must be a Linear, or a Sequential that ends in one, what {name} computes cannot be "
            f"read: name the weight of its last layer with weight_key, one of {', '.join(entries) or 'none'}"
        )
    last = next((place for place in linear if _key(layers[place][0]) == asked), linear[-1])
    weight_key = _key(layers[last][0])
    if not asked:
        _check_before(name, layers[:last], weight_key)
    link, labels = unit_link(_link(name, layers[last + 1 :]), layers[last][1].out_features)
    return Contents(name, entries, labels, link, weight_key=weight_key, is_model=True)


def is_tensor(value: Any) -> bool:
    """Tell a torch tensor, without torch."""
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def tensor_entry(tensor: Any) -> Entry:
    """Return the entry of a torch tensor on any device."""
    dtype = str(tensor.dtype).removeprefix("torch.")
    return Entry(tuple(tensor.shape), dtype, partial(_to_array, tensor))


def _to_array(tensor: Any) -> Any:
    try:
        tensor = tensor.detach().cpu()
        # numpy has no bfloat16; every one is a float32
        return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    except Exception as cause:  # sparse, quantised and meta tensors raise what they like
        raise SourceError(f"a tensor must be dense numbers in memory: {cause}") from cause


def _is_layer(layer: Any, kind: str) -> bool:
    """Tell torch's own class, whose computation is known, from one that extends it or has hooks."""
    is_own = type(layer).__name__ == kind and type(layer).__module__.startswith("torch.nn.modules.")
    return is_own and not (layer._forward_hooks or layer._forward_pre_hooks or "forward" in vars(layer))


def _key(prefix: str) -> str:
    return f"{prefix}.weight" if prefix else "weight"


def _flatten(module: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, layer in module._modules.items():  # named_children leaves out a layer's second place
        if layer is None:
            continue
        key = f"{prefix}.{name}" if prefix else name
        if _is_layer(layer, "Sequential"):
            yield from _flatten(layer, key)
        else:
            yield key, layer


def _check_before(name: str, layers: list[tuple[str, Any]], weight_key: str) -> None:
    for key, layer in layers:
        if not any(_is_layer(layer, kind) for kind in _INERT):
            raise SourceError(
                f"a head must be one linear layer, {name} has {key} ({type(layer).__name__}) before it: for "
                "the last layer alone, whose features are what stands before it, ask for it with "
                f"weight_key={weight_key!r}"
            )


def _link(name: str, layers: list[tuple[str, Any]]) -> str:
    link = None
    for key, layer in layers:
        kind = next((kind for kind in _LINKS if _is_layer(layer, kind)), None)
        if kind and link is None and getattr(layer, "dim", -1) in (-1, 1, None):
            link = _LINKS[kind]
        elif not any(_is_layer(layer, inert) for inert in _INERT):
            raise SourceError(
                "after a head's linear layer there may be one of Softmax, LogSoftmax and Sigmoid over the "
                f"classes, {name} has {key} ({type(layer).__name__}) there"
            )
    return link or "softmax"
