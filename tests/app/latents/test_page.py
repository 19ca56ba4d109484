"""The latent page and the pair page: what comes at once, what comes when it is asked for, and what a visit costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event

from app.latents.page import PARTS
from app.pairs.page import PARTS as PAIR_PARTS
from tests.app.test_pages import Tags, page, spaced, whole, words
from tests.app.world import CONTROL, DEAD, NEGATIVE, POSITIVE, SLUGS, TWIN

SAE = f"/saes/{SLUGS[1]}"
LATENT, PAIR = f"{SAE}/latents/{POSITIVE}", f"{SAE}/pairs/{POSITIVE}/{NEGATIVE}"
PAGES = [*(f"{SAE}/latents/{index}" for index in (POSITIVE, NEGATIVE, TWIN, DEAD, CONTROL, 9)), PAIR]


@pytest.fixture
def queries(application: FastAPI) -> Iterator[list[str]]:
    """What the server asks the database, but for the begin of a transaction and which state it sees."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.extend([statement] * (statement.split()[0] not in {"BEGIN", "PRAGMA"}))

    event.listen(application.state.engine, "before_cursor_execute", note)
    yield seen
    event.remove(application.state.engine, "before_cursor_execute", note)


def places(html: str) -> dict[str, str]:
    """What comes later: the address of each place, by its id."""
    return {given["id"]: given["data-part"] for _tag, given in Tags(html).found if "data-part" in given}


def element(html: str, name: str) -> str:
    """The markup from the element with this id on."""
    found = re.search(rf'<(\w+)[^>]* id="{re.escape(name)}".*', html, re.DOTALL)
    assert found, name
    return found[0]


@pytest.mark.parametrize("path", [f"{SAE}/latents/{NEGATIVE}", PAIR])
def test_a_first_visit_is_few_queries(client: TestClient, queries: list[str], path: str) -> None:
    page(client, LATENT)  # what only a worker writes is read once for all pages
    queries.clear()
    page(client, path)
    assert len(queries) <= 5, queries


@pytest.mark.parametrize("path", PAGES)
def test_each_part_is_found_where_its_place_says(client: TestClient, path: str) -> None:
    html = page(client, path)
    held = places(html)
    for name, address in held.items():
        assert address.startswith(f"{path}/parts/")
        part = page(client, address)
        assert name in {given.get("id") for _tag, given in Tags(part).found}, (name, address)
        assert not places(part), address  # a part is whole
        # without a script the link of the place leads to the same
        link = re.search(r'<a [^>]*href="([^"]+)"', element(html, name))
        assert link
        assert link[1] == f"{address}#{name}"


@pytest.mark.parametrize("path", PAGES)
def test_the_whole_page_has_nothing_to_come_and_loses_nothing(client: TestClient, path: str) -> None:
    html, made = page(client, path), whole(client, path)
    assert not places(made)
    assert page(client, f"{path}/parts/all?run=2") != made  # links keep the run
    headings = [re.findall(r"<h[12][^>]*>(.*?)</h[12]>", text, re.DOTALL) for text in (html, made)]
    assert headings[0] == headings[1]
    for name, address in places(html).items():
        text = spaced(element(page(client, address), name).split("</table>")[0])[:150]
        assert text in spaced(made), name


def test_a_part_says_whose_it_is_and_leads_back(client: TestClient) -> None:
    for name, (words_of, _maker) in PARTS.makers.items():
        html = page(client, f"{LATENT}/parts/{name}")
        assert f"L1/0: {words_of}" in words(html)
        assert f'href="{LATENT}"' in html
    for name in PAIR_PARTS.makers:
        assert "L1/0 ⇄ L1/1: " in words(page(client, f"{PAIR}/parts/{name}"))


@pytest.mark.parametrize("path", [LATENT, PAIR])
@pytest.mark.parametrize("name", ["nothing", "examples-", "examples-level9", "examples"])
def test_what_is_no_part_is_not_found(client: TestClient, path: str, name: str) -> None:
    answer = client.get(f"{path}/parts/{name}")
    assert answer.status_code == 404
    assert "it has plots" in answer.text


def test_sections_that_are_linked_to_stand_on_the_page(client: TestClient) -> None:
    html = page(client, LATENT)
    for name in ("functions", "effects", "verdict", "annotation", "chain", "labels", "examples-off", "fn-position"):
        assert f'id="{name}"' in html, name


def test_a_part_is_as_fresh_as_its_page(client: TestClient) -> None:
    first = client.get(f"{LATENT}/parts/plots")
    again = client.get(f"{LATENT}/parts/plots", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_a_latent_is_named_by_its_layer_and_index(client: TestClient) -> None:
    html = page(client, LATENT)
    assert f"<title>L1/0 · {SLUGS[1]} · Dense Latents</title>" in html
    assert re.search(r"<h1>L1/0\s", html)
    assert f"<title>L1/0 ⇄ L1/1 · {SLUGS[1]} · Dense Latents</title>" in page(client, PAIR)


def test_it_says_what_fires_with_it_beside_chance(client: TestClient) -> None:
    said = spaced(element(whole(client, LATENT), "company-table").split("</section>")[0])
    assert f"It fires together most with {TWIN}: correlation 0.62, where chance reaches 0.05." in said
    assert "both do on 31.0 %; 12.0 % if they were independent" in said
    rows = re.findall(r"<tr( class=.faint.)?><th", element(whole(client, LATENT), "company-table").split("tbody>")[1])
    assert rows == ["", ' class="faint"', ""]  # what chance reaches is pale
    api = client.get(f"/api/v1{LATENT}").json()["company"]
    assert [each["index"] for each in api["together"]] == [TWIN, CONTROL]
    assert api["apart"][0]["correlation"] == -0.41


def test_of_a_latent_that_nothing_fires_with_no_more_is_said(client: TestClient) -> None:
    said = spaced(element(whole(client, f"{SAE}/latents/{NEGATIVE}"), "company-table"))
    assert "Nothing fires with it more than chance would have it: no correlation is above 0.05." in said
    assert "company" not in {given.get("id") for _tag, given in Tags(whole(client, f"{SAE}/latents/{CONTROL}")).found}
    assert client.get(f"/api/v1{SAE}/latents/{CONTROL}").json()["company"] is None


def test_logit_weights_are_said_beside_random_directions(client: TestClient) -> None:
    html = page(client, LATENT)
    assert (
        "It acts on a few tokens more than a random direction does: over 100 tokens kurtosis 6.50"
        " (random 0.00 to 0.40), skewness +1.25 (random −0.10 to 0.10)." in spaced(html)
    )
    bars = re.search(r'<svg class="logits".*?</svg>', html, re.DOTALL)
    assert bars
    assert bars[0].count("<rect") == 4  # three bins that are not empty, and 0, a quarter of the way
    assert 'class="zero" x="4.0"' in bars[0]
    assert client.get(f"/api/v1{LATENT}").json()["logits"]["counts"] == [10, 80, 0, 10]
    assert "Logit weights" not in spaced(page(client, f"{SAE}/latents/{TWIN}")).split("Tokens", 1)[1]


def test_examples_of_intervals_stand_in_their_order(client: TestClient) -> None:
    html = page(client, f"{SAE}/latents/{CONTROL}")
    labels = [given["data-label"] for _tag, given in Tags(html).found if given.get("id", "").startswith("examples-")]
    intervals = [f"Interval {level} of 3" for level in (3, 2, 1)]
    assert labels == ["Strongest", *intervals, "Random, on", "Random, off"]
    part = page(client, f"{SAE}/latents/{CONTROL}/parts/examples-2of3")
    assert "Interval 2 of 3 equal ones, from 0 to the largest activation." in spaced(part)
