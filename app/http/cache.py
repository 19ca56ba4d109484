"""Ask before working: a page whose data, address and code are unchanged is answered by 304 from one small query.

Data change only when a worker commits a run, an intervention or an experiment, or judges latents anew, or
somebody writes, so their counts, newest ids and times stand for all of it; pages differ by who looks, too.
Every answer must be asked for again (no-cache): a new run replaces pages at the same address.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.responses import Response
from sqlalchemy import func, select
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.deps import SessionDep, ViewerDep
from app.http.page_cache import LARGEST, Answer
from store.tables import Annotation, Category, Experiment, Intervention, Run, SavedView, SearchText, Verdict
from store.vocabulary import VERDICTS

CONTROL = "private, no-cache"


class NotModified(Exception):  # noqa: N818 - an answer, no error
    """The client holds this very page."""


class Again(Exception):  # noqa: N818 - an answer, no error
    """This very page was made before."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("made before")
        self.answer = answer


def fresh(request: Request, session: SessionDep, viewer: ViewerDep) -> None:
    """Set this answer's tag; stop here if the client has it already."""
    worked: list[Any] = [*_newest(Run), *_newest(Intervention), *_newest(Experiment), *_judged()]
    newest = session.execute(select(*worked, *_written())).one()
    session.info["state"] = " ".join(map(str, newest[: len(worked)]))
    session.info["categories"] = " ".join(map(str, newest[len(worked) : len(worked) + 2]))
    # pages name their own address in full, for previews of links
    place = (request.base_url, request.url.path, request.url.query)
    parts = (request.app.state.version, *newest, viewer, *place)
    tag = hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:24]
    request.state.etag = f'W/"{tag}"'
    if _holds(request.headers, tag):
        raise NotModified
    request.state.keep = f"{tag} {'gzip' in request.headers.get('accept-encoding', '')}"
    made = request.app.state.kept.get(request.state.keep)
    if made is not None:
        request.state.keep = None
        raise Again(made)


def _newest(table: type[Run] | type[Intervention] | type[Experiment]) -> list[Any]:
    # the sum as well: of two workers on PostgreSQL the one with the smaller id may commit last
    values = (func.count(table.id), func.max(table.id), func.sum(table.id), func.max(table.finished))
    return [select(value).scalar_subquery() for value in values]


def _written() -> list[Any]:
    """Annotations are only added, and on PostgreSQL may be committed in another order than they are numbered;
    categories and views change in place."""
    values: list[Any] = [
        func.count(Category.id),
        func.max(Category.changed),
        func.count(Annotation.id),
        func.max(Annotation.id),
    ]
    values += [func.max(Annotation.created), func.max(SearchText.id)]  # a restored store may number anew
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


async def again(_request: Request, error: Exception) -> Response:
    """The page that was made before."""
    made = cast(Again, error).answer
    response = Response(made.body)
    response.raw_headers = list(made.headers)
    return response


class Tags:
    """ASGI middleware: writes the tag a route left, keeps what has one, and says that browsers ask again."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, tagging the answer."""
        parts: list[bytes] = []
        start: Message = {}

        async def sender(message: Message) -> None:
            nonlocal start
            state = scope.get("state", {})
            if message["type"] == "http.response.start":
                start = {**message, "headers": list(message.get("headers", []))}
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", CONTROL)
                if state.get("etag") and message["status"] in {200, 304}:
                    headers["ETag"] = state["etag"]
            elif state.get("keep") and start.get("status") == 200 and scope["method"] == "GET":
                parts.append(message.get("body", b""))
                if sum(map(len, parts)) > LARGEST:
                    parts.clear()
                    state["keep"] = None
                elif not message.get("more_body"):
                    scope["app"].state.kept.put(state["keep"], Answer(start["headers"], b"".join(parts)))
            await send(message)

        await self.app(scope, receive, sender)


Fresh = Depends(fresh)
FreshDep = Annotated[None, Fresh]
