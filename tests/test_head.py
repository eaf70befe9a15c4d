"""What makes a head, and what does not."""

import re

import numpy as np
import pytest

from onnxhead import Head
from onnxhead_runtime.errors import HeadError

W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
B = np.array([0.5, -0.5])


class DlpackOnly:
    """An array that speaks nothing but DLPack, as some libraries' do."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **arguments: object) -> object:
        return self._array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()


class ArrayMethodOnly:
    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return W


@pytest.mark.parametrize(
    "weight",
    [
        W.tolist(),
        W.astype(np.float16),
        W.astype(np.float32),
        W.astype(">f4"),
        W.astype(">f8"),
        W.astype(np.int64),
        W.astype(np.uint8),
        np.asfortranarray(W),
        np.repeat(np.repeat(W, 2, axis=0), 2, axis=1)[::2, ::2],
        W[::-1][::-1],
        DlpackOnly(W),
        ArrayMethodOnly(),
    ],
    ids=lambda weight: f"{type(weight).__name__}-{getattr(weight, 'dtype', '')}",
)
def test_any_real_array_becomes_float32_in_row_order(weight: object) -> None:
    head = Head(weight, B)
    assert head.weight.dtype == np.float32
    assert head.weight.dtype.isnative
    assert head.weight.flags.c_contiguous
    assert head.weight.tolist() == W.tolist()
    assert [block.rounding for block in head.matrix.blocks()] == [0]
    assert head.bias_rounding == 0


def test_bfloat16_is_read() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert Head(W.astype(ml_dtypes.bfloat16), B).weight.tolist() == W.tolist()


def test_float32_in_row_order_is_not_copied_and_cannot_be_written_through() -> None:
    weight = W.astype(np.float32)
    head = Head(weight, B)
    assert np.shares_memory(head.weight, weight)
    with pytest.raises(ValueError, match="read-only"):
        head.weight[0, 0] = 1
    weight[0, 0] = 7  # the caller's own array stays writable


def test_the_largest_rounding_of_float64_is_reported() -> None:
    head = Head([[0.1, 1.0], [0.5, 2.0]], [0.0, 1e-3])
    assert [block.rounding for block in head.matrix.blocks()] == [abs(0.1 - float(np.float32(0.1)))]
    assert head.bias_rounding == abs(1e-3 - float(np.float32(1e-3)))


def test_a_single_row_with_two_labels_is_a_binary_head() -> None:
    head = Head([[1.0, -2.0]], [0.25], labels=["no", "yes"])
    assert head.weight.tolist() == [[0, 0], [1, -2]]
    assert head.bias.tolist() == [0, 0.25]


def test_labels_keep_value_and_type() -> None:
    labels = Head(np.eye(4), np.zeros(4), labels=["a", 7, 2.5, False]).labels
    assert labels == ("a", 7, 2.5, False)
    assert [type(label) for label in labels] == [str, int, float, bool]
    numpy_labels = Head(np.eye(2), np.zeros(2), labels=np.array([3, 4])).labels
    assert [type(label) for label in numpy_labels] == [int, int]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0, 3.0], [0.0]), "weight must be 2-D (classes, features), got shape (3,); for one class"),
        ((np.zeros((2, 2, 2)), B), "weight must be 2-D (classes, features), got shape (2, 2, 2)"),
        ((np.zeros((0, 3)), []), "weight must have at least one class and feature, got shape (0, 3)"),
        ((W, [1.0, 2.0, 3.0]), "bias must be (2,) for weight (2, 3), got shape (3,); it fits weight as (fea"),
        ((W, [[0.0], [1.0]]), "got shape (2, 1); pass bias.ravel()"),
        ((W, 0.0), "bias must be (2,) for weight (2, 3), got shape ()"),
        ((W, None), "bias must be an array, got None; a head without bias has numpy.zeros(classes)"),
        (([[1.0, NAN], [0.0, 0.0]], B), "weight must be finite, got nan at [0, 1]"),
        ((W, [0.0, -INF]), "bias must be finite, got -inf at [1]"),
        (([[1e39, 0.0], [0.0, 0.0]], B), "weight must fit float32 (largest 3.403e+38), got 1e+39 at [0, 0]"),
        (([["a", "b"], ["c", "d"]], B), "weight must be real numbers, got text among them"),
        ((W.astype(complex), B), "weight must be real numbers, got shape (2, 3), dtype complex128"),
        ((W > 2, B), "weight must be real numbers, got shape (2, 3), dtype bool"),
        ((W.astype(object), B), "weight must be real numbers, got shape (2, 3), dtype object"),
        (([[1.0, 2.0], [3.0]], B), "got rows of different lengths: row 1 has 1, row 0 has 2"),
        ((np.ma.masked_equal(W, 2.0), B), "weight must have no mask, got a masked array"),
        ((W[:1], [0.0]), "link softmax must have at least 2 classes (of one class it is always 1)"),
    ],
)
def test_arrays_that_make_no_head_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(HeadError, match=re.escape(message)):
        Head(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["a"]}, "labels must be one per class: got 1 labels for 2 classes"),
        ({"labels": ["a", "a"]}, "labels must be distinct, got 'a' 2 times"),
        ({"labels": [1, True]}, "labels must be distinct, got 1 2 times"),
        ({"labels": ["a", None]}, "labels must be strings, integers, booleans or floats, got None of type"),
        ({"labels": [0.5, NAN]}, "labels must be finite, got nan"),
        ({"labels": ["a", "\ud800"]}, "labels must be text that UTF-8 can hold"),
        ({"labels": "ab"}, "labels must be a sequence with one label per class, in their order, got 'ab'"),
        (
            {"labels": {0: "a", 1: "b"}},
            "labels must be a sequence with one label per class, in their order, got {0",
        ),
        ({"labels": {"a", "b"}}, "labels must be a sequence with one label per class, in their order, got {"),
        ({"labels": 5}, "labels must be a sequence with one label per class, in their order, got 5"),
        ({"link": "probit"}, "link must be one of softmax, sigmoid, ovr, got 'probit'"),
        ({"temperature": 0}, "temperature must be positive and finite in float32, got 0"),
        ({"temperature": -1.0}, "temperature must be positive and finite in float32, got -1.0"),
        ({"temperature": 1e-60}, "temperature must be positive and finite in float32, got 1e-60"),
        ({"temperature": NAN}, "temperature must be positive and finite in float32, got nan"),
        ({"temperature": 10**400}, "temperature must be a number, got 1000"),
        ({"temperature": 1e-39}, "temperature must be positive and finite in float32, got 1e-39"),
        (
            {"labels": np.array("ab")},
            "labels must be a sequence with one label per class, got an array of shape ()",
        ),
        ({"temperature": "hot"}, "temperature must be a number, got 'hot'"),
    ],
)
def test_settings_that_make_no_head_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(HeadError, match=re.escape(message)):
        Head(W, B, **arguments)


def test_a_binary_head_has_the_link_softmax() -> None:
    with pytest.raises(
        HeadError, match="a single row of weights with two labels is a binary head, whose link is"
    ):
        Head(W[:1], B[:1], labels=["no", "yes"], link="sigmoid")


def test_one_class_is_for_the_link_sigmoid_alone() -> None:
    assert Head(W[:1], B[:1], link="sigmoid").classes == 1
    with pytest.raises(HeadError, match="link ovr must have at least 2 classes"):
        Head(W[:1], B[:1], link="ovr")


def test_what_an_array_method_raises_does_not_leak() -> None:
    class OnTheDevice:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            raise TypeError("can't convert cuda:0 device type tensor to numpy")

    with pytest.raises(HeadError, match="in main memory, got OnTheDevice: can't convert cuda:0"):
        Head(OnTheDevice(), B)
