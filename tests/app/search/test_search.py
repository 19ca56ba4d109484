"""Search finds what is there, marks it, and takes nothing typed for anything but words. On both databases."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy import delete, func, inspect, select, text
from sqlalchemy.orm import Session

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from app.main import create_app
from app.search import queries as search
from app.settings import Settings
from migrations import runner
from store.digest import digest
from store.search import declared, index_analysis
from store.session import make_engine, session_factory
from store.tables import Analysis, Base, Category, Example, Profile, Run, SearchText
from tests.app.search.test_terms import TYPED
from tests.app.test_pages import page
from tests.app.test_pages import words as shown_words
from tests.app.world import CONTROL, HOSTILE, NEGATIVE, POSITIVE, SLUGS, build
from tests.postgres import database

SAE = f"/saes/{SLUGS[1]}"
WHALE = [" Thar", " she", " bl", "ows", ":", " a", " White", " wh", "ale", ",", " naïve", "\n", "beast", " 🐋", "!"]
WHITE = [" The", " whale", " was", " not", " white", ";", " the", " sea", " was", "."]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def searched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The store with a few texts of our own in the SAE of layer 1, run 2."""
    if request.param == "sqlite":
        yield _fill(build(tmp_path_factory.mktemp("search") / "world.db"))
    else:
        with database(request.getfixturevalue("postgres")) as url:
            yield _fill(build(url))


def _fill(db: str) -> str:
    engine = make_engine(db)
    with session_factory(engine)() as session:
        for index, tokens in ((POSITIVE, WHALE), (NEGATIVE, WHALE), (CONTROL, WHITE)):
            session.get_one(Example, (11, index, "top", 0)).tokens = tokens
        session.get_one(Example, (11, CONTROL, "off", 0)).tokens = [" kraken"]
        for name in ("top_tokens", "top_tokens_mass"):
            own = session.get_one(Profile, (11, 9, name))
            own.data = {**own.data, "items": [{"token": one, "id": 0} for one in (" White", " Whale", ".”")]}
        session.flush()
        index_analysis(session, 11)
        session.commit()
    engine.dispose()
    return db


@pytest.fixture
def seeker(searched: str) -> Iterator[TestClient]:
    """A client of the server over it."""
    made = create_app(Settings(db=searched))
    yield TestClient(made, base_url="http://127.0.0.1", raise_server_exceptions=False)
    made.state.engine.dispose()


@pytest.fixture
def writing(searched: str) -> Iterator[Session]:
    """A session that writes to it."""
    engine = make_engine(searched)
    with session_factory(engine)() as session:
        yield session
    engine.dispose()


Found = dict[str, Any]


def find(client: TestClient, q: str, **more: object) -> dict[str, Found]:
    """Groups by kind, as the API gives them."""
    answer = client.get("/api/v1/search", params={"q": q, **more})  # type: ignore[dict-item]
    assert answer.status_code == 200, answer.text
    return {group["kind"]: group for group in answer.json()["groups"]}


def found_in(client: TestClient, q: str, kind: str, sae: str = SLUGS[1]) -> list[int]:
    """Indices found."""
    return [item["index"] for item in find(client, q, kind=kind, sae=sae)[kind]["items"]]


@pytest.mark.parametrize(
    ("q", "latents"),
    [
        ("whale", {POSITIVE, CONTROL}),
        ("WHALE white", {POSITIVE, CONTROL}),
        ('"white whale"', {POSITIVE}),
        ("“white whale”", {POSITIVE}),
        ('"white whale', {POSITIVE}),
        ("blow*", {POSITIVE}),
        ('"a white wha"*', {POSITIVE}),
        ("blow", set()),
        ("naive", {POSITIVE}),
        ("Näïvé", {POSITIVE}),
        ("🐋", {POSITIVE}),
        ("whale sea", {CONTROL}),
        ("whale , sea", {CONTROL}),
        ("kraken", set()),
    ],
)
def test_contexts_are_found_by_words_phrases_and_beginnings(seeker: TestClient, q: str, latents: set[int]) -> None:
    assert set(found_in(seeker, q, "context")) == latents


def test_a_context_of_two_latents_is_found_once_and_names_both(seeker: TestClient) -> None:
    (item,) = find(seeker, "blows")["context"]["items"]
    assert (item["index"], item["also"], item["example"]) == (POSITIVE, [NEGATIVE], "top")
    html = page(seeker, "/search?q=blows")
    assert f'href="{SAE}/latents/{POSITIVE}"' in html
    assert f'also an example of <a href="{SAE}/latents/{NEGATIVE}">{NEGATIVE}</a>' in html


def test_what_matched_is_marked_and_nothing_else(seeker: TestClient) -> None:
    (item,) = find(seeker, '"white whale" naive')["context"]["items"]
    assert [part["text"] for part in item["parts"] if part["hit"]] == ["White whale", "naïve"]
    assert "".join(part["text"] for part in item["parts"]) == "".join(WHALE)
    html = page(seeker, "/search?q=%22white+whale%22")
    assert "<mark>White whale</mark>" in html
    assert re.findall("<mark>(.*?)</mark>", html) == ["White whale"]


def test_tokens_are_found_and_a_phrase_spans_no_two_of_them(seeker: TestClient) -> None:
    assert found_in(seeker, "white whale", "token") == [9]
    assert found_in(seeker, '"white whale"', "token") == []
    (item,) = find(seeker, "whal*", kind="token")["token"]["items"]
    assert [(part["text"], part["hit"]) for part in item["parts"]] == [
        (" White", False),
        (" Whale", True),
        (".”", False),
    ]
    assert item["density"] == pytest.approx(0.01)


def test_signs_alone_find_tokens_made_of_signs(seeker: TestClient) -> None:
    assert found_in(seeker, ".”", "token") == [9]
    assert 9 not in found_in(seeker, "%", "token")
    assert POSITIVE in found_in(seeker, "%", "token")
    assert found_in(seeker, "%", "context") == []


def test_denser_latents_go_first_where_a_match_is_as_good(seeker: TestClient) -> None:
    items = find(seeker, "alert", kind="token", sae=SLUGS[0])["token"]["items"]
    densities = [item["density"] for item in items]
    assert len(densities) > 20
    assert densities == sorted(densities, reverse=True)


@pytest.mark.parametrize("typed", TYPED)
def test_nothing_typed_is_anything_but_words(seeker: TestClient, typed: str) -> None:
    answer = seeker.get("/api/v1/search", params={"q": typed})
    assert answer.status_code == 200, answer.text
    html = seeker.get("/search", params={"q": typed})
    assert html.status_code == 200
    assert "<script>alert" not in html.text
    assert "<img src=x" not in html.text
    assert find(seeker, "whale")["context"]["total"] == 2


@pytest.mark.parametrize(
    ("query", "status", "shown"),
    [
        ("q=%00", 422, "NUL"),
        ("q=a&sae=%00", 422, "NUL"),
        ("q=" + "+".join(["a"] * 17), 422, "at most 16"),
        ("q=" + "a" * 201, 422, "200 characters"),
        ("q=a&kind=tokn", 422, "choose one of token, promoted, context, note, category"),
        ("q=a&cursor=6", 422, "cursor"),
        ("q=a&kind=token&cursor=-1", 422, "cursor"),
        ("q=a&kind=token&cursor=10001", 422, "cursor"),
        ("q=a&kind=token&limit=101", 422, "limit"),
        ("q=a&run=77", 404, "Runs: 2, 1"),
        ("q=a&sae=tiny/l9", 404, SLUGS[0]),
        ("q=" + "a" * 60_000, 414, ""),
    ],
)
def test_what_cannot_be_asked_is_said(seeker: TestClient, query: str, status: int, shown: str) -> None:
    for path in ("/search", "/api/v1/search"):
        answer = seeker.get(f"{path}?{query}")
        assert answer.status_code == status, answer.text
        assert shown in answer.text


def test_hostile_text_is_marked_as_text(seeker: TestClient) -> None:
    html = page(seeker, "/search?q=script+alert")
    assert "&lt;<mark>script</mark>&gt;<mark>alert</mark>(1)&lt;/<mark>script</mark>&gt;" in html
    assert "<script>alert" not in html
    assert "\u202egnorw" in html
    assert "<bdi>" in html


def test_pages_of_hits_join(seeker: TestClient) -> None:
    cursor: str | None = ""
    seen: list[tuple[str, int]] = []
    while cursor is not None:
        group = find(seeker, "the", kind="promoted", limit=7, cursor=cursor)["promoted"]
        seen += [(item["sae"], item["index"]) for item in group["items"]]
        cursor = group["next"]
    assert len(seen) == len(set(seen)) == group["total"] == 120
    first = seeker.get("/search?q=the&kind=promoted&limit=7").text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    assert "cursor=7" in following[1]
    assert "First" in page(seeker, following[1].replace("&amp;", "&"))


def test_of_too_many_an_even_part_is_put_in_order_and_said_to_be_one(
    seeker: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = find(seeker, "the")
    assert every["promoted"]["ranked"] == every["promoted"]["total"] == 120
    assert 0 < every["context"]["total"] < 10
    monkeypatch.setattr(search, "RANKED", 40)
    some = find(seeker, "the", limit=100)
    assert some["promoted"]["total"] == 120
    assert 12 <= some["promoted"]["ranked"] == len(some["promoted"]["items"]) <= 40
    assert some["context"]["ranked"] == some["context"]["total"] == every["context"]["total"]  # few are all there
    found = [(item["sae"], item["index"]) for item in some["promoted"]["items"]]
    assert {sae for sae, _index in found} == set(SLUGS)
    densities = [item["density"] for item in some["promoted"]["items"]]
    assert densities == sorted(densities, reverse=True)
    assert f"{len(found)} of them, spread evenly" in shown_words(page(seeker, "/search?q=the"))
    monkeypatch.setattr(search, "SCANNED", 50)
    assert find(seeker, "the", kind="promoted")["promoted"]["more"]
    assert re.search(r"\d\+", shown_words(page(seeker, "/search?q=the&kind=promoted")))


def test_a_run_and_an_sae_narrow_it(seeker: TestClient) -> None:
    assert {item["sae"] for item in find(seeker, "alert", limit=100)["token"]["items"]} == set(SLUGS)
    assert find(seeker, "alert", run=1)["token"]["total"] == 39
    assert find(seeker, "whale", run=1)["context"]["total"] == 0
    assert find(seeker, "whale", sae=SLUGS[2])["context"]["total"] == 0
    assert "run=1" in page(seeker, "/search?q=alert&run=1").split('<a data-open href="')[1].split('"')[0]


def test_a_note_is_found_when_it_is_saved_and_not_when_it_is_replaced(seeker: TestClient, writing: Session) -> None:
    assert find(seeker, "hydra")["note"]["total"] == 0
    alone, pair = Subject("1" * 64, 7), Subject.pair("1" * 64, POSITIVE, NEGATIVE)
    save(writing, alone, Draft(note="A hydra of 50% <b>heads</b>, see L1/9"), 0, "Ada")
    save(writing, pair, Draft(note="Hydra's other head"), 0, "Bo")
    found = find(seeker, "HYDRA head")["note"]
    assert [(item["url"], item["author"]) for item in found["items"]] == [
        (f"{SAE}/pairs/{POSITIVE}/{NEGATIVE}", "Bo"),
        (f"{SAE}/latents/7", "Ada"),
    ]
    assert [find(seeker, q)["note"]["total"] for q in ("50%", "5_%", "hydr", '"other head"')] == [1, 0, 2, 1]
    html = page(seeker, "/search?q=heads")
    assert "&lt;b&gt;<mark>heads</mark>&lt;/b&gt;" in html
    assert f'href="{SAE}/latents/7#annotation"' in html
    assert find(seeker, "hydra", sae=SLUGS[0])["note"]["total"] == 0
    save(writing, alone, Draft(note="nothing"), 1, "Ada")
    save(writing, pair, Draft(), 1, "Bo")
    assert find(seeker, "hydra")["note"]["total"] == 0


def test_a_category_is_found_by_its_title_with_how_many_have_it(seeker: TestClient, writing: Session) -> None:
    named = Category(
        key="sea_beasts", title="Sea <i>beasts</i>", colour="teal", description="Of the deep", archived=False,
        author="Ada", changed=func.now(),
    )  # fmt: skip
    writing.add(named)
    writing.commit()
    save(writing, Subject("2" * 64, 3), Draft(category="sea_beasts"), 0, "Ada")
    (item,) = find(seeker, "sea beast")["category"]["items"]
    assert (item["category"], item["url"]) == ("sea_beasts", "/latents?category=sea_beasts&dense=any")
    html = page(seeker, "/search?q=beasts")
    assert "<mark>Sea</mark> &lt;i&gt;<mark>beasts</mark>&lt;/i&gt;" in page(seeker, "/search?q=sea+beasts")
    assert re.search(r'Sea &lt;i&gt;<mark>beasts</mark>.*?<td class="num">1</td>', html, re.DOTALL)
    assert find(seeker, "null space")["category"]["items"][0]["category"] == "null_space"


def test_the_page_says_how_to_search_and_what_to_do_where_nothing_is_found(seeker: TestClient) -> None:
    assert "Search for words" in page(seeker, "/search")
    assert "Search for words" in page(seeker, "/search?q=+")
    html = page(seeker, "/search?q=nothing-has-this&kind=note")
    assert "Nothing found" in shown_words(html)
    assert 'href="/search?q=nothing-has-this"' in html
    assert 'href="/latents?q=nothing-has-this&amp;dense=any"' in html


def test_each_kind_leads_to_all_of_it(seeker: TestClient) -> None:
    html = page(seeker, "/search?q=the")
    link = re.search(r'href="(/search\?[^"]*kind=promoted[^"]*)">All 120', html)
    assert link
    assert page(seeker, link[1].replace("&amp;", "&")).count("data-open") == 50
    assert html.count('<table data-rows class="list found">') >= 2


def test_the_header_of_every_page_searches(seeker: TestClient) -> None:
    for path in ("/", "/latents?run=1", f"{SAE}/latents/0"):
        form = page(seeker, path).split('<form class="find"')[1].split("</form>")[0]
        assert form.startswith(' action="/search"')
        assert ('name="run" value="1"' in form) == ("run=1" in path)


def test_a_search_is_asked_again_only_when_something_changed(seeker: TestClient, writing: Session) -> None:
    tag = seeker.get("/search?q=leviathan").headers["etag"]
    assert seeker.get("/search?q=leviathan", headers={"If-None-Match": tag}).status_code == 304
    save(writing, Subject("0" * 64, 1), Draft(note="leviathan"), 0, "Ada")
    assert "<mark>leviathan</mark>" in seeker.get("/search?q=leviathan", headers={"If-None-Match": tag}).text


def test_indexing_again_changes_nothing_and_the_digest_does_not_see_it(searched: str, writing: Session) -> None:
    engine = make_engine(searched)
    before, rows = digest(engine, 2), _kept(writing, 11)
    assert index_analysis(writing, 11) == len(rows)
    writing.commit()
    assert _kept(writing, 11) == rows
    assert digest(engine, 2) == before
    engine.dispose()


def _kept(session: Session, analysis_id: int) -> list[tuple[object, ...]]:
    columns = [column for column in SearchText.__table__.c if column.name != "id"]
    found = session.execute(select(*columns).where(SearchText.analysis_id == analysis_id).order_by(SearchText.id))
    kept = [tuple(row) for row in found]
    session.rollback()
    return kept


def _stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield str(tmp_path_factory.mktemp("store") / "own.db")
    else:
        with database(request.getfixturevalue("postgres")) as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a store can be made."""
    yield from _stores(request, tmp_path_factory)


def test_an_old_store_can_be_searched_once_it_is_migrated(empty: str) -> None:
    build(empty, revision="0002")
    runner.upgrade(empty, backup=False)
    client = TestClient(create_app(Settings(db=empty)), base_url="http://127.0.0.1")
    assert find(client, "alert")["token"]["total"] == 117
    engine = make_engine(empty)
    with engine.begin() as connection:
        connection.execute(delete(SearchText).where(SearchText.analysis_id == 12))  # as if it had been stopped there
    runner.upgrade(empty)
    assert find(client, "alert")["token"]["total"] == 117
    engine.dispose()


def test_the_schema_is_the_declared_one_down_and_up_again(empty: str) -> None:
    runner.upgrade(empty)
    engine = make_engine(empty)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": declared})
        assert compare_metadata(context, Base.metadata) == []
    runner.downgrade(empty, "0004")
    assert [name for name in inspect(engine).get_table_names() if name.startswith("search")] == []
    runner.upgrade(empty)
    assert "search_text" in inspect(engine).get_table_names()
    engine.dispose()


def test_what_goes_with_its_run_is_found_no_more(empty: str) -> None:
    build(empty)
    engine = make_engine(empty)
    with engine.begin() as connection:
        connection.execute(delete(Analysis).where(Analysis.run_id == 2))
        connection.execute(delete(Run).where(Run.id == 2))
    client = TestClient(create_app(Settings(db=empty)), base_url="http://127.0.0.1")
    assert find(client, "alert")["token"]["total"] == 39
    with engine.begin() as connection:
        assert connection.execute(select(func.count()).select_from(SearchText)).scalar() == 39 + 40 + 1
        if engine.dialect.name == "sqlite":  # raises where index and rows differ
            connection.execute(text("INSERT INTO search_index(search_index, rank) VALUES ('integrity-check', 1)"))
    engine.dispose()


def test_every_hostile_token_can_be_searched_for(seeker: TestClient) -> None:
    for token in HOSTILE:
        if token.strip():
            found = find(seeker, token.strip(), kind="token", sae=SLUGS[0])["token"]
            assert found["total"] == 39, token
            assert any(part["hit"] and part["text"] == token for part in found["items"][0]["parts"]), token


@pytest.mark.parametrize("name", ["L1/7", "l1/7", " 1:7 "])
def test_the_name_of_a_latent_leads_to_it(client: TestClient, name: str) -> None:
    answer = client.get("/search", params={"q": name, "run": "2"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/saes/{SLUGS[1]}/latents/7?run=2")


def test_an_index_alone_is_of_each_sae_and_what_names_nothing_is_searched(client: TestClient) -> None:
    html = page(client, "/search?q=7")
    assert [f"/saes/{slug}/latents/7" for slug in SLUGS if f'href="/saes/{slug}/latents/7"' not in html] == []
    for typed in ("L9/7", "L1/4000", "1/2/3", "99999999999"):
        assert "Latents of this name" not in page(client, f"/search?q={typed}")
