"""Heads from Keras 3: .keras archives, .weights.h5 files, and layers and models in memory.

Keras is not needed for the files: the configuration, which is JSON, gives the layers and their activations,
and h5py reads the weights. A kernel is (features, classes).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxhead.sources.archive import open_member
from onnxhead.sources.contents import Contents, Entry, Request, to_entry, unit_link
from onnxhead.sources.keras_weights import read_weights
from onnxhead_runtime.errors import SourceError

_INERT = {"InputLayer", "Dropout", "Flatten", "Identity"}
_FOREIGN_ACTIVATION = "a function that is not Keras's"
_UNKNOWN = {"module": "keras.layers", "class_name": "several calls", "config": {"name": "a part"}}
_LINKS = {"softmax": "softmax", "log_softmax": "softmax", "sigmoid": "sigmoid"}


@dataclass(frozen=True)
class _Layer:
    """A layer as its configuration describes it.

    Attributes:
        name: Its own name.
        kind: Its class, with its module where that is not Keras's.
        activation: The activation that it ends in, `linear` for none.
        has_bias: Whether it has a bias.
        units: How many numbers it gives, where it says.
    """

    name: str
    kind: str
    activation: str
    has_bias: bool
    units: Any


def read(path: Path, request: Request) -> Contents:
    """Read a .keras archive.

    Raises:
        SourceError: h5py is missing, the file is none, or the model is no head and no key was asked for.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            document = json.loads(open_member(archive, "config.json").read())
        layers = [_layer(config) for config in _chain(document)]
        groups = _groups(document)
    except Exception as cause:  # a malformed configuration raises whatever it likes
        raise SourceError(
            f"{path.name} must be a .keras archive of a Sequential or functional model: "
            f"{type(cause).__name__}: {cause}"
        ) from cause
    weights = read_weights(path)

    def find(layer: _Layer) -> list[Entry]:
        held = sorted(key for key in weights if key.startswith(f"{groups[layer.name]}/"))
        return _check_parts(path.name, layer, [weights[key] for key in held])

    return _contents(path.name, layers, find, request)


def read_h5(path: Path, _request: Request) -> Contents:
    """Read a .weights.h5 file, which states neither activations nor the order of its layers.

    Raises:
        SourceError: h5py is missing, or the file is none.
    """
    weights = read_weights(path)
    groups: dict[str, list[str]] = {}
    for place in weights:
        groups.setdefault(place.rpartition("/")[0], []).append(place)
    entries = {}
    for group, places in groups.items():
        shapes = [weights[place].shape or () for place in places]
        is_dense = [len(shape) for shape in shapes] in ([2], [2, 1]) and shapes[0][-1:] == shapes[-1][-1:]
        parts = ("kernel", "bias") if is_dense else [place.rpartition("/")[2] for place in places]
        for place, part in zip(places, parts, strict=False):
            entries[f"{group.removesuffix('/vars')}/{part}"] = weights[place]
    return Contents(path.name, entries)


def read_object(source: Any, request: Request) -> Contents:
    """Read a Dense layer, or a Sequential or functional model that ends in one.

    Raises:
        SourceError: It is not one head and no key was asked for.
    """
    name = type(source).__name__
    is_model = hasattr(source, "get_layer")
    if not type(source).__module__.startswith("keras.") and request.weight_key is None:
        raise SourceError(
            f"a source must be Keras's own layer or model, {name} extends one, and its call may do anything: "
            "name the kernel of its last layer with weight_key, as NAME/kernel"
        )
    try:
        config = source.get_config()
        document = {"module": _module(source), "class_name": name, "config": config}
        layers = [_layer(config) for config in (_chain(document) if is_model else [document])]
        found = {one.name: one for one in (source.layers if is_model else [source])}
    except Exception as cause:  # get_config is the user's where the class is
        raise SourceError(
            f"a source must be a Dense layer, or a Sequential or functional model of Keras, {name} gives no "
            f"configuration of one: {type(cause).__name__}: {cause}"
        ) from cause
    layers = [_with_own_activation(layer, found.get(layer.name)) for layer in layers]

    def find(layer: _Layer) -> list[Entry]:
        weights = found[layer.name].get_weights()
        if not weights:
            raise SourceError(f"{name}: {layer.name} must have weights, it has none: build it, and train it")
        if getattr(found[layer.name], "lora_enabled", False):
            raise SourceError(
                f"{name}: {layer.name} has LoRA weights beside its kernel: save the model, which adds them"
            )
        return _check_parts(name, layer, [to_entry(weight) for weight in weights])

    return _contents(name, layers, find, request)


def _with_own_activation(layer: _Layer, found: Any) -> _Layer:
    """Tell a function of the user's from Keras's of the same name, which its configuration does not."""
    module = str(getattr(getattr(found, "activation", None), "__module__", "keras."))
    return layer if module.startswith("keras.") else replace(layer, activation=_FOREIGN_ACTIVATION)


def _check_parts(name: str, layer: _Layer, found: list[Entry]) -> list[Entry]:
    """Return the kernel, and the bias where there is one, if that is all that a layer holds."""
    shapes = [entry.shape or () for entry in found]
    units = [shape[-1:] for shape in shapes]
    ranks = [len(shape) for shape in shapes]
    if ranks != ([2, 1] if layer.has_bias else [2]) or units != len(units) * [(layer.units,)]:
        raise SourceError(
            f"{name}: {layer.name} must have the kernel and the bias that its configuration states, its "
            f"weights are {', '.join(map(str, found)) or 'none'}; a quantised layer cannot be read"
        )
    return found


def _contents(
    name: str, layers: list[_Layer], find: Callable[[_Layer], list[Entry]], request: Request
) -> Contents:
    """Choose the head among the layers of a model, which follow each other."""
    dense = [place for place, layer in enumerate(layers) if layer.kind == "Dense"]
    asked = [place for place in dense if request.weight_key == f"{layers[place].name}/kernel"]
    if not dense:
        kinds = ", ".join(f"{layer.name} ({layer.kind})" for layer in layers)
        raise SourceError(f"a model must have a Dense layer on the way to its output, {name} has {kinds}")
    last = (asked or dense)[-1]
    if not asked:
        _check_before(name, layers[:last], layers[last])
    stated = _link(name, layers[last:])
    entries = {}
    for place in dense:
        for part, entry in zip(("kernel", "bias"), find(layers[place]), strict=False):
            entries[f"{layers[place].name}/{part}"] = entry
    kernel = entries[f"{layers[last].name}/kernel"]
    link, labels = unit_link(stated, kernel.shape[-1] if kernel.shape else 0)
    return Contents(name, entries, labels, link, weight_key=f"{layers[last].name}/kernel", is_model=True)


def _check_before(name: str, layers: list[_Layer], last: _Layer) -> None:
    for layer in layers:
        if layer.kind not in _INERT and (layer.kind, layer.activation) != ("Activation", "linear"):
            raise SourceError(
                f"a head must be one linear layer, {name} has {layer.name} ({layer.kind}) before "
                f"{last.name}: for the last layer alone, whose features are what stands before it, ask for "
                f"--weight-key {last.name}/kernel (weight_key=)"
            )


def _link(name: str, layers: list[_Layer]) -> str:
    """Return the link of a Dense layer, the first of `layers`, and of what follows it."""
    found = [layer for layer in layers if layer.activation != "linear"]
    for layer in layers[1:]:
        if layer.kind not in {*_INERT, "Activation", "Softmax"}:
            raise SourceError(
                "after a head's Dense layer there may be one activation, softmax or sigmoid, "
                f"{name} has {layer.name} ({layer.kind}) there"
            )
    if len(found) > 1 or not all(layer.activation in _LINKS for layer in found):
        listed = ", ".join(f"{layer.name} ({layer.activation})" for layer in found)
        raise SourceError(f"a head's activation must be softmax, sigmoid or linear, {name} has {listed}")
    return _LINKS[found[0].activation] if found else "softmax"


def _chain(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the configurations of the layers that lead to a model's output, the output's last.

    What is not one line of layers, each called once, is one layer of an unknown kind before them.
    """
    config = document["config"]
    if document["class_name"] == "Sequential":
        return list(config["layers"])
    layers = {layer["config"]["name"]: layer for layer in config["layers"]}
    outputs = config["output_layers"]
    if len(outputs) == 1:
        outputs = outputs[0]  # Keras writes one output as it is, or in a list of its own
    if not isinstance(outputs[0], str):
        raise ValueError("a model must have one output")
    chain = [layers[outputs[0]]]
    while chain[0]["class_name"] != "InputLayer":
        before = _inputs(chain[0])
        if not before or len(chain) > len(layers):
            return [_UNKNOWN, *chain]
        if len(before) > 1:
            return chain
        chain.insert(0, layers[before[0]])
    return chain


def _inputs(layer: Mapping[str, Any]) -> list[str]:
    """Return the names of the layers that a layer is called on; none for one that is called several times."""
    nodes = layer.get("inbound_nodes", [])
    if len(nodes) != 1 or not isinstance(nodes[0], dict):
        return []
    names = []
    waiting = [*nodes[0]["args"], *nodes[0]["kwargs"].values()]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict) and part.get("class_name") == "__keras_tensor__":
            names.append(part["config"]["keras_history"][0])
        elif isinstance(part, list | tuple):
            waiting += part
    return names


def _layer(config: Mapping[str, Any]) -> _Layer:
    own = config["config"]
    kind = config["class_name"]
    if config["module"] != "keras.layers":
        kind = f"{config['module']}.{kind}"
    if kind == "Flatten" and own.get("data_format") == "channels_first":
        kind = "Flatten of channels first"  # it puts the features into another order
    activation = own.get("activation") or "linear"
    if isinstance(activation, dict):  # a function of the user's, whatever its name, or a layer
        is_softmax = activation.get("module") == "keras.layers" and activation.get("class_name") == "Softmax"
        activation = _softmax(activation["config"]) if is_softmax else _FOREIGN_ACTIVATION
    if kind == "Softmax":
        activation = _softmax(own)
    has_bias = own.get("use_bias", True) is True
    return _Layer(str(own["name"]), kind, str(activation), has_bias, own.get("units"))


def _softmax(config: Mapping[str, Any]) -> str:
    return "softmax" if config.get("axis", -1) in (-1, 1, [-1]) else "softmax over another axis"


def _module(layer: Any) -> str:
    """Return the module that Keras states for its own layers, which lie in others."""
    module = type(layer).__module__
    return "keras.layers" if module.startswith("keras.src.layers.") else module


def _groups(document: Mapping[str, Any]) -> dict[str, str]:
    """Return where the weights of each Dense layer are: Keras numbers the layers of a class."""
    dense = [layer for layer in document["config"]["layers"] if layer["class_name"] == "Dense"]
    return {
        layer["config"]["name"]: f"layers/dense{f'_{number}' if number else ''}/vars"
        for number, layer in enumerate(dense)
    }
