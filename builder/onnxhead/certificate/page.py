"""A certificate as one self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import tostring

from onnxhead.certificate import matrix, sections
from onnxhead.certificate.markup import node
from onnxhead.certificate.record import Certificate
from onnxhead.replacement import replace_file
from onnxhead_runtime.errors import WriteError

_STYLE = Path(__file__).with_name("page.css")


def check_page(path: Path, inputs: Iterable[str | os.PathLike[str] | None]) -> None:
    """Raise WriteError unless a page may be written: it ends in .html, and is none of the inputs."""
    if path.suffix.lower() != ".html" or path.is_dir():
        raise WriteError(f"a certificate's file name must end in .html, got {path}")
    for source in inputs:
        if source is not None and path.exists() and os.path.exists(source) and path.samefile(source):  # noqa: PTH110
            raise WriteError(f"a certificate must not replace what it is of, {path}: give another file")


def write_page(certificate: Certificate, path: Path) -> None:
    """Write a certificate as an .html file, in one step; folders are made.

    Raises:
        WriteError: The name does not end in .html, or the file cannot be written.
    """
    check_page(path, ())
    content = render(certificate).encode()
    replace_file(path, "a certificate", lambda temporary: temporary.write_bytes(content))


def render(certificate: Certificate) -> str:
    """Return a certificate as HTML, the same for every call: it runs nothing and loads nothing.

    Example:
        >>> from onnxhead.certificate import certify
        >>> render(certify("models/abc.onnx", "[0.5, 0.8, 1.2]"))[:15]
        '<!doctype html>'
    """
    style = _STYLE.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    sheet = node("style")
    sheet.text = style
    head = node(
        "head",
        node("meta", charset="utf-8"),
        node("meta", http_equiv="Content-Security-Policy", content=policy),
        node("meta", name="viewport", content="width=device-width, initial-scale=1"),
        node("meta", name="color-scheme", content="light dark"),
        node("meta", name="generator", content="onnxhead"),
        node("title", f"Certificate of {certificate.model.name}"),
        node("link", rel="icon", href="data:,"),
        sheet,
    )
    found = [
        sections.verdict(certificate),
        sections.subject(certificate),
        sections.rounding(certificate.rounding),
        sections.quality(certificate),
        matrix.confusion(certificate),
        matrix.classes(certificate),
        sections.comparison(certificate),
        sections.runtimes(certificate),
    ]
    main = node("main", *found[1:])
    footer = node(
        "footer",
        node(
            "p",
            "Made by onnxhead verify. What each number means, with its formula and source, is in its "
            "docs/certificate.md.",
            class_="hint",
        ),
    )
    page = node("html", head, node("body", found[0], main, footer), lang="en")
    return f"<!doctype html>\n{tostring(page, 'unicode', method='html')}\n"
