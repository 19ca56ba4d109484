"""Pages of the application without a network: it is called as any ASGI server would call it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.types import Message, Scope

from app.deps import session_of
from app.http.cache import fresh
from app.static_site.errors import SiteError

HOST = "localhost"
ORIGIN = f"http://{HOST}"
"""What pages that name their own address take it to be."""


@contextmanager
def asking(app: FastAPI, session: Session) -> Iterator[Asker]:
    """Ask an application for pages. Its event loop is a thread's of its own, so whoever calls may have one too.

    All pages are read through one session: a worker that commits meanwhile changes none of them.
    """

    async def shared() -> Session:
        return session

    async def never() -> None:
        return None  # nobody holds a page already: no need to ask what changed

    app.dependency_overrides |= {session_of: shared, fresh: never}
    try:
        with start_blocking_portal() as portal:
            yield Asker(app, portal)
    finally:
        app.dependency_overrides.clear()


class Asker:
    """Asks for one page after the other."""

    def __init__(self, app: FastAPI, portal: BlockingPortal) -> None:
        self.app, self.portal = app, portal

    def page(self, path: str, query: str) -> str:
        """A page's HTML.

        Raises:
            SiteError: the application does not answer with a page.
        """
        status, body = self.portal.call(self._ask, path, query)
        if status != 200:
            raise SiteError(f"{path} answers {status}: {body.decode(errors='replace')[:200]}")
        return body.decode()

    async def _ask(self, path: str, query: str) -> tuple[int, bytes]:
        status, parts = 0, []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            parts.append(message.get("body", b""))

        await self.app(_scope(path, query), receive, send)
        return status, b"".join(parts)


def _scope(path: str, query: str) -> Scope:
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": quote(path).encode(), "query_string": query.encode(),
        "root_path": "", "headers": [(b"host", HOST.encode())], "client": ("127.0.0.1", 0), "server": (HOST, 80),
    }  # fmt: skip
