"""Static files and the health check: the two things that ask no database for content."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.deps import SessionDep
from app.http.assets import Assets, media_type
from app.http.errors import NotFound

router = APIRouter()
FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/static/{version}/{name:path}")
def static(request: Request, version: str, name: str) -> Response:
    """A file of the list made at the start; a path is never built from what was asked."""
    assets: Assets = request.app.state.assets
    path = assets.find(version, name)
    if path is None:
        raise NotFound("There is no such file.")
    headers = {"Cache-Control": FOR_EVER}
    if name in assets.endings:
        return Response(assets.content(name), media_type=media_type(path), headers=headers)
    return FileResponse(path, media_type=media_type(path), headers=headers)


@router.get("/healthz")
def healthz(request: Request, session: SessionDep) -> Response:
    """200 while the database can be read, and is of this version's schema: it may have been replaced."""
    expected: str = request.app.state.schema
    try:
        found = session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError:
        return JSONResponse({"status": "the database does not answer"}, 503)
    if found != expected:
        return JSONResponse({"status": f"the database has schema {found}, this server expects {expected}"}, 503)
    return JSONResponse({"status": "ok"})
