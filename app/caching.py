"""Ask before working: a page whose data, address and code are unchanged is answered by 304 from one small query.

Data change only when a worker commits a run, so the runs' count, newest id and time stand for all
of it. Every answer must be asked for again (no-cache): a new run replaces pages at the same address.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response
from sqlalchemy import func, select
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.deps import SessionDep
from store.tables import Run

CONTROL = "private, no-cache"


class NotModified(Exception):  # noqa: N818 - an answer, no error
    """The client holds this very page."""


def fresh(request: Request, session: SessionDep) -> None:
    """Set this answer's tag; stop here if the client has it already."""
    newest = session.execute(select(func.count(), func.max(Run.id), func.max(Run.finished)).select_from(Run)).one()
    parts = (request.app.state.version, *newest, request.url.path, request.url.query)
    tag = hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:24]
    request.state.etag = f'W/"{tag}"'
    if _holds(request.headers, tag):
        raise NotModified


def _holds(headers: Headers, tag: str) -> bool:
    asked = [part.strip().removeprefix("W/").strip('"') for part in headers.get("if-none-match", "").split(",")]
    return tag in asked


async def not_modified(_request: Request, _error: Exception) -> Response:
    """The empty answer."""
    return Response(status_code=304)


class Tags:
    """ASGI middleware: writes the tag a route left, and that nothing else may be kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, tagging the answer."""

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", CONTROL)
                tag = scope.get("state", {}).get("etag")
                if tag and message["status"] in {200, 304}:
                    headers["ETag"] = tag
            await send(message)

        await self.app(scope, receive, sender)


Fresh = Depends(fresh)
FreshDep = Annotated[None, Fresh]
