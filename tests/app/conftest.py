"""One fixture store for the whole run: the server only reads it. Each test gets its own application."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar

import fastapi.routing
import jinja2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app import rendering
from app.main import create_app
from app.settings import Settings
from tests.app.chromium import browser, server, visit
from tests.app.world import build

__all__ = ["browser", "server", "visit"]


class _Kept(jinja2.BytecodeCache):
    """Templates that were compiled in this process: each test's application compiles none again."""

    held: ClassVar[dict[str, CodeType]] = {}

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        bucket.code = self.held.get(bucket.key + bucket.checksum)

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        if bucket.code is not None:
            self.held[bucket.key + bucket.checksum] = bucket.code


rendering.Environment = partial(jinja2.Environment, bytecode_cache=_Kept())  # type: ignore[assignment,attr-defined]


def _routes_once() -> None:
    """FastAPI looks at the parameters of every route again for each application: the same routers give the same."""
    router: Any = getattr(fastapi.routing, "_IncludedRouter", None)
    build = getattr(router, "_build_effective_context", None)
    if build is None:  # another FastAPI: slower tests, no other difference
        return
    made: dict[tuple[Any, ...], Any] = {}

    def once(self: Any, route: Any) -> Any:
        given = self.include_context
        key = id(route), given.prefix, given.include_in_schema
        if key not in made:
            made[key] = route, build(self, route)  # the route is held, so that its id stays its own
        return made[key][1]

    router._build_effective_context = once


_routes_once()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the filled store."""
    return build(tmp_path_factory.mktemp("world") / "world.db")


@pytest.fixture
def application(store: str) -> Iterator[FastAPI]:
    """The server over it."""
    made = create_app(Settings(db=store))
    yield made
    made.state.engine.dispose()


@pytest.fixture
def client(application: FastAPI) -> TestClient:
    """A client on loopback; a crash is a 500, as a user would see it."""
    return TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False)


@pytest.fixture
def session(application: FastAPI) -> Iterator[Session]:
    """A session as pages get it."""
    with application.state.sessions() as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def either_store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A filled store of the test's own, of either kind."""
    if request.param == "sqlite":
        return build(tmp_path / "world.db")
    return build(request.getfixturevalue("postgres_db"))
