"""Which runtime loads which file: the newest IR version and opset of each onnxruntime, and precisions.

Up to 1.14 from onnxruntime's own table of versions; from 1.15 on `make compat` loads a file at each limit and
files beyond it in every release of this table. A release that is left out counts as the one before it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

from onnxhead.form import DEFAULT, Form
from onnxhead_runtime.errors import WriteError


class Release(NamedTuple):
    """The limits of an onnxruntime release and of all later ones up to the next in the table."""

    version: str
    ir_version: int
    opset: int


RELEASES = (
    Release("1.0", 6, 11),
    Release("1.5", 7, 12),
    Release("1.6", 7, 13),
    Release("1.13", 8, 17),
    Release("1.14", 8, 18),
    Release("1.15", 9, 19),
    Release("1.17", 9, 20),
    Release("1.18", 10, 21),
    Release("1.21", 10, 22),
    Release("1.23", 11, 23),
    Release("1.24", 13, 25),
    Release("1.25", 13, 26),
    Release("1.32", 14, 28),
)


# other runtimes that load the default form
RUNTIMES = ("onnxruntime-web", "onnxruntime-node", "openvino", "tensorrt", "tract")
ON_CPU = "onnxruntime on the CPU"
# Who refuses a precision, or answers beyond its bound, by `Form.precision_kind`. `make compat` tries all but
# TensorRT, whose table of operators says that it has no MatMulInteger, and makes float32 of float64.
_REFUSED: dict[str, tuple[str, ...]] = {
    "bfloat16": ("tract",),
    "int8": ("tensorrt",),
    "computed in float16": ("tract",),
    "computed in bfloat16": (ON_CPU, "onnxruntime-web", "onnxruntime-node", "tract"),
    "computed in float64": ("openvino", "tensorrt", "tract"),
}


def refusing_runtimes(form: Form) -> tuple[str, ...]:
    """Return which runtimes do not run a precision, or not within its bound.

    Example:
        >>> refusing_runtimes(Form()), refusing_runtimes(Form(weights="bfloat16"))
        ((), ('tract',))
    """
    return _REFUSED.get(form.precision_kind, ())


def check_runtime(name: str, form: Form) -> None:
    """Raise WriteError for a runtime that does not run a precision."""
    if name in refusing_runtimes(form):
        raise WriteError(
            f"{name} does not run a head in {form.precision}, or not within its bound (docs/runtimes.md): "
            "build it with other --weights or --compute"
        )


def form_for(target: str, form: Form = DEFAULT) -> Form:
    """Return the form that a runtime loads: the newest opset and IR version that it has, up to the default.

    Args:
        target: `onnxruntime==VERSION`, or one of `RUNTIMES`.
        form: Precision and outputs.

    Raises:
        WriteError: The target is unknown, the version is older than 1.0, or the runtime does not run the
            precision.

    Example:
        >>> form_for("onnxruntime==1.5").opset, form_for("openvino").opset
        (12, 13)
    """
    name, equals, version = target.strip().lower().partition("==")
    if name in RUNTIMES and not equals:
        check_runtime(name, form)
        return form
    if name != "onnxruntime" or (equals and not re.fullmatch(r"\d+(\.\d+){1,2}", version)):
        raise WriteError(
            f"a target must be onnxruntime==VERSION, such as onnxruntime==1.16, or one of "
            f"{', '.join(RUNTIMES)}, got {target!r}: --opset and --ir say what any other needs"
        )
    known = [one for one in RELEASES if not version or _number(one.version) <= _number(version)]
    if not known:
        raise WriteError(f"onnxruntime must be 1.0 or newer to load a model, got {version}")
    newest = known[-1]
    return replace(
        form, opset=min(Form.opset, newest.opset), ir_version=min(Form.ir_version, newest.ir_version)
    )


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def oldest_onnxruntime(ir_version: int, opset: int) -> str | None:
    """Return the oldest release that loads such a file, None if none does.

    Example:
        >>> oldest_onnxruntime(7, 13), oldest_onnxruntime(15, 29)
        ('1.6', None)
    """
    if opset < 7:
        return None  # no release has a Gemm of that age
    for release in RELEASES:
        if release.ir_version >= ir_version and release.opset >= opset:
            return release.version
    return None
