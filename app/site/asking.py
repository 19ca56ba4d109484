"""Pages of the application without a network: it is called as any ASGI server would call it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from urllib.parse import quote

from fastapi import FastAPI
from sqlalchemy.orm import Session
from starlette.types import Message, Scope

from app.caching import fresh
from app.deps import session_of
from app.site.errors import SiteError

HOST = "localhost"
ORIGIN = f"http://{HOST}"
"""What pages that name their own address take it to be."""


class Asker:
    """Asks an application for one page after the other; a context manager, since it owns an event loop.

    All pages are read through one session, so that a worker that commits meanwhile changes none of them.
    """

    def __init__(self, app: FastAPI, session: Session) -> None:
        self.app, self._runner = app, asyncio.Runner()

        async def shared() -> Session:
            return session

        async def never() -> None:
            return None  # nobody holds a page already: no need to ask what changed

        app.dependency_overrides |= {session_of: shared, fresh: never}

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._runner.close()
        self.app.dependency_overrides.clear()

    def page(self, path: str, query: str) -> str:
        """A page's HTML.

        Raises:
            SiteError: the application does not answer with a page.
        """
        status, body = self._runner.run(self._ask(path, query))
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
