"""What `save` writes from any source, read again, is the same head bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from estimators import CASES, fit, logistic
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import onnxhead

FIXTURES = Path(__file__).parent / "fixtures"
FEATURES, LABELS = load_iris(return_X_y=True)
FILES = [
    *(
        f"torch/digits_{name}"
        for name in ("checkpoint.pth", "legacy.pt", "float16.pt", "bfloat16.safetensors")
    ),
    *(
        f"huggingface/{name}"
        for name in ("bert_like", "vit_sharded", "multilabel", "llama_like_score_no_bias")
    ),
    *(
        f"keras/{name}"
        for name in ("digits_softmax.keras", "digits_softmax.weights.h5", "binary_sigmoid.keras")
    ),
    "keras/multilabel_sigmoid.keras",
]


def check(head: onnxhead.Head, tmp_path: Path) -> None:
    onnxhead.save(head, tmp_path / "head.onnx")
    again = onnxhead.read(tmp_path / "head.onnx")
    assert again.weight.tobytes() == head.weight.tobytes()
    assert again.bias.tobytes() == head.bias.tobytes()
    assert (again.labels, again.link, again.temperature) == (head.labels, head.link, head.temperature)
    assert list(map(type, again.labels or ())) == list(map(type, head.labels or ()))
    onnxhead.save(again, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "head.onnx").read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_of_files(name: str, tmp_path: Path) -> None:
    check(onnxhead.read(FIXTURES / name), tmp_path)


@pytest.mark.parametrize("case", CASES, ids=[case.text for case in CASES])
@pytest.mark.parametrize(
    "labels", [LABELS > 0, LABELS - 7, np.array(["a", "ä", "\x1b"])[LABELS], LABELS * 1.0]
)
def test_of_estimators(case, labels: np.ndarray, tmp_path: Path) -> None:
    check(onnxhead.read(fit(case, FEATURES, labels), link=case.given), tmp_path)


def test_of_pipelines_and_several_labels(tmp_path: Path) -> None:
    check(onnxhead.read(make_pipeline(StandardScaler(), PCA(2), logistic()).fit(FEATURES, LABELS)), tmp_path)
    truth = np.stack([LABELS == 0, FEATURES[:, 0] > 6], axis=1)
    check(onnxhead.read(OneVsRestClassifier(logistic()).fit(FEATURES, truth)), tmp_path)


def test_of_foreign_files(tmp_path: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    model = skl2onnx.to_onnx(
        make_pipeline(StandardScaler(), logistic()).fit(FEATURES, LABELS),
        FEATURES[:1].astype(np.float32),
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    (tmp_path / "foreign.onnx").write_bytes(model.SerializeToString())
    check(onnxhead.read(tmp_path / "foreign.onnx"), tmp_path)
