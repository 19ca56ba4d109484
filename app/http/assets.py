"""Static files, known by name from the start: what is not in the list cannot be asked for."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

NOTHING: Mapping[str, bytes] = {}
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Assets:
    """Files of the static folder and one hash over all of them.

    One hash for all, since a module imports its neighbours by relative path: one changed file
    gives all of them new addresses, and no page mixes old with new.
    """

    files: dict[str, Path]
    version: str
    endings: Mapping[str, bytes] = field(default_factory=dict)
    """What the server adds at a file's end: rules that are made of what the code declares."""

    def url(self, name: str) -> str:
        """The address of a file; its content never changes, so it may be cached for ever.

        Raises:
            KeyError: no such file.
        """
        if name not in self.files:
            raise KeyError(f"no static file '{name}'")
        return f"/static/{self.version}/{name}"

    def find(self, version: str, name: str) -> Path | None:
        """The file behind an address of this version; None for anything else."""
        return self.files.get(name) if version == self.version else None

    def content(self, name: str) -> bytes:
        """A file as it is served."""
        return self.files[name].read_bytes() + self.endings.get(name, b"")


def load(folder: Path, endings: Mapping[str, bytes] = NOTHING) -> Assets:
    """List `folder`. Links are left out: they could lead anywhere.

    Args:
        endings: what is added at a file's end, by name.
    """
    files: dict[str, Path] = {}
    digest = hashlib.sha256()
    for name, ending in sorted(endings.items()):
        digest.update(name.encode() + b"\0" + ending)
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any((folder / part).is_symlink() for part in (inside, *inside.parents)):
            files[inside.as_posix()] = path
            digest.update(inside.as_posix().encode() + b"\0" + path.read_bytes())
    return Assets(files, digest.hexdigest()[:16], endings)


def media_type(path: Path) -> str:
    """What the browser is told the file is."""
    return TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def code_version(folders: list[Path]) -> str:
    """A hash of code and templates: a page made by other code is another page (see `app.http.cache`)."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix in {".py", ".html"}):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
