"""Addresses with a host: the one people reach us by, and those whose pages may frame a panel of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request

from app.http.errors import ServeError
from app.settings import Settings

_ORIGIN = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_PATH = "/:@!$&'()*+,;=~-._"


@dataclass(frozen=True)
class Here:
    """Where a page is, for what leaves the server: previews, codes to copy."""

    base: str = ""
    """Scheme, host and port; empty where a page has no address of its own, as an error has none."""
    address: str = ""
    """Path and query of the page."""
    framed_by: tuple[str, ...] = ()
    """Origins whose pages may frame a panel."""

    @property
    def url(self) -> str:
        """The page's whole address."""
        return self.base + self.address


NOWHERE = Here()


async def here_of(request: Request) -> Here:
    """The public address where one is set, else the one asked: the gate has checked its host."""
    settings: Settings = request.app.state.settings
    query = request.scope.get("query_string", b"").decode("latin-1")
    address = quote(request.scope["path"], safe=_PATH) + (f"?{query}" if query else "")
    return Here(settings.public_url or str(request.base_url).rstrip("/"), address, settings.embed_origins)


def origin_of(text: str, option: str) -> str:
    """Scheme, host and perhaps port, in small letters. It goes into a header: nothing else may be in it.

    Raises:
        ServeError: `text` is no such thing; names the option.
    """
    made = text.strip().lower().rstrip("/")
    match = _ORIGIN.fullmatch(made)
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        shown = "".join(letter if letter.isprintable() else "?" for letter in text[:80])
        raise ServeError(f"{option} '{shown}' is no origin; give scheme and host alone, as https://notes.example.org")
    return made


def host_of(origin: str) -> str:
    """The name in an origin, without port and brackets."""
    host = origin.partition("://")[2]
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
