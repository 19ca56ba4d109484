"""A class that a newer worker stored and this server does not know: shown by its name and numbers everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from app.main import create_app
from app.settings import Settings
from store.session import make_engine, session_factory
from store.tables import Score, Statistic
from tests.app.test_pages import page, words
from tests.app.world import NEGATIVE, ORIGINAL, POSITIVE, SLUGS, build

NAME = "always_on"
SAE = f"/saes/{SLUGS[1]}"
SAID = {"code": "always", "share": 0.995, "over": "all tokens"}
NUMBERS = {"score": 0.995, "cut": 0.99, "chance": 0.31, "control": None, "p": None, "q": None}


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server over a store in which one dense latent has that class alone, and one beside others."""
    path = build(tmp_path_factory.mktemp("newer") / "world.db")
    engine = make_engine(Path(path))
    with session_factory(engine)() as session, session.begin():
        about = {"analysis_id": 11, "name": NAME, "label": "yes", "statement": SAID, **NUMBERS}
        held = {"edges": [1, 2], "anything": {"else": None}}
        session.execute(delete(Score).where(Score.analysis_id == 11, Score.index == ORIGINAL))
        session.add_all([Score(**about, index=index, data=held) for index in (POSITIVE, NEGATIVE, ORIGINAL)])
        declared = {"title": "Always on", "unit": "", "kind": "class", "of": "class", "grade": "O", "source": "ours"}
        session.add(Statistic(name=NAME, definition="Share of tokens.", position=900, **declared))
    engine.dispose()
    application = create_app(Settings(db=path))
    yield TestClient(application, base_url="http://127.0.0.1", raise_server_exceptions=False)
    application.state.engine.dispose()


def test_the_latents_page_has_its_name_and_numbers(newer: TestClient) -> None:
    html = page(newer, f"{SAE}/latents/{ORIGINAL}")
    text = words(html)
    assert "It has the class “always on”." in text
    assert "always: share 0.995, over all tokens." in text
    assert f'id="fn-{NAME}" open' in html
    for number in ("0.99", "cut 0.99", "chance 0.31"):
        assert number in text


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "always on"),
        ("/layers", "always on"),
        ("/report", "always on"),
        ("/annotations", "always on"),
        ("/methods", "always on"),
        (f"{SAE}", "always on"),
        (f"{SAE}/pairs/{POSITIVE}/{NEGATIVE}", "always on"),
        (f"/compare?a={SLUGS[1]}:{POSITIVE}&b={SLUGS[1]}:{ORIGINAL}", "always on"),
        ("/latents?class=always_on", "remove the filter: always on"),
        ("/latents?class=any", "always on"),
        (f"/embed/saes/{SLUGS[1]}/latents/{ORIGINAL}", "always on"),
    ],
)
def test_every_page_shows_it(newer: TestClient, path: str, shown: str) -> None:
    assert shown in words(page(newer, path))


def test_it_counts_as_a_class(newer: TestClient, client: TestClient) -> None:
    """One more latent is explained than in the same store without it."""
    found = [words(page(one, "/layers")).split("have at least one class")[0][-20:] for one in (client, newer)]
    assert found[0] != found[1]


def test_lists_filter_by_it_and_refuse_what_nobody_knows(newer: TestClient) -> None:
    found = newer.get(f"/api/v1{SAE}/latents", params={"class": NAME}).json()
    assert {item["index"] for item in found["items"]} == {POSITIVE, NEGATIVE, ORIGINAL}
    refused = newer.get(f"/api/v1{SAE}/latents", params={"class": "never_on"})
    assert refused.status_code == 422
    assert "unknown class 'never_on'; choose one of position, context_binding" in refused.text


@pytest.mark.parametrize("path", ["/latents/{}/card.png", "/latents/{}/card.svg"])
def test_its_card_can_be_drawn(newer: TestClient, path: str) -> None:
    assert newer.get(SAE + path.format(ORIGINAL)).status_code in {200, 404}


def test_the_api_and_the_export_have_it(newer: TestClient) -> None:
    held = newer.get(f"/api/v1{SAE}/latents/{ORIGINAL}").json()
    assert held["classes"][NAME]["score"] == 0.995
    assert newer.get(f"/latents.csv?class={NAME}").status_code == 200
