"""Who looks at a page, and whether they may write."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.responses import Response

from app.settings import Settings

NAME_COOKIE = "dense_latents_name"
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class Viewer:
    """A reader."""

    name: str = ""
    """Empty until it is given."""
    fixed: bool = False
    """A proxy said who it is: the name cannot be chosen."""
    may_write: bool = False
    may_leave: bool = False
    """They came in by the team's token, and can give it back."""

    def called(self, typed: str) -> str:
        """The name under which they write."""
        return self.name if self.fixed else (typed or self.name)


NOBODY = Viewer()


async def viewer_of(request: Request) -> Viewer:
    """The gate has let them in; a proxy's word goes before a cookie."""
    settings: Settings = request.app.state.settings
    state = request.scope.get("state", {})
    known = state.get("user")
    if known:
        return Viewer(str(known), True, not settings.read_only)
    return Viewer(unquote(request.cookies.get(NAME_COOKIE, ""))[:60], False, not settings.read_only, "session" in state)


def remember(response: Response, name: str, request: Request) -> None:
    """So that a name is asked once; one that a proxy says needs no cookie."""
    if not name or request.scope.get("state", {}).get("user"):
        return
    response.set_cookie(
        NAME_COOKIE,
        quote(name),
        max_age=_YEAR,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
