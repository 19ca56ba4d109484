"""Two pages that show one number show the same: each is followed to where else it stands (FAULTS 50)."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.latents import queries as latents
from app.runs import queries as runs
from app.saes import queries as saes
from app.shared.links import Pin
from app.shared.numbers import number
from app.team import queries as team
from app.verdicts.queries import verdict_counts
from store.tables import DENSE, Latent
from tests.app.test_pages import page, whole, words
from tests.app.world import POSITIVE, SLUGS

LINK = re.compile(r'<a [^>]*href="(/latents\?[^"]+)"[^>]*>\s*(?:<b>)?([\d,]+)(?![\d,.]*\s*%)')


def listed(client: TestClient, href: str) -> int:
    """How many latents a list says that it has."""
    head = page(client, href.replace("&amp;", "&")).split("data-lede")[1]
    found = re.search(r"<b>([\d,]+)</b>", head)
    assert found, href
    return int(found[1].replace(",", ""))


PAGES = ["/", "/layers", "/labels", "/report", "/annotations", "/categories", *(f"/saes/{slug}" for slug in SLUGS)]


def test_a_number_that_leads_to_a_list_is_the_lists(client: TestClient) -> None:
    """Every count with an address of a list, on every page that has some."""
    counts = {
        (path, href): int(shown.replace(",", "")) for path in PAGES for href, shown in LINK.findall(page(client, path))
    }
    assert len(counts) > 20
    found = {key: listed(client, key[1]) for key in counts}
    assert {key: (counts[key], found[key]) for key in counts if counts[key] != found[key]} == {}


def test_the_rules_verdicts_are_counted_over_dense_latents_everywhere(client: TestClient, session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    found = saes.list_saes(session, run)
    by_team: dict[str, int] = {}
    for (rule, _human), cells in team.verdict_cells(team.review(session, run)).items():
        if rule:
            by_team[rule] = by_team.get(rule, 0) + cells
    by_sae: dict[str, int] = {}
    for sae in found:
        for verdict, dense in verdict_counts(session, sae.analysis_id).items():
            by_sae[verdict] = by_sae.get(verdict, 0) + dense
    assert {name: cells for name, cells in by_sae.items() if cells} == by_team
    shown = words(page(client, f"/saes/{SLUGS[1]}"))
    for verdict, dense in verdict_counts(session, found[1].analysis_id).items():
        assert listed(client, f"/latents?sae={SLUGS[1]}&verdict={verdict}") == dense
    assert "dense latent" in shown


def test_dense_latents_are_as_many_wherever_they_are_counted(client: TestClient, session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    for sae in saes.list_saes(session, run):
        here = Latent.analysis_id == sae.analysis_id
        assert sae.n_dense == session.scalar(select(func.count()).select_from(Latent).where(here, DENSE))
        assert listed(client, f"/latents?sae={sae.slug}") == sae.n_dense
    assert sum(sae.n_dense for sae in saes.list_saes(session, run)) == run.n_dense == listed(client, "/latents")


@pytest.mark.parametrize("slug", SLUGS)
def test_the_largest_activation_is_one(client: TestClient, session: Session, slug: str) -> None:
    """In facts, beside the histogram, in the list and in the API."""
    run = runs.find_run(session, Pin(2))
    assert run
    sae = next(one for one in saes.list_saes(session, run) if one.slug == slug)
    latent = latents.find_latent(session, sae, POSITIVE)
    assert latent.max is not None
    shown = words(whole(client, f"/saes/{slug}/latents/{POSITIVE}"))
    assert f"largest activation {number(latent.max)}" in shown
    assert not re.search(r"activation from [\d.,]+ to", shown)
    found = client.get(f"/api/v1/saes/{slug}/latents/{POSITIVE}").json()
    assert (found.get("latent") or found)["max"] == latent.max
