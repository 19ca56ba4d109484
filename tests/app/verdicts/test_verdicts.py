"""The verdict by rule: on the latent's page, in the list, as a filter, and never taken for a person's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.shared.commands import Place
from app.shared.numbers import coded
from app.verdicts.page import ruling
from app.verdicts.queries import verdict_counts, verdict_info
from app.verdicts.sentences import gap_said, ground_said
from tests.app.test_pages import page, whole, words
from tests.app.world import CONTROL, EDGE, HOSTILE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN
from tests.app.world_interventions import BARE, COMMAND, UNTOUCHED, VERDICTS, WHOLE

SAE = f"/saes/{SLUGS[1]}"
LIST = f"/api/v1{SAE}/latents"


def listed(client: TestClient, query: str) -> list[int]:
    """Latents of the list's rows."""
    html = page(client, f"/latents?limit=200&dense=any&sae={SLUGS[1]}&{query}")
    return sorted(int(index) for index in re.findall(r'data-open href="[^"]+/latents/(\d+)"', html))


def test_the_latent_page_says_why(client: TestClient) -> None:
    html = whole(client, f"{SAE}/latents/{POSITIVE}")
    card = html.split('id="verdict"')[1].split("</section>")[0]
    shown = words(card)
    assert f"The rule says keep of {POSITIVE}." in shown
    sides = re.findall(r"<h3>([^<]+)</h3>", card)
    assert sides == ["Speaks for keeping it", "Neutral", "Not measured yet"]
    assert "position Position holds" in shown
    assert f"<code>{COMMAND}</code>" in card
    assert "no person's opinion" in shown


def test_what_speaks_for_pruning_stands_by_itself(client: TestClient) -> None:
    card = whole(client, f"{SAE}/latents/{TWIN}").split('id="verdict"')[1].split("</section>")[0]
    pruning = words(card.split("Speaks for pruning it")[1].split("</ul>")[0])
    assert pruning.strip() == "effect Without it, something."


def test_it_is_marked_as_the_rules_wherever_it_stands(client: TestClient) -> None:
    for path in (f"{SAE}/latents/{POSITIVE}", "/latents", f"{SAE}/pairs/0/1", SAE):
        marks = re.findall(r'<(?:a|span) class="ruled r-(\w+)".*?</(?:a|span)>', page(client, path), re.DOTALL)
        assert marks, path
        chips = re.findall(r'class="ruled r-\w+"[^>]*>(.*?)<b>', page(client, path), re.DOTALL)
        assert {words(chip).split()[0] for chip in chips} == {"rule"}, path  # in lists with its word, to be heard


def test_the_head_leads_to_the_grounds(client: TestClient) -> None:
    head = whole(client, f"{SAE}/latents/{POSITIVE}").split('class="chips"')[1].split("</p>")[0]
    assert 'class="ruled r-keep" href="#verdict"' in head


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("verdict=keep", [POSITIVE]),
        ("verdict=investigate", [NEGATIVE, ORIGINAL, CONTROL]),
        ("verdict=prune", [TWIN]),
        ("verdict=none&detail=none&max_density=0.11&min_density=0.1", [EDGE]),
        ("verdict=keep&class=position", [POSITIVE]),
        ("verdict=prune&class=position", []),
    ],
)
def test_a_filter_keeps_what_the_rule_said(client: TestClient, query: str, expected: list[int]) -> None:
    assert listed(client, query) == sorted(expected)
    found = client.get(f"{LIST}?limit=500&{query}").json()["items"]
    assert sorted(one["index"] for one in found) == sorted(expected)


def test_the_filter_stays_in_links_and_in_the_form(client: TestClient) -> None:
    html = page(client, "/latents?verdict=investigate&limit=1")
    following = re.search(r'rel="next" href="([^"]+)"', html)
    assert following
    assert "verdict=investigate" in following[1]
    assert '<option value="investigate" selected>' in html


def test_an_unknown_verdict_is_named_with_its_mend(client: TestClient) -> None:
    for path in ("/latents?verdict=kep", f"{LIST}?verdict=kep"):
        answer = client.get(path)
        assert answer.status_code == 422
        said = answer.text.replace("&#39;", "'")
        assert "unknown verdict 'kep'; choose one of keep, investigate, prune, none" in said


def test_the_api_has_the_verdict_and_its_grounds(client: TestClient) -> None:
    made = client.get(f"{LIST}/{POSITIVE}").json()
    assert (made["verdict"], made["category"]) == ("keep", None)
    said = "The rule says keep of 0."
    assert made["grounds"][0] == {
        "of": "rule", "speaks": "keep", "words": said, "statement": {"code": "text", "text": said},
    }  # fmt: skip
    assert made["missing"][0]["of"] == "stability"
    by_index = {one["index"]: one["verdict"] for one in client.get(f"{LIST}?limit=500").json()["items"]}
    assert {index: verdict for index, verdict in by_index.items() if verdict} == VERDICTS


def test_the_sae_page_counts_them(client: TestClient, session: Session) -> None:
    assert verdict_counts(session, WHOLE) == {"keep": 1, "investigate": 2, "prune": 1}
    assert verdict_counts(session, BARE) == {"keep": 0, "investigate": 1, "prune": 0}
    assert verdict_counts(session, UNTOUCHED) == {}
    html = page(client, SAE)
    link = re.search(r'href="(/latents\?[^"]*verdict=investigate[^"]*)">2 dense latents', html)
    assert link
    assert page(client, link[1].replace("&amp;", "&")).count("data-open") == 2
    assert "Verdicts by rule" not in page(client, f"/saes/{SLUGS[0]}")


def test_a_verdict_without_grounds_is_still_one(client: TestClient) -> None:
    html = whole(client, f"/saes/{SLUGS[2]}/latents/{POSITIVE}")
    assert "Speaks for" not in html
    assert 'class="ruled r-investigate"' in html


def test_hostile_grounds_are_text(client: TestClient) -> None:
    for path in (f"{SAE}/latents/{POSITIVE}", "/latents"):
        assert HOSTILE[0] not in page(client, path)
    assert "Position holds &lt;script&gt;" in whole(client, f"{SAE}/latents/{POSITIVE}")


def test_nothing_is_said_where_the_rule_was_not_applied() -> None:
    assert ruling(None) is None
    ground = {"of": "x_y", "speaks": "louder", "code": "of_tomorrow", "share": 0.5, "more": {"n": 1}}
    bare = ruling(verdict_info("of_tomorrow", [ground, None], None, Place("tiny", 1, 2, 3)))
    assert bare
    assert (bare.title, bare.words) == ("of_tomorrow", "")
    assert [(side, reasons[0].title, reasons[0].words) for side, reasons in bare.sides] == [
        ("Neutral", "x y", "of tomorrow: share 0.5.")
    ]


@pytest.mark.parametrize(
    "held",
    [{}, {"code": None}, {"code": "needed"}, {"code": "stable", "cosines": "many"}, {"code": "class", "statement": 1}],
)
def test_a_ground_without_its_numbers_breaks_nothing(held: dict[str, Any]) -> None:
    for of in ("rule", "effect", "stability", "labels", "null_space"):
        ground_said(of, held)
        gap_said(of, held, Place("tiny", 1, 2, 3))


def test_commands_stand_out_of_a_sentence() -> None:
    assert coded("run `a b`, then `c`.") == [
        ("run ", False),
        ("a b", True),
        (", then ", False),
        ("c", True),
        (".", False),
    ]
    assert coded("no command") == [("no command", False)]
    assert coded("") == []


def test_a_list_can_be_given_to_prune(client: TestClient) -> None:
    for query in ("verdict=investigate", "verdict=investigate&dense=any", "dense=any&sort=kl", "pair=true"):
        html = page(client, f"/latents?limit=200&sae={SLUGS[1]}&{query}")
        export = re.search(r'href="([^"]+)" download="latents.json"', html)
        assert export, query
        made = client.get(export[1].replace("&amp;", "&")).json()
        assert made["next"] is None
        rows = re.findall(r'data-open href="[^"]+/latents/(\d+)"', html)
        assert [one["index"] for one in made["items"]] == [int(row) for row in rows]
        assert {one["sae"] for one in made["items"]} == {SLUGS[1]}
    assert 'download="latents.json"' not in page(client, "/latents?verdict=keep")


def test_the_sae_page_says_how_to_prune_where_there_are_candidates(client: TestClient) -> None:
    command = "dense-latents prune --db STORE --sae tiny/l{}-resid --verdict prune --out DIR"
    assert command.format(1) in page(client, SAE)
    assert command.format(2) not in page(client, f"/saes/{SLUGS[2]}")
