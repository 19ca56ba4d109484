"""Pictures of rows, from the one folder that the server was started with."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from app.http.errors import NotFound

TYPES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
    ".bmp": "image/bmp",
}  # fmt: skip
"""No SVG: it may hold scripts."""
MOST_BYTES = 20_000_000

router = APIRouter()


@router.get("/images/{name:path}")
def image(request: Request, name: str) -> Response:
    """A picture that a row of the table names. What lies outside the folder, or leads there, is not there."""
    path = find_image(request.app.state.settings.images, name)
    if path is None:
        raise NotFound("There is no such picture.")
    return FileResponse(path, media_type=TYPES[path.suffix.lower()], headers={"Cache-Control": "private, max-age=3600"})


def find_image(folder: Path | None, name: str) -> Path | None:
    """The file, if it is one of a picture, of bearable size, and really in the folder."""
    if folder is None or "\0" in name:
        return None
    try:
        path = (folder / name).resolve(strict=True)
        fits = path.is_file() and path.stat().st_size <= MOST_BYTES
    except (OSError, RuntimeError):  # not there, too long a name, a circle of links
        return None
    return path if fits and path.is_relative_to(folder.resolve()) and path.suffix.lower() in TYPES else None
