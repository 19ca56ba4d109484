"""What people said in the list of latents: filters, the column, JSON, and saying the same of many at once."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.annotations.queries import Subject, find_latest, history
from app.annotations.write import Draft, save
from app.main import create_app
from app.settings import Settings
from store.session import make_engine, session_factory
from tests.app.test_pages import page, words
from tests.app.world import DEAD, EDGE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN, WIDTH, build

SLUG = SLUGS[1]
SHA = "1" * 64
LIST = f"/api/v1/saes/{SLUG}/latents"
NOTE = '100 % "sure" <script>alert(1)</script>\nsee L1/3'


@pytest.fixture
def db(store: str, tmp_path: Path) -> str:
    """A store of its own: 0 is kept with a note, 1 pruned, 2 has a category, 3 had one that was taken back."""
    path = str(tmp_path / "own.db")
    with closing(sqlite3.connect(store)) as old, closing(sqlite3.connect(path)) as new:
        old.backup(new)
    engine = make_engine(path)
    with session_factory(engine)() as session:
        for index, draft in (
            (POSITIVE, Draft("position", "keep", NOTE)),
            (NEGATIVE, Draft(None, "prune", "")),
            (TWIN, Draft("null_space", None, "")),
            (ORIGINAL, Draft("alphabet", None, "")),
        ):
            save(session, Subject(SHA, index), draft, 0, "Ada")
        save(session, Subject(SHA, ORIGINAL), Draft(), 1, "Ada")
        save(session, Subject.pair(SHA, POSITIVE, NEGATIVE), Draft("alphabet", "prune", "of the two"), 0, "Ada")
    engine.dispose()
    return path


@pytest.fixture
def application(db: str) -> Iterator[FastAPI]:
    made = create_app(Settings(db=db))
    yield made
    made.state.engine.dispose()


def said(db: str, index: int, sha: str = SHA) -> tuple[str | None, str | None, str, str] | None:
    """Category, verdict, note and author of a latent."""
    engine = make_engine(db, read_only=True)
    with session_factory(engine)() as session:
        found = find_latest(session, Subject(sha, index))
    engine.dispose()
    return None if found is None else (found.category, found.verdict, found.note, found.author)


def many(client: TestClient, latent: Any, **form: Any) -> Any:
    """A change of many as the form sends it."""
    sent = {"latent": latent, "name": "Bob", "back": "/latents?dense=any&sort=max", **form}
    return client.post("/annotations/many", data=sent, follow_redirects=False)


def names(*indices: int) -> list[str]:
    return [f"{SLUG}:{index}" for index in indices]


REST = [index for index in range(WIDTH) if index not in {POSITIVE, NEGATIVE, TWIN}]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("category=position", [POSITIVE]),
        ("category=any", [POSITIVE, TWIN]),
        ("category=alphabet", []),
        ("category=nobody_made_this", []),
        ("human=keep", [POSITIVE]),
        ("human=any", [POSITIVE, NEGATIVE]),
        ("human=investigate", []),
        ("human=none&category=none&annotated=true", []),
        ("annotated=true", [POSITIVE, NEGATIVE, TWIN]),
        ("annotated=false", REST),
        ("annotated=any&human=prune", [NEGATIVE]),
        ("note=SURE", [POSITIVE]),
        ("note=%25", [POSITIVE]),
        ("note=_00", []),
        ("note=of+the+two", []),
        ("human=keep&note=l1/3&dense=true", [POSITIVE]),
        ("human=keep&dense=false", []),
    ],
)
def test_a_filter_keeps_exactly_what_people_said(client: TestClient, query: str, expected: list[int]) -> None:
    answer = client.get(f"{LIST}?limit=500&sort=index&{query}")
    assert answer.status_code == 200, answer.text
    assert [item["index"] for item in answer.json()["items"]] == expected
    assert answer.json()["total"] == len(expected)
    html = page(client, f"/latents?limit=200&sae={SLUG}&sort=index&{'' if 'dense=' in query else 'dense=any&'}{query}")
    rows = [int(index) for index in re.findall(r'data-open href="[^"]+/latents/(\d+)"', html)]
    assert rows == expected


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("human=prune+candidate", "choose one of keep, investigate, prune, any, none"),
        ("human=%3Cb%3E", "unknown verdict of a person"),
        ("category=%00", "category holds a NUL"),
        ("category=" + "a" * 61, "category"),
        ("note=%00", "note holds a NUL"),
        ("note=" + "a" * 201, "note"),
        ("annotated=maybe", "annotated"),
    ],
)
def test_a_wrong_filter_is_named(client: TestClient, query: str, shown: str) -> None:
    for path in (LIST, "/latents"):
        answer = client.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert shown in answer.text


def test_a_verdict_of_a_person_is_none_of_the_rule(client: TestClient) -> None:
    items = client.get(f"{LIST}?human=prune&limit=500").json()["items"]
    assert [(item["index"], item["verdict"]) for item in items] != [(NEGATIVE, "prune")]
    assert NEGATIVE not in [item["index"] for item in client.get(f"{LIST}?verdict=prune&limit=500").json()["items"]]


def test_the_list_shows_what_people_said(client: TestClient) -> None:
    html = page(client, f"/latents?sae={SLUG}&sort=index")
    rows = html.split("<tbody>")[1].split("</tr>")
    assert 'class="human h-keep"><b>keep</b>' in rows[POSITIVE]
    assert ">position</bdi>" in rows[POSITIVE]
    assert (
        "\u2068Ada\u2069: \u2068100 % &#34;sure&#34; &lt;script&gt;alert(1)&lt;/script&gt;↵see L1/3\u2069"
        in rows[POSITIVE]
    )
    assert "note</a>" not in rows[NEGATIVE]
    assert 'class="human h-prune"><b>prune</b>' in rows[NEGATIVE]
    assert "nobody has said anything of it" in rows[ORIGINAL]


def test_a_list_of_which_nobody_said_anything_has_no_such_column(client: TestClient) -> None:
    assert '<th scope="col">people</th>' not in page(client, f"/latents?sae={SLUGS[0]}")
    assert '<th scope="col">people</th>' in page(client, f"/latents?sae={SLUGS[0]}&human=none")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("human=keep", "1 of 40 people: keep"),
        ("human=none", "3 of 40 no verdict by people"),
        ("category=position", "1 of 40 category: position"),
        ("category=none", "3 of 40 no category by people"),
        ("note=sure", "1 of 40 note contains “sure”"),
        ("annotated=false", "2 of 40 not annotated"),
        ("verdict=none&human=any", "0 of 40 no verdict by the rule"),
    ],
)
def test_the_head_says_what_is_asked(client: TestClient, query: str, shown: str) -> None:
    html = page(client, f"/latents?sae={SLUG}&{query}")
    number, chip = shown.split(" of 40 ")
    assert f"{number} of 40 latents in 1 SAE." in words(html)
    assert f"<bdi>{chip}</bdi>" in html.split('class="set-filters"')[1].split("</ul>")[0]


def test_filters_stay_in_every_link_of_the_list(client: TestClient) -> None:
    html = page(client, "/latents?dense=any&annotated=false&category=none&human=none&limit=7&note=&changed=3")
    facets = html.split('class="card facets"')[1].split("<form")[0]
    links = [facets, *re.findall(r'<thead>.*</thead>|rel="next" href="[^"]+"', html, re.DOTALL)]
    inside = re.findall(r'href="(/latents[^"]+)"', " ".join(links))
    assert len(inside) > 5
    for link in inside:
        assert {"annotated=false", "category=none", "human=none"} <= set(link.split("?")[1].split("&amp;")), link
        assert "changed" not in link


def test_none_found_among_dense_ones_is_looked_for_among_all(client: TestClient) -> None:
    html = page(client, f"/latents?sae={SLUG}&note=nothing-has-this&human=keep")
    assert (
        'href="/latents?dense=any&amp;human=keep&amp;note=nothing-has-this&amp;sae=tiny%2Fl1-resid">look among all'
        in html
    )


def test_the_number_of_queries_is_that_of_one_row(application: FastAPI, client: TestClient) -> None:
    asked: list[str] = []
    event.listen(application.state.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    numbers = []
    page(client, "/latents?dense=any")  # what only a worker writes is read once
    for path in ("/latents?dense=any&limit=1", "/latents?dense=any&limit=200", "/latents?human=any&note=s&limit=200"):
        asked.clear()
        page(client, path)
        numbers.append(len(asked))
    assert numbers[0] == numbers[1]
    assert max(numbers) <= 7, asked  # the last counts what people wrote


def test_json_has_what_people_said(client: TestClient) -> None:
    one = client.get(f"{LIST}/{POSITIVE}").json()
    assert one["category"] == "position"
    kept = {name: one["annotation"][name] for name in ("category", "verdict", "note", "author", "version")}
    assert kept == {"category": "position", "verdict": "keep", "note": NOTE, "author": "Ada", "version": 1}
    assert one["annotation"]["created"].endswith(("Z", "+00:00"))
    listed = {item["index"]: item for item in client.get(f"{LIST}?limit=500").json()["items"]}
    assert listed[POSITIVE]["annotation"] == one["annotation"]
    assert (listed[NEGATIVE]["category"], listed[NEGATIVE]["annotation"]["verdict"]) == (None, "prune")
    assert (listed[ORIGINAL]["category"], listed[ORIGINAL]["annotation"]) == (None, None)
    assert client.get(f"{LIST}/{ORIGINAL}").json()["annotation"] is None
    pair = client.get(f"/api/v1/saes/{SLUG}/pairs/{NEGATIVE}/{POSITIVE}").json()
    assert (pair["annotation"]["category"], pair["annotation"]["note"]) == ("alphabet", "of the two")
    assert client.get(f"/api/v1/saes/{SLUGS[0]}/pairs/0/1").json()["annotation"] is None


def test_many_are_given_a_category_and_keep_the_rest(client: TestClient, db: str) -> None:
    answer = many(client, names(POSITIVE, NEGATIVE, EDGE), category="alphabet")
    assert (answer.status_code, answer.headers["location"]) == (303, "/latents?dense=any&sort=max&changed=3")
    assert said(db, POSITIVE) == ("alphabet", "keep", NOTE.replace("\r", ""), "Bob")
    assert said(db, NEGATIVE) == ("alphabet", "prune", "", "Bob")
    assert said(db, EDGE) == ("alphabet", None, "", "Bob")
    assert "Said of 3 latents." in words(page(client, answer.headers["location"]))


def test_many_of_several_saes_get_a_verdict(client: TestClient, db: str) -> None:
    assert many(client, [f"{SLUGS[0]}:{EDGE}", f"{SLUGS[2]}:{EDGE}"], verdict="investigate").status_code == 303
    assert said(db, EDGE, "0" * 64) == (None, "investigate", "", "Bob")
    assert said(db, EDGE, "2" * 64) == (None, "investigate", "", "Bob")
    assert said(db, EDGE) is None


def test_what_is_said_already_changes_nothing(client: TestClient, db: str) -> None:
    answer = many(client, names(POSITIVE), verdict="keep", back="/latents")
    assert answer.headers["location"] == "/latents?changed=0"
    assert said(db, POSITIVE) == ("position", "keep", NOTE, "Ada")
    assert "Nothing changed" in words(page(client, "/latents?changed=0"))


def test_a_verdict_can_be_taken_away_from_many(client: TestClient, db: str) -> None:
    many(client, names(POSITIVE, NEGATIVE, EDGE), verdict="none")
    assert said(db, POSITIVE) == ("position", None, NOTE, "Bob")
    assert said(db, NEGATIVE) == (None, None, "", "Bob")
    assert said(db, EDGE) is None


def test_versions_before_stay_in_the_history(client: TestClient, db: str) -> None:
    many(client, names(POSITIVE), category="none", verdict="prune")
    with create_app(Settings(db=db)).state.sessions() as session:
        assert isinstance(session, Session)
        found = history(session, Subject(SHA, POSITIVE))
    assert [(one.version, one.category, one.verdict, one.author) for one in found] == [
        (2, None, "prune", "Bob"),
        (1, "position", "keep", "Ada"),
    ]


def test_all_that_are_shown_are_meant_without_a_script(client: TestClient, db: str) -> None:
    html = page(client, f"/latents?sae={SLUG}&sort=index")
    shown = re.search(r'name="shown" value="([^"]+)"', html)
    assert shown
    answer = many(client, [], all="1", shown=shown[1], verdict="investigate", back="/latents")
    assert answer.headers["location"] == "/latents?changed=5"
    assert said(db, EDGE) == (None, "investigate", "", "Bob")
    assert said(db, DEAD) is None
    assert many(client, names(DEAD), shown=shown[1], verdict="keep").headers["location"].endswith("changed=1")


def test_the_form_goes_back_to_the_very_page(client: TestClient) -> None:
    html = page(client, "/latents?dense=any&limit=7&sort=max&changed=9")
    following = re.search(r'rel="next" href="([^"]+)"', html)
    assert following
    address = following[1].replace("&amp;", "&")
    back = re.search(r'name="back" value="([^"]+)"', page(client, address))
    assert back
    assert back[1].replace("&amp;", "&") == address
    answer = many(client, names(EDGE), verdict="keep", back=address)
    assert answer.headers["location"] == f"{address}&changed=1"
    assert page(client, answer.headers["location"]).count('form="many" name="latent"') == 7


def test_a_count_is_told_once(client: TestClient) -> None:
    answer = many(client, names(EDGE), verdict="keep", back="/latents?changed=9&q=a%26b&changed=8")
    assert answer.headers["location"] == "/latents?q=a%26b&changed=1"


def test_a_name_is_asked_once(client: TestClient, db: str) -> None:
    assert 'form id="many"' in page(client, "/latents")
    assert 'name="name" maxlength="60" required autocomplete="name"' in page(client, "/latents")
    many(client, names(EDGE), verdict="keep")
    assert 'name="name" maxlength="60" required autocomplete="name"' not in page(client, "/latents")
    many(client, names(DEAD), verdict="keep", name="")
    assert said(db, DEAD) == (None, "keep", "", "Bob")


@pytest.mark.parametrize(
    ("latent", "form", "shown"),
    [
        ([], {"verdict": "keep"}, "no latent is chosen"),
        (names(POSITIVE), {}, "choose a category or a verdict"),
        (names(POSITIVE), {"verdict": "maybe"}, "unknown verdict"),
        (names(POSITIVE), {"category": "<b>"}, "unknown category"),
        (names(POSITIVE), {"category": "a" * 61}, "category"),
        (names(POSITIVE), {"verdict": "keep", "name": " "}, "say who you are"),
        (names(POSITIVE, WIDTH), {"verdict": "keep"}, f"has no latent {WIDTH}"),
        (["none/such:1"], {"verdict": "keep"}, "no SAE of this store"),
        (["1"], {"verdict": "keep"}, "names no latent"),
        ([f"{SLUG}:-1"], {"verdict": "keep"}, "names no latent"),
        ([f"{SLUG}:{2**63}"], {"verdict": "keep"}, "names no latent"),
        ([f"{SLUG}:²"], {"verdict": "keep"}, "names no latent"),
        ([f"{SLUG}\x00:1"], {"verdict": "keep"}, "names no latent"),
        ([f"{SLUG}:{number}" for number in range(501)], {"verdict": "keep"}, "the limit is 500"),
        (names(POSITIVE), {"verdict": "keep", "back": "//evil.example/latents"}, "no address of the list"),
        (names(POSITIVE), {"verdict": "keep", "back": "https://evil.example/latents"}, "no address of the list"),
        (names(POSITIVE), {"verdict": "keep", "back": "/latents\\@evil"}, "no address of the list"),
        (names(POSITIVE), {"verdict": "keep", "back": "/latentsevil"}, "no address of the list"),
        (names(POSITIVE), {"verdict": "keep", "back": "/latents\r\nX: y"}, "no address of the list"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_changed(
    client: TestClient, db: str, latent: list[str], form: dict[str, str], shown: str
) -> None:
    answer = many(client, latent, **form)
    assert answer.status_code == 422
    assert shown in words(answer.text).replace("&#39;", "'")
    assert said(db, POSITIVE) == ("position", "keep", NOTE, "Ada")


def test_a_thousand_boxes_are_refused_without_a_fault(client: TestClient) -> None:
    assert many(client, names(*range(2_000)), verdict="keep").status_code in {400, 413, 422}


def test_a_server_that_only_shows_has_no_boxes(db: str) -> None:
    client = TestClient(create_app(Settings(db=db, read_only=True)), base_url="http://127.0.0.1")
    html = page(client, f"/latents?sae={SLUG}")
    assert "checkbox" not in html
    assert 'class="human h-keep"' in html
    assert many(client, names(POSITIVE), verdict="prune").status_code == 403


def test_postgresql_filters_and_changes_alike(postgres_db: str) -> None:
    made = create_app(Settings(db=build(postgres_db)))
    client = TestClient(made, base_url="http://127.0.0.1", raise_server_exceptions=False)
    assert many(client, names(POSITIVE, NEGATIVE), verdict="keep", category="alphabet").status_code == 303
    note = {"note": "100 % sure", "name": "Ada", "version": "1"}
    assert client.post(f"/saes/{SLUG}/latents/{POSITIVE}/annotation", data=note, follow_redirects=False).is_redirect
    for query, expected in (
        ("note=SURE", [POSITIVE]),
        ("note=%25", [POSITIVE]),
        ("human=keep", [NEGATIVE]),
        ("category=alphabet&human=any", [NEGATIVE]),
        ("annotated=false&dense=true", [TWIN, ORIGINAL, EDGE]),
    ):
        items = client.get(f"{LIST}?sort=index&{query}").json()["items"]
        assert [item["index"] for item in items] == expected, query
    assert "<bdi>note contains “sure”</bdi>" in page(client, f"/latents?sae={SLUG}&note=sure")
    made.state.engine.dispose()
