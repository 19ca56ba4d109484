"""Who may come in: everybody; those with the team's token; those whom a listed proxy names."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_plus, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.auth import TokenAuth, TooManyTries
from app.http.errors import refuse
from app.http.proxies import NotBelieved, Proxies, peer_of
from app.shared.language import N_, _
from app.shared.page import Page


@dataclass(frozen=True)
class LoginPage(Page):
    """The form for the team's token, or the one to leave."""

    template = "login.html"
    next_page: str
    """Where to go once in: an address of this server."""
    problem: str
    """Why the last try failed; empty where there was none."""
    leaving: bool
    """Whether this is the form to leave."""


OPEN = {"/healthz", "/login", "/logout"}
STATIC = "/static/"
LINK = "token"
"""The parameter of a link that carries the token."""
ASK = {"WWW-Authenticate": 'Bearer realm="dense-latents"', "Cache-Control": "no-store"}
MISSING = N_("This server asks for its team's token: send it as Authorization: Bearer TOKEN.")
WRONG = N_("That is not the token of this server.")


class Access:
    """ASGI middleware behind the gate: a name, a session, a token, or no answer."""

    def __init__(self, app: ASGIApp, auth: TokenAuth, proxies: Proxies) -> None:
        self.app, self.auth, self.proxies = app, auth, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, knowing who it is; or refuse."""
        if scope["type"] != "http" or scope["path"] in OPEN or scope["path"].startswith(STATIC):
            await self.app(scope, receive, send)
            return
        answer = await self._answer(scope) or self.app
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response | None:
        try:
            user = self.proxies.user(scope)
        except NotBelieved as error:
            return _refused(scope, 401, str(error))
        if user is not None:
            scope.setdefault("state", {})["user"] = user
            return None
        if self.auth.required:
            return await self._by_token(scope)
        if self.proxies.networks:
            return _refused(
                scope, 401, _("Come through the proxy: it says who you are, in %(header)s.", header=self.proxies.header)
            )
        return None

    async def _by_token(self, scope: Scope) -> Response | None:
        request = Request(scope)
        known, peer = self.auth.has_session(request), peer_of(scope)
        try:
            token = link_token(scope) if scope["method"] in {"GET", "HEAD"} else None
            if token is not None:
                return self._swapped(request) if known or await self.auth.accepts(token, peer) else ask(scope, WRONG)
            if known:
                scope.setdefault("state", {})["session"] = True
                return None
            token = bearer(scope)
            if token is None:
                return ask(scope)
            return None if await self.auth.accepts(token, peer) else ask(scope, WRONG)
        except TooManyTries as error:
            return _refused(scope, 429, error.detail, dict(error.headers or {}))

    def _swapped(self, request: Request) -> Response:
        response = RedirectResponse(local_path(without_token(request.scope)), 303)
        self.auth.start_session(response, request)
        return response


def ask(scope: Scope, problem: str = "") -> Response:
    """401: the form for the token; for programs the word that one is needed."""
    if scope["path"].startswith("/api") and scope["path"] != "/api/docs":
        return _refused(scope, 401, problem or MISSING)
    response: Response = scope["app"].state.renderer(login_page(_back(scope), problem), 401)
    response.headers.update(ASK)
    return response


def login_page(to: str, problem: str = "", leaving: bool = False) -> LoginPage:
    """The form for the token, or the one to leave."""
    return LoginPage("Leave" if leaving else _("Who may come in"), "", to, problem, leaving)


def _refused(scope: Scope, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    response = refuse(scope, status, detail)
    response.headers.update(ASK if status == 401 else headers or {})
    return response


def _back(scope: Scope) -> str:
    """Where to go once in: the address itself, or the page whose form was sent."""
    if scope["method"] in {"GET", "HEAD"}:
        return local_path(without_token(scope))
    came = urlsplit(Headers(scope=scope).get("referer", ""))
    ours = came.netloc == Headers(scope=scope).get("host", "")
    return local_path(came.path + (f"?{came.query}" if came.query else "")) if ours else "/"


def bearer(scope: Scope) -> str | None:
    """The token in the Authorization header; None where there is none."""
    kind, _space, token = Headers(scope=scope).get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def link_token(scope: Scope) -> str | None:
    """The token in the query; None where there is none."""
    found = [part for part in _parts(scope) if _is_token(part)]
    return unquote_plus(found[0].partition("=")[2]) if found else None


def without_token(scope: Scope) -> str:
    """The address that was asked, less the token: all else to the letter."""
    path: str = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    return _joined(path, _parts(scope))


def _parts(scope: Scope) -> list[str]:
    query: bytes = scope.get("query_string", b"")
    return query.decode("latin-1").split("&")


def _joined(path: str, parts: list[str]) -> str:
    query = "&".join(part for part in parts if not _is_token(part))
    return path + (f"?{query}" if query else "")


def _is_token(part: str) -> bool:
    return unquote_plus(part.partition("=")[0]) == LINK


def local_path(text: str) -> str:
    """An address on this server, as it is but for a token in it; the start page for anything else.

    Browsers read "//host" and "/\\host" as another server, and drop tabs and line ends before they read.
    """
    plain = all("!" <= letter <= "~" and letter != "\\" for letter in text)
    if not plain or not text.startswith("/") or text.startswith("//"):
        return "/"
    path, _mark, query = text.partition("?")
    return _joined(path, query.split("&"))
