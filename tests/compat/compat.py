"""Heads in every form, in every onnxruntime from the oldest with a wheel for this Python to the newest, in OpenVINO and
in tract, each in an environment of its own; and the CUDA build of onnxruntime on a machine without a GPU, where it must
refuse and not answer from the CPU. Writes the table of docs/runtimes.md.

    PYTHONPATH=tests python tests/compat/compat.py FOLDER        as `make compat` does, with dist/*.whl built before
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import skl2onnx
from clients.document import replace_block
from clients.versions import VERSIONS as CLIENT_VERSIONS
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

import onnxhead
from onnxhead import storage
from onnxhead.compatibility import RELEASES, RUNTIMES, form_for, refusing_runtimes
from onnxhead.form import Form
from onnxhead.reference import refer
from onnxhead_runtime.contract import LINKS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NUMPY_1 = "numpy<2"  # what was built for numpy 1 does not load in numpy 2
OLD_VERSIONS = ("1.15.1", "1.16.3", "1.17.3", "1.18.1")
VERSIONS = (*OLD_VERSIONS, *CLIENT_VERSIONS)
# each opset with the oldest IR version that the ONNX standard gives it, from the oldest that are written on
FORMS = [
    *((7, 4), (9, 4), (11, 6), (12, 7), (13, 7), (15, 8), (18, 8)),
    *((19, 9), (20, 9), (21, 10), (22, 10), (23, 11), (25, 13), (26, 13)),
]
PRECISIONS = {
    "float16": Form(weights="float16"),
    "bfloat16": Form(weights="bfloat16"),
    "int8": Form(weights="int8"),
    "in float16": Form(compute="float16"),
    "in float64": Form(compute="float64"),
}
_OLD_PROCESSOR = f"onnxruntime {VERSIONS[-1]}, processor with AVX2 and no VNNI"
_PIP = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def main(folder: Path) -> None:
    (wheel,) = (ROOT / "dist").glob("*.whl")
    models = folder / "compat-models"
    write_models(models)
    table = {}
    for version in VERSIONS:
        requirements = [f"onnxruntime=={version}", *([NUMPY_1] if version in OLD_VERSIONS else [])]
        table[f"onnxruntime {version}"] = run("load_models.py", folder, requirements, wheel, models)
    newest = f"onnxruntime=={VERSIONS[-1]}"
    # there sums of products of bytes are cut off at 16 bits, in silence
    emulator = ["qemu-x86_64", "-cpu", "Haswell"]
    table[_OLD_PROCESSOR] = run("load_models.py", folder, [newest], wheel, models, prefix=emulator)
    for other in ("openvino", "tract"):
        table[other] = run("load_elsewhere.py", folder, [other, "numpy"], None, models, other)
    run("cuda_without_gpu.py", folder, ["onnxruntime-gpu"], wheel, models)
    found = {name: answers for name, answers in table.items() if answers}
    check_refusals(found)
    forms = {f"{opset} / {ir_version}": f"form-{opset}-{ir_version}" for opset, ir_version in FORMS}
    precisions = {name: f"precision-{name}" for name in PRECISIONS}
    for block, columns in (("matrix", forms), ("precisions", precisions)):
        lines = list(markdown(found, columns))
        print("\n".join(lines))
        if all(table.values()):
            replace_block(ROOT / "docs/runtimes.md", block, lines)


def check_refusals(found: dict[str, dict[str, str]]) -> None:
    """Fail where `compatibility` says of a runtime and a precision what it does not do."""
    for runtime, answers in found.items():
        for name, form in PRECISIONS.items():
            is_run, is_refused = answers[f"precision-{name}"] == "yes", runtime in refusing_runtimes(form)
            if is_run == is_refused:
                raise SystemExit(f"FAILED: {runtime} {'runs' if is_run else 'does not run'} {name}")


def write_models(folder: Path) -> None:
    """Write a model of every kind and form, features, the float64 answers and their bounds."""
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
        write_model(folder, name, head, Form())
    plain, tempered = heads["softmax-1.0"], heads["ovr-2.5"]
    write_model(folder, "top", tempered, Form(top_k=3))
    for opset, ir_version in FORMS:
        write_model(folder, f"form-{opset}-{ir_version}", tempered, Form(opset, ir_version))
    for name, form in PRECISIONS.items():
        write_model(folder, f"precision-{name}", tempered, form)
    for target in (*(f"onnxruntime=={version}" for version in VERSIONS), *RUNTIMES):
        write_model(folder, f"target-{target}", plain, form_for(target))
    for zipmap in (False, True):
        write_foreign(folder / f"foreign-{zipmap}.onnx", zipmap)
    storage.EXTERNAL_THRESHOLD_BYTES = 0
    write_model(folder, "external", plain, Form())
    limits = [f"{release.version} {release.ir_version} {release.opset}" for release in RELEASES]
    (folder / "releases.txt").write_text("\n".join(limits))


def write_foreign(path: Path, zipmap: bool) -> None:
    """Write what skl2onnx makes of a logistic regression, of which `inspect` names who refuses it."""
    rows = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    estimator = LogisticRegression().fit(rows, np.arange(30) % 3)
    model = skl2onnx.to_onnx(
        estimator,
        initial_types=[("features", FloatTensorType([1, 4]))],  # for tract, which cannot guess a batch
        options={"zipmap": zipmap},
        target_opset={"": 13, "ai.onnx.ml": 1},
    )
    path.write_bytes(model.SerializeToString())


def write_model(folder: Path, name: str, head: onnxhead.Head, form: Form) -> None:
    path = onnxhead.save(head, folder / f"{name}.onnx", form=form).path
    kept = onnxhead.read(path)
    features = np.random.default_rng(1).normal(size=(9, head.features)).astype(np.float32)
    exact = refer(kept, features, form)
    np.savez(
        folder / f"{name}.npz",
        features=features,
        logits=exact.logits,
        probabilities=exact.probabilities,
        logits_bound=exact.logits_bound,
        probabilities_bound=exact.probabilities_bound,
    )


def run(
    script: str,
    folder: Path,
    requirements: list[str],
    wheel: Path | None,
    models: Path,
    *more: str,
    prefix: list[str] | None = None,
) -> dict[str, str]:
    """Run a script in an environment that has what is asked for alone; return the last line that it prints.

    Nothing where pip has no such package for this Python, unless this is CI: there that is a failure.

    Args:
        script: The script, beside this one.
        folder: Where to make the environment.
        requirements: What is installed.
        wheel: Our own package, installed without what it needs.
        models: The first argument of the script.
        more: Its further arguments.
        prefix: The command that runs Python, such as an emulator; nothing is run where it is not there.
    """
    if prefix is not None and not shutil.which(prefix[0]):
        if "CI" in os.environ:
            raise SystemExit(f"FAILED: {prefix[0]} is missing: make clients-packages installs it")
        print(f"{prefix[0]}: SKIPPED, not installed")
        return {}
    environment = folder / "compat"
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
    python = environment / "bin" / "python"
    if subprocess.run([python, *_PIP, *requirements], check="CI" in os.environ).returncode:
        print(f"{requirements[0]}: SKIPPED, no wheel for this Python")
        return {}
    if wheel:
        subprocess.run([python, *_PIP, "--no-deps", wheel], check=True)
    done = subprocess.run(
        [*(prefix or []), python, HERE / script, models, *more],
        check=True,
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    *lines, answers = done.stdout.splitlines()
    print("\n".join(lines), flush=True)
    return dict(json.loads(answers))


def markdown(table: dict[str, dict[str, str]], columns: dict[str, str]) -> Iterator[str]:
    yield f"| | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    for runtime, answers in table.items():
        yield f"| {runtime} | {' | '.join(answers[name] for name in columns.values())} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
