"""The start page as a reader without JavaScript gets it: sentence, map, cards, and stores that lack parts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.home import queries
from app.home.counts import place_of
from app.home.featured import featured, two
from app.home.map import places_of
from app.main import create_app
from app.runs import queries as runs
from app.saes import queries as saes
from app.settings import Settings
from app.shared.densities import counts_above, thresholds_of
from store.session import make_engine, session_factory
from store.tables import Analysis, Effect, Latent, Pair, Run, Sae, Score
from tests.app.test_pages import page, words
from tests.app.world import EDGE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN, WIDTH, build, density

DENSE = [POSITIVE, NEGATIVE, TWIN, ORIGINAL, EDGE]


class Changed:
    """A store of one's own, and a server over it."""

    def __init__(self, path: Path) -> None:
        self.store = build(path)
        self.engine = make_engine(self.store)

    def session(self) -> Session:
        return session_factory(self.engine)()

    def client(self) -> TestClient:
        return TestClient(create_app(Settings(db=self.store)), base_url="http://127.0.0.1")


@pytest.fixture
def changed(tmp_path: Path) -> Iterator[Changed]:
    made = Changed(tmp_path / "store.db")
    yield made
    made.engine.dispose()


def sentence(html: str) -> str:
    found = re.search(r'<p class="lede found-words">(.*?)</p>', html, re.DOTALL)
    assert found
    return words(re.sub("<span data-many[^>]*hidden>s</span>|</?span[^>]*>", "", found[1]).replace("</a>s", "s</a>"))


def circles(html: str) -> list[str]:
    return re.findall(r"<circle [^>]*>", html)


def test_the_sentence_says_what_was_found(client: TestClient) -> None:
    text = sentence(page(client, "/"))
    assert text.startswith("15 of 120 latents in 3 SAEs are dense, on for more than 10 % of tokens: 3 mirror pairs")
    found = [int(n) for n in re.findall(r"(\d+) (?:with a class|followed in part|unexplained|not measured)", text)]
    assert sum(found) == 15


def test_one_pair_is_not_many(client: TestClient) -> None:
    assert sentence(page(client, "/?run=1")).endswith(": 1 mirror pair.")


def test_the_map_has_a_dot_a_dense_latent_and_a_line_a_pair(client: TestClient) -> None:
    html = page(client, "/")
    assert re.findall(r'data-map-of="([^"]+)"', html) == [SLUGS[2]]
    links = re.findall(rf'<a href="/saes/{SLUGS[2]}/latents/(\d+)" tabindex="-1"', html)
    assert sorted(map(int, links)) == sorted(DENSE)
    assert len(circles(html)) == len(DENSE)
    (line,) = re.findall(r"<line [^>]*>", html)
    x1, y1, x2, y2 = (float(n) for n in re.findall(r'[xy][12]="([\d.]+)"', line))
    assert x1 + x2 == pytest.approx(600, abs=0.2)  # opposite
    assert y1 + y2 == pytest.approx(420, abs=0.2)


def test_area_is_density(client: TestClient) -> None:
    radius = {
        int(index): float(r)
        for index, r in re.findall(r'/latents/(\d+)" tabindex[^>]*><circle[^>]* r="([\d.]+)"', page(client, "/"))
    }
    assert radius[POSITIVE] ** 2 / radius[TWIN] ** 2 == pytest.approx(density(POSITIVE) / density(TWIN), rel=0.05)


def test_another_layer_is_a_link_away(client: TestClient) -> None:
    html = page(client, "/")
    assert f'href="/?map={SLUGS[0]}"' in html
    other = page(client, f"/?map={SLUGS[0]}")
    assert re.findall(r'data-map-of="([^"]+)"', other) == [SLUGS[0]]
    assert re.search(rf'data-map="{SLUGS[0]}" aria-current="true"', other)
    assert client.get("/?map=tiny/l9").status_code == 404
    assert "There is no map of &#39;tiny/l9&#39;" in client.get("/?map=tiny/l9").text


def test_hostile_tokens_are_text_on_the_map(client: TestClient) -> None:
    html = page(client, "/")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_run_without_a_map_shows_density_against_antipodality(client: TestClient) -> None:
    html = page(client, "/?run=1")
    assert 'id="scatter"' in html
    assert not circles(html)
    assert "analyse again to see one" in words(html)
    assert "with a class" not in sentence(html)
    assert 'id="scatter"' not in page(client, "/")
    assert "plotly" not in page(client, "/")  # a megabyte less


@pytest.mark.parametrize("threshold", [0.1, 0.123])
def test_places_count_as_the_curve_does(threshold: float) -> None:
    cuts = thresholds_of(threshold)
    curve = sorted([*cuts, 0.0, 0.0005, 0.1000001, 0.3333, 1.0], reverse=True)
    for at, above in enumerate(counts_above(curve, cuts)):
        assert sum(place_of(one, cuts) > at for one in curve) == above


def test_the_numbers_for_the_slider_are_exact_at_each_stop(client: TestClient) -> None:
    found = re.search(r'id="counts">(.*?)</script>', page(client, "/"), re.DOTALL)
    assert found
    data = json.loads(found[1])
    for at, cut in enumerate(data["thresholds"]):
        steps = data["saes"][SLUGS[0]]["dense"]
        above = sum(count for place, count in zip(steps[::2], steps[1::2], strict=True) if place > at)
        assert above == sum(density(index) > cut + 1e-12 for index in range(WIDTH)), cut


def test_cards_are_chosen_by_the_declared_rule(session: Session) -> None:
    run = runs.find_run(session)
    assert run
    found = saes.list_saes(session, run)
    cards = featured(session, run, found)
    assert cards[0].kind == "Mirror pair on the most tokens"
    assert cards[0].name == f"L0/{POSITIVE} ⇄ {NEGATIVE}"
    assert cards[0].words == "Two ends of one axis: either is on for 56\u202f% of tokens."
    assert [len(card.passages) for card in cards][:1] == [2]
    assert len({card.href for card in cards}) == len(cards) <= 4
    assert featured(session, run, found) == cards
    needed = queries.needs(session, run)
    assert needed.needed <= needed.done


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0312, "3.1"), (0.562, "56"), (0.0996, "10"), (0.999, "> 99"), (1.0, "100"), (0.004, "0.4")]
)
def test_shares_in_sentences_have_two_digits(share: float, shown: str) -> None:
    assert two(share) == f"{shown}\u202f%"


def test_a_map_that_cannot_be_read_is_none(session: Session) -> None:
    run = runs.find_run(session)
    assert run
    sae = saes.list_saes(session, run)[0]
    assert len(places_of(sae)) == 5
    for held in ({}, {"latents": None}, {"latents": [[1, 2], "x", [1, None, 2]]}, {"latents": [[0, 0, 0]]}):
        assert len(places_of(sae.model_copy(update={"map": held}))) == (held == {"latents": [[0, 0, 0]]})


def test_no_dense_latent_no_pair_no_class(changed: Changed) -> None:
    with changed.session() as session:
        session.execute(update(Latent).values(is_dense=False))
        session.execute(update(Analysis).values(n_dense=0, n_pairs=0, summary={}))
        session.execute(update(Run).values(dense_threshold=0.6))
        session.execute(delete(Pair))
        session.execute(delete(Effect))
        session.execute(delete(Score))
        session.commit()
    client = changed.client()
    html = page(client, "/")
    assert sentence(html) == "0 of 120 latents in 3 SAEs are dense, on for more than 60 % of tokens: 0 mirror pairs."
    assert not circles(html)
    assert "feature" not in re.findall(r'class="card (\w+)"', html)


def test_nothing_fires_at_all(changed: Changed) -> None:
    with changed.session() as session:
        session.execute(update(Latent).values(is_dense=False, density=0.0))
        session.execute(update(Analysis).values(n_dense=0, n_pairs=0, summary={}, density_curve=[0.0] * WIDTH))
        session.execute(delete(Pair))
        session.commit()
    assert "there is nothing to map" in words(page(changed.client(), "/"))


def test_pairs_without_classes(changed: Changed) -> None:
    with changed.session() as session:
        session.execute(delete(Score))
        session.commit()
    html = page(changed.client(), "/")
    assert "3 mirror pairs" in sentence(html)
    assert "with a class" not in sentence(html)
    assert {found for one in circles(html) for found in re.findall(r'class="([^"]*)"', one)} == {"plain"}


def test_one_layer_needs_no_choice(changed: Changed) -> None:
    with changed.session() as session:
        session.execute(update(Analysis).where(Analysis.id == 10).values(run_id=3))
        session.execute(update(Analysis).where(Analysis.id == 11).values(run_id=3))
        session.commit()
    html = page(changed.client(), "/?run=2")
    assert "in 1 SAE are dense" in sentence(html)
    assert "map-choice" not in html
    assert len(circles(html)) == len(DENSE)


def test_forty_layers_keep_to_the_budget(changed: Changed) -> None:
    with changed.session() as session:
        sae = {key: value for key, value in vars(session.get_one(Sae, 3)).items() if not key.startswith("_")}
        own = {key: value for key, value in vars(session.get_one(Analysis, 12)).items() if not key.startswith("_")}
        columns = [column.key for column in Latent.__table__.columns]
        rows = [
            dict(row._mapping)
            for row in session.execute(select(*Latent.__table__.columns).where(Latent.analysis_id == 12))
        ]
        assert set(rows[0]) == set(columns)
        for layer in range(3, 40):
            slug = f"a-model-with-a-long-name/l{layer}-resid"
            session.execute(
                insert(Sae).values(sae | {"id": layer + 1, "layer": layer, "slug": slug, "sha256": f"{layer:064}"})
            )
            session.execute(
                insert(Analysis).values(own | {"id": 100 + layer, "sae_id": layer + 1, "judged": datetime(2026, 1, 1)})
            )
            session.execute(insert(Latent), [row | {"analysis_id": 100 + layer} for row in rows])
        session.commit()
    html = page(changed.client(), "/")
    assert sentence(html).startswith("200 of 1,600 latents in 40 SAEs")
    assert html.count("data-map=") == 40
    assert html.count("<polyline") == 40
    assert html.count("tr data-slug") == 40
    assert "data-places" not in html
    assert len(html.encode()) < 90_000
