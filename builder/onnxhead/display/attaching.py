"""What was attached, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from onnxhead.display.text import label_list, link_text, plain, table
from onnxhead.pooling import Pooling
from onnxhead.whole_check import WholeCheck
from onnxhead.whole_storage import Attachment


def attachment_lines(report: Attachment) -> Iterator[str]:
    """Say what `attach` or `complete` did."""
    backbone = f"{plain(report.backbone)}, as far as {plain(report.at)}"
    yield from table(
        [
            ("backbone", backbone + _pooling_text(report.pooling)),
            ("head", f"{plain(report.origin) or 'none: the output was added'}, {report.classes} classes"),
            ("inputs", plain("; ".join(map(str, report.inputs)))),
            *([("left out", plain(", ".join(report.left_out)))] if report.left_out else []),
            ("opset", f"{report.opset}, the backbone's; IR version {report.ir_version}"),
            ("labels", label_list(report.labels)),
            ("link", link_text(report.link, report.temperature)),
            ("largest error", f"{report.check.against}: {report.check}"),
            *_warning_rows(report.check),
            ("file", f"{plain(str(report.path))} ({report.size_bytes:,} bytes)"),
            *([("data file", plain(str(report.data_path)))] if report.data_path else []),
            ("sha256", report.sha256),
        ]
    )


def _pooling_text(pooling: Pooling) -> str:
    pool = {None: "", "mean": ", the mean", "cls": ", the first token", "flatten": ", flattened"}[
        pooling.pool
    ]
    without = f" without padding by {plain(pooling.mask)}" if pooling.mask else ""
    return pool + without + (", divided by its norm" if pooling.normalize else "")


def _warning_rows(check: WholeCheck) -> Iterator[tuple[str, str]]:
    if check.alone and check.alone.ratio > 1:
        yield (
            "WARNING",
            f"a row's logits change by {check.alone.error:.2g} with the other rows of its batch, as in "
            "networks that are quantised dynamically",
        )
