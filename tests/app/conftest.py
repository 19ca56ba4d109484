"""One fixture store for the whole run: the server only reads it. Each test gets its own application."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.main import create_app
from app.settings import Settings
from tests.app.chromium import browser, server, visit
from tests.app.world import build

__all__ = ["browser", "server", "visit"]


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
