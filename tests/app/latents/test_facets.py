"""Facets: the number beside a choice is what its link leads to, for any filters, also in PostgreSQL."""

from __future__ import annotations

import re
from html import unescape

import pytest
from fastapi.testclient import TestClient

from app.latents.facet_counts import bands
from app.latents.facets import band_words, bounded
from app.main import create_app
from app.settings import Settings
from tests.app.test_pages import page, words
from tests.app.world import CONTROL, NEGATIVE, POSITIVE, SLUGS, build

SLUG = SLUGS[1]
_CHOICE = re.compile(r'<a class="facet-choice[^"]*" href="([^"]+)" data-key="([^"]+)"( aria-current="true")?>(.*?)</a>')
QUERIES = (
    "", "dense=any", "dense=false", "class=position", "class=any&alone=true", "dense=any&alone=false", "pair=true",
    "dense=any&pair=false", "label=party", "verdict=keep", f"sae={SLUG}", "layer=1&dense=any", "dense=any&q=a",
    "dense=any&min_density=0.1&max_density=0.25", "min_density=0.25", "dense=any&detail=none", "dense=any&detail=any",
    "dense=any&min_antipodality=0", "dense=false&class=unmeasured", "human=keep", "dense=any&annotated=false",
    "borderline=true&dense=any", "dense=any&verdict=none",
)  # fmt: skip


def choices(client: TestClient, address: str) -> list[tuple[str, str, int | None, bool]]:
    """Facet, address, number and whether it is chosen, of each choice of a list."""
    found = page(client, address).split('class="card facets"')[1].split("<form")[0]
    return [(key, unescape(href), _number(text), bool(active)) for href, key, active, text in _CHOICE.findall(found)]


def _number(text: str) -> int | None:
    found = re.search(r"<b>([\d,]+)</b>", text)
    return int(found[1].replace(",", "")) if found else None


def total(client: TestClient, address: str) -> int:
    """Latents of a list."""
    found = re.search(r"<b>(?:more than )?([\d,]+)</b> of ", page(client, address))
    assert found, address
    return int(found[1].replace(",", ""))


def wrong(client: TestClient, query: str) -> list[tuple[str, int | None, int]]:
    """Choices beside which another number stands than their list has. One that is chosen counts the list it is in."""
    found: list[tuple[str, int | None, int]] = []
    for key, href, number, active in choices(client, f"/latents?{query}"):
        led = total(client, f"/latents?{query}" if active else href)
        if number is not None and number != led:
            found.append((f"{key} {href}", number, led))
    return found


@pytest.mark.parametrize("query", QUERIES)
def test_the_number_beside_a_choice_is_that_of_the_list_it_leads_to(client: TestClient, query: str) -> None:
    assert wrong(client, query) == []


def test_the_plain_list_counts_every_choice(client: TestClient) -> None:
    found = choices(client, "/latents")
    assert {key.split("-")[0] for key, *_rest in found} >= {"dense", "class", "sae", "density", "rule", "relation"}
    assert [key for key, _href, number, active in found if number in {None, 0} and not active] == []


def test_a_chosen_choice_leads_back(client: TestClient) -> None:
    chosen = [(key, href) for key, href, _number, active in choices(client, "/latents?class=position") if active]
    assert [href for key, href in chosen if key.startswith("class")] == ["/latents"]
    assert [href for key, href in chosen if key.startswith("dense")] == ["/latents?dense=any&class=position"]


def test_a_chip_takes_its_filter_away_and_no_other(client: TestClient) -> None:
    html = page(client, "/latents?q=a&min_density=0.2&sort=max&note=b%3Cb%3E&dense=any")
    chips = html.split('class="set-filters"')[1].split("</ul>")[0]
    hrefs = [unescape(href) for href in re.findall(r'href="([^"]+)"', chips)]
    assert hrefs == [
        "/latents?dense=any&min_density=0.2&note=b%3Cb%3E&sort=max",
        "/latents?dense=any&q=a&note=b%3Cb%3E&sort=max",
        "/latents?dense=any&min_density=0.2&q=a&sort=max",
        "/latents",
    ]
    assert "note contains “b&lt;b&gt;”" in chips


def test_postgresql_counts_alike(postgres_db: str) -> None:
    made = create_app(Settings(db=build(postgres_db)))
    client = TestClient(made, base_url="http://127.0.0.1")
    for query in ("", "dense=any", "dense=any&alone=false", "dense=false&label=party", "dense=any&min_antipodality=0"):
        assert wrong(client, query) == [], query
    made.state.engine.dispose()


def test_bands_end_where_dense_begins() -> None:
    assert (0.05, 0.1) in bands(0.05)
    assert [band_words(band) for band in bands(0.1)][::3] == ["≤ 0.1\u202f%", "10–25\u202f%", "≥ 90\u202f%"]
    assert bounded("density", None, 0.5, str) == "density at most 0.5"


def test_a_row_says_what_its_latent_does(client: TestClient) -> None:
    rows = page(client, f"/latents?sae={SLUG}&sort=index&dense=any").split("<tbody>")[1].split("</tr>")
    said = words(rows[POSITIVE])
    assert "position: context binding: What position says of 0 is yes." in said
    assert "Writes to directions the output layer barely reads." not in said
    assert f"⇄ {NEGATIVE}" in said
    assert rows[POSITIVE].count('<path class="n') == rows[POSITIVE].count('<path class="p own"') == 1
    assert rows[NEGATIVE].count('<path class="n own"') == 1
    assert '<path class="p' not in rows[CONTROL]


def test_columns_without_a_value_are_hidden_until_one_sorts_by_them(client: TestClient) -> None:
    assert 'data-head="max"' not in page(client, "/latents")
    assert 'data-head="max"' in page(client, "/latents?sort=max")
    assert 'data-head="antipodality"' in page(client, "/latents?pair=true")
