"""The built files in every onnxruntime that raised a limit, each in an environment of its own, from the oldest with
a wheel for this Python to the newest; and the CUDA build of onnxruntime on a machine without a GPU, where it must
refuse and not answer from the CPU.

    python tests/compat/compat.py FOLDER        as `make compat` does, with dist/*.whl built before
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import onnxhead
from onnxhead import storage
from onnxhead.compatibility import RELEASES
from onnxhead.reference import refer
from onnxhead_runtime.contract import LINKS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NUMPY_1 = "numpy<2"  # what was built for numpy 1 does not load in numpy 2
ENVIRONMENTS = [
    ["onnxruntime==1.15.1", NUMPY_1],
    ["onnxruntime==1.17.3", NUMPY_1],
    ["onnxruntime==1.18.1", NUMPY_1],
    ["onnxruntime==1.21.1"],
    ["onnxruntime==1.23.2"],
    ["onnxruntime==1.24.4"],
    ["onnxruntime==1.25.1"],
    ["onnxruntime==1.31.1"],
    ["onnxruntime"],
    ["onnxruntime-gpu"],
]


def main(folder: Path) -> None:
    (wheel,) = (ROOT / "dist").glob("*.whl")
    models = folder / "compat-models"
    write_models(models)
    for requirements in ENVIRONMENTS:
        python = make_environment(folder / "compat", requirements, wheel)
        if python is None:
            print(f"{requirements[0]}: SKIPPED, no wheel for this Python")
            continue
        script = "cuda_without_gpu.py" if requirements[0] == "onnxruntime-gpu" else "load_models.py"
        subprocess.run([python, HERE / script, models], check=True, cwd=folder)


def write_models(folder: Path) -> None:
    """Write a model of every kind, features, the float64 answers and their bounds."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    heads = {
        f"{link}-{temperature}": onnxhead.Head(
            random.normal(size=(7, 40)), random.normal(size=7), link=link, temperature=temperature
        )
        for link in LINKS
        for temperature in (1.0, 2.5)
    }
    heads["abc"] = onnxhead.read(ROOT / "models" / "abc.onnx")
    for name, head in heads.items():
        write_model(folder, name, head)
    storage.EXTERNAL_THRESHOLD_BYTES = 0
    write_model(folder, "external", heads["softmax-1.0"])
    limits = [f"{release.version} {release.ir_version} {release.opset}" for release in RELEASES]
    (folder / "releases.txt").write_text("\n".join(limits))


def write_model(folder: Path, name: str, head: onnxhead.Head) -> None:
    onnxhead.save(head, folder / f"{name}.onnx")
    features = np.random.default_rng(1).normal(size=(9, head.features)).astype(np.float32)
    exact = refer(head, features)
    np.savez(
        folder / f"{name}.npz",
        features=features,
        logits=exact.logits,
        probabilities=exact.probabilities,
        logits_bound=exact.logits_bound,
        probabilities_bound=exact.probabilities_bound,
    )


def make_environment(folder: Path, requirements: list[str], wheel: Path) -> Path | None:
    """Make a virtual environment in which the wheel has no dependency but what is asked for.

    None where pip has no such package for this Python, unless this is CI: there that is a failure.
    """
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, *requirements], check="CI" in os.environ).returncode:
        return None
    subprocess.run([*pip, "--no-deps", wheel], check=True)
    return python


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
