"""The backbones themselves: the composed encoder is the published network, the data are what a head can learn."""

import numpy as np
import onnx
import pytest

from backbones import embedding, minilm, packages, pictures, texts

# from the published weights in torch, float64: token ids, and of the hidden states the first four features of the
# first token and the last four of the last
PUBLISHED = {
    "A man is eating food.": (
        [101, 1037, 2158, 2003, 5983, 2833, 1012, 102],
        [-0.00255, 0.1177, 0.00374, 0.24471],
        [0.09049, 0.35658, -0.12445, -0.07793],
    ),
    "A man is eating a piece of bread.": (
        [101, 1037, 2158, 2003, 5983, 1037, 3538, 1997, 7852, 1012, 102],
        [0.14101, 0.30365, 0.01024, -0.13874],
        [0.15954, 0.03268, -0.21189, -0.1094],
    ),
    "The event loop runs coroutines until they are done.": (
        [101, 1996, 2724, 7077, 3216, 2522, 22494, 10196, 2015, 2127, 2027, 2024, 2589, 1012, 102],
        [0.22765, 0.04017, -0.21103, -0.41904],
        [-0.1868, 0.0943, 0.26804, -0.43929],
    ),
    "naïve 日本語 🦀": (
        [101, 15743, 1864, 1876, 1950, 100, 102],
        [0.00341, 0.31356, 0.38328, -0.46006],
        [0.57635, 0.90586, -0.3288, 0.24176],
    ),
}
# with the question before it, whose tokens are of the first type and the text's of the second
QUESTION = "What does the loop run?"
PUBLISHED_PAIR = ([0.19532, 0.15329, -0.36497, -0.44105], [-0.4603, 0.29758, 0.20316, -0.46993])
PUBLISHED_SIMILARITIES = [
    [1.0, 0.75534, -0.04117, -0.02407],
    [0.75534, 1.0, -0.06899, 0.04511],
    [-0.04117, -0.06899, 1.0, 0.02862],
    [-0.02407, 0.04511, 0.02862, 1.0],
]
TOLERANCE = 2e-5  # half of it is the rounding above; float32 in torch is within 3e-6 of float64, as is ours


def test_the_encoder_is_a_valid_model_of_its_stated_form(encoder_path, encoder) -> None:
    onnx.checker.check_model(encoder_path, full_check=True)
    model = onnx.load(encoder_path)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]
    assert model.ir_version == 8
    assert {one.name: (one.type, one.shape) for one in encoder.get_inputs()} == {
        name: ("tensor(int64)", ["batch", "sequence"]) for name in minilm.INPUTS
    }
    (output,) = encoder.get_outputs()
    assert (output.name, output.type, output.shape) == (
        minilm.OUTPUT,
        "tensor(float)",
        ["batch", "sequence", minilm.FEATURES],
    )


def test_the_encoder_computes_what_the_published_network_does(encoder) -> None:
    tokenizer = embedding.load_tokenizer()
    feed = embedding.tokenize(tokenizer, list(PUBLISHED))
    (hidden,) = encoder.run(None, feed)
    for ids, mask, states, (published_ids, first, last) in zip(
        feed["input_ids"], feed["attention_mask"], hidden, PUBLISHED.values(), strict=True
    ):
        length = mask.sum()
        assert ids[:length].tolist() == published_ids
        assert np.abs(states[0, :4] - first).max() <= TOLERANCE
        assert np.abs(states[length - 1, -4:] - last).max() <= TOLERANCE


def test_the_encoder_tells_the_two_texts_of_a_pair_apart(encoder) -> None:
    feed = embedding.tokenize(embedding.load_tokenizer(), [(QUESTION, list(PUBLISHED)[2])])
    assert set(feed["token_type_ids"].ravel()) == {0, 1}
    (hidden,) = encoder.run(None, feed)
    first, last = PUBLISHED_PAIR
    assert np.abs(hidden[0, 0, :4] - first).max() <= TOLERANCE
    assert np.abs(hidden[0, -1, -4:] - last).max() <= TOLERANCE


def test_similarities_are_those_of_the_published_network(encoder) -> None:
    embeddings = embedding.embed(encoder, list(PUBLISHED))
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    assert np.abs(embeddings @ embeddings.T - PUBLISHED_SIMILARITIES).max() <= TOLERANCE


def test_a_text_has_one_embedding_whatever_is_beside_it(encoder) -> None:
    short = next(iter(PUBLISHED))
    together = embedding.embed(encoder, ["many words " * 200, short])
    assert np.abs(together[1] - embedding.embed(encoder, [short])[0]).max() <= 1e-6


def test_the_texts_are_enough_of_each_label_and_on_one_side_of_the_split() -> None:
    found = texts.read_texts()
    assert set(found.train_labels) == set(found.held_out_labels) == set(texts.PACKAGES)
    for label in texts.PACKAGES:
        assert found.train_labels.count(label) >= 60
        assert found.held_out_labels.count(label) >= 20
    for labels, of_labels in (
        (found.train_labels, found.train),
        (found.held_out_labels, found.held_out),
    ):
        pairs = list(zip(labels, of_labels, strict=True))
        assert pairs == sorted(pairs)
    every = found.train + found.held_out
    assert len(set(every)) == len(every)
    assert "Cancel the *fut* future or task and wait until it completes." in every


def test_a_head_on_the_encoder_learns_what_texts_are_about(text_head, text_features) -> None:
    accuracy = text_head.score(text_features.held_out, texts.read_texts().held_out_labels)
    assert accuracy > 0.87  # 0.913 to 0.920 with Python 3.11 to 3.13; always the most frequent label: 0.19


def test_the_features_are_the_input_of_the_image_models_last_linear_layer(image_model) -> None:
    constants = {
        node.output[0]: onnx.numpy_helper.to_array(node.attribute[0].t)
        for node in onnx.load(pictures.find_model()).graph.node
        if node.op_type == "Constant"
    }
    chosen = pictures.read_pictures().held_out[:20]
    features = pictures.extract(image_model, chosen)
    assert features.dtype == np.float32
    assert features.shape == (20, pictures.FEATURES)
    (probabilities,) = image_model.run(
        [image_model.get_outputs()[0].name], {pictures.INPUT: pictures.to_input(chosen)}
    )
    powers = np.exp(features.astype(np.float64) @ constants["fc_0.w_0"] + constants["fc_0.b_0"])
    assert np.abs(powers / powers.sum(axis=1, keepdims=True) - probabilities).max() <= 1e-6


def test_the_image_model_gets_what_it_was_trained_on(image_model) -> None:
    """It tells upright lines from those upside down, so channels, range and size are right."""
    lines = np.stack([draw(text) for text in ("Hello world", "Invoice 2024", "Total: 37.50", "Good morning")])
    for pixels, upright in ((lines, True), (lines[:, ::-1, ::-1], False)):
        answers = image_model.run(None, {pictures.INPUT: pictures.to_input(pixels)})[0]
        assert ((answers[:, 0] > 0.9) == upright).all(), answers


def draw(text: str) -> np.ndarray:
    image_draw = pytest.importorskip("PIL.ImageDraw")
    from PIL import Image, ImageFont

    picture = Image.new("L", (pictures.WIDTH, pictures.HEIGHT), 255)
    image_draw.Draw(picture).text((4, 6), text, fill=0, font=ImageFont.load_default(size=30))
    return np.array(picture)


def test_each_pixel_of_a_picture_becomes_a_block() -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(1, 8, 8) * 4
    (channels,) = pictures.to_input(pixels)
    assert channels.dtype == np.float32
    assert channels.shape == (3, 48, 192)
    for row, column in ((0, 0), (5, 23), (6, 24), (47, 191)):
        pixel = np.float32(pixels[0, row // 6, column // 24])
        expected = (pixel / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
        assert (channels[:, row, column] == expected).all()
    with pytest.raises(ValueError, match="size that divides 48 x 192, got 9 x 8"):
        pictures.to_input(np.zeros((1, 9, 8), np.uint8))


def test_a_png_holds_the_pixels_of_its_picture(tmp_path) -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("sklearn")
    found = pictures.read_pictures()
    assert (found.train.min(), found.train.max()) == (0, 255)
    for number, pixels in enumerate(found.held_out[:5]):
        path = pictures.write_png(pixels, tmp_path / f"{number}.png")
        with image.open(path) as opened:
            assert opened.mode == "L"
            assert np.array_equal(np.array(opened), pixels)


def test_a_head_on_the_image_model_learns_digits(digit_head, picture_features) -> None:
    accuracy = digit_head.score(picture_features.held_out, pictures.read_pictures().held_out_labels)
    assert accuracy > 0.87  # 0.902


def test_what_is_not_installed_is_skipped_or_where_it_must_be_there_a_failure(monkeypatch) -> None:
    outcomes = (pytest.skip.Exception, pytest.fail.Exception)
    message = "no_such_package with its model.onnx must be installed"
    monkeypatch.delenv(packages.REQUIRED, raising=False)
    with pytest.raises(outcomes, match=message) as skipped:
        packages.require("no_such_package", "model.onnx")
    monkeypatch.setenv(packages.REQUIRED, "1")
    with pytest.raises(outcomes, match=message) as failed:
        packages.require("no_such_package", "model.onnx")
    with pytest.raises(outcomes, match="onnx with its no_such_file") as half_installed:
        packages.require("onnx", "no_such_file")
    assert [one.type for one in (skipped, failed, half_installed)] == [outcomes[0], outcomes[1], outcomes[1]]
