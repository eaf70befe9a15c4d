"""Is a model, or what was shipped, as it was built? Hashes, answers against float64, the signature."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxhead.check import Check
from onnxhead.model import open_model
from onnxhead.model_file import ModelFile
from onnxhead.shipping.bundle import (
    MODEL,
    answer_findings,
    bundle_damages,
    find_bundle,
    read_own_sample,
)
from onnxhead.shipping.content import content_of
from onnxhead.shipping.signing import SIGNATURE, signature_findings
from onnxhead.whole_check import WholeCheck
from onnxhead.whole_file import WholeFile
from onnxhead_runtime.errors import ModelError


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        path: The model file, or the folder of a bundle.
        check: The comparison with float64, of a whole model that with its parts; None where the hashes
            differ, so that there is no head to compare with.
        findings: One sentence per defect; empty for what is as it was built.
        signed: Whether there is a signature: True where it was checked and holds, None where it was not
            checked.
    """

    path: Path
    check: Check | WholeCheck | None
    findings: list[str]
    signed: bool | None = False


def verify(
    path: str | os.PathLike[str], *, key: str | os.PathLike[str] | None = None, sample: Any = None
) -> Verification:
    """Check the hashes of a file that onnxhead built, and its answers against float64.

    Of a whole model its answers are compared with the backbone and the head run apart.

    Of a folder that `ship` wrote: every file of its bundle against the hashes there, the vectors against
    float64 and against onnxruntime, and the signature. The client's source is not covered.

    Args:
        path: The .onnx file, or the folder, or the bundle in it.
        key: The public key, as PEM, of whoever signed the folder; None to check no signature. Needs the extra
            `sign`.
        sample: Inputs to run a whole model on, arrays by name; None for those of the bundle, or to make some
            up.

    Raises:
        ModelError: The file is broken, or onnxhead did not build it; or the key is none, or a sample is given
            for a head alone.
        FeaturesError: The sample does not fit the model's inputs.
        ProviderError: onnxruntime is missing.

    Example:
        >>> verify("models/abc.onnx").findings
        []
    """
    path = Path(path)
    if path.is_dir():
        return _verify_bundle(find_bundle(path), key, sample)
    model = open_model(path)
    if key is not None:
        raise ModelError(f"a signature is that of a folder that was shipped, {path} is a file")
    check, findings = _check(model, sample)
    return Verification(model.path, check, findings)


def _check(model: ModelFile, sample: Any = None) -> tuple[Check | WholeCheck | None, list[str]]:
    """Return the comparison, unless the hashes differ, and what was found."""
    findings = model.damages()
    if findings:
        return None, findings
    check = content_of(model, sample).check(model.path)
    return check, [] if check.passed else [f"the largest errors {check.against} are {check}"]


def _verify_bundle(bundle: Path, key: str | os.PathLike[str] | None, sample: Any) -> Verification:
    findings = [] if key is None else signature_findings(bundle, Path(key))
    signed = None if key is None and (bundle / SIGNATURE).exists() else key is not None and not findings
    findings += bundle_damages(bundle)
    if findings:
        return Verification(bundle, None, findings, signed)
    model = open_model(bundle / MODEL)
    if sample is None and isinstance(model, WholeFile):
        sample = read_own_sample(bundle)
    check, findings = _check(model, sample)
    if not findings:
        findings = answer_findings(bundle, content_of(model))
    return Verification(bundle, check, findings, signed)
