"""A comparison of designs: what it says in a sentence, its table, its API, and summaries with holes."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.designs.queries import ComparisonDetail
from app.designs.rows import gains
from tests.app.test_pages import page, spaced

ONE = "/experiments/designs/1"


def test_it_says_what_one_gains_and_loses(client: TestClient) -> None:
    text = unescape(spaced(page(client, ONE)))
    assert (
        "Beside a bottleneck of rank 24, counted into L0, an SAE has 46.0 fewer dense latents (95 % interval −50.0 to"
        " −42.0) and 0.020 more FVU (95 % interval +0.015 to +0.025) than the plain one. Its recovered loss cannot be"
        " told from the plain one's."
    ) in text
    assert "Dense latents of the controls: plain SAE, k raised by 24 91.0; 24 random directions 49.0." in text


def test_designs_stand_beside_each_other_with_intervals(client: TestClient) -> None:
    text = unescape(spaced(page(client, ONE)))
    for part in (
        "bottleneck of rank 24, not counted 3 seeds · batchtopk, 2,304 latents, k = 32 10.0 8.5 to 11.5",
        "−41.0 −45.0 to −37.0",
        "90.0 % 89.0 % to 91.0 % 0.0 points −1.0 points to +1.0 points",
        "0.160 0.156 to 0.164 −0.040 −0.045 to −0.035",
        "32.0 56.0 7.0",  # L0, with the rank, pairs
        "8.0 32.0 7.0",
        "0.55 chance 0.05",
        "random directions (a control) 3.12 +0.12",
        "bottleneck of rank 24, not counted 8.25 +5.25 85.0 % 70.0 % 60.0 % 4.0 %",
    ):
        assert part in text, part


def test_what_latents_follow_stands_beside_what_goes_past_them(client: TestClient) -> None:
    text = unescape(spaced(page(client, ONE)))
    for part in (
        "plain SAE 40 dense latents 50.0 % 0 % 0 % 0 % 20.0 % 70.0 %",
        "plain SAE 96 sparse latents 30.0 %",
        "bottleneck of rank 24, not counted 24 axes past them 40.0 % 0 % 0 % 0 % 25.0 % 65.0 %",
    ):
        assert part in text, part
    assert "What their latents follow" not in page(client, "/experiments/designs/2")


def test_the_list_leads_there(client: TestClient) -> None:
    html = page(client, "/experiments")
    assert 'href="/experiments/designs/1"' in html
    assert "dense-latents compare-designs --db STORE --sae SLUG" in spaced(html)


def test_one_with_holes_is_shown(client: TestClient) -> None:
    text = spaced(page(client, "/experiments/designs/2"))
    assert "not measured" in page(client, "/experiments/designs/2")
    assert "plain SAE" in text
    assert "Beside a" not in text


def test_the_api_gives_the_same(client: TestClient) -> None:
    listed = client.get("/api/v1/designs").json()
    assert [one["id"] for one in listed] == [2, 1]
    found = client.get("/api/v1/designs/1").json()
    assert found["url"] == ONE
    assert [design["name"] for design in found["designs"][:2]] == ["plain", "raised_24"]
    assert {design["loss_without"] for design in found["designs"]} == {8.25, 3.125, None}
    assert client.get("/api/v1/designs/99").status_code == 404
    assert "This store has: 1, 2" in client.get("/experiments/designs/99").text


@pytest.mark.parametrize(
    ("less", "said"),
    [
        ({"n_dense": {"mean": -3.0, "low": None, "high": None}}, "3.0 fewer dense latents (one seed: no interval)"),
        ({"n_dense": {"mean": 3.0, "low": 1.0, "high": 5.0}}, "3.0 more dense latents (95 % interval +1.0 to +5.0)"),
        ({"fvu": {"mean": 0.1, "low": -0.1, "high": 0.3}}, "an SAE's FVU cannot be told from the plain one's."),
    ],
)
def test_a_sentence_follows_the_interval(client: TestClient, less: dict[str, Any], said: str) -> None:
    whole = client.get("/api/v1/designs/1").json()
    whole["summary"]["less_plain"] = {"bottleneck_24_counted": less}
    for design in whole["designs"]:
        design["comparison_id"] = 1
    assert said in gains(ComparisonDetail(**whole))[0]


def test_the_answer_names_the_control(client: TestClient) -> None:
    html = unescape(page(client, ONE))
    lede = html.split('<p class="lede">')[1].split("</p>")[0]
    assert lede.startswith(
        "Beside a bottleneck of rank 24, counted into L0, an SAE has 5 dense latents, the plain one 51"
    )
    assert "of the difference −50 to −42, 3 seeds); the control, 24 random directions, has 49." in lede
    drawn = html.split('<figure class="slopes">')[1].split("</figure>")[0]
    for value, name in (("51", ""), ("10", " bottleneck"), ("91", " k raised by 24"), ("49", " 24 random axes")):
        assert f'<tspan class="value">{value}</tspan>{name}' in drawn
