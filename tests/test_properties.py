"""Properties of any head up to 300 x 300."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import onnxhead
from onnxhead.reference import deviation, refer
from onnxhead_runtime.contract import LINKS

PROPERTIES = settings(max_examples=60, deadline=None)
LABELS = st.one_of(st.text(st.characters(codec="utf-8"), max_size=8), st.integers(), st.floats(-1e6, 1e6))


@st.composite
def heads(draw: st.DrawFn, links: tuple[str, ...] = LINKS) -> onnxhead.Head:
    link = draw(st.sampled_from(links))
    classes = draw(st.integers(1 if link == "sigmoid" else 2, 300))
    features = draw(st.integers(1, 300))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = 10.0 ** draw(st.integers(-6, 4))
    weight = random.normal(size=(classes, features)) * scale
    bias = random.normal(size=classes) * scale * draw(st.sampled_from([0, 1, 100]))
    labels = (
        draw(st.none() | st.lists(LABELS, min_size=classes, max_size=classes, unique=True))
        if classes < 20
        else None
    )
    temperature = draw(st.sampled_from([1.0, 0.1, 2.5]))
    return onnxhead.Head(weight, bias, labels=labels, link=link, temperature=temperature)


def rows(head: onnxhead.Head, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(seed % 17, head.features)) * 10.0 ** (seed % 5 - 2)).astype(np.float32)


@PROPERTIES
@given(head=heads(), seed=st.integers(0, 1000))
def test_what_is_saved_and_loaded_answers_as_float64_within_the_bound(head, seed) -> None:
    with tempfile.TemporaryDirectory() as folder:
        onnxhead.save(head, Path(folder) / "head.onnx")
        prediction = onnxhead.load(Path(folder) / "head.onnx", device="cpu")(rows(head, seed))
    exact = refer(head, rows(head, seed))
    assert deviation(prediction.logits, exact.logits, exact.logits_bound).ratio <= 1
    assert deviation(prediction.probabilities, exact.probabilities, exact.probabilities_bound).ratio <= 1


@PROPERTIES
@given(head=heads())
def test_saving_twice_gives_the_same_bytes_and_reading_gives_the_same_head(head) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = (onnxhead.save(head, Path(folder) / name).path for name in ("a.onnx", "b.onnx"))
        assert first.read_bytes() == second.read_bytes()
        again = onnxhead.read(first)
    assert again.weight.tobytes() == head.weight.tobytes()
    assert again.bias.tobytes() == head.bias.tobytes()
    assert (again.labels, again.link, again.temperature) == (head.labels, head.link, head.temperature)
    assert list(map(type, again.labels or ())) == list(map(type, head.labels or ()))


@PROPERTIES
@given(head=heads(links=("softmax", "ovr")), seed=st.integers(0, 1000))
def test_permuted_classes_give_permuted_answers(head, seed) -> None:
    order = np.random.default_rng(seed).permutation(head.classes)
    permuted = onnxhead.Head(
        head.weight[order], head.bias[order], link=head.link, temperature=head.temperature
    )
    with tempfile.TemporaryDirectory() as folder:
        answers = []
        for name, each in (("a.onnx", head), ("b.onnx", permuted)):
            onnxhead.save(each, Path(folder) / name)
            answers.append(onnxhead.load(Path(folder) / name, device="cpu")(rows(head, seed)))
    exact = refer(head, rows(head, seed))
    # bits may differ with the position of a class: each answer is held to the bound of the unpermuted one
    back = np.argsort(order)
    assert deviation(answers[1].logits[:, back], exact.logits, exact.logits_bound).ratio <= 1
    probabilities = answers[1].probabilities[:, back]
    assert deviation(probabilities, exact.probabilities, exact.probabilities_bound).ratio <= 1
    assert (np.abs(answers[0].logits - answers[1].logits[:, back]) <= 2 * exact.logits_bound).all()
