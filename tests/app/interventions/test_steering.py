"""Steering: rates beside their controls, refused doses, continuations as text."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.interventions.queries import SteeringInfo
from app.interventions.steering import steering_card
from tests.app.layers.test_layers import figure
from tests.app.test_pages import page, spaced, whole
from tests.app.world import CONTROL, HOSTILE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN

SAE = f"/saes/{SLUGS[1]}"
PAIR = f"{SAE}/pairs/{POSITIVE}/{NEGATIVE}"


def card(html: str) -> str:
    """The section about steering; empty where there is none."""
    parts = html.split('id="steering"')
    return parts[1].split("</section>")[0] if len(parts) > 1 else ""


def test_the_pair_page_shows_the_rate_beside_its_controls(client: TestClient) -> None:
    shown = spaced(card(whole(client, PAIR)))
    for part in (
        "The text follows in 10 of 12 pairs.",
        "83 % flip rate (95 % interval 70–93 %) of 12 pairs of texts, pushed by 2 standard deviations",
        "this signal 83 % 70–93 %",
        "random directions 35 %",
        "sparse latents 42 %",
        "texts of other documents 25 %",
        "chance 25 %",
    ):
        assert part in shown, part


def test_the_plot_has_chance_and_cut(client: TestClient) -> None:
    made = figure(client, f"{PAIR}/parts/steering", "steer-0-1")
    assert [shape["x0"] for shape in made["layout"]["shapes"]] == [0.25, 0.75]
    assert sorted(value for trace in made["data"] for value in trace["x"]) == [0.25, 0.35, 0.42, 0.83]


def test_a_refused_dose_is_struck_out_and_says_why(client: TestClient) -> None:
    html = card(whole(client, PAIR))
    assert "<s>8</s>" in html
    assert "<s>2</s>" not in html
    assert "8 — 1.37 refused costs more than 1 nat per token" in spaced(html)
    assert html.count('<span class="chip strong">taken</span>') == 1


def test_continuations_stand_side_by_side_as_text(client: TestClient) -> None:
    html = card(whole(client, PAIR))
    assert html.count('class="goes-on"') == 2
    first, second = (spaced(part) for part in html.split('class="goes-on"')[1:])
    assert "pushed towards − 1" in first
    assert "left alone the whale↵swam" in first
    assert "pushed towards + 0" in first
    assert "left alone a day" in second  # an older worker's name for the same
    for token in HOSTILE[:3]:
        assert token not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_scored_texts_can_be_read(client: TestClient) -> None:
    shown = spaced(card(whole(client, PAIR)))
    assert "−0.31 +0.05 +0.42" in shown


@pytest.mark.parametrize(
    ("path", "command"),
    [
        (f"/saes/{SLUGS[0]}/pairs/0/1", f"dense-latents steer --db STORE --sae {SLUGS[0]} --pair 0:1"),
        (f"{SAE}/latents/{NEGATIVE}", ""),  # a pole of what was steered along
        (f"{SAE}/latents/{POSITIVE}", ""),
    ],
)
def test_where_nothing_was_steered_the_page_gives_the_command(client: TestClient, path: str, command: str) -> None:
    shown = spaced(card(page(client, path)))
    assert shown
    assert command in shown
    assert ("--pair" in shown) is bool(command)


def test_a_latent_page_speaks_of_it_only_where_something_asks(client: TestClient) -> None:
    assert card(whole(client, f"{SAE}/latents/{TWIN}")) == ""
    assert card(whole(client, f"{SAE}/latents/{CONTROL}")) == ""


def test_a_signal_that_could_not_be_measured_says_so(client: TestClient) -> None:
    shown = spaced(card(whole(client, f"{SAE}/latents/{ORIGINAL}")))
    assert "too few texts" in shown
    assert "not measured" in shown
    assert "flip rate" not in shown


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"doses": None, "examples": 7, "texts": "x"},
        {"doses": [{}], "examples": [{}], "texts": [{}]},
        {"doses": [{"dose": "x", "refused": "breaks it"}], "examples": [{"plus": 3}]},
    ],
)
def test_missing_parts_break_nothing(data: dict[str, Any]) -> None:
    numbers: dict[str, Any] = dict.fromkeys(("dose", "flips", "flips_low", "flips_high", "random", "sparse", "swapped"))
    found = SteeringInfo(
        positive=3, negative=3, label="no", pairs=0, statement={"code": "text", "text": "w"}, data=data, **numbers
    )
    made = steering_card(None, [found], "s", "this latent").signals[0]
    assert (made.rate, made.span, made.view, made.basis) == ("", "", None, "")
    assert all(row.refused in {"", "breaks it"} for row in made.doses)
