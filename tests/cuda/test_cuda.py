"""On an NVIDIA GPU, with onnxhead[gpu]: the same numbers within the same bound, and never on the CPU."""

from pathlib import Path

import numpy as np
import pytest

import onnxhead
from onnxhead.certificate import certify
from onnxhead.reference import deviation, refer
from onnxhead_runtime.contract import LINKS
from onnxhead_runtime.errors import FeaturesError, OnnxHeadError, ProviderError
from onnxhead_runtime.scoring import score


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


@pytest.fixture
def torch() -> object:
    module = pytest.importorskip("torch")
    if not module.cuda.is_available():
        pytest.skip("torch has no CUDA here")
    return module


@pytest.mark.parametrize("rows", [1, 100, 4096])
def test_a_tensor_on_the_gpu_stays_there(torch, rows, random_head, tmp_path) -> None:
    head = random_head(classes=100, features=64)
    onnxhead.save(head, tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cuda")
    batch = torch.randn(rows, 64, device="cuda")
    answer = classify.run_device(batch)
    exact = refer(head, batch.cpu().numpy())
    for value, expected, bound in (
        (answer.logits, exact.logits, exact.logits_bound),
        (answer.probabilities, exact.probabilities, exact.probabilities_bound),
    ):
        tensor = torch.from_dlpack(value)
        assert tensor.is_cuda
        assert tensor.data_ptr() == value.data_ptr()
        assert deviation(tensor.cpu().numpy(), expected, bound).ratio <= 1


def test_work_of_every_stream_is_waited_for(torch, random_head, tmp_path) -> None:
    head = random_head(classes=10, features=64)
    onnxhead.save(head, tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cuda")
    busy = torch.randn(4096, 4096, device="cuda")
    for _ in range(10):
        with torch.cuda.stream(torch.cuda.Stream()):
            batch = torch.full((256, 64), float("nan"), device="cuda")
            for _ in range(20):
                busy = torch.tanh(busy @ busy)  # milliseconds of work before the rows are there
            batch.copy_(torch.ones(256, 64, device="cuda") + 0 * busy[:256, :64])
            answer = classify.run_device(batch)
        logits = torch.from_dlpack(answer.logits).cpu().numpy()
        exact = refer(head, np.ones((256, 64), np.float32))
        assert deviation(logits, exact.logits, exact.logits_bound).ratio <= 1


def test_rows_in_main_memory_are_refused_by_run_device(random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    with pytest.raises(FeaturesError, match=r"in row order on cuda:0, .*on cpu:0"):
        onnxhead.load(tmp_path / "head.onnx", device="cuda").run_device(np.ones((2, 5), np.float32))


def test_tf32_is_off_unless_it_is_allowed(random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=1000, features=1024), tmp_path / "head.onnx")
    for allowed, option in ((False, "0"), (True, "1")):
        classify = onnxhead.load(tmp_path / "head.onnx", device="cuda", allow_tf32=allowed)
        options = classify._runner.session.get_provider_options()["CUDAExecutionProvider"]
        assert options["use_tf32"] == option


def test_a_file_is_scored_on_the_gpu(random_head, tmp_path) -> None:
    head = random_head(classes=10, features=64)
    onnxhead.save(head, tmp_path / "head.onnx")
    rows = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    classify = onnxhead.load(tmp_path / "head.onnx", device="cuda")
    report = score(classify, tmp_path / "rows.npy", tmp_path / "answers.npy", columns=["logits"])
    exact = refer(head, rows)
    assert report.device == "cuda:0"
    assert deviation(np.load(report.output), exact.logits, exact.logits_bound).ratio <= 1


def test_a_certificate_has_the_gpu_too(random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=10, features=64), tmp_path / "head.onnx")
    rows = np.random.default_rng(0).normal(size=(5000, 64)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    found = certify(tmp_path / "head.onnx", tmp_path / "rows.npy")
    (cuda,) = [one for one in found.runtimes if one.name == "onnxruntime CUDA"]
    assert cuda.state == "ran"
    assert 0 < cuda.logits <= 1
    assert cuda.other_labels <= len(found.rounding.uncertain)
    assert found.passed
