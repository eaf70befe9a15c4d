"""The heads that every client is held to: every link, kind of label and size that differs on the way."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import onnxhead
from onnxhead import storage
from onnxhead.form import Form

ROOT = Path(__file__).parents[2]


def make_heads() -> dict[str, onnxhead.Head]:
    """Return the heads by name."""
    random = np.random.default_rng(0)

    def head(classes: int, features: int, **arguments: object) -> onnxhead.Head:
        weight = random.normal(size=(classes, features)) / features**0.5
        return onnxhead.Head(weight, random.normal(size=classes), **arguments)

    digits = load_digits()
    fitted = LogisticRegression(max_iter=2000).fit(digits.data, digits.target)
    return {
        "abc": onnxhead.read(ROOT / "models" / "abc.json"),
        "digits": onnxhead.read(fitted),
        "wide": head(1000, 768),
        "one-class": head(1, 20, labels=["spam"], link="sigmoid"),
        "binary": head(1, 20, labels=[False, True]),
        "multilabel": head(6, 30, labels=["red", "round", "large", "soft", "sweet", "wet"], link="sigmoid"),
        # positive weights: the largest logits, and the smallest, come all at once, where exp(-z) overflows
        "one-vs-rest": onnxhead.Head(
            random.uniform(0.5, 1, size=(5, 12)), random.normal(size=5), link="ovr", temperature=2.5
        ),
        "text": head(4, 8, labels=["naïve", "日本語", 'a "quoted"\n\\ line', "🦀"], temperature=0.5),
        "numbers": head(3, 8, labels=[-7, 0, 2**40]),
        "decimals": head(3, 8, labels=[0.5, 1.0, -2.25]),
        "external": head(7, 40),
    }


def save_forms(folder: Path) -> dict[str, Path]:
    """Write a head in forms that not every runtime has been made for; return the files by name."""
    random = np.random.default_rng(1)
    head = onnxhead.Head(random.normal(size=(12, 40)), random.normal(size=12), labels=list("abcdefghijkl"))
    forms = {
        "opset 7": Form(opset=7, ir_version=4),
        "float16": Form(weights="float16"),
        "int8": Form(weights="int8"),
        "top": Form(top_k=3),
    }
    return {
        name: onnxhead.save(head, folder / f"{name}.onnx", form=form).path for name, form in forms.items()
    }


def save_heads(folder: Path) -> dict[str, Path]:
    """Write the model of each head; return the files by name."""
    paths = {}
    for name, head in make_heads().items():
        threshold = storage.EXTERNAL_THRESHOLD_BYTES
        try:
            if name == "external":
                storage.EXTERNAL_THRESHOLD_BYTES = 0
            paths[name] = onnxhead.save(head, folder / f"{name}.onnx").path
        finally:
            storage.EXTERNAL_THRESHOLD_BYTES = threshold
    return paths
