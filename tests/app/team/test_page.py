"""The team's pages: progress, agreement and queue of a run; everything in the order of writing; the feed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, update
from sqlalchemy.orm import Session

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from app.main import create_app
from app.runs import queries as runs
from app.settings import Settings
from app.team import queries as team
from app.team.matrix import kappa, wilson
from migrations.runner import upgrade
from store.session import make_engine, session_factory
from store.tables import Latent
from tests.app.team_world import annotate, copy, sha
from tests.app.test_pages import page, words
from tests.app.world import EDGE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN, WIDTH, build

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def plain(store: str, tmp_path: Path) -> str:
    """A store of its own where nobody said anything."""
    return copy(store, tmp_path / "own.db")


@pytest.fixture
def db(plain: str) -> str:
    """The same, annotated."""
    annotate(plain)
    return plain


@pytest.fixture
def serve() -> Iterator[Callable[[str], TestClient]]:
    engines = []

    def made(path: str) -> TestClient:
        application = create_app(Settings(db=path))
        engines.append(application.state.engine)
        return TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False)

    yield made
    for engine in engines:
        engine.dispose()


@pytest.fixture
def own(db: str, serve: Callable[[str], TestClient]) -> TestClient:
    return serve(db)


@pytest.fixture
def rows(db: str) -> Iterator[Session]:
    engine = make_engine(db)
    with session_factory(engine)() as session:
        yield session
    engine.dispose()


def queued(html: str, name: str) -> list[str]:
    """Addresses in one of the lists of the queue."""
    section = html.split('id="queue"')[1].split(name)[1]
    return re.findall(r'data-open href="(/saes/[^"#]+)#annotation"', section.split("</table>")[0])


def at(*places: tuple[int, int]) -> list[str]:
    return [f"/saes/{SLUGS[layer]}/latents/{index}" for layer, index in places]


def test_progress_counts_what_is_said_now(own: TestClient) -> None:
    text = words(page(own, "/annotations"))
    assert "Of 15 dense latents in 3 SAEs of Tiny, 7 annotated (46.7 %)" in text
    assert "on 3 of them people and the machine differ" in text
    assert "something is said of 1 latent of these SAEs that is not dense and of 1 pair." in text


def test_those_who_wrote_are_counted_by_versions_and_last_words(rows: Session) -> None:
    run = runs.find_run(rows)
    assert run
    found = {one.name: (one.versions, one.latents) for one in team.authors(rows, run, team.review(rows, run))}
    assert found == {"Ada": (4, 3), "Bob": (4, 3), "Cleo": (1, 1), "Dora": (2, 0)}


def test_every_count_leads_to_as_many_latents(own: TestClient) -> None:
    html = page(own, "/annotations")
    cells = re.findall(r'<td class="num[^"]*"><a href="(/latents[^"]+)">(\d+)</a>', html)
    assert len(cells) > 25
    for href, number in cells:
        text = words(page(own, href.replace("&amp;", "&")))
        assert re.search(rf"\b{number} (dense )?latents?\b", text), href


def test_every_dense_latent_is_in_one_cell_of_each_matrix(own: TestClient) -> None:
    for table in re.findall(r'<table class="matrix agree">.*?</table>', page(own, "/annotations"), re.DOTALL):
        lines = re.findall(r"<tr>(?!<td></td>)(.*?)</tr>", table.split("<tbody>")[1], re.DOTALL)
        *inner, total = [[int(n) for n in re.findall(r">(\d+)<", line)] for line in lines]
        assert total[-1] == 15
        assert [sum(column) for column in zip(*inner, strict=True)] == total
        assert all(sum(line[:-1]) == line[-1] for line in inner)


def test_agreement_is_a_share_with_its_interval_and_kappa(own: TestClient) -> None:
    sections = re.findall(r"<section.*?</section>", page(own, "/annotations"), re.DOTALL)
    classes, verdicts = [words(part) for part in sections if ">Cohen's kappa<" in part]
    # people and machine: position twice; alphabet, content word; null space, nothing. With several: one more alike
    assert "50.0 %15.0–85.0 %2 of 4 latents" in classes
    assert "0.25over 3 of them" in classes
    # 3 of 4 alike; by chance (1 x 2 + 2 x 1 + 1 x 1) / 16
    assert "75.0 %30.1–95.4 %3 of 4 latents with a verdict of both" in verdicts
    assert "0.64over 4 of them" in verdicts


def test_wilsons_interval_is_the_books() -> None:
    assert [round(end, 4) for end in wilson(5, 10)] == [0.2366, 0.7634]
    assert [round(end, 4) for end in wilson(0, 20)] == [0.0, 0.1611]
    assert [round(end, 4) for end in wilson(7, 7)] == [0.6457, 1.0]


def test_kappa_is_cohens_and_undefined_without_variety() -> None:
    assert kappa({("a", "a"): 20, ("a", "b"): 5, ("b", "a"): 10, ("b", "b"): 15}) == pytest.approx(0.4)
    assert kappa({("a", "b"): 5, ("b", "a"): 5}) == pytest.approx(-1)
    assert kappa({("a", "a"): 9}) is None
    assert kappa({("a", "a"): 9, ("b", "a"): 1, ("b", "b"): 0}) is None
    assert kappa({}) is None


def test_kappa_that_cannot_be_told_says_why(plain: str, serve: Callable[[str], TestClient]) -> None:
    engine = make_engine(plain)
    with session_factory(engine)() as session:
        save(session, Subject(sha(0), POSITIVE), Draft("position", "keep", ""), 0, "Ada")
    engine.dispose()
    text = words(page(serve(plain), "/annotations"))
    assert "100 %20.7–100 %1 of 1 latents" in text
    assert "kappa—fewer than two different words from the machine or from people" in text
    assert "no latent has a verdict both of the rule and of a person" in text


def test_disagreements_say_who_says_what(own: TestClient) -> None:
    html = page(own, "/annotations")
    found = queued(html, "People and the machine differ")
    assert found == at((2, POSITIVE), (1, NEGATIVE), (0, NEGATIVE))
    text = words(html)
    assert "People say null space; the machine looked for that and finds no class." in text
    assert "People say alphabet; the machine looked for that and finds content word." in text
    assert "People say keep; the rule says investigate." in text
    assert f'<a class="button" href="{found[0]}#annotation">Start here</a>' in html


def test_what_nobody_looked_at_comes_in_the_order_that_matters(plain: str, serve: Callable[[str], TestClient]) -> None:
    html = page(serve(plain), "/annotations")
    assert queued(html, "Nobody has said anything") == at(
        (2, POSITIVE),  # unexplained, loss +0.5
        (1, ORIGINAL),  # unexplained, loss -0.0098
        (1, EDGE),  # by the size of what is measured
        (1, POSITIVE),
        (1, TWIN),
        (1, NEGATIVE),
        (0, POSITIVE),  # not ablated: by density
        (0, ORIGINAL),
        (2, ORIGINAL),
        (0, NEGATIVE),
        (2, NEGATIVE),
        (0, TWIN),
        (2, TWIN),
        (0, EDGE),
        (2, EDGE),
    )
    text = words(html)
    assert "No class explains it; without it the loss rises by 0.500 nats per token." in text
    assert "No class explains it; without it the loss falls by 0.0098 nats per token." in text
    assert "The machine finds position and context binding; nobody has said whether that is right" in text
    assert "Nobody has given a dense latent a category yet." in text


def test_the_queue_says_its_limit(own: TestClient) -> None:
    html = page(own, "/annotations?limit=2")
    assert len(queued(html, "Nobody has said anything")) == 2
    assert "The first 2 of 8; show more, or browse them all." in words(html)
    assert 'href="/annotations?limit=20#queue"' in html
    assert queued(html, "Nobody has said anything") == at((1, EDGE), (0, ORIGINAL))


def test_a_run_without_classes_and_verdicts_has_a_page(own: TestClient) -> None:
    html = page(own, "/annotations?run=1")
    text = words(html)
    assert "This run did not measure classes" in text
    assert "Of 5 dense latents in 1 SAE of Tiny, 2 annotated" in text
    assert "no latent has a verdict both of the rule and of a person" in text
    assert "run=1" in queued(html, "Nobody has said anything")[0]


def test_a_run_without_dense_latents_has_a_page(plain: str, serve: Callable[[str], TestClient]) -> None:
    engine = make_engine(plain)
    with session_factory(engine)() as session:
        session.execute(update(Latent).values(is_dense=False))
        session.commit()
    engine.dispose()
    assert "No latent of this run is dense" in words(page(serve(plain), "/annotations"))


def test_an_empty_store_has_all_of_the_pages(tmp_path: Path, serve: Callable[[str], TestClient]) -> None:
    path = str(tmp_path / "empty.db")
    upgrade(path)
    client = serve(path)
    assert "dense-latents analyze" in words(page(client, "/annotations"))
    assert "Nobody has written anything" in words(page(client, "/annotations/activity"))
    assert ElementTree.fromstring(client.get("/annotations/feed.xml").content).findall(f"{ATOM}entry") == []
    assert "position" in words(page(client, "/categories"))


def test_the_number_of_queries_does_not_grow(own: TestClient, rows: Session) -> None:
    def queries(path: str) -> int:
        asked: list[str] = []
        engine = own.app.state.engine  # type: ignore[attr-defined]

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            asked.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        page(own, path)
        event.remove(engine, "before_cursor_execute", note)
        return len([one for one in asked if one.startswith("SELECT")])

    paths = ("/annotations", "/annotations/activity", "/categories")
    few = [queries(path) for path in paths]
    for index in range(WIDTH):
        save(rows, Subject(sha(0), index), Draft("content_word", "keep", "more"), 1 if index < 2 else 0, "Eve")
    many = [queries(path) for path in paths]
    assert all(now <= before for now, before in zip(many, few, strict=True))


def test_postgresql_says_the_same(own: TestClient, postgres_db: str, serve: Callable[[str], TestClient]) -> None:
    annotate(build(postgres_db))
    other = serve(postgres_db)
    for path in ("/annotations", "/annotations?run=1&limit=2", "/annotations/activity", "/categories"):
        texts = [re.sub(r"\d{4}-\d\d-\d\d, \d\d:\d\d UTC", "then", page(client, path)) for client in (own, other)]
        texts = [re.sub(r'name="changed" value="[^"]+"|\?v=\w+', "", text) for text in texts]
        assert texts[0] == texts[1], path
    ids = [re.findall("<id>urn[^<]+", client.get("/annotations/feed.xml").text) for client in (own, other)]
    assert len(ids[0]) == 11
    assert ids[0] == ids[1]


def test_pages_are_new_once_somebody_wrote(own: TestClient, rows: Session) -> None:
    paths = ("/annotations", "/annotations/activity", "/annotations/feed.xml")
    tags = {path: own.get(path).headers["etag"] for path in paths}
    for path, tag in tags.items():
        assert own.get(path, headers={"If-None-Match": tag}).status_code == 304
    save(rows, Subject(sha(2), EDGE), Draft(None, "keep", ""), 0, "Ada")
    for path, tag in tags.items():
        assert own.get(path, headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("/activity?before=0", 422),
        ("/activity?before=-1", 422),
        ("/activity?before=9223372036854775808", 422),
        ("/activity?author=%00", 422),
        ("/activity?sae=%00", 422),
        (f"/activity?author={'x' * 201}", 422),
        ("/feed.xml?sae=%00", 422),
        ("?limit=0", 422),
        ("?limit=NaN", 422),
        ("?run=77", 404),
        ("/activity?before=1", 200),
        ("/activity?author=%F0%9F%91%A9%22%3Cimg%3E&sae=..%2f", 200),
    ],
)
def test_bad_input_gets_a_plain_answer(client: TestClient, query: str, status: int) -> None:
    assert client.get(f"/annotations{query}").status_code == status
