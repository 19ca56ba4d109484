"""Categories of the team's own: made, changed, put away; each under its key for good; no change from an old state."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from app.categories.queries import CategoryInfo, list_categories
from app.categories.write import MAX_DESCRIPTION, MAX_OWN, CategoryDraft, StaleCategory, change, make
from app.http.errors import BadFilter
from app.main import create_app
from app.settings import Settings
from store.session import make_engine, session_factory
from tests.app.team_world import copy
from tests.app.test_pages import page, words
from tests.app.world import HOSTILE, SLUGS, build

LATENT = f"/saes/{SLUGS[1]}/latents/0"


@pytest.fixture
def db(store: str, tmp_path: Path) -> str:
    return copy(store, tmp_path / "own.db")


@pytest.fixture
def client(db: str) -> Iterator[TestClient]:
    application = create_app(Settings(db=db))
    yield TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False)
    application.state.engine.dispose()


def made(client: TestClient, title: str, **more: str) -> Any:
    return client.post("/categories", data={"title": title, "colour": "teal", "name": "Ada", **more})


def form(client: TestClient, key: str) -> dict[str, str]:
    """What the form of a category sends if nothing is touched."""
    html = page(client, "/categories").split(f'name="key" value="{key}"')[1].split("</form>")[0]
    fields = dict(re.findall(r'name="(changed|title)" value="([^"]*)"', html))
    colour = re.search(r'value="(\w+)" checked', html)
    assert colour
    return {"key": key, "colour": colour[1], "description": "", "name": "Ada", **fields}


def changed(client: TestClient, fields: dict[str, str], what: str = "change", **more: str) -> Any:
    return client.post(f"/categories/{what}", data={**fields, **more})


def own(client: TestClient) -> dict[str, CategoryInfo]:
    with client.app.state.sessions() as session:  # type: ignore[attr-defined]
        return {one.key: one for one in list_categories(session) if one.own}


def test_one_that_was_made_can_be_chosen(client: TestClient) -> None:
    answer = made(client, "  Names of \n ships ", description="Pequod,\r\nRachel")
    assert (answer.status_code, answer.headers["location"]) == (303, "/categories#category-names-of-ships")
    html = page(client, "/categories")
    assert '<span class="chip cat c-teal"' in html
    assert 'id="category-names-of-ships"' in html
    assert "Pequod,\nRachel" in html
    assert '<option value="names-of-ships">' in page(client, LATENT)
    data = {"category": "names-of-ships", "version": "0", "name": "Bob"}
    assert client.post(f"{LATENT}/annotation", data=data).status_code == 303


def test_a_count_leads_to_as_many_latents(client: TestClient) -> None:
    made(client, "Ships")
    with client.app.state.writing() as session:  # type: ignore[attr-defined]
        for index in (0, 9, 30):
            save(session, Subject("1" * 64, index), Draft("ships", None, ""), 0, "Ada")
        save(session, Subject.pair("1" * 64, 0, 1), Draft("ships", None, ""), 0, "Ada")
        save(session, Subject("8" * 64, 3), Draft("ships", None, ""), 0, "Ada")
        save(session, Subject("0" * 64, 3), Draft("position", None, ""), 0, "Ada")
    html = page(client, "/categories")
    assert "3 latents" in words(html)
    assert "and 1 latent not in this run and 1 pair" in words(html)
    for href, number in (("/latents?category=ships&dense=any", 3), ("/latents?category=position&dense=any", 1)):
        assert href.replace("&", "&amp;") in html
        assert re.search(rf"\b{number} latents?\b", words(page(client, href)))


def test_a_key_is_the_teams_own_and_never_changes(client: TestClient) -> None:
    keys = {
        "Position!": "position-2",  # never the machine's
        "any?": "any-2",  # nor a word of the filters
        "Éclair au café": "eclair-au-cafe",
        "鯨": "category",
        "鯨鯨": "category-2",
        "Ships": "ships",
        "Ships.": "ships-2",
        "x" * 60: "x" * 48,
    }
    for title, key in keys.items():
        assert made(client, title).headers["location"] == f"/categories#category-{key}"
    assert changed(client, form(client, "ships"), title="Boats").status_code == 303
    assert own(client)["ships"].title == "Boats"
    assert made(client, "Ships").headers["location"].endswith("-ships-3")


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"title": ""}, "needs a title"),
        ({"title": " \t\u200b\u0007"}, "needs a title"),
        ({"title": "x" * 61}, "61 characters; the limit is 60"),
        ({"title": "SHIPS"}, "there is a category 'Ships' already"),
        ({"title": "Ｓｈｉｐｓ"}, "there is a category 'Ships' already"),
        ({"title": "Context  Binding"}, "is a word of the machine's"),
        ({"title": "context_binding"}, "is a word of the machine's"),
        ({"title": "None"}, "is a word of the machine's"),
        ({"colour": "red"}, "unknown colour 'red'; choose one of slate"),
        ({"description": "x" * (MAX_DESCRIPTION + 1)}, "501 characters; the limit is 500"),
        ({"name": ""}, "say who you are"),
    ],
)
def test_what_cannot_be_is_refused_with_the_draft_kept(client: TestClient, fields: dict[str, str], shown: str) -> None:
    made(client, "Ships")
    client.cookies.clear()
    sent = {"title": "Boats", "colour": "plum", "description": "what floats", "name": "Bob", **fields}
    answer = client.post("/categories", data=sent)
    assert answer.status_code == 422
    assert shown in words(answer.text).replace("&#39;", "'")
    assert sent["description"] in answer.text
    assert list(own(client)) == ["ships"]


def test_the_same_rules_hold_for_a_change(client: TestClient) -> None:
    made(client, "Ships")
    made(client, "Boats", colour="rust")
    answer = changed(client, form(client, "boats"), title="ships", description="mine")
    assert answer.status_code == 422
    part = answer.text.split('id="category-boats"')[1].split("</li>")[0]
    assert "there is a category &#39;Ships&#39; already" in part
    assert "mine</textarea>" in part
    assert own(client)["boats"].title == "Boats"
    assert changed(client, form(client, "boats"), title="BOATS", colour="sky").status_code == 303
    assert (own(client)["boats"].title, own(client)["boats"].colour) == ("BOATS", "sky")


def test_a_change_from_an_old_state_shows_both_and_keeps_the_draft(client: TestClient) -> None:
    made(client, "Ships")
    old = form(client, "ships")
    assert changed(client, old, description="theirs", name="Bob").status_code == 303
    answer = changed(client, old, title="Vessels", description="mine", name="Ada")
    assert answer.status_code == 409
    part = answer.text.split('id="category-ships"')[1].split("</li>")[0]
    theirs, yours = part.split("Yours, not saved")
    assert "theirs" in theirs
    assert "Bob" in theirs
    assert "mine" in yours
    assert 'value="Vessels"' in yours
    assert own(client)["ships"].description == "theirs"
    stamp = re.search(r'name="changed" value="([^"]+)"', part)
    assert stamp
    again = changed(client, old, title="Vessels", description="mine", changed=stamp[1])
    assert again.status_code == 303
    assert own(client)["ships"].title == "Vessels"


def test_one_put_away_is_offered_no_more_and_can_be_brought_back(client: TestClient) -> None:
    made(client, "Ships")
    data = {"category": "ships", "version": "0", "name": "Bob"}
    client.post(f"{LATENT}/annotation", data=data)
    other = f"/saes/{SLUGS[1]}/latents/1"
    old = form(client, "ships")
    assert changed(client, old, "archive", archived="true").status_code == 303
    assert "Put away: 1" in words(page(client, "/categories"))
    assert '<option value="ships"' not in page(client, other)
    assert '<option value="ships" selected' in page(client, LATENT)
    assert "bring it back instead" in made(client, "ships").text
    assert changed(client, old, "archive", archived="false").status_code == 409
    assert changed(client, form(client, "ships"), "archive", archived="false").status_code == 303
    assert '<option value="ships"' in page(client, other)


def test_the_machines_cannot_be_changed(client: TestClient) -> None:
    fields = {"key": "position", "title": "Place", "colour": "teal", "changed": "", "name": "Ada"}
    for what in ("change", "archive"):
        answer = changed(client, fields, what)
        assert answer.status_code == 404
        assert "one of the machine's" in words(answer.text).replace("&#39;", "'")
    for key in ("nothing", "\0", "..", ""):
        assert changed(client, {**fields, "key": key}).status_code == 404


def test_nothing_bad_is_a_fault_of_the_server(client: TestClient) -> None:
    made(client, "Ships")
    fields = form(client, "ships")
    for more in ({"changed": "\0"}, {"changed": "2026-99-99"}, {"changed": ""}):
        assert changed(client, fields, **more).status_code == 409
    for more in ({"key": "x" * 61}, {"title": "x" * 1_001}, {"description": "x" * 10_001}, {"archived": "maybe"}):
        assert changed(client, fields, "archive" if "archived" in more else "change", **more).status_code == 422
    assert client.post("/categories", content=b"\xff\xfe").status_code == 422
    assert made(client, "a\0b\ud800c".encode("utf-8", "replace").decode()).status_code == 303


def test_hostile_words_are_text(client: TestClient) -> None:
    for place, text in enumerate(HOSTILE[:3]):
        assert made(client, text, description=text, name=f"{text} {place}").status_code == 303
    for path in ("/categories", LATENT, "/annotations"):
        html = page(client, path)
        assert "<script>alert" not in html
        assert "<img src=x" not in html


def test_there_is_an_end_to_them(client: TestClient, db: str) -> None:
    with client.app.state.writing() as session:  # type: ignore[attr-defined]
        for number in range(MAX_OWN):
            make(session, CategoryDraft(f"number {number}"), "Ada")
    assert "which is the limit" in words(made(client, "one more").text)


def test_a_read_only_server_shows_them_without_forms(client: TestClient, db: str) -> None:
    made(client, "Ships")
    application = create_app(Settings(db=db, read_only=True))
    reader = TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False)
    html = page(reader, "/categories")
    assert "Ships" in html
    assert 'method="post"' not in html
    assert made(reader, "Boats").status_code == 403
    application.state.engine.dispose()


def test_the_page_is_new_after_a_change(client: TestClient) -> None:
    made(client, "Ships")
    tag = client.get("/categories").headers["etag"]
    assert client.get("/categories", headers={"If-None-Match": tag}).status_code == 304
    changed(client, form(client, "ships"), description="new")
    assert client.get("/categories", headers={"If-None-Match": tag}).status_code == 200


@pytest.fixture(params=["sqlite", "postgres"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Sessions over a store of either kind."""
    where = tmp_path / "own.db" if request.param == "sqlite" else request.getfixturevalue("postgres_db")
    engine = make_engine(build(where))
    yield session_factory(engine)
    engine.dispose()


def test_of_many_at_once_one_makes_it_and_one_changes_it(sessions: Callable[[], Any]) -> None:
    def attempt(write: Callable[[Any, int], object], number: int) -> str:
        with sessions() as session:
            try:
                write(session, number)
            except (BadFilter, StaleCategory) as error:
                return type(error).__name__
            return "written"

    def all_at_once(write: Callable[[Any, int], object]) -> list[str]:
        with ThreadPoolExecutor(8) as pool:
            return sorted(pool.map(lambda number: attempt(write, number), range(8)))

    titles = ["Ships", "ships", "SHIPS", "ShIpS"] * 2
    outcome = all_at_once(lambda session, number: make(session, CategoryDraft(titles[number]), "Ada"))
    assert outcome == ["BadFilter"] * 7 + ["written"]
    with sessions() as session:
        (seen,) = [one for one in list_categories(session) if one.own]
    outcome = all_at_once(
        lambda session, number: change(session, seen.key, CategoryDraft("Ships", "sky", f"{number}"), seen.stamp, "B")
    )
    assert outcome == ["StaleCategory"] * 7 + ["written"]
