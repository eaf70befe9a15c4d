"""Members of the zip archives of torch and Keras."""

from __future__ import annotations

import zipfile
from typing import IO


def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a member. torch and Keras compress none, and so no small file becomes a large one here.

    Raises:
        ValueError: It is compressed, or longer than the archive.
        KeyError: There is none.
    """
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise ValueError(f"members of the archive must be uncompressed, {name} is not")
    return archive.open(member)
