"""A whole process: import, load, first answer, beside the same by hand."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from measure import build, medians, report

PROGRAMS = {
    "onnxhead_runtime": """
import numpy as np, onnxhead_runtime
classify = onnxhead_runtime.load({path!r}, device="cpu")
classify(np.ones((1, 768), np.float32)).probabilities
""",
    "by hand": """
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession({path!r})
session.run(None, {{"features": np.ones((1, 768), np.float32)}})
""",
    "onnxhead, which checks the file's structure first": """
import numpy as np, onnxhead
classify = onnxhead.load({path!r}, device="cpu")
classify(np.ones((1, 768), np.float32)).probabilities
""",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = str(build(Path(folder), 768, 10))
        calls = {
            name: lambda text=text: subprocess.run([sys.executable, "-c", text.format(path=path)], check=True)
            for name, text in PROGRAMS.items()
        }
        spent = medians(calls, repeats=21, seconds=0, idle=0)
    rows = [["process", "seconds", "divided by that by hand"]]
    rows += [[name, f"{value:.3f}", f"{value / spent['by hand']:.2f}"] for name, value in spent.items()]
    report("cold_start", "Cold start", [("Import, load and one answer, 768 x 10:", rows)], spent)


if __name__ == "__main__":
    main()
