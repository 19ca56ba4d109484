"""Ask before working: a page whose data, address and code are unchanged is answered by 304, or as it was made before.

Every answer must be asked for again (no-cache): a new run replaces pages at the same address. Pages differ by who
looks and by their language, too. A note voids what shows it: its latent's pages, and whatever is not about one latent.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, cast

from cachetools import LRUCache
from fastapi import Depends, Request
from fastapi.responses import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.deps import ViewerDep
from app.http.state import MEASURED, NOTES, TEAM, Part, StoreState, Subject
from app.shared.language import spoken
from store.tables.team import ALONE

CONTROL = "private, no-cache"
MOST_BYTES = 48 * 1024 * 1024
LARGEST = 4 * 1024 * 1024
"""A larger answer is not kept."""


class Answer(NamedTuple):
    """A finished answer, as it goes over the wire."""

    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def size(self) -> int:
        """Bytes it takes, about: small answers are mostly what holds them."""
        return len(self.body) + 2_000


PageCache = LRUCache[str, Answer]


def page_cache(most: int = MOST_BYTES) -> PageCache:
    """Answers by their tag; those asked for longest ago make room. For the event loop alone: it has no lock."""
    return LRUCache(most, getsizeof=lambda answer: answer.size)


class NotModified(Exception):  # noqa: N818 - an answer, no error
    """The client holds this very page."""


class Again(Exception):  # noqa: N818 - an answer, no error
    """This very page was made before."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("made before")
        self.answer = answer


class Freshness:
    """A dependency that goes before all others: sets this answer's tag, and stops here if its page is known already.

    Args:
        people: whether the pages show what people wrote.
    """

    def __init__(self, people: bool = True) -> None:
        self.people = people

    async def __call__(self, request: Request, viewer: ViewerDep) -> None:
        """Ask for the state, and compare."""
        state: StoreState = request.app.state.store_state
        seen = await state.seen(_parts(request) if self.people else [MEASURED])
        if seen is None:
            return  # the route will find out why
        # pages name their own address in full, for previews of links
        place = (request.base_url, request.url.path, request.url.query)
        text = "\n".join(map(str, (request.app.state.version, *seen.stamps.values(), viewer, spoken(), *place)))
        tag = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:24]
        request.state.etag, request.state.store = f'W/"{tag}"', seen
        if _holds(request.headers, tag):
            raise NotModified
        key = f"{tag} {'gzip' in request.headers.get('accept-encoding', '')}"
        made = request.app.state.page_cache.get(key)
        if made is not None:
            raise Again(made)
        request.state.keep = key


def _parts(request: Request) -> list[Part]:
    """What of the store its page shows: of notes, those of its subject where it has one."""
    known = request.path_params
    about = [known[name] for name in ("index", "first", "second") if name in known]
    if not about or "slug" not in known or not all(text.isdecimal() and len(text) < 10 for text in about):
        return [MEASURED, TEAM, NOTES]
    first, second = sorted(map(int, about)) if len(about) == 2 else (int(about[0]), ALONE)
    return [MEASURED, TEAM, Subject(known["slug"], first, second)]


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
        start: Message = {}

        async def sender(message: Message) -> None:
            nonlocal start
            state = scope.get("state", {})
            if message["type"] == "http.response.start":
                start = {**message, "headers": list(message.get("headers", []))}
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", CONTROL)
                if state.get("etag") and message["status"] in {200, 304} and await _is_still(scope, state):
                    headers["ETag"] = state["etag"]
            elif (key := state.pop("keep", None)) and start.get("status") == 200 and not message.get("more_body"):
                _keep(scope["app"].state.page_cache, key, Answer(start["headers"], message.get("body", b"")))
            await send(message)

        await self.app(scope, receive, sender)


async def _is_still(scope: Scope, state: dict[str, Any]) -> bool:
    """Whether nobody wrote between the tag and the page; else the page may be newer than its tag."""
    if "keep" not in state or await scope["app"].state.store_state.name() == state["store"].name:
        return True
    del state["keep"]
    return False


def _keep(cache: PageCache, key: str, answer: Answer) -> None:
    if answer.size <= LARGEST:
        cache[key] = answer


Fresh = Depends(Freshness())
FreshMeasured = Depends(Freshness(people=False))
"""For pages that show nothing that people wrote: they outlive notes."""
