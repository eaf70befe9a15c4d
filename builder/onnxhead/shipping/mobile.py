"""The .ort format, which builds of onnxruntime without ONNX read: those for phones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from onnxhead.check import check_model
from onnxhead.head import Head
from onnxhead.shipping.bundle import BUNDLE, MODEL
from onnxhead_runtime.errors import VerificationError, WriteError

_CONVERTER = "onnxruntime.tools.convert_onnx_models_to_ort"
_STEM = Path(MODEL).stem


def write_ort(project: Path, name: str, head: Head) -> None:
    """Write `NAME.ort`, and the operators that a build of onnxruntime needs for it, by its own converter.

    Raises:
        WriteError: The converter fails; the format holds less than 2 GiB.
        VerificationError: The converted model's answers are beyond the bound of rounding.
    """
    done = subprocess.run(  # noqa: S603  (no shell, and our own arguments)
        [
            *(sys.executable, "-m", _CONVERTER, project / BUNDLE / MODEL),
            *("--output_dir", project, "--optimization_style", "Fixed"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        raise WriteError(f"onnxruntime's converter must turn the model into .ort, it did not: {reason}")
    path = (project / f"{_STEM}.ort").rename(project / f"{name}.ort")
    _remove_comments(project / f"{_STEM}.required_operators.config")
    check = check_model(path, head)
    if not check.passed:
        raise VerificationError(f"the .ort model's answers must be within rounding, they are not: {check}")


def _remove_comments(path: Path) -> None:
    """Leave out the lines of a list of operators that name the folder in which it was made."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.unlink()
    operators = "".join(line for line in lines if not line.startswith("#"))
    path.with_name("required_operators.config").write_text(operators, encoding="utf-8")
