"""Errors that help: what was asked, what there is. JSON under /api, a page elsewhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import InstrumentedAttribute, Session
from starlette.exceptions import HTTPException
from starlette.types import Scope

from app.shared.language import N_, _
from store.errors import StoreGone

PROBLEM_TYPE = "application/problem+json"
log = logging.getLogger("dense_latents")


class ServeError(Exception):
    """The server cannot start. The command line prints it as one line, exit status 2."""


class NotFound(HTTPException):
    """Nothing here; `detail` says what there is instead."""

    def __init__(self, detail: str) -> None:
        super().__init__(404, detail)


def none_of(session: Session, ids: InstrumentedAttribute[int], what: str, number: int) -> NotFound:
    """Of a number that a store does not have, with the first of those that it has."""
    known = ", ".join(map(str, session.scalars(select(ids).order_by(ids).limit(20))))
    return NotFound(
        _("There is no %(what)s %(value)s. This store has: %(yet)s.", what=what, value=number, yet=known or "none yet")
    )


class NothingAnalysed(Exception):  # noqa: N818 - a state of the store, no error
    """The store holds no complete run; the page says how to make one."""


class BadFilter(HTTPException):
    """A filter, sort or cursor that means nothing; `detail` names the value and the mend."""

    def __init__(self, detail: str) -> None:
        super().__init__(422, detail)


def problem(status: int, detail: str) -> dict[str, Any]:
    """The body of a JSON error (RFC 9457)."""
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}


def refuse(scope: Scope, status: int, detail: str) -> Response:
    """An answer from before the routes, where no template is at hand."""
    if scope["path"].startswith("/api"):
        return problem_response(status, detail)
    text = f"<!doctype html><title>{status}</title><h1>{HTTPStatus(status).phrase}</h1><p>{escape(detail)}</p>"
    return HTMLResponse(text, status)


def problem_response(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A JSON error answer."""
    return Response(json.dumps(problem(status, detail)), status, headers, PROBLEM_TYPE)


def conflict_response(detail: str, current: dict[str, Any]) -> Response:
    """409 in JSON, with what is there now."""
    return Response(json.dumps({**problem(409, detail), "current": current}), 409, None, PROBLEM_TYPE)


def plain_words(error: RequestValidationError) -> tuple[int, str]:
    """Validation errors -> (status, one sentence each). A bad path names nothing that exists: 404."""
    status, parts = 404, []
    for item in error.errors():
        where, *names = [str(part) for part in item["loc"]]
        value = str(item.get("input"))[:80]
        parts.append(f"{names[-1] if names else where} '{value}': {item['msg']}")
        status = status if where == "path" else 422
    return status, ". ".join(parts)


Draft = list[tuple[str, str]]
"""Fields of a form that was sent."""
ErrorPage = Callable[[Request, int, str, Draft], Response]
NOT_SAVED = {503, 507}
"""A form is to be sent again."""
RETRY = {"Retry-After": "5"}
BUSY = N_("The database is busy, a worker may be writing; try again in a moment.")
FULL = N_("The server's disk is full: nothing was saved. Whoever runs the server must make room.")
GONE = N_(
    "The database cannot be read or written: its file may be deleted, replaced or damaged. Whoever"
    " runs the server must look."
)
_TROUBLE = {
    "locked": (503, BUSY),
    "busy": (503, BUSY),
    "lock timeout": (503, BUSY),
    "too many": (503, BUSY),  # connections, of PostgreSQL
    "disk is full": (507, FULL),
    "no space left": (507, FULL),
    "could not extend": (507, FULL),
}


def trouble(error: Exception) -> tuple[int, str]:
    """What the database complains of -> status and words for people. Its own words are for the log."""
    if isinstance(error, PoolTimeout):
        return 503, BUSY
    text = reason(error).lower()
    return next((answer for words, answer in _TROUBLE.items() if words in text), (503, GONE))


def reason(error: Exception) -> str:
    """One line of what the database said, without the statement and what somebody wrote."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    return said.splitlines()[0][:200] if said else type(error).__name__


def install(app: FastAPI, page: ErrorPage, always: dict[str, str]) -> None:
    """Teach `app` to answer errors.

    Args:
        page: renders one for people.
        always: headers of every answer; a crash is answered outside the gate, which sets them on all others.
    """

    async def answer(request: Request, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
        if request.url.path.startswith("/api"):
            return problem_response(status, detail, headers)
        draft = await _draft(request) if status in NOT_SAVED else []
        response = _page_or_plain(page, request, status, detail, draft)
        response.headers.update(headers or {})
        return response

    async def on_http(request: Request, error: Exception) -> Response:
        known = cast(HTTPException, error)
        return await answer(request, known.status_code, _detail(known, request), dict(known.headers or {}))

    async def on_invalid(request: Request, error: Exception) -> Response:
        return await answer(request, *plain_words(cast(RequestValidationError, error)))

    async def on_crash(request: Request, error: Exception) -> Response:
        log.error("%s %s", request.method, request.url.path, exc_info=error)
        return await answer(request, 500, _("The server failed on this page; its log says why."), always)

    async def on_strange(request: Request, error: Exception) -> Response:
        log.info("%s %s: %s", request.method, request.url.path, reason(error))
        what = _("The address or the form holds a value that no store has, such as a NUL character.")
        return await answer(request, 422, what)

    async def on_database(request: Request, error: Exception) -> Response:
        if isinstance(error, IntegrityError | ProgrammingError):
            raise error  # our fault, no trouble of the database
        log.warning("%s %s: %s", request.method, request.url.path, reason(error))
        return await answer(request, *trouble(error), RETRY)

    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(DatabaseError, on_database)
    app.add_exception_handler(DataError, on_strange)
    app.add_exception_handler(PoolTimeout, on_database)
    app.add_exception_handler(StoreGone, on_database)
    app.add_exception_handler(Exception, on_crash)


async def _draft(request: Request) -> Draft:
    """The fields that were sent, but those that nobody should read over a shoulder."""
    if request.method != "POST":
        return []
    fields = (await request.form()).multi_items()
    return [(name, value) for name, value in fields if isinstance(value, str) and name != "token"]


def _page_or_plain(page: ErrorPage, request: Request, status: int, detail: str, draft: Draft) -> Response:
    if request.url.path.startswith("/static/"):
        return refuse(request.scope, status, detail)  # read by browsers, not by people
    try:
        return page(request, status, detail, draft)
    except Exception:  # a fault of the templates must not hide the first one
        log.exception("the error page failed")
        return refuse(request.scope, status, detail)


def _detail(error: HTTPException, request: Request) -> str:
    if error.status_code == 404 and error.detail == "Not Found":
        return _("There is no page %(path)s.", path=request.url.path[:200])
    if error.status_code == 405:
        return _("%(method)s is not possible here.", method=request.method)
    return str(error.detail)
