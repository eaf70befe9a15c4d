"""What is in files and on the machine, as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from onnxhead.compatibility import ON_CPU, refusing_runtimes
from onnxhead.display.text import label_list, link_text, plain, table
from onnxhead.doctor import Diagnosis
from onnxhead.shipping.signing import SIGNATURE
from onnxhead.summary import Summary
from onnxhead.verification import Verification

_LISTED_OPERATORS = 20


def summary_lines(summary: Summary) -> Iterator[str]:
    """Say what is in a model file."""
    ours = summary.link is not None
    data = "".join(f" + {plain(path.name)}" for path in summary.data_paths)
    yield from table(
        [
            ("file", f"{plain(str(summary.path))}{data} ({summary.size_bytes:,} bytes)"),
            ("inputs", plain("; ".join(map(str, summary.inputs)))),
            ("outputs", plain("; ".join(map(str, summary.outputs)))),
            ("operators", plain(_operators(summary.operators))),
            ("opset", f"{summary.opset}, IR version {summary.ir_version}"),
            *([("precision", summary.form.precision)] if summary.form else []),
            ("labels", label_list(summary.labels) if ours else "not stated"),
            ("link", link_text(str(summary.link), summary.temperature or 1) if ours else "not stated"),
            *([("kind", "a whole model: a backbone, and what follows it")] if summary.is_whole else []),
            ("weights sha256", summary.weights_sha256 or "not stated"),
            ("file sha256", summary.sha256),
            ("loads in", _runtimes(summary)),
            *([("beside ai.onnx", plain(", ".join(summary.other_domains)))] if summary.other_domains else []),
            *(("obstacle", plain(obstacle)) for obstacle in summary.obstacles),
        ]
    )
    if summary.obstacles and summary.has_linear_layer and not ours:
        yield f"without them: onnxhead build {plain(str(summary.path))}, of its last linear layer"


def _operators(names: Sequence[str]) -> str:
    """Return the first operators in order, or of many how often each is there."""
    if len(names) <= _LISTED_OPERATORS:
        return " -> ".join(names)
    counts = Counter(names).most_common()
    return ", ".join(f"{number} {name}" for name, number in counts)


def _runtimes(summary: Summary) -> str:
    oldest = summary.oldest_onnxruntime
    if oldest is None:
        return "onnxruntime builds that have those operators" if summary.other_domains else "none known"
    is_for_gpus = summary.form is not None and ON_CPU in refusing_runtimes(summary.form)
    elsewhere = "on a GPU" if is_for_gpus else "also in Node and browsers"
    return f"onnxruntime {oldest} or newer, {elsewhere}"


def verification_lines(verification: Verification) -> Iterator[str]:
    """Say whether a model is as it was built."""
    if verification.check:
        yield f"largest error {verification.check.against}: {verification.check}"
    for finding in verification.findings:
        yield f"FOUND: {plain(finding)}"
    if verification.findings:
        again = (
            "build it again" if verification.path.is_file() else "copy it again as a whole, or ship it again"
        )
        yield f"{plain(str(verification.path))} is not as it was built: {again}"
        return
    what = "files, vectors" if verification.path.is_dir() else "weights, graph"
    yield f"{plain(str(verification.path))}: {what} and answers are as they were built"
    if verification.signed:
        yield "the signature holds"
    elif verification.signed is None:
        yield f"{SIGNATURE} is there and was not checked: give the public key with --verify-key"


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Say what is installed and what starts."""
    onnxruntimes: Mapping[str, str | None] = diagnosis.onnxruntimes or {"onnxruntime": None}
    packages = {**diagnosis.packages, **onnxruntimes}
    yield from table(
        [
            ("python", diagnosis.python),
            *((name, version or "not installed") for name, version in packages.items()),
            *((device.name, device.problem or "starts and answers") for device in diagnosis.devices),
        ]
    )
    yield from (f"FOUND: {finding}" for finding in diagnosis.findings)
