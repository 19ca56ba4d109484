"""All that people wrote, in the order of writing: the page and the feed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from app.annotations.queries import Subject
from app.annotations.write import Draft, restore, save
from app.main import create_app
from app.settings import Settings
from store.session import make_engine, session_factory
from store.tables import Annotation
from tests.app.team_world import annotate, copy, sha
from tests.app.test_pages import page, words
from tests.app.world import HOSTILE, POSITIVE, SLUGS

ATOM = "{http://www.w3.org/2005/Atom}"
OTHERS = "9" * 64


@pytest.fixture
def db(store: str, tmp_path: Path) -> str:
    """An annotated store of its own."""
    made = copy(store, tmp_path / "own.db")
    annotate(made)
    return made


@pytest.fixture
def own(db: str) -> Iterator[TestClient]:
    application = create_app(Settings(db=db))
    yield TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False)
    application.state.engine.dispose()


@pytest.fixture
def rows(db: str) -> Iterator[Session]:
    engine = make_engine(db)
    with session_factory(engine)() as session:
        yield session
    engine.dispose()


def test_activity_says_what_each_version_changed(own: TestClient) -> None:
    engine = own.app.state.writing  # type: ignore[attr-defined]
    subject = Subject(sha(0), POSITIVE)
    with engine() as session:
        save(session, subject, Draft("names-of-ships", "keep", "see"), 1, "Bob")
        save(session, subject, Draft("names-of-ships", None, "saw"), 2, "Ada")
        restore(session, subject, 1, 3, "Zoë")
        restore(session, subject, 0, 4, "Zoë")
    text = words(page(own, "/annotations/activity"))
    said = [
        "Zoë took it all back; took away the category position; took away the verdict prune",
        "Zoë brought back version 1; changed the category from Names of ships to position; gave the verdict prune;"
        " took the note away",
        "Ada took away the verdict keep; changed the note saw",
        "Bob changed the category from position to Names of ships; changed the verdict from prune to keep;"
        " wrote a note see",
    ]
    places = [text.index(one) for one in said]
    assert places == sorted(places)
    assert "latent 0 of tiny/l0-resid" in text
    assert "pair 0 ⇄ 1 of tiny/l1-resid" in text


def test_activity_is_filtered_by_who_and_by_sae(own: TestClient) -> None:
    def entries(query: str) -> int:
        return page(own, f"/annotations/activity?{query}").count('<li id="version-')

    assert entries("") == 11
    assert entries("author=Bob") == 4
    assert entries(f"sae={SLUGS[0]}") == 2
    assert entries(f"author=Ada&sae={SLUGS[1]}") == 2
    assert entries("author=Nobody") == 0
    assert "Nobody by this name" in words(page(own, "/annotations/activity?author=Nobody"))


def fill(rows: Session, number: int) -> None:
    """Versions as an import makes them, among them of an SAE that this store does not know."""
    for start in range(number):
        key = OTHERS if start % 2 else sha(2)
        rows.execute(
            insert(Annotation).values(
                sae_sha256=key, index=5_000 + start, other=-1, version=1, latest=True, category="from_elsewhere",
                verdict=None, note="", author="Import", created=datetime(2026, 11, 26, 12, 0), restores=None,
            )
        )  # fmt: skip
    rows.commit()


def test_activity_pages_join(own: TestClient, rows: Session) -> None:
    fill(rows, 120)
    path, seen = "/annotations/activity", []
    while path:
        html = page(own, path)
        seen += re.findall(r'<li id="version-(\d+)"', html)
        match = re.search(r'rel="next" href="([^"]+)"', html)
        path = match[1].replace("&amp;", "&") if match else ""
    assert len(seen) == 131
    assert [int(one) for one in seen] == sorted({int(one) for one in seen}, reverse=True)


def test_what_has_no_page_here_is_no_link(own: TestClient, rows: Session) -> None:
    fill(rows, 2)
    save(rows, Subject.pair(sha(1), 7, 8), Draft(None, None, "never measured as a pair"), 0, "Ada")
    html = page(own, "/annotations/activity")
    assert "SAE 9999999999, which this store does not know" in words(html)
    assert "from elsewhere" in words(html)
    for href in re.findall(r'href="(/saes/[^"#]+)', html):
        assert own.get(href).status_code == 200, href
    assert "/pairs/7/8" not in html
    assert "/latents/5000" not in html


def test_the_feed_is_valid_for_hostile_text(own: TestClient, rows: Session) -> None:
    hostile = "]]><entry>\x0b\x00\ufffe&amp;\u202e"
    rows.execute(update(Annotation).values(note=hostile, author=HOSTILE[1], category="\x01<b>"))
    rows.commit()
    answer = own.get("/annotations/feed.xml")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    found = ElementTree.fromstring(answer.content)
    entries = found.findall(f"{ATOM}entry")
    assert len(entries) == 11
    assert {one.findtext(f"{ATOM}author/{ATOM}name") for one in entries} == {HOSTILE[1]}
    assert "]]><entry>\ufffd" in (entries[-1].findtext(f"{ATOM}content") or "")
    html = page(own, "/annotations/activity")
    assert "<entry>" not in html
    assert "<img src=x" not in html


def test_the_feed_keeps_to_its_form(own: TestClient, rows: Session) -> None:
    fill(rows, 60)
    found = ElementTree.fromstring(own.get("/annotations/feed.xml").content)
    entries = found.findall(f"{ATOM}entry")
    assert len(entries) == 50
    ids = [one.findtext(f"{ATOM}id") for one in entries]
    assert len(set(ids)) == 50
    again = ElementTree.fromstring(own.get("/annotations/feed.xml").content).findall(f"{ATOM}entry")
    assert [one.findtext(f"{ATOM}id") for one in again] == ids
    stamps = [one.findtext(f"{ATOM}updated") or "" for one in [found, *entries]]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", stamp) for stamp in stamps)
    for link in found.iter(f"{ATOM}link"):
        address = urlsplit(link.attrib["href"])
        assert (address.scheme, address.netloc) == ("http", "127.0.0.1")
        assert own.get(f"{address.path}?{address.query}").status_code == 200


def test_the_activity_page_names_its_feed(own: TestClient) -> None:
    html = page(own, f"/annotations/activity?author=Bob&sae={SLUGS[1]}")
    match = re.search(r'<link rel="alternate" type="application/atom\+xml"[^>]* href="([^"]+)"', html)
    assert match
    entries = ElementTree.fromstring(own.get(match[1].replace("&amp;", "&")).content).findall(f"{ATOM}entry")
    assert len(entries) == 4
