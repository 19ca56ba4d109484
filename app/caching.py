"""Ask before working: a page whose data, address and code are unchanged is answered by 304 from one small query.

Data change only when a worker commits a run, an intervention or an experiment, or judges latents anew, or
somebody writes, so their counts, newest ids and times stand for all of it; pages differ by who looks, too.
Every answer must be asked for again (no-cache): a new run replaces pages at the same address.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response
from sqlalchemy import func, select
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.deps import SessionDep, ViewerDep
from app.queries.verdicts import VERDICTS
from store.tables import Annotation, Category, Experiment, Intervention, Run, SavedView, Verdict

CONTROL = "private, no-cache"


class NotModified(Exception):  # noqa: N818 - an answer, no error
    """The client holds this very page."""


def fresh(request: Request, session: SessionDep, viewer: ViewerDep) -> None:
    """Set this answer's tag; stop here if the client has it already."""
    worked = (*_newest(Run), *_newest(Intervention), *_newest(Experiment), *_judged())
    newest = session.execute(select(*worked, *_written())).one()
    parts = (request.app.state.version, *newest, viewer, request.url.path, request.url.query)
    tag = hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:24]
    request.state.etag = f'W/"{tag}"'
    if _holds(request.headers, tag):
        raise NotModified


def _newest(table: type[Run] | type[Intervention] | type[Experiment]) -> list[Any]:
    values = (func.count(table.id), func.max(table.id), func.max(table.finished))
    return [select(value).scalar_subquery() for value in values]


def _written() -> list[Any]:
    """Annotations are only added; categories and views change in place."""
    values = [func.max(Annotation.id), func.count(Category.id), func.max(Category.changed)]
    values += [func.count(SavedView.id), func.max(SavedView.id), func.max(SavedView.created)]
    return [select(value).scalar_subquery() for value in values]


def _judged() -> list[Any]:
    """How many latents have each verdict: they have no time of their own."""
    counts = (select(func.count()).where(Verdict.verdict == name) for name in VERDICTS)
    return [count.scalar_subquery() for count in counts]


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
