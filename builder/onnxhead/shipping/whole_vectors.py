"""Conformance vectors of a whole model: inputs of its backbone, with answers and tolerances.

The features are what onnxruntime makes of the inputs on the CPU; from there on the answers are float64. The
tolerances allow for a backbone that another runtime rounds otherwise.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxhead.reference import Reference, deviations
from onnxhead.shipping.vectors import (
    DATA_SET,
    VECTORS,
    answers_document,
    decisions,
    states_the_same,
    tensor_bytes,
    tolerance_findings,
    write_document,
)
from onnxhead.whole_check import check_numbers, first_row, refer_whole
from onnxhead.whole_file import WholeFile
from onnxhead_runtime import load
from onnxhead_runtime.contract import LOGITS, PROBABILITIES, Decision
from onnxhead_runtime.errors import ModelError
from onnxhead_runtime.inputs import Feeds, Input, to_feeds

FORMAT = "2"
_KINDS = "biuf"
_IN_DATA_SET = re.compile(rf"{DATA_SET}\d+/\w+\.\w+", re.ASCII)
_LARGEST_FLOAT_BYTES = (4, 8)  # of floats that every language has


@dataclass(frozen=True, eq=False)
class WholeCase:
    """One batch with its answers.

    Attributes:
        name: What it is.
        feeds: The inputs by name.
        exact: Logits and probabilities in float64, with the tolerance of each.
        labels: The label of each row; None where a tolerance may decide otherwise.
    """

    name: str
    feeds: Feeds
    exact: Reference
    labels: Sequence[Decision]


def check_inputs(inputs: Sequence[Input]) -> None:
    """Raise ModelError for an input that not every language has an array for."""
    for one in inputs:
        dtype = np.dtype("O" if one.dtype == "str" else one.dtype)
        if dtype.kind not in _KINDS or (dtype.kind == "f" and dtype.itemsize not in _LARGEST_FLOAT_BYTES):
            raise ModelError(
                f"a model is shipped with inputs of float32, float64, integers or booleans, {one} is "
                "another: cast it in the backbone"
            )


def make_whole_cases(model: WholeFile, sample: Any = None) -> list[WholeCase]:
    """Return the cases of a whole model: a batch, and its first row alone where the batch is free.

    Args:
        model: The model.
        sample: The batch, arrays by name; None to make one up.

    Raises:
        FeaturesError: The sample does not fit the inputs, or has no rows.
        ModelError: The model does not run on it.
    """
    backbone = model.open_backbone()
    feeds, given = backbone.try_sample(sample)
    cases = [_answered(model, "sample", feeds, given)]
    first = first_row(feeds, backbone.inputs)
    if first is not None:
        cases.append(_answered(model, "first row", first, backbone.run(first)[0]))
    return cases


def write_whole_cases(cases: Sequence[WholeCase], folder: Path) -> None:
    """Write `vectors.json`, and each case in the layout of ONNX's backend tests and as raw numbers."""
    documents = (_document(case, number) for number, case in enumerate(cases))
    write_document(folder, FORMAT, documents)
    for number, case in enumerate(cases):
        (folder / f"{DATA_SET}{number}").mkdir()
        for name, content in _files(case, number):
            (folder / name).write_bytes(content)


def whole_case_findings(folder: Path, model: WholeFile) -> list[str]:
    """Compare the cases of a folder with its model, one sentence each.

    Args:
        folder: Where `write_whole_cases` wrote.
        model: The model in that folder.

    Raises:
        ValueError: `vectors.json` is not as it is written; also KeyError and TypeError.
        OSError: A file is missing.
    """
    document = json.loads((folder / VECTORS).read_bytes())
    if document["format"] != FORMAT or not document["cases"]:
        return [f"{VECTORS} must have format {FORMAT} and cases, it has not"]
    backbone, classify = model.open_backbone(), load(folder / model.path.name, device="cpu")
    findings = []
    for number, stated in enumerate(document["cases"]):
        feeds = to_feeds(_read_feeds(folder, stated["inputs"]), backbone.inputs)
        if json.dumps(stated["inputs"]) != json.dumps(_stated_inputs(feeds, number)):
            findings.append(f"{VECTORS} names other inputs than docs/bundle.md for the case {stated['name']}")
            continue
        case = _answered(model, stated["name"], feeds, backbone.run(feeds)[0])
        if not states_the_same(stated, case.exact, case.labels):
            findings.append(f"{VECTORS} states other answers than the model has for the case {case.name}")
            continue
        findings += [
            f"{name} is not what {VECTORS} states for the case {case.name}"
            for name, content in _files(case, number)
            if (folder / name).read_bytes() != content
        ]
        answer = classify(case.feeds)
        found = deviations(answer.logits, answer.probabilities, case.exact)
        findings += tolerance_findings(case.name, found)
    return findings


def read_sample(folder: Path) -> dict[str, NDArray[Any]]:
    """Read the inputs of the first case of a bundle, on which its model runs.

    Raises:
        ValueError: `vectors.json` is not as it is written; also LookupError and TypeError.
        OSError: A file is missing.
    """
    document = json.loads((folder / VECTORS).read_bytes())
    return _read_feeds(folder, document["cases"][0]["inputs"])


def _answered(model: WholeFile, name: str, feeds: Feeds, given: NDArray[Any]) -> WholeCase:
    """Return a case, from what the backbone gives for its inputs."""
    check_numbers(model, given)
    exact = refer_whole(model, given)
    return WholeCase(name, feeds, exact, decisions(model.labels, model.metadata.link, exact))


def _document(case: WholeCase, number: int) -> dict[str, Any]:
    return {
        "name": case.name,
        "inputs": _stated_inputs(case.feeds, number),
        **answers_document(case.exact, case.labels),
    }


def _stated_inputs(feeds: Feeds, number: int) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            "file": f"{DATA_SET}{number}/input_{place}.bin",
        }
        for place, (name, array) in enumerate(feeds.items())
    ]


def _files(case: WholeCase, number: int) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a case: path in the bundle, and content."""
    folder = f"{DATA_SET}{number}"
    for place, (name, array) in enumerate(case.feeds.items()):
        yield f"{folder}/input_{place}.bin", _little_endian(array).tobytes()
        yield f"{folder}/input_{place}.pb", tensor_bytes(array, name)
    for place, (name, exact) in enumerate(
        ((LOGITS, case.exact.logits), (PROBABILITIES, case.exact.probabilities))
    ):
        yield f"{folder}/output_{place}.pb", tensor_bytes(exact.astype(np.float32), name)


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _read_feeds(folder: Path, inputs: Any) -> dict[str, NDArray[Any]]:
    """Read the inputs of a case; a path that leaves the folder is refused, since bundles come from others."""
    feeds = {}
    for stated in inputs:
        if not _IN_DATA_SET.fullmatch(stated["file"]):
            raise ValueError(f"the file of an input lies in {DATA_SET}N, got {stated['file']!r}")
        dtype, shape = np.dtype(stated["dtype"]), tuple(map(int, stated["shape"]))
        content = (folder / stated["file"]).read_bytes()
        if dtype.kind not in _KINDS or len(content) != dtype.itemsize * math.prod(shape):
            raise ValueError(f"{stated['file']} must hold {shape} of {dtype}, it has {len(content)} bytes")
        feeds[stated["name"]] = np.frombuffer(content, dtype.newbyteorder("<")).reshape(shape).astype(dtype)
    return feeds
