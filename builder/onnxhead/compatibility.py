"""Which onnxruntime loads which file: the newest IR version and opset of each release.

Up to 1.14 from onnxruntime's own table of versions; from 1.15 on `make compat` loads a file at each limit and
files beyond it in every release of this table. A release that is left out counts as the one before it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from onnxhead.form import Form
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


def form_for(target: str) -> Form:
    """Return the form that a runtime loads: the default, or for an old onnxruntime an older one.

    Args:
        target: `onnxruntime==VERSION`, or one of `RUNTIMES`.

    Raises:
        WriteError: The target is unknown, or the version is older than 1.0.

    Example:
        >>> form_for("onnxruntime==1.5").opset, form_for("openvino").opset
        (12, 13)
    """
    name, _, version = target.strip().partition("==")
    if name in RUNTIMES and not version:
        return Form()
    if name != "onnxruntime" or (version and not re.fullmatch(r"\d+(\.\d+){1,2}", version)):
        raise WriteError(
            f"a target must be onnxruntime==VERSION or one of {', '.join(RUNTIMES)}, got {target!r}: --opset "
            "and --ir say what any other needs"
        )
    known = [one for one in RELEASES if not version or _number(one.version) <= _number(version)]
    if not known:
        raise WriteError(f"onnxruntime must be 1.0 or newer to load a model, got {version}")
    newest = known[-1]
    return Form(min(Form.opset, newest.opset), min(Form.ir_version, newest.ir_version))


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
