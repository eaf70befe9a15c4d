"""On an NVIDIA GPU, with onnxhead[gpu]: the same numbers within the same bound, and never on the CPU."""

from pathlib import Path

import numpy as np
import pytest

import onnxhead
from onnxhead.reference import deviation, refer
from onnxhead_runtime.contract import LINKS
from onnxhead_runtime.errors import OnnxHeadError, ProviderError


def cuda_problem() -> str | None:
    """Return why CUDA does not start here."""
    from onnxhead.doctor import diagnose

    try:
        return next(device.problem for device in diagnose().devices if device.name == "cuda")
    except OnnxHeadError as error:
        return str(error)


HAS_GPU = any(Path("/dev").glob("nvidia[0-9]*"))
pytestmark = [pytest.mark.cuda, pytest.mark.skipif(not HAS_GPU, reason="there is no NVIDIA GPU")]


def test_cuda_starts() -> None:
    assert cuda_problem() is None


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(("classes", "features"), [(3, 3), (10, 64), (1000, 768), (32, 4096)])
@pytest.mark.parametrize("rows", [0, 1, 2, 255, 4096])
def test_answers_are_within_the_bound(link, classes, features, rows, random_head, tmp_path) -> None:
    head = random_head(classes=classes, features=features, link=link, temperature=1.5)
    onnxhead.save(head, tmp_path / "head.onnx")
    batch = np.random.default_rng(0).normal(size=(rows, features)).astype(np.float32)
    prediction, exact = onnxhead.load(tmp_path / "head.onnx", device="cuda")(batch), refer(head, batch)
    assert deviation(prediction.logits, exact.logits, exact.logits_bound).ratio <= 1
    assert deviation(prediction.probabilities, exact.probabilities, exact.probabilities_bound).ratio <= 1


def test_every_node_runs_on_the_gpu(abc, tmp_path) -> None:
    onnxhead.save(abc, tmp_path / "abc.onnx")
    classify = onnxhead.load(tmp_path / "abc.onnx", device="cuda")
    assert classify.device == "cuda:0"
    assert classify._runner.session.get_providers()[0] == "CUDAExecutionProvider"


def test_auto_takes_the_gpu(abc, tmp_path) -> None:
    onnxhead.save(abc, tmp_path / "abc.onnx")
    assert onnxhead.load(tmp_path / "abc.onnx").device == "cuda:0"


def test_a_gpu_that_is_not_there_is_an_error(abc, tmp_path) -> None:
    onnxhead.save(abc, tmp_path / "abc.onnx")
    with pytest.raises(ProviderError, match="device cuda:99 must start or be an error"):
        onnxhead.load(tmp_path / "abc.onnx", device="cuda:99")


def test_a_nan_row_is_nan_for_itself_alone(random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=10, features=64), tmp_path / "head.onnx")
    batch = np.random.default_rng(0).normal(size=(9, 64)).astype(np.float32)
    batch[4, 7] = np.nan
    assert onnxhead.load(tmp_path / "head.onnx", device="cuda")(batch).undefined_rows == [4]
