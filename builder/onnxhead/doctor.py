"""Which onnxruntime is installed, which devices really start, and what to do if one does not."""

from __future__ import annotations

import importlib.metadata
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnxhead.graph import compose
from onnxhead.head import Head
from onnxhead_runtime import load
from onnxhead_runtime.errors import OnnxHeadError
from onnxhead_runtime.providers import CPU, CUDA, Provider, installed_distributions, reinstall_command

_PACKAGES = ("onnxhead", "numpy", "onnx", "protobuf", "safetensors")


@dataclass(frozen=True)
class Device:
    """A device that was tried: a small model was run on it.

    Attributes:
        name: `cpu` or `cuda`.
        problem: Why it does not start and what to do; None if it answered.
        needed: Whether it should start: always for the CPU, for CUDA where its build is installed.
    """

    name: str
    problem: str | None
    needed: bool


@dataclass(frozen=True)
class Diagnosis:
    """What `diagnose` found.

    Attributes:
        python: The version and platform of Python.
        packages: Versions of what onnxhead uses, None for what is not installed.
        onnxruntimes: The onnxruntime distributions and their versions; more than one is a defect.
        devices: The devices that were tried.
        findings: What is to be mended; empty where all is well.
    """

    python: str
    packages: dict[str, str | None]
    onnxruntimes: dict[str, str]
    devices: list[Device]
    findings: list[str]


def diagnose() -> Diagnosis:
    """Try every device on a small model; writes only to a temporary folder.

    Example:
        >>> [device.name for device in diagnose().devices if device.problem is None][0]
        'cpu'
    """
    installed = installed_distributions()
    devices = [
        Device(CPU.device, _try(CPU), needed=True),
        Device(CUDA.device, _try(CUDA), needed="onnxruntime-gpu" in installed),
    ]
    findings = [f"{device.name}: {device.problem}" for device in devices if device.problem and device.needed]
    if len(installed) > 1:
        findings.append(
            "exactly one onnxruntime must be installed, they overwrite each other: "
            f'{reinstall_command("cpu")} (or "onnxhead[gpu]")'
        )
    return Diagnosis(
        python=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        packages={name: _version(name) for name in _PACKAGES},
        onnxruntimes=installed,
        devices=devices,
        findings=findings,
    )


def _try(provider: Provider) -> str | None:
    head = Head(np.eye(2), np.zeros(2))
    with tempfile.TemporaryDirectory(prefix="onnxhead-") as folder:
        path = Path(folder) / "doctor.onnx"
        path.write_bytes(compose(head).SerializeToString())
        try:
            answer = load(path, device=provider.device)([1.0, 2.0]).logits
        except OnnxHeadError as error:
            return str(error).replace(str(path), path.name)
    return None if answer.tolist() == [[1.0, 2.0]] else f"it answers {answer.tolist()} for [[1.0, 2.0]]"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
