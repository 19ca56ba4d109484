"""Work that takes long holds up nobody, nor does work that waits."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from app.http.limits import MOST_SLOW, Limit, lifespan
from store.session import make_engine


@pytest.fixture
def application() -> FastAPI:
    """One that makes pages, some of them slowly."""
    app = FastAPI(lifespan=lifespan)
    app.state.engine, running = make_engine("none.db", read_only=True), list[int]()
    app.state.most = 0

    @app.get("/{milliseconds}")
    def page(milliseconds: int) -> None:
        running.append(1)
        app.state.most = max(app.state.most, len(running))
        time.sleep(milliseconds / 1e3)
        running.pop()

    return app


def test_quick_pages_are_made_one_after_another(application: FastAPI) -> None:
    with TestClient(application) as client, ThreadPoolExecutor(8) as pool:
        assert {answer.status_code for answer in pool.map(client.get, ["/5"] * 40)} == {200}
    assert application.state.most <= 2  # on a busy machine five milliseconds may be long


def test_slow_ones_hold_up_nobody(application: FastAPI) -> None:
    with TestClient(application) as client, ThreadPoolExecutor(9) as pool:
        slow = [pool.submit(client.get, "/5000") for _reader in range(MOST_SLOW)]
        time.sleep(0.1)
        begun = time.monotonic()
        client.get("/1")
        assert time.monotonic() - begun < 4
        assert {one.result().status_code for one in slow} == {200}
    assert application.state.most == MOST_SLOW + 1


def test_who_finds_no_place_in_time_is_told() -> None:
    async def crowd() -> list[object]:
        limit = Limit(1, 0.05, "later")

        async def ask(seconds: float) -> bool:
            async with limit.place():
                await asyncio.sleep(seconds)
            return True

        first = await asyncio.gather(ask(0.5), ask(0), return_exceptions=True)
        return [*first, await ask(0)]

    had, refused, again = asyncio.run(crowd())
    assert had
    assert again
    assert isinstance(refused, HTTPException)
    assert (refused.status_code, refused.detail, refused.headers) == (503, "later", {"Retry-After": "5"})
