"""Real pictures with labels, and the image model of the package rapidocr-onnxruntime, which turns them into features.

The model is PaddleOCR's classifier of text lines, upright or upside down: a small convolutional network over
pictures of 48 x 192, 200 features, two classes. The pictures are the handwritten digits that scikit-learn ships. A
program in any language can do the same with them: a file is an 8-bit grey PNG of 8 x 8, and `to_input` says how its
bytes become the model's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from backbones.packages import require

PACKAGE = "rapidocr_onnxruntime"
MODEL = "models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
INPUT = "x"
TENSOR = "reshape2_0.tmp_0"
"""The input of the model's last linear layer: float32 [batch, 200]."""
FEATURES = 200
HEIGHT, WIDTH = 48, 192

_BATCH = 64
_HELD_OUT = 4  # each fourth


@dataclass(frozen=True)
class Pictures:
    """The pictures and their labels.

    Attributes:
        train: Three quarters of the pictures, uint8 (pictures, 8, 8), 0 is black and 255 white.
        train_labels: The digits that they show, int64 (pictures,).
        held_out: Each fourth picture.
        held_out_labels: The digits that those show.
    """

    train: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    held_out: NDArray[np.uint8]
    held_out_labels: NDArray[np.int64]


def find_model() -> Path:
    """Return the file of the model, as the package ships it: opset 11, input `x` float32 [batch, 3, height, width]."""
    return require(PACKAGE, MODEL)


def read_pictures() -> Pictures:
    """Return the 1797 digits of scikit-learn, whose 17 shades become those of 8 bits."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * 255 / 16).astype(np.uint8)
    held_out = np.arange(len(pixels)) % _HELD_OUT == 0
    return Pictures(pixels[~held_out], digits.target[~held_out], pixels[held_out], digits.target[held_out])


def write_png(pixels: NDArray[np.uint8], path: Path) -> Path:
    """Write one picture, uint8 (height, width), as an 8-bit grey PNG; return the path."""
    from PIL import Image

    Image.fromarray(pixels).save(path)
    return path


def to_input(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the model's input, float32 (pictures, 3, 48, 192), of grey pictures, uint8 (pictures, height, width).

    The height must divide 48 and the width 192: each pixel becomes a block of equal pixels. All three channels are
    that picture, and a pixel p is (p / 255 - 0.5) / 0.5 in float32.
    """
    _, height, width = pixels.shape
    if HEIGHT % height or WIDTH % width:
        raise ValueError(f"pictures must have a size that divides {HEIGHT} x {WIDTH}, got {height} x {width}")
    blocks = pixels.repeat(HEIGHT // height, axis=1).repeat(WIDTH // width, axis=2)
    scaled = (blocks.astype(np.float32) / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    return np.repeat(scaled[:, None], 3, axis=1)


def open_features() -> onnxruntime.InferenceSession:
    """Return a session of the model with the features as one more output."""
    model = onnx.load(find_model())
    model.graph.output.append(
        onnx.helper.make_tensor_value_info(TENSOR, onnx.TensorProto.FLOAT, ["batch", FEATURES])
    )
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def extract(session: onnxruntime.InferenceSession, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the features (pictures, 200) of pictures by a session of `open_features()`."""
    batches = (pixels[start : start + _BATCH] for start in range(0, len(pixels), _BATCH))
    return np.concatenate([session.run([TENSOR], {INPUT: to_input(batch)})[0] for batch in batches])
