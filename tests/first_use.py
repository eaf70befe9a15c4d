"""What a new user does first, with the installed package and no development packages.

Run by `make test-wheel` before it installs them.
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

for name in ("pytest", "hypothesis", "sklearn", "skops", "h5py", "scipy", "mypy"):
    assert importlib.util.find_spec(name) is None, f"{name} is installed: this is not a user's environment"
assert "site-packages" in importlib.util.find_spec("onnxhead").origin

command = Path(sys.executable).with_name("onnxhead")
weights = {"weight": [[1, 2], [3, 4]], "bias": [0, 1], "labels": ["no", "yes"]}
with tempfile.TemporaryDirectory() as folder:
    Path(folder, "weights.json").write_text(json.dumps(weights))

    def run(*arguments: str) -> str:
        done = subprocess.run([command, *arguments], cwd=folder, check=True, capture_output=True, text=True)
        return done.stdout

    run("build", "weights.json")
    answer = json.loads(run("run", "models/weights.onnx", "[1, 1]", "--json"))
    assert answer["logits"] == [[3.0, 8.0]], answer
    assert answer["labels"] == ["yes"], answer
    for other in ("verify", "inspect"):
        run(other, "models/weights.onnx")
    run("explain", "models/weights.onnx", "[1, 1]")
    run("doctor")
    fixtures = Path(__file__).parent / "fixtures"
    for source in ("torch/digits_checkpoint.pth", "torch/digits_legacy.pt", "huggingface/vit_sharded"):
        run("build", str(fixtures / source), "-o", "other.onnx")
    Path(folder, "head.skops").write_bytes(b"")
    Path(folder, "labels.txt").write_text("no")
    for arguments, extra in (
        (["build", "head.skops"], "onnxhead[sklearn]"),
        (["build", str(fixtures / "keras" / "digits_softmax.keras")], "onnxhead[keras]"),
        (
            ["calibrate", "models/weights.onnx", "[[1, 1]]", "labels.txt", "-o", "c.onnx"],
            "onnxhead[calibrate]",
        ),
    ):
        refused = subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True)
        assert refused.returncode == 2, refused
        assert f'pip install "{extra}"' in refused.stderr, refused
print("first use without development packages: 12 passed, 0 failed")
