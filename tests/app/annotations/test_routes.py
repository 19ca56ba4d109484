"""Saying something of a latent or a pair: versions, conflicts, undo; by form, by script and over the API."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.main import create_app
from app.settings import Settings
from store.session import sqlite_module
from store.tables import Annotation
from tests.app.world import HOSTILE, build

LATENT = "/saes/tiny/l2-resid/latents/0"
PAIR = "/saes/tiny/l2-resid/pairs/0/1"
API = "/api/v1"


@pytest.fixture
def db(tmp_path: Path) -> str:
    return build(tmp_path / "world.db")


@pytest.fixture
def client(db: str) -> Iterator[TestClient]:
    application = create_app(Settings(db=db))
    yield TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False)
    application.state.engine.dispose()


@pytest.fixture
def rows(client: TestClient) -> Iterator[Session]:
    with client.app.state.sessions() as session:  # type: ignore[attr-defined]
        yield session


def said(client: TestClient, note: str, version: int, name: str = "Ada", where: str = LATENT, **more: str) -> int:
    fields = {"note": note, "version": str(version), "name": name, **more}
    return client.post(f"{where}/annotation", data=fields).status_code


HISTORY = f"{LATENT}/parts/history"


def panel(client: TestClient, where: str = LATENT) -> str:
    text = client.get(where).text
    return text[text.index('id="annotation"') : text.index("</section>", text.index('id="annotation"'))]


def test_a_plain_form_saves_and_leads_back_to_the_page(client: TestClient) -> None:
    answer = client.post(
        f"{LATENT}/annotation",
        data={"category": "position", "verdict": "keep", "note": "counts tokens", "version": "0", "name": "Ada"},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"{LATENT}#annotation")
    text = panel(client)
    assert "counts tokens" in text
    assert "Ada" in text
    assert 'value="keep" checked' in text
    assert 'value="position" selected' in text


def test_the_page_is_new_to_a_browser_that_held_the_old_one(client: TestClient) -> None:
    tag = client.get(LATENT).headers["etag"]
    assert client.get(LATENT, headers={"If-None-Match": tag}).status_code == 304
    said(client, "new", 0)
    assert client.get(LATENT, headers={"If-None-Match": tag}).status_code == 200


def test_a_name_is_asked_once(client: TestClient) -> None:
    assert client.post(f"{LATENT}/annotation", data={"note": "x", "version": "0"}).status_code == 422
    said(client, "x", 0, name="Zoë Ünal")
    answer = client.post(f"{LATENT}/annotation", data={"note": "y", "version": "1"})
    assert answer.status_code == 303
    assert "Zoë Ünal" in panel(client)


def test_a_save_from_an_old_version_shows_both_texts_and_keeps_the_draft(client: TestClient, rows: Session) -> None:
    said(client, "first", 0)
    said(client, "theirs", 1, name="Bob")
    answer = client.post(f"{LATENT}/annotation", data={"note": "mine", "version": "1", "name": "Ada"})
    assert answer.status_code == 409
    assert "theirs" in answer.text
    assert re.search(r"<textarea[^>]*>mine</textarea>", answer.text)
    assert 'name="version" value="2"' in answer.text  # so that a second save is a choice, not an accident
    assert rows.scalar(select(Annotation.note).where(Annotation.latest)) == "theirs"
    assert said(client, "mine", 2) == 303
    rows.rollback()  # look again
    assert [row.note for row in rows.scalars(select(Annotation).order_by(Annotation.version))] == [
        "first",
        "theirs",
        "mine",
    ]


def test_a_script_gets_the_panel_alone(client: TestClient) -> None:
    answer = client.post(
        f"{LATENT}/annotation", data={"note": "short", "version": "0", "name": "Ada"}, headers={"X-Part": "annotation"}
    )
    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert 'id="annotation"' in answer.text
    assert "short" in answer.text


def test_undo_brings_back_the_version_before_and_keeps_history(client: TestClient, rows: Session) -> None:
    said(client, "one", 0)
    said(client, "two", 1)
    assert said(client, "", 2, back="1") == 303
    assert re.search(r"<textarea[^>]*>one</textarea>", panel(client))
    found = [(row.version, row.note, row.restores) for row in rows.scalars(select(Annotation))]
    assert found == [(1, "one", None), (2, "two", None), (3, "one", 1)]


def test_the_first_version_can_be_taken_back_to_nothing(client: TestClient) -> None:
    said(client, "one", 0, verdict="prune")
    assert said(client, "", 1, back="0") == 303
    assert "took it all back" in panel(client, HISTORY)
    assert client.get(f"{API}{LATENT}/annotation").json()["current"]["verdict"] is None


def test_undo_of_what_somebody_changed_meanwhile_is_refused(client: TestClient) -> None:
    said(client, "one", 0)
    said(client, "two", 1)
    assert said(client, "", 1, back="0") == 409
    assert said(client, "", 2, back="1") == 303
    assert said(client, "", 2, back="1") == 409  # undone by somebody else already


def test_a_note_that_was_typed_before_a_refused_undo_stays_in_the_form(client: TestClient) -> None:
    said(client, "one", 0)
    said(client, "two", 1)
    answer = client.post(f"{LATENT}/annotation", data={"note": "typed", "back": "0", "version": "1", "name": "Ada"})
    assert answer.status_code == 409
    assert re.search(r"<textarea[^>]*>typed</textarea>", answer.text)
    answer = client.post(f"{LATENT}/annotation", data={"back": "0", "version": "1", "name": "Ada"})  # of the history
    assert re.search(r"<textarea[^>]*>two</textarea>", answer.text)


def test_while_a_worker_writes_the_draft_stays_in_the_form(client: TestClient, db: str) -> None:
    # the server's own SQLite: a process's locks do not hold against another library in it
    with sqlite_module().connect(db, isolation_level=None) as worker:
        worker.execute("BEGIN IMMEDIATE")
        answer = client.post(f"{LATENT}/annotation", data={"note": "patient", "version": "0", "name": "Ada"})
        worker.execute("ROLLBACK")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert re.search(r"<textarea[^>]*>patient</textarea>", answer.text)
    assert said(client, "patient", 0) == 303


def test_what_an_import_named_can_be_brought_back(client: TestClient, db: str) -> None:
    said(client, "one", 0)
    with sqlite3.connect(db) as store:
        store.execute("UPDATE annotation SET category = 'from-elsewhere'")
    said(client, "two", 1)
    assert said(client, "", 2, back="1") == 303
    assert client.get(f"{API}{LATENT}/annotation").json()["current"]["category"] == "from-elsewhere"


def test_a_long_history_is_cut_on_the_page_and_whole_over_the_api(client: TestClient) -> None:
    for version in range(23):
        assert said(client, f"thought {version}.", version) == 303
    assert "History: 23 versions" in panel(client)
    text = panel(client, HISTORY)
    assert "thought 3." in text
    assert "thought 2." not in text
    assert len(client.get(f"{API}{LATENT}/annotation").json()["history"]) == 23


def test_saying_the_same_again_makes_no_version(client: TestClient) -> None:
    said(client, "one", 0)
    said(client, "one ", 1)
    assert client.get(f"{API}{LATENT}/annotation").json()["version"] == 1


def test_a_latent_in_a_note_is_a_link_and_the_rest_is_text(client: TestClient) -> None:
    said(client, f"like L1/3 and L9/4 {HOSTILE[0]}", 0)
    text = panel(client)
    assert '<a href="/saes/tiny/l1-resid/latents/3">L1/3</a>' in text
    assert 'latents/4"' not in text  # no layer 9 was analysed
    assert "<script>" not in text


@pytest.mark.parametrize("hostile", HOSTILE[:6])
def test_hostile_text_and_names_are_text(client: TestClient, hostile: str) -> None:
    said(client, hostile, 0, name=hostile)
    text = panel(client)
    assert hostile not in text.replace("{{ 7 * 7 }}", "") or "<" not in hostile
    assert "<img" not in text
    assert client.get(f"{API}{LATENT}/annotation").json()["current"]["note"] == hostile


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"category": "nonsense"}, 422),
        ({"verdict": "burn"}, 422),
        ({"note": "x" * 4_001}, 422),
        ({"name": "n" * 61}, 422),
        ({"version": "-1"}, 422),
        ({"version": "99999999999"}, 422),
        ({"version": "7"}, 409),
        ({"back": "5", "version": "0"}, 422),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    client: TestClient, rows: Session, fields: dict[str, str], status: int
) -> None:
    held = {"note": "x", "version": "0", "name": "Ada", **fields}
    assert client.post(f"{LATENT}/annotation", data=held).status_code == status
    assert rows.scalar(select(Annotation)) is None


def test_a_refused_draft_is_still_in_the_form(client: TestClient) -> None:
    answer = client.post(f"{LATENT}/annotation", data={"note": "kept", "verdict": "burn", "version": "0", "name": "A"})
    assert re.search(r"<textarea[^>]*>kept</textarea>", answer.text)


def test_a_pair_is_one_thing_in_either_order_and_apart_from_its_latents(client: TestClient) -> None:
    assert said(client, "an axis", 0, where="/saes/tiny/l2-resid/pairs/1/0") == 303
    assert "an axis" in panel(client, PAIR)
    assert "an axis" not in panel(client)


def test_what_was_said_outlives_the_run(client: TestClient) -> None:
    """Run 1 and run 2 both read tiny/l0-resid."""
    said(client, "in every run", 0, where="/saes/tiny/l0-resid/latents/0")
    assert "in every run" in panel(client, "/saes/tiny/l0-resid/latents/0?run=1")


def test_nobody_writes_on_a_server_that_only_shows(db: str) -> None:
    client = TestClient(create_app(Settings(db=db, read_only=True)), base_url="http://127.0.0.1")
    assert said(client, "x", 0) == 403
    assert "data-annotate" not in client.get(LATENT).text
    assert client.put(f"{API}{LATENT}/annotation", json={"version": 0, "author": "A"}).status_code == 403


def test_another_sites_page_cannot_write(client: TestClient) -> None:
    answer = client.post(
        f"{LATENT}/annotation",
        data={"note": "x", "version": "0", "name": "A"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403


def test_the_api_says_what_is_there_now_where_a_save_is_refused(client: TestClient) -> None:
    first = client.put(f"{API}{LATENT}/annotation", json={"version": 0, "note": "one", "author": "Ada"})
    assert (first.status_code, first.json()["version"]) == (200, 1)
    late = client.put(f"{API}{LATENT}/annotation", json={"version": 0, "note": "two", "author": "Bob"})
    assert late.status_code == 409
    assert late.json()["current"]["current"]["note"] == "one"
    assert client.put(f"{API}{LATENT}/annotation", json={"version": 1, "nonsense": 1}).status_code == 422
    assert client.put(f"{API}{LATENT}/annotation", json={"version": 1, "note": "x"}).status_code == 422  # who?


def test_the_api_lists_categories(client: TestClient) -> None:
    keys = [one["key"] for one in client.get(f"{API}/categories").json()]
    assert keys[:2] == ["position", "context_binding"]
