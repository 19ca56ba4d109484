"""Saved views: saved, listed, followed, removed; and what is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.http.errors import BadFilter
from app.main import create_app
from app.saved_views.queries import find_view, list_views
from app.saved_views.write import Taken, save_view, view_address, view_name
from app.settings import Settings
from app.shared.links import is_local
from migrations.runner import upgrade
from store.session import make_engine, session_factory
from store.tables import SavedView
from tests.app.test_pages import page, words

ADDRESS = "/latents?dense=any&human=none&sort=max"


@pytest.fixture
def db(store: str, tmp_path: Path) -> str:
    """A store of its own, which a test may write."""
    path = str(tmp_path / "own.db")
    with closing(sqlite3.connect(store)) as old, closing(sqlite3.connect(path)) as new:
        old.backup(new)
    return path


@pytest.fixture
def own(db: str) -> Iterator[TestClient]:
    made = create_app(Settings(db=db))
    yield TestClient(made, base_url="http://127.0.0.1", raise_server_exceptions=False)
    made.state.engine.dispose()


@pytest.fixture
def writing(db: str) -> Iterator[Session]:
    engine = make_engine(db)
    with session_factory(engine)() as made:
        yield made
    engine.dispose()


def post(client: TestClient, name: str = "for Friday", address: str = ADDRESS, author: str = "Ada") -> Any:
    form = {"name": name, "address": address, "author": author}
    return client.post("/views", data=form, follow_redirects=False)


def test_a_saved_view_is_listed_and_leads_to_its_address(own: TestClient) -> None:
    assert post(own).status_code == 303
    text = words(page(own, "/views"))
    assert "for Friday" in text
    assert "Ada" in text
    answer = own.get("/views/for%20Friday", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, ADDRESS)
    assert own.get("/views/for%20Friday").status_code == 200


def test_a_name_is_asked_once(own: TestClient) -> None:
    assert 'name="author"' in page(own, "/latents")
    post(own)
    assert 'name="author"' not in page(own, "/latents")
    assert post(own, "another", author="").status_code == 303
    assert words(page(own, "/views")).count("Ada") == 2


def test_without_a_name_nothing_is_saved(own: TestClient) -> None:
    answer = post(own, author=" ")
    assert answer.status_code == 422
    assert "say who you are" in words(answer.text)
    assert "No view is saved" in page(own, "/views")


def test_a_name_is_given_once(own: TestClient) -> None:
    post(own)
    answer = post(own, " for   Friday ", "/layers", "Bob")
    assert answer.status_code == 409
    assert "'for Friday' already, saved by Ada" in words(answer.text).replace("&#39;", "'")
    assert own.get("/views/for Friday", follow_redirects=False).headers["location"] == ADDRESS


def test_the_loser_of_a_race_for_a_name_is_told(writing: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    save_view(writing, "for Friday", ADDRESS, "Ada")
    monkeypatch.setattr("app.saved_views.write.find_view", lambda _session, _name: None)  # as it was before Ada saved
    with pytest.raises(Taken):
        save_view(writing, "for Friday", "/layers", "Bob")
    assert [(one.address, one.author) for one in list_views(writing)] == [(ADDRESS, "Ada")]


def test_a_view_is_removed_and_another_may_have_its_name(own: TestClient, writing: Session) -> None:
    post(own)
    found = find_view(writing, "for Friday")
    writing.rollback()
    assert found
    assert own.post(f"/views/{found.id}/remove", follow_redirects=False).headers["location"] == "/views"
    assert "No view is saved" in page(own, "/views")
    assert own.get("/views/for Friday").status_code == 404
    assert own.post(f"/views/{found.id}/remove").status_code == 404
    assert post(own, address="/layers").status_code == 303


def test_the_list_is_fresh_after_a_change(own: TestClient) -> None:
    tag = own.get("/views").headers["etag"]
    assert own.get("/views", headers={"If-None-Match": tag}).status_code == 304
    post(own)
    assert own.get("/views", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example/latents",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "javascript:alert(1)",
        "latents",
        "",
        "/latents\r\nSet-Cookie: a=b",
        "/\t/evil.example",
        "/latents?q=\x00",
        "/latents?q=" + "a" * 2_000,
        "/views/for Friday",
        "/views",
        "/latents?token=abc",
    ],
)
def test_an_address_elsewhere_is_refused(own: TestClient, address: str) -> None:
    answer = post(own, address=address)
    assert answer.status_code == 422
    assert "address" in words(answer.text) or "view" in words(answer.text)
    assert "No view is saved" in page(own, "/views")


@pytest.mark.parametrize("name", ["", "  ", "a" * 81, "..", ".", "/", "\x00"])
def test_a_name_that_no_link_can_hold_is_refused(name: str) -> None:
    with pytest.raises(BadFilter):
        view_name(name)


@pytest.mark.parametrize("name", ["a/b", "100 %", "<script>alert(1)</script>", "é #?&", "5/remove", "\u202egnorw"])
def test_any_other_name_is_text_and_a_link(own: TestClient, writing: Session, name: str) -> None:
    assert post(own, name, "/layers?run=1").status_code == 303
    found = find_view(writing, name)
    assert found
    assert found.href in page(own, "/views")
    assert "<script>alert" not in page(own, "/views") + page(own, "/latents")
    assert own.get(found.href, follow_redirects=False).headers["location"] == "/layers?run=1"


@pytest.mark.parametrize("name", ["%00", "nothing", "..%2f..%2fetc", "a" * 300])
def test_a_view_that_is_none_is_not_found(own: TestClient, name: str) -> None:
    assert own.get(f"/views/{name}", follow_redirects=False).status_code == 404


def test_a_fragment_is_left_out() -> None:
    assert view_address("/saes/a/latents/1?run=2#annotation") == "/saes/a/latents/1?run=2"
    assert not is_local("//[")


def test_there_is_a_limit_and_it_is_said(writing: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.saved_views.write.MAX_VIEWS", 1)
    save_view(writing, "one", ADDRESS, "Ada")
    with pytest.raises(BadFilter) as refused:
        save_view(writing, "two", ADDRESS, "Ada")
    assert "the limit; remove one" in refused.value.detail


def test_the_list_of_latents_offers_to_save_what_it_shows_and_what_was_saved(own: TestClient) -> None:
    post(own)
    html = page(own, "/latents?sort=max&min_density=0.2&cursor=")
    assert 'name="address" value="/latents?min_density=0.2&amp;sort=max"' in html
    assert 'href="/views/for%20Friday"' in html
    assert 'name="address" value="/layers?run=1"' in page(own, "/layers?run=1")


def test_a_server_that_only_shows_offers_no_saving(db: str) -> None:
    client = TestClient(create_app(Settings(db=db, read_only=True)), base_url="http://127.0.0.1")
    assert post(client).status_code == 403
    for path in ("/latents", "/layers", "/views"):
        assert 'method="post"' not in page(client, path), path


def test_postgresql_keeps_views_as_well(postgres_db: str) -> None:
    upgrade(postgres_db)
    made = create_app(Settings(db=postgres_db))
    client = TestClient(made, base_url="http://127.0.0.1", raise_server_exceptions=False)
    assert post(client).status_code == 303
    assert post(client).status_code == 409
    assert client.get("/views/for Friday", follow_redirects=False).headers["location"] == ADDRESS
    assert client.get("/views/%00").status_code == 404
    assert [client.post("/views/1/remove", follow_redirects=False).status_code for _ in range(2)] == [303, 404]
    made.state.engine.dispose()


@pytest.mark.parametrize(
    "address", ["https://elsewhere.example/", "//elsewhere.example", "/views/other", "javascript:x"]
)
def test_an_address_that_another_program_stored_is_not_followed(
    own: TestClient, writing: Session, address: str
) -> None:
    writing.add(SavedView(name="stored", address=address, author="x", created=datetime(2026, 1, 1)))
    writing.commit()
    answer = own.get("/views/stored", follow_redirects=False)
    assert answer.status_code == 404
    assert "leads nowhere" in answer.text
