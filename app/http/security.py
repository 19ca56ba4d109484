"""The gate before every route: who is asked (Host), who asks (Origin), how much, and what pages may load."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.errors import refuse
from app.settings import Settings

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
EMPTY_STYLE = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"  # plotly adds an empty <style> and fills it by script
)
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {EMPTY_STYLE}",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
EMBED = "/embed/"
TEXTS = {"/try", "/api/v1/try"}
"""Where an address carries a text."""
_CARD = re.compile(r"/saes/.+/latents/\d+/card\.(?:svg|png)")
_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class TooLargeError(Exception):
    """The body grew past the limit while it was read."""


def host_name(header: str) -> str | None:
    """The name in a Host header, without port and brackets; None where it is no valid host."""
    match = _HOST.fullmatch(header)
    return match["name"].strip("[]").lower() if match else None


def host_allowed(name: str | None, settings: Settings) -> bool:
    """Exact names only: "127.0.0.1.evil.example" begins well and is evil."""
    if name is None:
        return False
    allowed = LOOPBACK | {host.strip("[]").lower() for host in settings.allowed_hosts}
    return name in allowed or (settings.any_address and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def same_site(headers: Headers, scheme: str) -> bool:
    """Whether a writing request comes from our own pages, or from no browser at all.

    Browsers say so in Sec-Fetch-Site; older ones send Origin, which must then be ours, port included.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or origin == f"{scheme}://{headers.get('host', '')}"


class Gate:
    """ASGI middleware: refuses what must not reach a route, and sets the headers of every answer."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with a bounded body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = self._refusal(scope) or self.app
        sender = _with_headers(send, headers_for(scope["path"], self.settings))
        body = Body(receive, sender, self.settings.max_body)
        with suppress(TooLargeError):
            await answer(scope, body.receive, body.send)
        if body.too_large and not body.answered:
            await self._too_large(scope)(scope, receive, sender)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not host_allowed(host_name(hosts[0]), self.settings):
            return refuse(scope, 400, _host_help(hosts))
        if scope["method"] not in SAFE_METHODS and not same_site(headers, scope["scheme"]):
            return refuse(scope, 403, "A page of another site asked for this change; only this server's own pages may.")
        return self._size_refusal(scope, headers)

    def _size_refusal(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        size = len(scope.get("raw_path", b"") or b"") + len(scope.get("query_string", b""))
        carries_text = self.settings.live and scope["path"] in TEXTS
        most = self.settings.max_text_url if carries_text else self.settings.max_url
        if size > most:
            return refuse(scope, 414, f"The address is {size:,} bytes long; the limit is {most:,}.")
        length = headers.get("content-length", "0")
        if length.isdecimal() and len(length) < 20 and int(length) <= self.settings.max_body:
            return None
        return self._too_large(scope)

    def _too_large(self, scope: Scope) -> ASGIApp:
        answer = refuse(scope, 413, f"The request body is over the limit of {self.settings.max_body:,} bytes.")
        answer.headers["Connection"] = "close"  # else the rest would be read, however long it is
        return answer


class Body:
    """Counts what is read of a body whose length nobody said. Past the limit no answer goes out any more: it would be
    the word of a parser that was cut off."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._left = receive, send, most
        self.answered = False

    @property
    def too_large(self) -> bool:
        """Whether the limit was passed."""
        return self._left < 0

    async def receive(self) -> Message:
        """The next part.

        Raises:
            TooLargeError: with it the body is over the limit.
        """
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.too_large:
            raise TooLargeError
        return message

    async def send(self, message: Message) -> None:
        """A part of the answer."""
        if self.answered or not self.too_large:
            self.answered = True
            await self._send(message)


def _host_help(hosts: list[str]) -> str:
    shown = hosts[0][:80] if hosts else ""
    return f"This server does not answer to the host name '{shown}'. Start it with --allowed-host NAME to allow one."


def headers_for(path: str, settings: Settings) -> dict[str, str]:
    """Headers of every answer. Panels under /embed/ may be framed, by our own pages and the listed origins.

    Cards may be shown by other sites' pages where origins are listed; a list of them this header does not know.
    """
    if path.startswith(EMBED):
        by = " ".join(("'self'", *settings.embed_origins))
        return HEADERS | {"Content-Security-Policy": POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {by}")}
    if settings.embed_origins and _CARD.fullmatch(path):
        return HEADERS | {"Cross-Origin-Resource-Policy": "cross-origin"}
    return HEADERS


def _with_headers(send: Send, always: dict[str, str]) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in always.items():
                headers[name] = value
        await send(message)

    return sender
