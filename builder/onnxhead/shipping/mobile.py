"""The .ort format, which builds of onnxruntime without ONNX read: those for phones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from onnxhead.shipping.bundle import MODEL
from onnxhead.shipping.content import Content
from onnxhead_runtime.errors import WriteError

_CONVERTER = "onnxruntime.tools.convert_onnx_models_to_ort"
_OPERATORS = "required_operators.config"


def write_ort(bundle: Path, name: str, _content: Content) -> None:
    """Write `NAME.ort`, and the operators that a build of onnxruntime needs for it, by its own converter.

    Raises:
        WriteError: The converter fails; the format holds less than 2 GiB.
    """
    done = subprocess.run(  # noqa: S603  (no shell, and our own arguments)
        [
            *(sys.executable, "-P", "-m", _CONVERTER),  # -P: no module of the working directory is run
            *(bundle / MODEL, "--output_dir", bundle, "--optimization_style", "Fixed"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise WriteError(f"onnxruntime's converter must turn the model into .ort, it did not: {reason}")
    stem = Path(MODEL).stem
    (bundle / f"{stem}.ort").rename(bundle / f"{name}.ort")
    listed = (bundle / f"{stem}.{_OPERATORS}").rename(bundle / _OPERATORS)
    lines = listed.read_text(encoding="utf-8").splitlines(keepends=True)
    # comments name the folder in which it was made
    listed.write_text("".join(line for line in lines if not line.startswith("#")), encoding="utf-8")
