"""How many requests are worked on at once.

The threads of a process take turns at one interpreter, and give it up at each row they read. Two that make pages at
once hand it to and fro between cores, and make fewer pages than one alone; anyio's 40 make two thirds of them.
So pages are made one after another, but who needs long gets a thread of its own, and so does who waits for something
else than the processor: a lock, a reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.errors import RETRY, log
from app.shared.language import _

STALL_S = 60.0
"""A reader who takes nothing for so long has gone, whatever its connection says."""
TICK_S = 0.1
"""Work that is seen at two ticks is slow, and holds up nobody any more."""
MOST_SLOW = 8
"""Threads that slow work may have."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The server's threads, in place of the 40 that anyio has."""
    threads = current_default_thread_limiter()
    # another machine's database leaves the processor free while it works
    threads.total_tokens = 1 if app.state.engine.dialect.name == "sqlite" else 3
    ticking = asyncio.create_task(_room_for_slow_work(threads))
    yield
    ticking.cancel()


async def _room_for_slow_work(threads: CapacityLimiter) -> None:
    before, granted = set[object](), 0
    while True:
        await asyncio.sleep(TICK_S)
        now = set(threads.statistics().borrowers)
        slow = min(len(now & before), MOST_SLOW)
        threads.total_tokens += slow - granted
        before, granted = now, slow


class Limit:
    """Places for one kind of request. Whoever has one brings a thread of its own, so readers keep theirs."""

    def __init__(self, places: int, patience_s: float, refusal: str) -> None:
        self._places, self._patience_s, self._refusal = asyncio.Semaphore(places), patience_s, refusal

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for one, and have it.

        Raises:
            HTTPException: 503, none came free in time.
        """
        try:
            async with asyncio.timeout(self._patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise HTTPException(503, self._refusal, RETRY) from None
        threads = current_default_thread_limiter()
        threads.total_tokens += 1
        try:
            yield
        finally:
            threads.total_tokens -= 1
            self._places.release()


def writers() -> Limit:
    """A database has one writer at a time. Two, so that a quick save to PostgreSQL passes one that waits for a row."""
    return Limit(2, 5, _("Others are writing; try again in a moment."))


def downloads() -> Limit:
    """Whole lists: each keeps its place as long as its reader takes."""
    return Limit(
        4, 1, _("Four downloads are under way, which is as many as this server makes at once; try again soon.")
    )


class Stalled(Exception):  # noqa: N818 -- an end, no fault of ours
    """A reader takes nothing any more."""


class Impatient:
    """ASGI middleware: an answer that nobody takes is dropped, so that it gives back what it holds."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with bounded patience for each part."""

        async def sender(message: Message) -> None:
            try:
                async with asyncio.timeout(STALL_S):
                    await send(message)
            except TimeoutError:
                raise Stalled from None

        try:
            await self.app(scope, receive, sender)
        except Stalled:
            log.warning("%s: its reader took nothing for %.0f s", scope["path"], STALL_S)
