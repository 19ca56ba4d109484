"""Pages made before are given again, and never a page that is another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event, update

from analysis.verdict import judge_analysis
from app.categories.write import CategoryDraft, make
from app.http.cache import Answer, page_cache
from app.main import create_app
from app.settings import Settings
from store.session import make_engine, session_factory
from store.tables import Association, Verdict
from tests.app.servers import addresses
from tests.app.world import build

LATENT = "/saes/tiny/l2-resid/latents/0"
OTHER = "/saes/tiny/l2-resid/latents/2"
PAIR = "/saes/tiny/l2-resid/pairs/0/1"
MORE = [OTHER, PAIR, "/latents?sae=tiny/l2-resid", "/search?q=new", "/compare?latent=tiny/l2-resid:0"]


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


def test_the_second_reader_costs_no_query_and_gets_the_same(application: FastAPI, client: TestClient) -> None:
    first = client.get(LATENT)
    assert queries(application, client, LATENT) == 0
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


def test_what_another_process_wrote_is_seen_at_once(application: FastAPI, client: TestClient) -> None:
    client.get("/categories")
    with session_factory(make_engine(application.state.settings.db))() as other:
        make(other, CategoryDraft("Written elsewhere", "teal", ""), "Bea")
    assert "Written elsewhere" in client.get("/categories").text


def pages(client: TestClient, application: FastAPI) -> dict[str, tuple[str, bytes]]:
    """Every page that has a tag, made anew: address -> tag and body."""
    application.state.page_cache.clear()
    answers = {address: client.get(address) for address in [*addresses(application), *MORE]}
    tagged = {address: one for address, one in answers.items() if one.status_code == 200 and "etag" in one.headers}
    return {address: (one.headers["etag"], one.content) for address, one in tagged.items()}


def note(client: TestClient, path: str) -> None:
    assert client.post(f"{path}/annotation", data={"note": "new", "version": "0", "name": "Ada"}).status_code == 303
    client.cookies.clear()  # the name would make all pages others


def judge_anew(client: TestClient) -> None:
    with make_engine(client.app.state.settings.db).begin() as connection:  # type: ignore[attr-defined]
        connection.execute(update(Verdict).where(Verdict.verdict == "investigate").values(verdict="prune"))


def test_verdicts_judged_anew_are_seen_though_as_many_are_the_same(application: FastAPI, client: TestClient) -> None:
    sessions = session_factory(make_engine(application.state.settings.db))
    with sessions() as session, session.begin():
        counts = judge_analysis(session, 12)
    before = client.get(LATENT)
    with sessions() as session, session.begin():
        session.execute(update(Association).values(statement={"code": "text", "text": "Found to be otherwise."}))
        assert judge_analysis(session, 12) == counts
    after = client.get(LATENT, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert "Found to be otherwise." in after.text
    assert "Found to be otherwise." not in before.text


@pytest.mark.parametrize(
    ("change", "void", "stays"),
    [
        (
            lambda client: note(client, LATENT),
            {LATENT, "/annotations", "/latents"},
            {OTHER, PAIR, "/methods", "/layers"},
        ),
        (lambda client: note(client, PAIR), {PAIR, "/annotations"}, {LATENT, OTHER, "/methods"}),
        (
            lambda client: client.post("/categories", data={"title": "x", "colour": "teal", "name": "A"}),
            {LATENT, OTHER},
            {"/methods"},
        ),
        (
            lambda client: client.post("/views", data={"name": "v", "address": "/", "author": "A"}),
            {"/views"},
            {"/layers"},
        ),
        (judge_anew, {LATENT, OTHER, "/methods", "/layers"}, set()),
    ],
)
def test_a_change_voids_what_shows_it(
    application: FastAPI, client: TestClient, change: Callable[[TestClient], object], void: set[str], stays: set[str]
) -> None:
    before = pages(client, application)
    change(client)
    client.cookies.clear()
    after = pages(client, application)
    same = {address for address, (tag, _body) in after.items() if before[address][0] == tag}
    assert [address for address in same if before[address][1] != after[address][1]] == []
    assert stays <= same
    assert not void & same
    assert len(before) > 25


def test_readers_and_names_of_the_server_do_not_share_pages(client: TestClient) -> None:
    client.post(f"{LATENT}/annotation", data={"note": "x", "version": "0", "name": "Ada"})
    assert 'value="Ada"' in client.get(LATENT).text
    client.cookies.clear()
    assert 'value="Ada"' not in client.get(LATENT).text
    assert "127.0.0.1" not in client.get(LATENT, headers={"Host": "other.example"}).text


def test_errors_are_not_kept(application: FastAPI, client: TestClient) -> None:
    assert client.get("/saes/tiny/l2-resid/latents/4000").status_code == 404
    assert not application.state.page_cache


def test_the_oldest_make_room() -> None:
    kept = page_cache(most=3 * Answer([], b"x" * 30).size)
    for number in range(5):
        kept[str(number)] = Answer([], b"x" * 30)
    assert list(kept) == ["2", "3", "4"]
    kept["4"] = Answer([], b"y" * 10)
    assert kept.currsize == kept.maxsize - 20
