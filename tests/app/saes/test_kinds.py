"""An SAE's page says of a transcoder what it reads and what it predicts, and never that it gives back what it read."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.main import create_app
from app.settings import Settings
from store.session import make_engine
from store.tables import Analysis, Sae
from tests.app.test_pages import spaced
from tests.app.world import SLUGS, build

READ, WRITTEN = "blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out"


@pytest.mark.parametrize("transcoder", [True, False])
def test_a_transcoders_page_says_what_it_predicts(transcoder: bool, tmp_path: Path) -> None:
    store = build(tmp_path / "kinds.db")
    out = WRITTEN if transcoder else READ
    with Session(make_engine(store)) as session:
        change = update(Sae).where(Sae.slug == SLUGS[1]).values(hook_point=READ, details={"hook_out": out})
        session.execute(change)
        session.commit()
    application = create_app(Settings(db=store))
    client = TestClient(application, base_url="http://127.0.0.1")
    html = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(f"/saes/{SLUGS[1]}").text))
    answer = client.get(f"/api/v1/saes/{SLUGS[1]}").json()
    application.state.engine.dispose()
    assert READ in html
    assert (f"predicts {WRITTEN} : this is a transcoder" in html.replace(":", " :").replace("  ", " ")) is transcoder
    assert (f"of {WRITTEN}; massive tokens left out" in html) is transcoder
    assert ("not expected here" in html) is transcoder
    assert ("of the activations it reads" in html) is not transcoder
    assert WRITTEN in str(answer) or not transcoder


def test_an_older_store_says_nothing_of_it(client: TestClient) -> None:
    html = client.get(f"/saes/{SLUGS[1]}").text
    assert "transcoder" not in html
    assert "of the activations it reads" in html


PAST = {
    "variance": 0.42, "dense": 0.55, "dense_dimensions": 20, "components": 0.7, "chance": 0.0417,
    "axes": [
        {"share": 0.9, "added": {"word": 0.5, "past": 0.1, "norm": -0.01}, "total": [0.6, 0.5, 0.7]},
        *[{"share": 0.0125, "added": {"word": 0.4, "past": None}, "total": [None, None, None]}] * 8,
    ],
}  # fmt: skip


def test_a_bottleneck_is_said(tmp_path: Path) -> None:
    store = build(tmp_path / "beside.db")
    with Session(make_engine(store)) as session:
        beside = {"metadata": {"bottleneck": {"rank": 24, "kind": "learned"}}}
        session.execute(update(Sae).where(Sae.slug == SLUGS[1]).values(details=beside))
        own = select(Analysis).join(Sae).where(Sae.slug == SLUGS[1])
        for analysis in session.scalars(own):
            analysis.summary = {**analysis.summary, "beside": PAST}
        session.commit()
    application = create_app(Settings(db=store))
    client = TestClient(application, base_url="http://127.0.0.1")
    pages = [client.get(f"/saes/{slug}").text for slug in SLUGS[:2]]
    answers = [client.get(f"/api/v1/saes/{slug}").json()["bottleneck"] for slug in SLUGS[:2]]
    api = client.get(f"/api/v1/saes/{SLUGS[1]}").json()
    application.state.engine.dispose()
    assert ["a linear bottleneck of rank 24" in page for page in pages] == [False, True]
    assert answers == [None, 24]
    assert ["What goes past the latents" in page for page in pages] == [False, True]
    said = spaced(pages[1])
    assert "What goes past the latents has 42.0 % of the activations' variance." in unescape(said)
    assert "It follows the word itself most: 49.0 % of its variance." in said
    assert "1 90.0 % 50.0 % 0 % 0 % 0 % 10.0 % 60.0 %" in said
    assert "lie 55.0 % of the span of the dense latents, 70.0 % of as many top principal components, 4.2 % of a" in said
    assert said.count("All 9 axes") == 1
    assert api["beside"]["dense_dimensions"] == 20
