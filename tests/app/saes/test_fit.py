"""FAULTS 49: what an SAE does not fit is said on each of its pages, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.main import create_app
from app.settings import Settings
from store.session import make_engine
from store.tables import Analysis, Sae
from tests.app.test_pages import Tags, spaced, words
from tests.app.world import NEGATIVE, POSITIVE, SLUGS, build

STRANGER, FITTING = SLUGS[1], SLUGS[0]
DETAILS = {"k": 32, "metadata": {"model_name": "openai-community/gpt2"}}
SAID = ("L0 150, 4.7 × its k of 32", "FVU 0.55 against 0.16 in training", "made for openai-community/gpt2")
WARNING = "may not fit this model or text"


@pytest.fixture(scope="module")
def misfit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A world in which one SAE has an L0 of 4.7 x its k, an FVU of 0.55, and was made for another model."""
    path = build(tmp_path_factory.mktemp("fit") / "fit.db")
    with Session(make_engine(path)) as session:
        change = {
            "details": {"k": 1.5, "metadata": {"model_name": "made/Tiny"}},
            "training": {"held_out": {"fvu": 0.2}},
        }
        session.execute(update(Sae).values(**change))
        stranger = update(Sae).where(Sae.slug == STRANGER)
        session.execute(stranger.values(details=DETAILS, training={"held_out": {"fvu": 0.16}}))
        session.execute(update(Analysis).where(Analysis.sae_id == 2).values(l0=4.7 * 32, fvu=0.55))
        searched = {"partner_recall": {"sampled": 1024, "mirror": [[0.8, 9, 10]], "same": []}}
        session.execute(update(Analysis).where(Analysis.sae_id == 1).values(summary=searched))
        session.commit()
    application = create_app(Settings(db=path))
    yield TestClient(application, base_url="http://127.0.0.1")
    application.state.engine.dispose()


def crawled(client: TestClient) -> dict[str, str]:
    """Every page that links lead to from the start, in English: address -> HTML."""
    found: dict[str, str] = {}
    waiting = ["/", f"/embed/saes/{STRANGER}/latents/{POSITIVE}"]
    while waiting and len(found) < 300:
        path = waiting.pop(0)
        answer = client.get(path)
        if path in found or not answer.headers["content-type"].startswith("text/html"):
            continue
        found[path] = answer.text
        links = [attributes.get("href", "").split("#")[0] for tag, attributes in Tags(answer.text).found if tag == "a"]
        waiting += [link for link in links if link.startswith("/") and "lang=" not in link and link not in found]
    return found


def test_every_page_of_a_misfit_says_so_and_no_page_of_another(misfit: TestClient) -> None:
    pages = crawled(misfit)
    own = {path: html for path, html in pages.items() if f"/saes/{STRANGER}" in path and "run=1" not in path}
    others = {path: html for path, html in pages.items() if f"/saes/{FITTING}" in path}
    assert len(own) > 20
    assert len(others) > 5
    assert [path for path, html in own.items() if not all(one in words(html) for one in SAID)] == []
    assert [path for path, html in others.items() if WARNING in words(html)] == []


@pytest.mark.parametrize("path", ["/", "/layers", "/latents", f"/latents?sae={STRANGER}", "/labels", "/report"])
def test_pages_of_several_name_the_one(misfit: TestClient, path: str) -> None:
    html = misfit.get(path).text
    assert WARNING in words(html)
    assert all(one in words(html) for one in SAID)
    assert f'/saes/{STRANGER}#fit"' in html


def test_a_list_of_an_sae_that_fits_says_nothing(misfit: TestClient) -> None:
    assert WARNING not in words(misfit.get(f"/latents?sae={FITTING}").text)


def test_two_latents_beside_each_other_say_whose_sae_does_not_fit(misfit: TestClient) -> None:
    shown = words(misfit.get(f"/compare?a={FITTING}:{POSITIVE}&b={STRANGER}:{NEGATIVE}").text)
    assert SAID[0] in shown
    assert "as expected" in shown


def test_the_api_says_it_with_numbers(misfit: TestClient) -> None:
    answer = misfit.get(f"/api/v1/saes/{STRANGER}").json()
    found = {one["name"]: one for one in answer["fit"]}
    assert {name: one["level"] for name, one in found.items()} == {
        "model": "misfit",
        "l0": "misfit",
        "fvu": "misfit",
        "massive": "fits",
    }
    assert found["l0"]["found"] == pytest.approx(150.4)
    assert found["l0"]["expected"] == 32
    for path in (f"latents/{POSITIVE}", f"pairs/{POSITIVE}/{NEGATIVE}"):
        assert misfit.get(f"/api/v1/saes/{STRANGER}/{path}").json()["fit"] == answer["fit"]


def test_the_saes_page_tells_all_of_it(misfit: TestClient) -> None:
    shown = " ".join(spaced(misfit.get(f"/saes/{STRANGER}").text).split())
    assert "L0 (does not fit) 150 32 (k) 4.7 × its k: these are not the activations that it was trained on." in shown
    assert "FVU (does not fit) 0.55 0.16 (training report)" in shown
    assert "massive tokens 0.030 % at most 1.0 % Few enough" in shown
    assert "From 233 of the 240 documents of the corpus." in shown


def test_a_page_says_which_classes_were_not_measured_and_why(misfit: TestClient) -> None:
    assert "This run was analysed before classes were measured, or without them." in spaced(
        misfit.get(f"/saes/{FITTING}?run=1").text
    )


def test_the_foot_says_that_the_text_ended_early(tmp_path: Path) -> None:
    from store.tables import Run

    path = build(tmp_path / "short.db")
    with Session(make_engine(path)) as session:
        session.execute(update(Run).where(Run.id == 2).values(settings={"tokens": 100_000}))
        session.commit()
    application = create_app(Settings(db=path))
    client = TestClient(application, base_url="http://127.0.0.1")
    shown = words(client.get("/").text)
    report = words(client.get("/report").text)
    application.state.engine.dispose()
    for text in (shown, report):
        assert "60,000 tokens (the text ended; 100,000 were asked for) from 233 of the 240 documents" in text


def test_an_approximate_search_is_said_where_the_partner_is_shown(misfit: TestClient) -> None:
    sentence = (
        "Of 1,024 latents drawn, 10 have a mirror image with a product of at least 0.8; the search found 9 of them."
    )
    for path in (f"/saes/{FITTING}", f"/saes/{FITTING}/latents/{POSITIVE}"):
        assert sentence in words(misfit.get(path).text)
    assert "among near directions" not in words(misfit.get(f"/saes/{STRANGER}").text)
