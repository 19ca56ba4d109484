"""`/static/{version}/{name}`: files that never change under their address."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from app.assets import media_type
from app.errors import NotFound

router = APIRouter(include_in_schema=False)


@router.get("/static/{version}/{name:path}")
def static_file(request: Request, version: str, name: str) -> Response:
    """One file of the list made at the start; nothing else on the disk can be named."""
    path = request.app.state.assets.find(version, name)
    if path is None:
        raise NotFound("There is no such file.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(path, media_type=media_type(path), headers=headers)
