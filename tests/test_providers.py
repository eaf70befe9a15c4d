"""A device that is asked for is got, or it is an error. The CUDA wheel without a GPU: tests/compat."""

import importlib.metadata
import os
import subprocess
import sys
import threading
import types

import pytest
from conftest import ROOT

import onnxhead
from onnxhead.doctor import diagnose
from onnxhead_runtime import providers
from onnxhead_runtime.errors import ProviderError

ABC = ROOT / "models" / "abc.onnx"
onnxruntime = pytest.importorskip("onnxruntime")
WITHOUT_CUDA = "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
without_cuda = pytest.mark.skipif(not WITHOUT_CUDA, reason="this onnxruntime is a CUDA build")


@without_cuda
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_without_its_build_is_an_error_with_the_remedy(device) -> None:
    with pytest.raises(ProviderError, match=r'pip uninstall -y .* && pip install "onnxhead\[gpu\]"'):
        onnxhead.load(ABC, device=device)


@without_cuda
def test_auto_takes_the_cpu_and_says_so() -> None:
    assert onnxhead.load(ABC).device == "cpu"


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "CPU", "", "cuda:1:2"])
def test_an_unknown_device_is_refused(device) -> None:
    with pytest.raises(ProviderError, match=f"device must be auto, cpu, cuda or cuda:N, got '{device}'"):
        onnxhead.load(ABC, device=device)


def test_two_distributions_together_are_an_error_with_the_remedy(monkeypatch) -> None:
    versions = {"onnxruntime": "1.31.1", "onnxruntime-gpu": "1.31.1"}

    def version(name: str) -> str:
        if name in versions:
            return versions[name]
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    remedy = r'pip uninstall -y onnxruntime onnxruntime-gpu && pip install "onnxhead\[gpu\]"'
    with pytest.raises(ProviderError, match=f"needs exactly one onnxruntime, .*{remedy}"):
        onnxhead.load(ABC, device="cuda")
    assert any("exactly one onnxruntime must be installed" in finding for finding in diagnose().findings)


def test_an_empty_onnxruntime_is_an_error_with_the_remedy(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", types.ModuleType("onnxruntime"))
    with pytest.raises(ProviderError, match="its folder is there but empty: pip uninstall"):
        onnxhead.load(ABC)
    assert diagnose().findings[0].startswith("cpu: onnxruntime must be installed")


def test_one_thread_at_a_time_changes_the_environment(monkeypatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setattr(sys, "modules", {k: v for k, v in sys.modules.items() if k != "onnxruntime"})
    seen = []

    def enter() -> None:
        with providers._without_telemetry():
            seen.append(os.environ["ORT_DISABLE_TELEMETRY"])

    with providers._without_telemetry():
        other = threading.Thread(target=enter)
        other.start()
        other.join(0.3)
        assert other.is_alive(), "it waits until the first import is done"
    other.join()
    assert seen == ["1"]
    assert "ORT_DISABLE_TELEMETRY" not in os.environ


def test_a_missing_onnxruntime_is_an_error_with_the_remedy(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ProviderError, match=r'does not import .*: pip install "onnxhead\[cpu\]"'):
        onnxhead.load(ABC)


class CudaBuild(types.ModuleType):
    """An onnxruntime that lists CUDA and quietly gives a session on the CPU, as the real one does."""

    def __init__(self, providers_of_session: list[str]) -> None:
        super().__init__("onnxruntime")
        self.asked: dict[str, object] = {}
        self.__version__ = "1.0"
        self._providers = providers_of_session
        self.SessionOptions = onnxruntime.SessionOptions

    def get_available_providers(self) -> list[str]:
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def InferenceSession(self, *_: object, **arguments: object) -> object:  # noqa: N802
        self.asked = arguments
        session = types.SimpleNamespace(get_providers=lambda: self._providers)
        session.disable_fallback = lambda: None
        return session


def test_a_session_that_quietly_went_to_the_cpu_is_an_error(monkeypatch) -> None:
    build = CudaBuild(["CPUExecutionProvider"])
    monkeypatch.setitem(sys.modules, "onnxruntime", build)
    monkeypatch.setattr(providers, "installed_distributions", lambda: {"onnxruntime-gpu": "1.31.1"})
    with pytest.raises(ProviderError, match="does not start: got CPUExecutionProvider instead"):
        providers.open_session(str(ABC), "cuda:1")
    assert build.asked["providers"] == [("CUDAExecutionProvider", {"device_id": "1", "use_tf32": "0"})]
    assert build.asked["enable_fallback"] == 0
    with pytest.raises(ProviderError):
        providers.open_session(str(ABC), "cuda:1", allow_tf32=True)
    assert build.asked["providers"] == [("CUDAExecutionProvider", {"device_id": "1", "use_tf32": "1"})]


def test_the_device_in_use_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", CudaBuild(["CUDAExecutionProvider"]))
    monkeypatch.setattr(providers, "installed_distributions", lambda: {"onnxruntime-gpu": "1.31.1"})
    for device, taken in (("cuda", "cuda:0"), ("cuda:3", "cuda:3"), ("auto", "cuda:0")):
        assert providers.open_session(str(ABC), device)[1] == taken


@pytest.mark.parametrize(("setting", "during_import"), [(None, "1"), ("0", "0")])
def test_telemetry_is_off_unless_the_user_has_decided(setting, during_import, tmp_path) -> None:
    (tmp_path / "onnxruntime.py").write_text("import os; seen = os.environ.get('ORT_DISABLE_TELEMETRY')")
    program = (
        "import os, onnxhead_runtime.providers as providers\n"
        "try: providers.import_onnxruntime()\n"
        "except providers.ProviderError: pass\n"
        "import onnxruntime; print(onnxruntime.seen, os.environ.get('ORT_DISABLE_TELEMETRY'))"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment["PYTHONPATH"] = str(tmp_path)
    if setting is not None:
        environment["ORT_DISABLE_TELEMETRY"] = setting
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.stdout.split() == [during_import, str(setting)], done.stderr
