"""Devices: what is there, what is asked for, what is really used.

onnxruntime falls back to the CPU without an error, and lists CUDA as available on machines that have no
GPU. Here a device that is asked for is a device that is got: a session for `cuda` is opened with the CUDA
provider alone, with every fallback off, and its providers are read back.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any, Literal

from onnxhead_runtime.errors import ModelError, ProviderError
from onnxhead_runtime.threads import configure_threads
from onnxhead_runtime.weights import external_bytes, is_whole

# They install into the same folder: the second one to be installed overwrites the first.
_DISTRIBUTIONS = (
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-directml",
    "onnxruntime-openvino",
)
_TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
# What onnxruntime says when the CUDA provider did not start and the CPU may not take its place.
_FALLBACK_DISABLED = "fallback to CPU EP has been explicitly disabled"
_process_wide = threading.RLock()  # held while the environment or standard output is another
_FATAL = 4  # onnxruntime's log severity: what goes wrong is raised, not printed
# Weights packed for the CPU answer small batches up to twice as fast and take the memory twice; from this
# size on they stay where they are, mapped from their file.
_MAPPED_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Provider:
    """One execution provider.

    Attributes:
        device: The device's name here, such as `cuda`.
        name: onnxruntime's name of the provider.
        options: What it is opened with, beside the number of the device.
    """

    device: str
    name: str
    options: Mapping[str, str]


CPU = Provider("cpu", "CPUExecutionProvider", {})
# TF32 keeps 10 bits of the mantissa: logits would be outside the float32 bound.
CUDA = Provider("cuda", "CUDAExecutionProvider", {"use_tf32": "0"})


def open_session(
    path: str,
    device: str = "auto",
    threads: int | None = None,
    allow_tf32: bool = False,
    mmap: bool | Literal["auto"] = "auto",
) -> tuple[Any, str]:
    """Open an `onnxruntime.InferenceSession` for the file.

    Args:
        path: The .onnx file.
        device: `cpu`, `cuda`, `cuda:N`, or `auto` for CUDA where it starts and the CPU elsewhere.
        threads: How many threads compute on the CPU; None for one per core that this process may use.
        allow_tf32: Let a GPU round to TF32.
        mmap: Whether weights beside the model stay in their file; `auto` for large ones.

    Returns:
        The session and the device that it uses: `cpu` or `cuda:N`.

    Raises:
        ProviderError: onnxruntime is missing, the device does not start, or its name is none of the above.
        ModelError: onnxruntime refuses the file.
    """
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d+))?", str(device))
    if not match:
        raise ProviderError(f"device must be auto, cpu, cuda or cuda:N, got {device!r}")
    if threads is not None and threads < 1:
        raise ProviderError(f"threads must be at least 1, got {threads}")
    ort = import_onnxruntime()
    whole = is_whole(path)
    options = partial(_session_options, ort, threads, _is_mapped(path, mmap, whole), whole)
    if device == "cpu":
        return _open_cpu(ort, path, options), "cpu"
    index = int(match[1] or 0)
    if device != "auto":
        return _open_cuda(ort, path, options, index, allow_tf32, whole), f"cuda:{index}"
    if CUDA.name in ort.get_available_providers():
        try:
            return _open_cuda(ort, path, options, index, allow_tf32, whole), f"cuda:{index}"
        except ProviderError as reason:
            import logging  # here, since it costs a hundredth of a cold start

            logging.getLogger(__name__).warning("device auto takes the CPU: %s", reason)
    return _open_cpu(ort, path, options), "cpu"


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime on first use, so that a broken installation is an error with a remedy.

    Its telemetry is switched off, unless it has been imported or ORT_DISABLE_TELEMETRY been set before.

    Raises:
        ProviderError: It is not installed, or installed in pieces.
    """
    try:
        with _without_telemetry():
            import onnxruntime
    except ImportError as cause:
        raise ProviderError(
            f"onnxruntime must be installed to run a model, it does not import ({cause}): "
            'pip install "onnxhead[cpu]", or "onnxhead[gpu]" for CUDA'
        ) from cause
    if not hasattr(onnxruntime, "InferenceSession"):
        raise ProviderError(
            "onnxruntime must be installed to run a model, its folder is there but empty: "
            f"{reinstall_command('cpu')}"
        )
    module: ModuleType = onnxruntime
    return module


@contextlib.contextmanager
def _without_telemetry() -> Iterator[None]:
    """Let an onnxruntime that is imported now neither send usage data nor start a thread for it.

    From 1.29 on it does both by default, and a forked child that inherits that thread hangs when it exits.
    It reads the variable once, when it is imported; one that is set already is the user's decision.
    """
    if "onnxruntime" in sys.modules:  # without the lock, which a fork may have left held
        yield
        return
    with _process_wide:
        if _TELEMETRY_SWITCH in os.environ:
            yield
            return
        os.environ[_TELEMETRY_SWITCH] = "1"
        try:
            yield
        finally:
            del os.environ[_TELEMETRY_SWITCH]


def installed_distributions() -> dict[str, str]:
    """Return name and version of every onnxruntime distribution that is installed."""
    import importlib.metadata  # here, since it costs as much as the rest of this package

    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def reinstall_command(extra: str) -> str:
    """Return the command that leaves exactly one onnxruntime, the one of `extra`."""
    names = " ".join(installed_distributions()) or "onnxruntime"
    return f'pip uninstall -y {names} && pip install "onnxhead[{extra}]"'


def is_large(path: str | os.PathLike[str]) -> bool:
    """Tell whether a model has so large weights beside it that to read them takes longer than to load it."""
    return external_bytes(path) >= _MAPPED_BYTES


def _is_mapped(path: str, mmap: bool | Literal["auto"], whole: bool) -> bool:
    if mmap == "auto":
        return is_large(path) and not whole  # a backbone's weights are all read in every call
    if isinstance(mmap, bool):
        return mmap
    raise ProviderError(f'mmap must be True, False or "auto", got {mmap!r}')


def _open_cpu(ort: ModuleType, path: str, make_options: Callable[[], Any]) -> Any:
    try:
        return ort.InferenceSession(path, make_options(), providers=[CPU.name], enable_fallback=0)
    except Exception as cause:  # onnxruntime's exceptions have no public base
        raise ModelError(
            f"onnxruntime {ort.__version__} refuses {path}: {one_line(cause)}; onnxhead inspect says which "
            "runtimes load it, onnxhead verify whether it is damaged"
        ) from cause


def _open_cuda(
    ort: ModuleType, path: str, make_options: Callable[[], Any], index: int, allow_tf32: bool, whole: bool
) -> Any:
    _require_cuda_build(ort)
    missing = _preload_libraries(ort, whole)
    options = make_options()
    if not whole:  # onnxruntime itself leaves the arithmetic of shapes on the CPU
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    precision = {"use_tf32": "1"} if allow_tf32 else {}
    try:
        session = ort.InferenceSession(
            path,
            options,
            providers=[(CUDA.name, {"device_id": str(index), **CUDA.options, **precision})],
            enable_fallback=0,
        )
    except Exception as cause:  # onnxruntime's exceptions have no public base
        _open_cpu(
            ort, path, make_options
        )  # a file that no provider can load is the file's fault, and raises so
        reason = missing or one_line(cause)
        if _FALLBACK_DISABLED in reason:
            reason = "onnxruntime finds no NVIDIA GPU, or no driver that fits its CUDA"
        raise ProviderError(_not_started(index, reason)) from cause
    if session.get_providers()[0] != CUDA.name:
        raise ProviderError(_not_started(index, f"got {session.get_providers()[0]} instead"))
    session.disable_fallback()
    return session


def _require_cuda_build(ort: ModuleType) -> None:
    installed = installed_distributions()
    if len(installed) > 1:
        raise ProviderError(
            "device cuda needs exactly one onnxruntime, installed are "
            f"{' and '.join(installed)}, which overwrite each other: {reinstall_command('gpu')}"
        )
    if CUDA.name not in ort.get_available_providers():
        raise ProviderError(
            f"device cuda needs the CUDA build of onnxruntime, installed is "
            f"{' '.join(installed) or 'another build'} {ort.__version__} without it: "
            f"{reinstall_command('gpu')}"
        )


def _preload_libraries(ort: ModuleType, cudnn: bool) -> str:
    """Load CUDA's libraries from the nvidia packages; return which ones are missing, in words."""
    if not hasattr(ort, "preload_dlls"):
        return ""
    with _process_wide, contextlib.redirect_stdout(io.StringIO()) as printed:
        ort.preload_dlls(cudnn=cudnn)  # which a head does not need
    missing = re.findall(r"Failed to load ([^:\s]+)", printed.getvalue())
    return f"{', '.join(missing)} not found, which onnxhead[gpu] installs" if missing else ""


def _not_started(index: int, reason: str) -> str:
    return (
        f"device cuda:{index} must start or be an error, it does not start: {reason}; "
        "look at nvidia-smi and onnxhead doctor, or ask for device cpu"
    )


def _session_options(ort: ModuleType, threads: int | None, is_mapped: bool, whole: bool) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL
    if not whole:
        # what a call needs beside its outputs is small; an arena keeps the largest that it ever was
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
    configure_threads(options, ort, threads)
    if is_mapped:
        options.add_session_config_entry("session.disable_prepacking", "1")
    return options


def one_line(cause: Exception) -> str:
    """Return onnxruntime's message without its prefix, on one line."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(cause))
    return " ".join(text.split())
