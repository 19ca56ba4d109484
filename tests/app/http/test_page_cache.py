"""Pages made before are given again, and never a page that is another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event

from app.http.page_cache import Answer, Kept
from app.main import create_app
from app.settings import Settings
from tests.app.world import build

LATENT = "/saes/tiny/l2-resid/latents/0"


@pytest.fixture
def application(tmp_path: Path) -> Iterator[FastAPI]:
    made = create_app(Settings(db=build(tmp_path / "world.db"), allowed_hosts=("other.example",)))
    yield made
    made.state.engine.dispose()


@pytest.fixture
def client(application: FastAPI) -> TestClient:
    return TestClient(application, base_url="http://127.0.0.1", follow_redirects=False)


def queries(application: FastAPI, client: TestClient, path: str, **headers: str) -> int:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(application.state.engine, "before_cursor_execute", note)
    assert client.get(path, headers=headers).status_code == 200
    event.remove(application.state.engine, "before_cursor_execute", note)
    return sum(statement.startswith("SELECT") for statement in seen)


def test_the_second_reader_costs_one_query_and_gets_the_same(application: FastAPI, client: TestClient) -> None:
    first = client.get(LATENT)
    assert queries(application, client, LATENT) == 1
    second = client.get(LATENT)
    assert second.content == first.content
    assert dict(second.headers) == dict(first.headers)


def test_one_who_takes_no_gzip_gets_none(client: TestClient) -> None:
    packed = client.get(LATENT)
    plain = client.get(LATENT, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.text == packed.text


def test_what_somebody_wrote_is_seen_at_once(client: TestClient) -> None:
    client.get(LATENT)
    client.post(f"{LATENT}/annotation", data={"note": "just now", "version": "0", "name": "Ada"})
    assert "just now" in client.get(LATENT).text


def test_readers_and_names_of_the_server_do_not_share_pages(client: TestClient) -> None:
    client.post(f"{LATENT}/annotation", data={"note": "x", "version": "0", "name": "Ada"})
    assert 'value="Ada"' in client.get(LATENT).text
    client.cookies.clear()
    assert 'value="Ada"' not in client.get(LATENT).text
    assert "127.0.0.1" not in client.get(LATENT, headers={"Host": "other.example"}).text


def test_errors_are_not_kept(application: FastAPI, client: TestClient) -> None:
    assert client.get("/saes/tiny/l2-resid/latents/4000").status_code == 404
    assert application.state.kept.bytes == 0


def test_the_oldest_make_room() -> None:
    kept = Kept(most=3 * Answer([], b"x" * 30).size)
    for number in range(5):
        kept.put(str(number), Answer([], b"x" * 30))
    assert kept.bytes == kept.most
    assert kept.get("0") is None
    assert kept.get("1") is None
    assert kept.get("4") is not None
    kept.put("4", Answer([], b"y" * 10))
    assert kept.bytes == kept.most - 20
