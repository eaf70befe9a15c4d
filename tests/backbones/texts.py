"""Real texts with labels that need no download: docstrings of Python's standard library, by what they are about.

A text is the first paragraph of the docstring of a module, class or function. Its label is the package that it is
from. The sources are read, not imported; they differ a little from one Python to the next.
"""

from __future__ import annotations

import ast
import sysconfig
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = {
    "asyncio": "asyncio",
    "decimal": "_pydecimal.py",
    "email": "email",
    "logging": "logging",
    "tarfile": "tarfile.py",
    "unittest": "unittest",
    "xml": "xml",
}
"""Where the texts of a label are, in the folder of the standard library: all in each installation of CPython."""

_FEWEST_WORDS = 4
_HELD_OUT = 4  # one of so many


@dataclass(frozen=True)
class Texts:
    """The texts and their labels.

    Attributes:
        train: Three quarters of the texts, for the training of a head.
        train_labels: Their labels.
        held_out: The others; a text is on the same side on every machine.
        held_out_labels: Their labels.
    """

    train: list[str]
    train_labels: list[str]
    held_out: list[str]
    held_out_labels: list[str]


def read_texts() -> Texts:
    """Return the texts of all labels, sorted by label and text."""
    pairs = sorted({(label, text) for label, place in PACKAGES.items() for text in _read_package(place)})
    train = [pair for pair in pairs if not _is_held_out(pair[1])]
    held_out = [pair for pair in pairs if _is_held_out(pair[1])]
    return Texts(
        [text for _, text in train],
        [label for label, _ in train],
        [text for _, text in held_out],
        [label for label, _ in held_out],
    )


def _is_held_out(text: str) -> bool:
    return zlib.crc32(text.encode()) % _HELD_OUT == 0


def _read_package(place: str) -> Iterator[str]:
    path = Path(sysconfig.get_path("stdlib")) / place
    for file in path.rglob("*.py") if path.is_dir() else [path]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                paragraph = (ast.get_docstring(node) or "").partition("\n\n")[0]
                words = paragraph.split()
                if len(words) >= _FEWEST_WORDS:
                    yield " ".join(words)
