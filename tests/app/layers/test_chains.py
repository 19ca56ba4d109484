"""One chain at a time on the flow of classes: by its address, without a script."""

from __future__ import annotations

import re

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.latents.queries import Step
from app.layers import flow
from app.layers.chains import chains
from app.layers.sankey import sankey
from app.runs import queries as runs
from app.saes import queries as saes
from app.shared.links import Pin
from tests.app.test_pages import page


def test_a_chain_is_followed_from_its_first_latent_to_its_last(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    found = saes.list_saes(session, run)
    steps = [Step(10, 0, 11, 0, 0.8), Step(11, 0, 12, 1, -0.5), Step(10, 1, 11, 1, 0.9), Step(10, 2, 12, 2, 0.9)]
    info = flow.flow_info(found, classes.groups_of(session, run), steps)
    drawn = sankey(found, classes.profile(session, run), info)
    assert drawn
    name = f"{found[0].slug}:0"
    (chain,) = chains(found, info, drawn, name)  # the others have two latents, or pass over a column
    assert chain.words == "L0/0 → L1/0 → L2/1; weakest |correlation| 0.50"
    assert (chain.name, chain.title, chain.lit) == (name, "L0/0 → L2/1", True)
    xs = [float(point.split()[0]) for point in chain.path.lstrip("M").split("L")]
    assert xs == sorted(xs)
    assert len(xs) == 2 * 3
    assert not chains(found, info, drawn, "")[0].lit


def test_an_address_that_names_no_chain_lights_none(client: TestClient) -> None:
    html = page(client, "/layers?chain=%3Cscript%3E")
    assert "<script>" not in html.split('<svg class="sankey')[1].split("</svg>")[0]
    assert 'class="sankey"' in html


def test_a_ribbon_says_what_it_is_to_who_has_no_pointer(client: TestClient) -> None:
    ribbons = re.findall(r'<path class="ribbon[^>]*>', page(client, "/layers"))
    assert ribbons
    for ribbon in ribbons:
        assert re.search(r'tabindex="0" role="img" aria-label="\d+ chains?, ', ribbon)
