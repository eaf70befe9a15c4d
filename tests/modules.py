"""A stand-in for the part of torch.nn that is read, for machines without torch: the same names and methods.

torch takes gigabytes; `test_torch.py` runs every test on this, and on torch itself where it is installed.
"""

import numpy as np


class Tensor:
    """float32 numbers with torch's methods."""

    def __init__(self, array):
        self.array = np.asarray(array, np.float32)
        self.shape, self.dtype = self.array.shape, "torch.float32"

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return self.array


class Module:
    """Parameters, children and hooks."""

    def __init__(self):
        self._forward_hooks, self._forward_pre_hooks = {}, {}

    @property
    def _modules(self):
        return {name: value for name, value in vars(self).items() if isinstance(value, Module)}

    def named_modules(self):
        return list({id(module): (name, module) for name, module in self._modules.items()}.values())

    def state_dict(self):
        found = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        for name, child in self._modules.items():
            found |= {f"{name}.{key}": value for key, value in child.state_dict().items()}
        return found

    def register_forward_hook(self, hook):
        self._forward_hooks[id(hook)] = hook


class Linear(Module):
    def __init__(self, features, classes, bias=True):
        super().__init__()
        random = np.random.default_rng(features + classes)
        self.out_features = classes
        self.weight = Tensor(random.normal(size=(classes, features)))
        if bias:
            self.bias = Tensor(random.normal(size=classes))


class Sequential(Module):
    def __init__(self, *layers):
        super().__init__()
        self._layers = layers

    @property
    def _modules(self):
        return {str(number): layer for number, layer in enumerate(self._layers)}


class _Plain(Module):
    def __init__(self, dim=None):
        super().__init__()
        if dim is not None:
            self.dim = dim


class Softmax(_Plain): ...


class LogSoftmax(_Plain): ...


class Sigmoid(_Plain): ...


class ReLU(_Plain): ...


class Flatten(_Plain): ...


class Identity(_Plain): ...


class Dropout(_Plain): ...


for _name, _value in list(vars().items()):
    if isinstance(_value, type) and issubclass(_value, Module | Tensor):
        _value.__module__ = "torch.nn.modules.stand_in"
