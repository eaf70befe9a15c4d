"""Is a model file as it was built? Its hashes, and its answers against float64."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from onnxhead.check import Check, check_model
from onnxhead.model import open_model


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        path: The model file.
        check: The comparison with float64; None where the hashes differ, so that there is no head to
            compare with.
        findings: One sentence per defect; empty for a file that is as it was built.
    """

    path: Path
    check: Check | None
    findings: list[str]


def verify(path: str | os.PathLike[str]) -> Verification:
    """Check the hashes of a file that onnxhead built, and its answers against float64.

    Raises:
        ModelError: The file is broken, or onnxhead did not build it.
        ProviderError: onnxruntime is missing.

    Example:
        >>> verify("models/abc.onnx").findings
        []
    """
    model = open_model(path)
    findings = model.damages()
    if findings:
        return Verification(model.path, None, findings)
    check = check_model(model.path, model.head())
    if not check.passed:
        findings.append(f"the largest errors against float64 are {check}")
    return Verification(model.path, check, findings)
