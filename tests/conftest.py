"""What several test modules use."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxhead
from onnxhead.compatibility import RELEASES
from onnxhead.form import Form

ROOT = Path(__file__).parents[1]
Command = Callable[..., subprocess.CompletedProcess[str]]


def pytest_report_header() -> str:
    return f"onnxhead under test: {Path(onnxhead.__file__).parent}"


def skip_beyond(form: Form) -> None:
    """Skip a test of a form that the installed onnxruntime or onnx does not know."""
    installed = tuple(map(int, onnxruntime.__version__.split(".")[:2]))
    known = [one for one in RELEASES if tuple(map(int, one.version.split("."))) <= installed][-1]
    if form.opset > min(known.opset, onnx.defs.onnx_opset_version()) or form.ir_version > known.ir_version:
        pytest.skip(f"onnxruntime {onnxruntime.__version__} or onnx {onnx.__version__} does not know {form}")


@pytest.fixture
def abc() -> onnxhead.Head:
    """The worked example."""
    return onnxhead.read(ROOT / "models" / "abc.json")


@pytest.fixture
def random_head() -> Callable[..., onnxhead.Head]:
    def make(classes: int = 4, features: int = 5, seed: int = 0, **arguments: object) -> onnxhead.Head:
        random = np.random.default_rng(seed)
        weight = random.normal(size=(classes, features)).astype(np.float32)
        return onnxhead.Head(weight, random.normal(size=classes).astype(np.float32), **arguments)

    return make


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run the installed `onnxhead` command in a temporary folder."""
    program = Path(sys.executable).with_name("onnxhead")

    def run(
        *arguments: object, status: int = 0, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error", "COLUMNS": "200"},
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture
def weights_json(tmp_path: Path) -> Path:
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"weight": [[1, 2, 3], [4, 5, 6]], "bias": [0, 1], "labels": ["no", "yes"]}))
    return path
