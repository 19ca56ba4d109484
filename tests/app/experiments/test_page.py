"""Experiments: the list, one of them, arms in words and numbers, and summaries with holes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.experiments import queries as experiments
from app.experiments.arms import ARMS, arm_rows
from app.experiments.before_after import answer, ends_of
from app.experiments.page import experiment_page, headline
from app.experiments.seeds import angles_view, stability_table
from app.main import create_app
from app.settings import Settings
from app.shared.colours import ARMS as STROKES
from migrations.runner import upgrade
from tests.app.layers.test_layers import figure
from tests.app.test_pages import page, spaced
from tests.app.world import HOSTILE, SLUGS, TWIN
from tests.app.world_interventions import DENSE

ONE = "/experiments/1"


def test_the_list_shows_the_headline_arms(client: TestClient) -> None:
    html = page(client, "/experiments")
    assert re.findall(r'data-open href="(/experiments/\d)"', html) == ["/experiments/2", "/experiments/1"]
    text = spaced(html)
    assert "21.3 17.5 to 25.1" in text
    assert "10.0 7.5 to 12.5" in text
    assert "25.0 22.5 to 27.5" in text
    assert "this arm was not trained" in html  # the second has one arm only


def test_a_store_without_any_gives_the_command(tmp_path: Any) -> None:
    path = str(tmp_path / "empty.db")
    upgrade(path)
    client = TestClient(create_app(Settings(db=path)), base_url="http://127.0.0.1")
    assert "dense-latents retrain --db STORE --sae SLUG" in spaced(page(client, "/experiments"))
    assert client.get(ONE).status_code == 404


def test_it_is_in_the_navigation(client: TestClient) -> None:
    assert '<a href="/experiments" aria-current="page">' in page(client, ONE)
    assert 'href="/experiments?run=2"' in page(client, "/latents?run=2")


def test_one_says_what_its_counts_mean(client: TestClient) -> None:
    text = spaced(page(client, ONE))
    assert "Removing the dense span costs 15.0 of them." in text
    for part in (
        "dense latents, original 21.3 17.5 to 25.1 over 3 seeds",
        "dense latents, dense removed 10.0 7.5 to 12.5",
        "dimension less dense +15.0 12.1 to 17.9",
        "variance removed 17.7 % equal dimension 8.2 %",
    ):
        assert part in text, part


def test_arms_are_rows_with_what_was_removed(client: TestClient) -> None:
    table = page(client, ONE).split('<table class="arms cells">')[1].split("</table>")[0]
    rows = [spaced(row) for row in table.split("<tr>")[3:]]
    assert [row.split(" 3 seeds")[0].split(" 1 seed")[0] for row in rows] == [
        "original",
        "dense removed",
        "equal dimension",
        "AbsTopK",
        "surprise",
    ]
    assert "10.0 7.5 to 12.5 over 3 seeds 2.0 17.7 % 12 21 span of the dense latents 30.0 %" in rows[1]
    assert "over 3 seeds 2.0 nothing 30.0 %" in rows[0]
    assert "8.2 % all there was 12 12" in rows[2]
    assert "+15.0 12.1 to 17.9" in rows[2]
    assert "abstopk, 40 latents, k = 32.0" in rows[3]
    assert "14 12.0 to 16.0 over documents" in rows[3]
    assert "61.0 %" in rows[3]
    assert "3 2.0 to 5.0 over documents" in rows[4]  # an arm the worker's summary does not know


def test_without_a_summary_the_seeds_speak_for_themselves(session: Session) -> None:
    one = experiments.find_experiment(session, 1).model_copy(update={"summary": {}})
    arms = experiments.list_arms(session, 1)
    rows = {row.name: row for row in arm_rows(one, arms)}
    assert (rows["original"].dense.value, rows["original"].dense.span) == ("21.3", "20.0 to 23.0")
    assert rows["original"].dense.of == "range of 3 seeds, no interval"
    assert (rows["abstopk"].dense.value, rows["abstopk"].dense.of) == ("14", "over documents")
    assert rows["dimension"].more == ""
    assert headline(one, arms) == (
        "Dense latents: 21.3 in the original, 10.0 with the dense span removed, 25.0 with a sparse span of equal"
        " dimension removed."
    )
    assert angles_view(one) is None


def test_a_bare_experiment_is_a_whole_page(client: TestClient) -> None:
    text = spaced(page(client, "/experiments/2"))
    assert "Dense latents: 4 in the original." in text
    assert "No densities were stored." in text
    assert "It takes two seeds" in text
    assert "there are no angles" in text
    assert "nan" not in text.lower().replace("finance", "")


def test_every_sae_is_a_line_in_its_arms_colour(client: TestClient) -> None:
    made = figure(client, ONE, "curves")
    assert len(made["data"]) == sum(len(counts) for counts in DENSE.values())
    by_name = {trace["name"]: trace["line"] for trace in made["data"]}
    assert by_name["dense removed, seed 0"] == by_name["dense removed, seed 2"]
    assert len({(line["color"], line["dash"]) for line in by_name.values()}) == len(DENSE)
    assert made["layout"]["yaxis"]["type"] == made["layout"]["xaxis"]["type"] == "log"
    assert made["layout"]["shapes"][0]["x0"] == 0.1


def test_no_two_arms_look_alike() -> None:
    assert set(STROKES) == set(ARMS)
    assert len({(stroke.colour, stroke.dash) for stroke in STROKES.values()}) == len(STROKES)


def test_the_curves_numbers_are_there_as_text(client: TestClient) -> None:
    table = page(client, ONE).split('id="curves"')[1].split("</table>")[0]
    assert table.count("<tr>") == 1 + sum(len(counts) for counts in DENSE.values())
    # densities are 0.5, 0.25, 0.167, 0.125, 0.1, ...: above 10 % there are four, the fifth is not
    row = re.findall(r"<td[^>]*>([^<]*)</td>", table.split("<tr>")[2])
    assert row == ["original", "0", "40", "9", "4", "2", "0"]


def test_seeds_of_an_arm_do_not_hide_each_other(client: TestClient) -> None:
    for trace in figure(client, ONE, "counts")["data"]:
        assert len(set(trace["y"])) == len(trace["y"])
        assert max(trace["y"]) - min(trace["y"]) < 0.7


def test_angles_stand_against_chance(client: TestClient) -> None:
    made = figure(client, ONE, "angles")
    names = [trace["name"] for trace in made["data"]]
    assert names == [
        "random spans",
        "original, seed 0 and seed 1",
        "the SAE itself against the original arm, the SAE and seed 0",
    ]
    table = spaced(page(client, ONE).split('id="angles"')[1].split("</table>")[0])
    assert "original 1 11 to 12 0.71 0.02 0.03" in table


def test_stability_links_the_latents(client: TestClient, session: Session) -> None:
    html = page(client, ONE)
    assert f'href="/saes/{SLUGS[1]}/latents/{TWIN}"' in html
    text = spaced(html)
    assert "1 of 2 dense latents are found again in at least two thirds of the seeds" in text
    assert "|cosine| of 0.70 or more with a latent there; random directions reach 0.33" in text
    assert "Of 30 sparse latents 80.0 % are." in text
    bare = experiments.find_experiment(session, 1).model_copy(update={"summary": {}})
    table = stability_table(bare, bare.stability)
    assert table
    assert table.words == "1 of 2 dense latents are found again in at least two thirds of the seeds."
    assert [row.found for row in table.rows] == ["3 of 3", "1 of 3"]


def test_recipe_settings_and_hashes_are_folded_away(client: TestClient) -> None:
    html = page(client, ONE)
    assert "learning rate" in html
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more" in spaced(html)
    assert html.count(f'<td class="hash">{"0" * 64}</td>') == len(DENSE)
    assert f"dense-latents retrain --db STORE --sae {SLUGS[1]}" in spaced(html)


def test_hostile_words_are_text(client: TestClient) -> None:
    html = page(client, ONE)
    assert HOSTILE[0] not in html
    assert HOSTILE[1] not in html


@pytest.mark.parametrize(
    "path", ["/experiments/3", "/experiments/0", "/experiments/x", "/experiments/9223372036854775808"]
)
def test_an_experiment_that_is_none_is_not_found(client: TestClient, path: str) -> None:
    for address in (path, f"/api/v1{path}"):
        assert client.get(address).status_code in {404, 422}
    assert "This store has: 1, 2." in client.get("/api/v1/experiments/3").json()["detail"]


def test_the_api_has_both_with_their_arms(client: TestClient) -> None:
    listed = client.get("/api/v1/experiments").json()
    assert [(one["id"], one["sae"], one["url"]) for one in listed] == [
        (2, SLUGS[1], "/experiments/2"),
        (1, SLUGS[1], "/experiments/1"),
    ]
    one = client.get("/api/v1/experiments/1").json()
    assert {(arm["name"], arm["seed"]): arm["n_dense"] for arm in one["arms"]} == {
        (name, seed): count for name, counts in DENSE.items() for seed, count in enumerate(counts)
    }
    assert one["stability"][0] == {"index": 0, "cosines": [0.9, 0.88, 0.95], "found": 3, "stable": True}
    assert one["summary"]["more_than_dense"]["dimension"]["mean"] == 15.0
    assert "arms" not in listed[0]


@pytest.mark.parametrize("break_it", [dict, lambda held: dict.fromkeys(held), lambda held: dict.fromkeys(held, "x")])
def test_missing_parts_of_a_summary_break_nothing(session: Session, break_it: Any) -> None:
    one = experiments.find_experiment(session, 1)
    for name, part in one.summary.items():
        broken = break_it(part) if isinstance(part, dict) else None
        changed = one.model_copy(update={"summary": {**one.summary, name: broken if break_it is not dict else {}}})
        assert arm_rows(changed, experiments.list_arms(session, 1))
        angles_view(changed)
        stability_table(changed, one.stability)
    assert experiment_page(session, 1).words


def test_the_arms_that_lost_something_are_one_picture(client: TestClient) -> None:
    for path in (ONE, "/experiments"):
        drawn = page(client, path).split('<figure class="slopes">')[1].split("</figure>")[0]
        names = re.findall(r'<tspan class="value">([^<]*)</tspan>([^<]*)<', drawn)
        assert {(value, name.strip()) for value, name in names} >= {
            ("21", ""),
            ("10", "dense removed"),
            ("25", "equal dimension"),
        }
        assert "AbsTopK" not in drawn  # nothing is removed for it


@pytest.mark.parametrize(
    ("code", "gap", "told"),
    [
        ("depends", (15.0, 12.1, 17.9), "10 dense latents come back, 15 fewer than without a sparse span of equal"
         " dimension (95 % interval of the difference −18 to −12, 3 seeds), from 21 before."),
        ("does_without", (-29.3, -49.4, -9.3), "29 more than without a sparse span of equal dimension (95 % interval"
         " of the difference 9.3 to 49, 3 seeds)"),
        ("undecided", (1.0, -4.0, 6.0), "cannot be told: 10 come back without it and 25 without a sparse span"),
        ("one_seed", (15.0, None, None), "In one seed 10 dense latents come back without their span and 25 without"),
        ("depends", (15.0, None, None), "Dense latents: 21 before, 10 without their span, 25 without a sparse span"),
        ("new", (15.0, 12.1, 17.9), "Dense latents: 21 before, 10 without their span, 25 without a sparse span"),
    ],
)  # fmt: skip
def test_one_sentence_answers_whichever_way_it_falls(session: Session, code: str, gap: Any, told: str) -> None:
    held = experiments.find_experiment(session, 1)
    more = {"dimension": dict(zip(("mean", "low", "high"), gap, strict=True)) | {"seeds": 3}}
    one = held.model_copy(update={"summary": {**held.summary, "statement": {"code": code}, "more_than_dense": more}})
    said = answer(one, ends_of(one, one.arms))
    assert told in said
    assert said.count(". ") == 0
