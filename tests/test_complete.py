"""A classifier with one output gets both: probabilities, or the logits from before them."""

import networks
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxhead
from onnxhead.completing import complete
from onnxhead.summary import inspect
from onnxhead_runtime import links
from onnxhead_runtime.errors import HeadError, ModelError, SourceError, VerificationError, WriteError

LABELS = ["ant", "bee", "cow", "dog"]


def assert_both(path, feeds: dict, logits: np.ndarray, link: str, atol: float = 1e-6) -> None:
    prediction = onnxhead.load(path, device="cpu")(feeds)
    np.testing.assert_allclose(prediction.logits, logits, atol=atol)
    np.testing.assert_allclose(prediction.probabilities, links.probabilities(logits, link, 1.0), atol=atol)


@pytest.mark.parametrize(
    ("name", "at", "link"),
    [
        ("softmax", "z", "softmax"),
        ("log softmax", "z", "softmax"),
        ("sigmoid", "z", "sigmoid"),
        ("scores", "scores", "softmax"),
    ],
)
def test_both_outputs_are_there(name, at, link, tmp_path) -> None:
    source = networks.save(name, tmp_path)
    report = complete(source, tmp_path / "both.onnx", labels=LABELS)
    assert (report.at, report.link, report.labels, report.classes) == (at, link, tuple(LABELS), 4)
    feeds = networks.inputs(name)
    with_logits = onnx.load(source)
    with_logits.graph.output.append(helper.make_tensor_value_info(at, 1, ["N", 4]))
    if at != "scores":
        onnx.save(with_logits, tmp_path / "with_logits.onnx")
        logits = networks.run(tmp_path / "with_logits.onnx", feeds, at)
    else:
        logits = networks.run(source, feeds)
    assert_both(report.path, feeds, logits, link)
    if name in ("softmax", "sigmoid"):
        shown = networks.run(source, feeds)
        both = onnxhead.load(report.path, device="cpu")(feeds)
        np.testing.assert_allclose(both.probabilities, shown, atol=1e-6)
    assert onnxhead.verify(report.path).findings == []
    onnx.checker.check_model(onnx.load(report.path), full_check=True)


def test_half_precision_gives_float32(tmp_path) -> None:
    source = networks.save("half softmax", tmp_path)
    report = complete(source, tmp_path / "both.onnx")
    feeds = networks.inputs("half softmax")
    both = onnxhead.load(report.path, device="cpu")(feeds)
    assert both.logits.dtype == np.float32
    np.testing.assert_allclose(both.probabilities, networks.run(source, feeds), atol=2e-3)


def test_logits_that_are_all_zero_are_right(tmp_path) -> None:
    model = networks.make("softmax")
    for tensor in model.graph.initializer:
        zeros = np.zeros_like(numpy_helper.to_array(tensor))
        tensor.CopyFrom(numpy_helper.from_array(zeros, tensor.name))
    onnx.save(model, tmp_path / "zero.onnx")
    report = complete(tmp_path / "zero.onnx", tmp_path / "both.onnx")
    assert report.check.apart.error == 0 < report.check.apart.bound
    assert onnxhead.verify(report.path).findings == []


@pytest.mark.parametrize("link", ["softmax", "sigmoid", "ovr"])
def test_scores_get_the_link_that_is_asked_for(link, tmp_path) -> None:
    source = networks.save("scores", tmp_path)
    report = complete(source, tmp_path / "both.onnx", link=link)
    feeds = networks.inputs("scores")
    assert_both(report.path, feeds, networks.run(source, feeds), link)


def test_a_tensor_can_be_named(tmp_path) -> None:
    source = networks.save("softmax by hand", tmp_path)
    report = complete(source, tmp_path / "both.onnx", at="z")
    feeds = networks.inputs("softmax by hand")
    both = onnxhead.load(report.path, device="cpu")(feeds)
    np.testing.assert_allclose(both.probabilities, networks.run(source, feeds), atol=1e-6)


def refused(error, match, source, tmp_path, **options) -> None:
    with pytest.raises(error, match=match):
        complete(source, tmp_path / "both.onnx", **options)
    assert not (tmp_path / "both.onnx").exists()


def test_what_cannot_be_completed_is_refused(tmp_path, random_head) -> None:
    by_hand = networks.save("softmax by hand", tmp_path)
    refused(
        ModelError,
        "shown must be logits, or come from a Softmax or Sigmoid, what it gives looks like probabilities that come from something else: name the logits with --at .at=., such as z, what its last linear layer gives",
        by_hand,
        tmp_path,
    )
    refused(ModelError, "what it gives looks like probabilities", by_hand, tmp_path, link="softmax")
    refused(
        ModelError,
        "the Softmax of shown over the batch",
        networks.save("softmax of the batch", tmp_path),
        tmp_path,
    )
    refused(
        HeadError,
        "the link of a file that has one stays, softmax, got ovr",
        networks.save("softmax", tmp_path),
        tmp_path,
        link="ovr",
    )
    scores = networks.save("scores", tmp_path)
    refused(HeadError, "link must be one of softmax, sigmoid, ovr, got 'relu'", scores, tmp_path, link="relu")
    refused(HeadError, "one per class: got 2 labels for 4 classes", scores, tmp_path, labels=["a", "b"])
    refused(HeadError, "labels must be distinct, got 'a' 4 times", scores, tmp_path, labels=["a"] * 4)
    refused(
        ModelError,
        r"one output of floats \[batch, C\], texts\.onnx has none: name",
        networks.save("texts", tmp_path),
        tmp_path,
    )
    refused(
        ModelError,
        "logits must be .batch, C., tokens has 3 axes",
        tmp_path / "texts.onnx",
        tmp_path,
        at="tokens",
    )
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    refused(
        ModelError,
        "onnxhead built .*, which has logits and probabilities: give the classifier that it was made of",
        tmp_path / "head.onnx",
        tmp_path,
    )
    with pytest.raises(WriteError, match="must not replace its own backbone"):
        complete(scores, scores)


def test_of_several_outputs_one_is_named(tmp_path) -> None:
    model = networks.make("scores")
    model.graph.node.append(helper.make_node("Tanh", ["sum"], ["other"]))
    model.graph.output.append(helper.make_tensor_value_info("other", 1, ["N", 4]))
    onnx.save(model, tmp_path / "several.onnx")
    refused(ModelError, "has several: scores, other: name the logits", tmp_path / "several.onnx", tmp_path)
    assert complete(tmp_path / "several.onnx", tmp_path / "both.onnx", at="scores").left_out == (
        "scores",
        "other",
    )


def test_a_softmax_of_one_class_is_refused_and_its_sigmoid_is_not(tmp_path) -> None:
    model = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["": 17]>
        network (float[N, 3] x) => (float[N, 1] score) {
            axes = Constant <value_ints = [1]> () score = ReduceSum (x, axes)
        }""")
    onnx.save(model, tmp_path / "one.onnx")
    refused(
        HeadError,
        "a softmax of one class is always 1, score gives one: take --link sigmoid",
        tmp_path / "one.onnx",
        tmp_path,
    )
    report = complete(tmp_path / "one.onnx", tmp_path / "both.onnx", link="sigmoid", labels=["spam"])
    both = onnxhead.load(report.path, device="cpu")([[1.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
    np.testing.assert_allclose(both.probabilities, [[0.880797], [0.268941]], atol=1e-6)
    assert both.labels == [("spam",), ()]


def test_another_link_than_the_file_shows_is_found(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(onnxhead.completing._LINKS, "Softmax", "sigmoid")
    refused(
        ModelError,
        "shown must be the sigmoid of what goes into it, the model's answers differ by",
        networks.save("softmax", tmp_path),
        tmp_path,
    )


def test_a_file_with_another_link_than_it_states_is_not_written(tmp_path, monkeypatch) -> None:
    def by_sigmoid(_: str, temperature, opset):
        return real("sigmoid", temperature, opset)

    real = onnxhead.completing.list_link_nodes
    monkeypatch.setattr("onnxhead.completing.list_link_nodes", by_sigmoid)
    refused(
        VerificationError,
        "must be those of its backbone and its head",
        networks.save("scores", tmp_path),
        tmp_path,
    )


def test_no_head_is_known_of_it(tmp_path, command) -> None:
    complete(networks.save("softmax", tmp_path), tmp_path / "both.onnx", labels=LABELS)
    with pytest.raises(
        ModelError, match="is a classifier that was given an output and has none: onnxhead build"
    ):
        onnxhead.read(tmp_path / "both.onnx")
    summary = inspect(tmp_path / "both.onnx")
    assert (summary.form, summary.weights_sha256, summary.labels) == (None, "", tuple(LABELS))
    assert "labels          ant, bee, cow, dog" in command("inspect", "both.onnx").stdout
    model = onnx.load(tmp_path / "both.onnx")
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    onnx.save(model, tmp_path / "both.onnx")
    assert "the SHA-256 of the graph" in command("verify", "both.onnx", status=1).stdout


def test_a_head_takes_the_place_of_what_follows_a_named_tensor(tmp_path, random_head) -> None:
    complete(networks.save("softmax", tmp_path), tmp_path / "both.onnx")
    with pytest.raises((ModelError, SourceError)):
        onnxhead.attach(tmp_path / "both.onnx", random_head(2, 7), tmp_path / "whole.onnx")
    report = onnxhead.attach(tmp_path / "both.onnx", random_head(2, 4), tmp_path / "whole.onnx", at="sum")
    assert report.check.passed


def test_the_command_completes(tmp_path, command) -> None:
    source = networks.save("softmax", tmp_path)
    done = command("attach", source, "-o", "both.onnx", "--labels", ",".join(LABELS))
    assert "none: the output was added, 4 classes" in done.stdout
    assert "left out       shown" in done.stdout
    answers = command("run", "both.onnx", "[[1, 0, 0], [0, 1, 0]]", "--top", "1").stdout
    assert len(answers.splitlines()) == 2
