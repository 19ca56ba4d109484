"""What a study reads, as hashes of its content: a file that was moved is the same, one that was changed is another.

Choice: every byte is read, each time. Dates and sizes would be quicker, and miss a file that was written over within a
second or put back by a backup. A gigabyte takes about a second. What lies on the hub is known by its name alone.
"""

from __future__ import annotations

from pathlib import Path

from analysis.errors import UserError
from analysis.hashing import hash_of, sha256_file
from analysis.reading.demo_parts import GGUF_SHA256

_MUST_BE_THERE = ("/", ".", "~")


def content(source: str, place: str) -> str:
    """Hash of a file, of a folder with all in it that is not hidden, or of a name that is none of both.

    Args:
        place: how the file and the key are called in an error.

    Raises:
        UserError: a path at which there is nothing.
    """
    path = Path(source)
    if path.is_file():
        return sha256_file(path)
    if path.is_dir():
        return hash_of([[name, sha256_file(path / name)] for name in files_in(path)])
    if source.startswith(_MUST_BE_THERE):
        raise UserError(f"{place}: expected a file or a folder; found nothing at {source}")
    return source if source != "demo" else GGUF_SHA256


def files_in(folder: Path) -> list[str]:
    """Relative names of all files that are not hidden, in order."""
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(name.as_posix() for name in names if not any(part.startswith(".") for part in name.parts))
