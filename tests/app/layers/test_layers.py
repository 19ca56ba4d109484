"""The layers page: each mark counts what its link lists."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.latents import queries as latents
from app.latents.queries import Step
from app.layers import flow
from app.layers.page import layers_page
from app.layers.sankey import HEAD, sankey
from app.runs import queries as runs
from app.saes import queries as saes
from app.shared.links import Pin
from tests.app.test_pages import page, words


def figure(client: TestClient, path: str, name: str) -> Any:
    """The JSON of a figure."""
    found = re.search(rf'id="{name}"[^>]*></div>\s*<script[^>]*>(.*?)</script>', page(client, path), re.DOTALL)
    assert found
    return json.loads(found[1])


def test_every_bar_of_the_stack_leads_to_as_many_latents(client: TestClient) -> None:
    checked = 0
    for trace in figure(client, "/layers", "stack")["data"]:
        for count, (href, *_rest) in zip(trace["y"], trace["customdata"], strict=True):
            if trace["name"] != "L0":
                assert words(page(client, href)).count(f"{count} dense latent") >= 1, href
                checked += count
    assert checked == 15


def test_every_count_of_the_table_leads_to_as_many_latents(client: TestClient) -> None:
    table = page(client, "/layers").split("As a table, in all their classes")[1].split("</tbody>")[0]
    cells = re.findall(r'<td class="num"><a href="([^"]+)">(\d+)</a>', table)
    assert len(cells) > 5
    for href, count in cells:
        assert f"{count} dense latent" in words(page(client, href.replace("&amp;", "&"))), href


def test_bars_of_density_lead_to_their_latents(client: TestClient) -> None:
    bars = figure(client, "/layers", "panel-2")["data"][0]
    full = [(count, custom[0]) for count, custom in zip(bars["y"], bars["customdata"], strict=True) if count]
    assert full
    for count, href in full:
        assert f"{count} latent" in words(page(client, href)), href


def test_the_share_in_pairs_is_of_dense_latents(client: TestClient, session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    assert saes.dense_in_pairs(session, run) == {10: 2, 11: 2, 12: 2}
    assert "40.0 %2 of 5" in words(page(client, "/layers"))


def test_a_level_line_keeps_its_function(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    found = saes.list_saes(session, run)
    groups = classes.groups_of(session, run)
    info = flow.flow_info(found, groups, latents.list_steps(session, run))
    assert [name for name, _low, _high in info.bands] == [
        "position",
        "content_word",
        "several",
        "unexplained",
        "unmeasured",
    ]
    for key, place in info.places.items():
        ((low, high),) = [(low, high) for name, low, high in info.bands if name == groups[key]]
        assert low <= place.y <= high
    assert len(set(info.places.values())) == len(info.places) == 15
    assert flow.flow_counts(info, found) == [("0", "1", 1, 0, 0.71), ("1", "2", 1, 1, 0.71)]


def test_the_flow_of_classes_counts_each_latent_and_each_chain_once(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    found = saes.list_saes(session, run)
    groups = classes.profile(session, run)
    info = flow.flow_info(found, classes.groups_of(session, run), latents.list_steps(session, run))
    made = sankey(found, groups, info)
    assert made
    assert sum(int(block.words.split(": ")[1].split()[0]) for block in made.blocks) == sum(s.n_dense for s in found)
    assert sum(int(ribbon.words.split()[0]) for ribbon in made.ribbons) == len(info.steps) > 0
    for block in made.blocks:
        assert 0 <= block.x <= made.width - made.block
        assert 0 <= block.y <= block.y + block.height <= made.height
    columns = [[block for block in made.blocks if block.x == column.x] for column in made.columns]
    for column in columns:  # no block lies on another
        ends = sorted((block.y, block.y + block.height) for block in column)
        assert all(low[1] <= high[0] + 0.11 for low, high in pairwise(ends))


def test_chains_that_pass_over_a_column_are_neither_drawn_nor_counted(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    found = saes.list_saes(session, run)
    steps = [Step(10, 0, 11, 0, 0.8), Step(10, 0, 12, 0, 0.9)]
    info = flow.flow_info(found, classes.groups_of(session, run), steps)
    made = sankey(found, classes.profile(session, run), info)
    assert made
    assert len(made.ribbons) == 1
    assert "; 1 of 10 dense latents before the last layer" in made.words


def test_tiny_classes_beside_a_large_one_stay_in_the_picture(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    found = saes.list_saes(session, run)
    names = ("position", "word", "norm", "constant", "null_space", "alphabet", "slow_state", "unexplained")
    groups = {sae.analysis_id: {name: 9000 if name == "word" else 1 for name in names} for sae in found}
    made = sankey(found, groups, flow.flow_info(found, {}, []))
    assert made
    assert min(block.y for block in made.blocks) >= HEAD


def test_weak_steps_are_not_drawn(session: Session) -> None:
    run = runs.find_run(session, Pin(2))
    assert run
    found = saes.list_saes(session, run)
    weak = [Step(10, 0, 11, 0, 0.39), Step(10, 0, 11, 0, -0.4), Step(10, 0, 11, 39, 0.9)]
    info = flow.flow_info(found, classes.groups_of(session, run), weak)
    assert [step.correlation for step in info.steps] == [-0.4]


def test_an_old_run_has_neither_stack_nor_flow(session: Session) -> None:
    run = runs.find_run(session, Pin(1))
    assert run
    made = layers_page(session, run, "")
    assert (made.stack, made.sankey, made.flow, made.class_table, made.stack_words) == (None, None, None, [], "")
    assert made.panels


def test_the_sentence_counts_everything(client: TestClient) -> None:
    expected = "Of 15 dense latents in 3 SAEs, 5 (33.3 %) have at least one class, 2 have none; 8 were not"
    assert expected in words(page(client, "/layers"))
    home = words(page(client, "/"))
    assert ", 5 with a class, 0 followed in part, 2 unexplained , 8 not measured" in home.replace(
        "unexplained,", "unexplained ,"
    )
