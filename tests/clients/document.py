"""The generated parts of a document."""

import re
from collections.abc import Iterable
from pathlib import Path


def replace_block(path: Path, name: str, lines: Iterable[str]) -> None:
    """Replace what is between `<!-- NAME: ... -->` and `<!-- end of NAME -->`."""
    block = "\n".join(lines)
    text, count = re.subn(
        rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)",
        lambda found: f"{found[1]}\n{block}\n\n{found[2]}",
        path.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    if count != 1:
        raise ValueError(f"{path} must have one block {name}, it has {count}")
    path.write_text(text, encoding="utf-8")
