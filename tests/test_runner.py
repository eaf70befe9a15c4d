"""Batches of every size, each run in another way, and tensors that stay on their device."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxhead
from onnxhead.reference import deviation, refer
from onnxhead_runtime import providers, runner
from onnxhead_runtime.errors import FeaturesError, ProviderError
from onnxhead_runtime.threads import configure_threads, cpu_quota, usable_cpus
from onnxhead_runtime.weights import external_bytes

# copied and bound, rows bound, one call, in pieces; and the first size beyond each limit
SHAPES = [
    (3, 3, 1),
    (64, 10, 16),
    (64, 10, 17),
    (768, 10, 1),
    (768, 10, 2),
    (768, 10, 340),
    (768, 10, 410),
    (32, 1000, 4),
    (32, 1000, 5),
    (8, 1000, 2097),
    (8, 1000, 2098),
    (4, 20000, 700),
]


@pytest.mark.parametrize("link", ["softmax", "ovr"])
@pytest.mark.parametrize(("features", "classes", "rows"), SHAPES)
def test_every_way_to_run_a_batch_is_within_the_bound(
    features, classes, rows, link, random_head, tmp_path
) -> None:
    head = random_head(classes=classes, features=features, link=link, temperature=2.0)
    onnxhead.save(head, tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    random = np.random.default_rng(rows)
    for _ in range(2):  # the second time through buffers that are there already
        batch = random.normal(size=(rows, features)).astype(np.float32)
        prediction, exact = classify(batch), refer(head, batch)
        assert deviation(prediction.logits, exact.logits, exact.logits_bound).ratio <= 1
        assert deviation(prediction.probabilities, exact.probabilities, exact.probabilities_bound).ratio <= 1
        assert np.array_equal(classify.logits(batch), prediction.logits)
        assert np.array_equal(classify.probabilities(batch), prediction.probabilities)
        assert classify.top(batch[:5], 3) == classify(batch[:5]).top(3)


@pytest.mark.parametrize(("features", "classes", "rows"), SHAPES)
def test_the_caller_owns_what_every_way_returns(features, classes, rows, random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=classes, features=features), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    batch = np.ones((rows, features), np.float32)
    first = classify(batch)
    kept = first.logits.copy(), first.probabilities.copy()
    classify(batch * -3)
    assert np.array_equal(first.logits, kept[0])
    assert np.array_equal(first.probabilities, kept[1])
    assert not np.shares_memory(first.logits, first.probabilities)
    first.logits[:] = 0  # writable
    assert (batch == 1).all()


def test_few_batch_sizes_stay_bound(random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    for rows in range(1, 100):
        assert np.allclose(classify(np.ones((rows, 5), np.float32)).logits, classify(np.ones(5)).logits)
        assert len(classify._runner._bound.by_size) <= runner._BOUND_SIZES


def test_a_batch_that_onnxruntime_refuses_is_an_error_that_names_it(random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    with pytest.raises(ProviderError, match=r"must answer 2 rows of 7, it fails: .*; try smaller batches"):
        classify._runner.run(np.ones((2, 7), np.float32))


def test_a_call_inside_a_call_of_the_same_thread_has_buffers_of_its_own(random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    outer, inner = np.ones((1, 5), np.float32), np.full((1, 5), -7, np.float32)
    expected = classify.logits(outer)
    run = classify._runner._bound.by_size[1, ("logits",)]

    def interrupted(batch: np.ndarray) -> object:
        """Run, and be interrupted by a signal whose handler calls too."""
        answers = run(batch)
        assert not np.array_equal(classify.logits(inner), expected)
        return answers

    classify._runner._bound.by_size[1, ("logits",)] = interrupted
    assert np.array_equal(classify.logits(outer), expected)


def field(number: int, payload: bytes, padding: int = 0) -> bytes:
    """Encode a field of bytes, its length with more digits than it needs."""
    length = bytes([len(payload) | 0x80, *[0x80] * padding, 0])
    return bytes([number << 3 | 2]) + length + payload


@pytest.mark.parametrize(("padding", "size"), [(0, 7), (8, 7), (9, 0), (20, 0)])
def test_a_varint_has_ten_bytes_at_most(padding, size, tmp_path) -> None:
    entry = field(1, b"location") + field(2, b"x.data")
    (tmp_path / "m.onnx").write_bytes(field(7, field(5, field(13, entry)), padding))
    (tmp_path / "x.data").write_bytes(bytes(7))
    assert external_bytes(tmp_path / "m.onnx") == size


@pytest.mark.parametrize(("key", "size"), [(1, 8), (5, 4), (0, 1)], ids=["fixed64", "fixed32", "varint"])
def test_fields_of_a_fixed_size_are_passed_over(key, size, tmp_path) -> None:
    entry = field(1, b"location") + field(2, b"x.data")
    other = bytes([1 << 3 | key]) + bytes([0x7F] * size)
    (tmp_path / "m.onnx").write_bytes(other + field(7, field(5, field(13, entry))))
    (tmp_path / "x.data").write_bytes(bytes(7))
    assert external_bytes(tmp_path / "m.onnx") == 7


def test_what_two_tensors_share_counts_once(tmp_path) -> None:
    tensor = field(5, field(13, field(1, b"location") + field(2, b"x.data")))
    (tmp_path / "m.onnx").write_bytes(field(7, tensor + tensor))
    (tmp_path / "x.data").write_bytes(bytes(7))
    assert external_bytes(tmp_path / "m.onnx") == 7


class Foreign:
    """A tensor of another package on another device, as far as the protocol shows."""

    def __init__(self, array: np.ndarray, place: tuple[int, int]) -> None:
        self._array, self._place = array, place

    def __dlpack__(self, **arguments: object) -> object:
        return self._array.__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._place


shares_memory = pytest.mark.skipif(
    not hasattr(onnxruntime.OrtValue, "from_dlpack"), reason="this onnxruntime has no DLPack"
)


def test_an_onnxruntime_without_dlpack_is_named(random_head, tmp_path, monkeypatch) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    monkeypatch.setattr(onnxruntime, "OrtValue", object)
    with pytest.raises(ProviderError, match="must share memory by DLPack for run_device, .* does not: pip"):
        classify.run_device(np.ones((2, 5), np.float32))


@shares_memory
def test_a_tensor_on_the_device_is_run_without_a_copy(random_head, tmp_path) -> None:
    head = random_head(classes=6, features=7)
    onnxhead.save(head, tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    batch = np.random.default_rng(0).normal(size=(50, 7)).astype(np.float32)
    answer = classify.run_device(batch)
    logits, expected = np.from_dlpack(answer.logits), classify(batch)
    assert np.array_equal(logits, expected.logits)
    assert np.array_equal(np.from_dlpack(answer.probabilities), expected.probabilities)
    assert logits.ctypes.data == answer.logits.data_ptr()
    kept = logits.copy()
    classify.run_device(batch * 2)
    assert np.array_equal(logits, kept)


@shares_memory
@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([[1.0] * 5], "got list: call the classifier for other input"),
        (np.ones((2, 5)), "got tensor(double) (2, 5) on cpu:0"),
        (np.ones(5, np.float32), "got tensor(float) (5,) on cpu:0"),
        (np.ones((2, 4), np.float32), "got tensor(float) (2, 4) on cpu:0"),
        (np.ones((5, 2), np.float32).T, "got one that cannot be shared: "),
        (Foreign(np.ones((2, 5), np.float32), (1, 3)), "got tensor(float) (2, 5) on cpu:3"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(features, message, random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    rule = "features must be float32 (batch, 5) in row order on cpu:0, with __dlpack__, "
    with pytest.raises(FeaturesError, match=re.escape(rule + message)):
        onnxhead.load(tmp_path / "head.onnx", device="cpu").run_device(features)


@pytest.mark.torch
def test_tensors_of_torch_go_in_and_out_without_a_copy(random_head, tmp_path) -> None:
    torch = pytest.importorskip("torch")
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    rows = torch.randn(9, 5)
    probabilities = torch.from_dlpack(classify.run_device(rows).probabilities)
    assert np.array_equal(probabilities.numpy(), classify(rows).probabilities)


def groups(root: Path, lines: str, **files: str) -> Path:
    """Write a /proc and /sys of control groups."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(lines)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("cpu_", "cpu.", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


@pytest.mark.parametrize(
    ("lines", "files", "quota"),
    [
        ("0::/", {"cpu_max": "150000 100000"}, 1.5),
        ("0::/", {"cpu_max": "max 100000"}, None),
        ("0::/a/b", {"a__cpu_max": "200000 100000", "a__b__cpu_max": "max 100000"}, 2.0),
        ("0::/a/b", {"a__cpu_max": "200000 100000", "a__b__cpu_max": "50000 100000"}, 0.5),
        ("0::/of/the/host", {"cpu_max": "300000 100000"}, 3.0),
        ("0::/../above", {"cpu_max": "300000 100000"}, 3.0),
        (
            "4:memory:/a\n3:cpu,cpuacct:/a",
            {"cpu,cpuacct__a__cpu_cfs_quota_us": "400000", "cpu,cpuacct__a__cpu_cfs_period_us": "100000"},
            4.0,
        ),
        ("3:cpu:/", {"cpu__cpu_cfs_quota_us": "-1", "cpu__cpu_cfs_period_us": "100000"}, None),
        ("", {}, None),
    ],
)
def test_the_quota_of_the_control_group_is_read(lines, files, quota, tmp_path) -> None:
    assert cpu_quota(groups(tmp_path, lines, **files)) == quota


def test_a_machine_without_control_groups_has_no_quota(tmp_path) -> None:
    assert cpu_quota(tmp_path) is None


PINNED = "session.intra_op_thread_affinities"
SPIN = "session.intra_op.spin_duration_us"


@pytest.mark.parametrize(
    ("cpus", "quota", "asked", "threads", "pinned"),
    [
        ([0, 1, 2, 3], None, None, 0, ""),  # the whole machine: onnxruntime's own choice
        ([1, 3], None, None, 2, "4"),
        ([2], None, None, 1, ""),
        ([0, 1, 2, 3], 2.5, None, 2, ""),
        ([0, 1, 2, 3], 0.5, None, 1, ""),
        ([1, 3], 8.0, None, 2, "4"),
        ([0, 1, 2, 3], None, 7, 7, ""),
        ([0, 1, 2, 3], 2.0, 3, 3, ""),
    ],
)
def test_a_session_gets_the_threads_that_this_process_may_use(
    cpus, quota, asked, threads, pinned, monkeypatch
) -> None:
    monkeypatch.setattr("onnxhead_runtime.threads.usable_cpus", lambda: cpus)
    monkeypatch.setattr("onnxhead_runtime.threads.cpu_quota", lambda: quota)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    options = onnxruntime.SessionOptions()
    configure_threads(options, onnxruntime, asked)
    assert options.intra_op_num_threads == threads
    assert (options.get_session_config_entry(PINNED) if pinned else "") == pinned
    if not pinned:
        with pytest.raises(RuntimeError):
            options.get_session_config_entry(PINNED)


@pytest.mark.parametrize(("version", "allowed"), [("1.25.1", "0"), ("1.26.0", "1"), ("2.0.1", "1")])
def test_threads_wait_for_work_only_where_the_wait_can_be_short(version, allowed, monkeypatch) -> None:
    options = onnxruntime.SessionOptions()
    monkeypatch.setattr(onnxruntime, "__version__", version)
    configure_threads(options, onnxruntime, None)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == allowed
    if allowed == "1":
        assert options.get_session_config_entry(SPIN) == "20"


def test_a_process_with_one_cpu_runs_one_thread(random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=500, features=600), tmp_path / "head.onnx")
    program = (
        "import os; os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})\n"
        "import threading, onnxhead_runtime, numpy\n"
        f"classify = onnxhead_runtime.load({str(tmp_path / 'head.onnx')!r}, device='cpu')\n"
        "classify(numpy.ones((512, 600), numpy.float32))\n"
        "print(classify._runner.session.get_session_options().intra_op_num_threads)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "1\n", done.stderr
    assert len(usable_cpus()) >= 1


@pytest.mark.parametrize("threads", [0, -1])
def test_a_number_of_threads_below_one_is_refused(threads, random_head, tmp_path) -> None:
    onnxhead.save(random_head(), tmp_path / "head.onnx")
    with pytest.raises(ProviderError, match=f"threads must be at least 1, got {threads}"):
        onnxhead.load(tmp_path / "head.onnx", threads=threads)


def test_the_size_of_weights_beside_a_file_is_known(random_head, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("onnxhead.storage.EXTERNAL_THRESHOLD_BYTES", 1000)
    report = onnxhead.save(random_head(classes=50, features=60), tmp_path / "large.onnx")
    assert external_bytes(report.path) == report.data_path.stat().st_size > 0
    onnxhead.save(random_head(), tmp_path / "small.onnx")
    assert external_bytes(tmp_path / "small.onnx") == 0
    assert external_bytes(tmp_path / "none.onnx") == 0


@pytest.mark.parametrize(("size", "expected"), [(2**28 - 1, False), (2**28, True)])
def test_weights_are_large_from_256_mib_on(size, expected, random_head, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("onnxhead.storage.EXTERNAL_THRESHOLD_BYTES", 0)
    report = onnxhead.save(random_head(), tmp_path / "head.onnx")
    os.truncate(report.data_path, size)
    model = onnx.load(report.path, load_external_data=False)
    (length,) = (entry for entry in model.graph.initializer[0].external_data if entry.key == "length")
    length.value = str(size)
    report.path.write_bytes(model.SerializeToString())
    assert providers.is_large(report.path) is expected


def test_no_bytes_make_that_fail(random_head, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("onnxhead.storage.EXTERNAL_THRESHOLD_BYTES", 1000)
    report = onnxhead.save(random_head(classes=50, features=60), tmp_path / "large.onnx")
    model, broken = report.path.read_bytes(), tmp_path / "broken.onnx"
    for at in range(len(model)):
        for byte in (0x00, 0x7F, 0xFF):
            broken.write_bytes(model[:at] + bytes([byte]) + model[at + 1 :])
            assert external_bytes(broken) >= 0
        broken.write_bytes(model[:at])
        assert external_bytes(broken) >= 0


@pytest.mark.parametrize(("limit", "disabled"), [(2**40, False), (1, True)])
def test_large_weights_are_not_packed(limit, disabled, random_head, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("onnxhead.storage.EXTERNAL_THRESHOLD_BYTES", 1000)
    monkeypatch.setattr(providers, "_MAPPED_BYTES", limit)
    head = random_head(classes=50, features=60)
    onnxhead.save(head, tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    options = classify._runner.session.get_session_options()
    if disabled:
        assert options.get_session_config_entry("session.disable_prepacking") == "1"
    else:
        with pytest.raises(RuntimeError):
            options.get_session_config_entry("session.disable_prepacking")
    rows = np.ones((3, 60), np.float32)
    exact = refer(head, rows)
    assert deviation(classify(rows).logits, exact.logits, exact.logits_bound).ratio <= 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.empty((4, 4)), "got shape (4, 4), dtype float64:"),
        (np.empty((4, 4), np.float16), "got shape (4, 4), dtype float16:"),
        (np.empty((4, 4), np.int32), "got shape (4, 4), dtype int32:"),
        (np.empty((4, 4), ">f4"), "got shape (4, 4), dtype >f4:"),
        (np.empty((4, 4), np.float32, order="F"), "got shape (4, 4), dtype float32, not in row order:"),
        (np.empty((4, 8), np.float32)[:, ::2], "got shape (4, 4), dtype float32, not in row order:"),
        (np.empty((8, 4), np.float32)[::-2], "got shape (4, 4), dtype float32, not in row order:"),
        (np.empty((2, 4), np.float32), "got shape (2, 4), dtype float32:"),
        (np.empty((4, 3), np.float32), "got shape (4, 3), dtype float32:"),
        (np.empty((4, 5), np.float32), "got shape (4, 5), dtype float32:"),
        (np.empty(16, np.float32), "got shape (16,), dtype float32:"),
        (np.frombuffer(bytes(64), np.float32).reshape(4, 4), "got shape (4, 4), dtype float32, read-only:"),
        ([[0.0] * 4] * 4, "got list:"),
    ],
)
@pytest.mark.parametrize("name", ["logits", "probabilities"])
def test_no_answers_are_written_into_an_array_that_does_not_fit(
    name, array, message, random_head, tmp_path
) -> None:
    onnxhead.save(random_head(classes=4), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    targets = dict.fromkeys(("logits", "probabilities"), np.zeros((4, 4), np.float32)) | {name: array}
    rule = f"{name} must be a writeable float32 array in row order, 3 rows or more of 4, {message} "
    with pytest.raises(FeaturesError, match=re.escape(rule + "numpy.empty((3, 4), numpy.float32) is one")):
        classify.call_into(np.ones((3, 5), np.float32), **targets)
    assert not any(np.any(target) for other, target in targets.items() if other != name)


def test_rows_beyond_the_batch_are_left_as_they_are(random_head, tmp_path) -> None:
    onnxhead.save(random_head(classes=4), tmp_path / "head.onnx")
    classify = onnxhead.load(tmp_path / "head.onnx", device="cpu")
    logits, probabilities = (np.full((9, 4), 7, np.float32) for _ in range(2))
    for rows in (0, 1, 8):
        batch = np.ones((rows, 5), np.float32)
        prediction, expected = classify.call_into(batch, logits[:8], probabilities[:8]), classify(batch)
        assert np.array_equal(prediction.logits, expected.logits)
        assert np.array_equal(prediction.probabilities, expected.probabilities)
        assert (logits[max(1, rows) :] == 7).all()
        assert (probabilities[max(1, rows) :] == 7).all()
