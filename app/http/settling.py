"""Saves do not bring SQLite's log into its file (`store.write_ahead`): the server does, between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from sqlalchemy import Engine

from store.session import BUSY_TIMEOUT_MS, make_engine
from store.write_ahead import LONG, log_state, settle

EVERY_S = 1.0
"""Between two looks at the log's size."""


def writing_engine(db: str) -> Engine:
    """What saves are written with: they leave the log long."""
    return make_engine(db, must_exist=True, lock_ms=BUSY_TIMEOUT_MS, settles=False)


@asynccontextmanager
async def settling(path: Path | None) -> AsyncIterator[None]:
    """As long as a server lives that writes to SQLite's file; None: it does not."""
    if path is None:
        yield
        return
    going = asyncio.create_task(_settle_long_logs(path))
    yield
    going.cancel()


async def _settle_long_logs(path: Path) -> None:
    done, thread = (0, 0), CapacityLimiter(1)
    while True:
        await asyncio.sleep(EVERY_S)
        state = log_state(path)
        if state[0] > LONG and state != done:
            whole = await run_sync(settle, path, limiter=thread)
            done = state if whole else (0, 0)  # what somebody reads yet is left for the next time
