"""Which language an answer is in: the address says so, else the browser, else it is English."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.shared.language import PARAMETER, chosen, speaking
from app.shared.links import in_language

DATA = (".csv", ".json", ".jsonl", ".parquet", ".xml")
"""How addresses of data end."""


class Language:
    """ASGI middleware: sets the language in which pages are made, and keeps it when a form sends a reader on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Choose, and pass on."""
        if scope["type"] != "http" or _for_programs(scope["path"]):
            await self.app(scope, receive, send)
            return

        async def sender(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html") or message["status"] == 304:
                    headers.add_vary_header("Accept-Language")
                if "location" in headers:
                    headers["location"] = in_language(headers["location"])
            await send(message)

        with speaking(chosen(_asked(scope), Headers(scope=scope).get("accept-language", ""))):
            await self.app(scope, receive, sender)


def _for_programs(path: str) -> bool:
    """The API and files of data are English for everybody: what reads them must not depend on whose browser asked."""
    return path.startswith("/api/") or path.endswith(DATA)


def _asked(scope: Scope) -> str | None:
    query = scope.get("query_string", b"").decode("latin-1")
    return dict(parse_qsl(query)).get(PARAMETER) if PARAMETER in query else None
