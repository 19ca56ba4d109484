"""The folder of a site: recognised by a marker, and put in place at once."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.static_site.errors import SiteError

MARKER = "dense-latents-site.json"
PRODUCT = "dense-latents"


def check(out: Path, force: bool) -> None:
    """May a site be put there?

    Raises:
        SiteError: it is a file, or holds something else.
    """
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise SiteError(
            f"--out {out}: expected a folder, or nothing yet; found {'a link' if out.is_symlink() else 'a file'}"
        )
    if out.is_dir() and any(out.iterdir()) and not is_site(out) and not force:
        raise SiteError(
            f"--out {out}: holds files, and is no site of ours; choose another folder, or --force puts them aside"
        )


def is_site(folder: Path) -> bool:
    """Whether we made it."""
    try:
        held = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(held, dict) and held.get("product") == PRODUCT


@contextmanager
def placed(out: Path) -> Iterator[Path]:
    """A new folder beside `out`, which takes its place when all went well and is gone when not.

    An older site is removed; anything else that was there is kept beside it, as `NAME.before-site`.

    Raises:
        SiteError: the folder cannot be made or moved.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}-", suffix=".part", dir=out.parent))
    except OSError as error:
        raise SiteError(f"--out {out}: cannot be written: {error.strerror or error}") from error
    try:
        yield made
        _swap(made, out)
    except OSError as error:
        raise SiteError(f"--out {out}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _swap(made: Path, out: Path) -> None:
    os.chmod(made, 0o777 & ~_umask())  # a temporary folder is its maker's alone; a site is to be served
    if not out.exists():
        made.rename(out)
        return
    ours = is_site(out) or not any(out.iterdir())
    old = _free(out.with_name(f".{out.name}.old" if ours else f"{out.name}.before-site"))
    out.rename(old)
    try:
        made.rename(out)
    except OSError:
        old.rename(out)
        raise
    if ours:
        shutil.rmtree(old, ignore_errors=True)


def _free(path: Path) -> Path:
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def mark(folder: Path, content: dict[str, Any]) -> None:
    """Leave the marker, with what the site is of."""
    text = json.dumps({"product": PRODUCT, **content}, indent=2, ensure_ascii=False)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")
