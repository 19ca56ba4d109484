"""Latents side by side: what each column says, what is shared, and what an address may name."""

from __future__ import annotations

import html as markup
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from app.compare.fields import ComparePage
from app.compare.page import compare_page, differences
from app.compare.plots import Outline, outline_points
from app.compare.references import Reference, address, reference_of
from app.http.errors import BadFilter
from app.latents.profiles import Histogram
from app.main import create_app
from app.settings import Settings
from app.shared.colours import Stroke
from app.shared.links import UNPINNED
from store.tables import Latent
from tests.app.test_pages import page, spaced, words
from tests.app.world import CONTROL, DEAD, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN

PAIR = f"/compare?a={SLUGS[1]}:{POSITIVE}&b={SLUGS[1]}:{NEGATIVE}"
FOUR = "/compare?" + "&".join(f"{k}={SLUGS[1]}:{i}" for k, i in zip("abcd", (POSITIVE, TWIN, DEAD, 9), strict=True))
RUNS = f"/compare?a={SLUGS[0]}:{POSITIVE}@1&b={SLUGS[0]}:{POSITIVE}@2"


def figure(html: str, name: str) -> Any:
    """The JSON of a figure."""
    found = re.search(rf'id="{name}"[^>]*></div>\s*<script[^>]*>(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found[1])


def made(session: Session, *references: str) -> ComparePage:
    """The page before it is HTML."""
    return compare_page(session, [reference_of(one) for one in references], UNPINNED)


def test_two_latents_stand_in_two_columns_with_their_intervals(client: TestClient) -> None:
    text = spaced(page(client, PAIR))
    assert "38.1 % 36.2–40.0 % 25.0 % 23.8–26.2 %" in text
    assert "0.89 with 1, enc −0.95 · dec −0.94 0.89 with 0" in text


def test_exactly_a_mirror_pair_has_the_poles_colours_and_no_other_choice_has(client: TestClient) -> None:
    colours = [trace["line"]["color"] for trace in figure(page(client, PAIR), "activation")["data"]]
    assert colours == ["--p", "--n"]
    turned = f"/compare?a={SLUGS[1]}:{NEGATIVE}&b={SLUGS[1]}:{POSITIVE}"
    assert [trace["line"]["color"] for trace in figure(page(client, turned), "activation")["data"]] == ["--n", "--p"]
    for other in (FOUR, f"{PAIR}&c={SLUGS[1]}:{TWIN}", f"/compare?a={SLUGS[1]}:{ORIGINAL}&b={SLUGS[1]}:{TWIN}"):
        lines = [trace["line"] for trace in figure(page(client, other), "activation")["data"]]
        assert not {line["color"] for line in lines} & {"--p", "--n"}
        assert len({(line["color"], line["dash"]) for line in lines}) == len(lines) >= 2


def test_histograms_are_shares_of_their_run_so_that_runs_of_other_lengths_compare() -> None:
    histogram = Histogram([1.0, 2.0, 4.0, 8.0, 16.0, 32.0], [0, 30, 0, 10, 0])
    x, y = outline_points(Outline("A", Stroke("--ink", "solid", 1), histogram, 1000), 0.0005)
    assert x == [2.0, 2.0, 4.0, 8.0, 16.0, 16.0]
    assert y == [0.0005, 0.03, 0.0005, 0.01, 0.01, 0.0005]


def test_a_latent_that_never_fired_has_a_column_with_reasons_and_no_line(client: TestClient) -> None:
    html = page(client, FOUR)
    assert len(figure(html, "activation")["data"]) == 3
    assert "never fired on this text" in html
    assert "nan" not in words(html).lower()


def test_positions_lie_on_one_axis_and_who_has_none_is_counted(client: TestClient) -> None:
    html = page(client, f"{PAIR}&c={SLUGS[1]}:{CONTROL}&d={SLUGS[1]}:9")
    names = [
        trace["name"] for trace in figure(html, "position-context-plot")["data"] if trace.get("hoverinfo") != "skip"
    ]
    assert names == [f"A, L1/{POSITIVE}", f"B, L1/{NEGATIVE}", f"C, L1/{CONTROL}"]
    assert "1 of the latents has none." in words(html)


def test_tokens_that_another_list_has_too_are_marked(session: Session) -> None:
    found = made(session, f"{SLUGS[1]}:{POSITIVE}", f"{SLUGS[1]}:{DEAD}", f"{SLUGS[1]}:{TWIN}")
    top, promoted = found.tokens
    assert {item.also for item in top.lists[0].items} == {"C"}
    assert top.lists[1].items == []
    assert {item.also for item in promoted.lists[1].items} == {"A C"}
    assert promoted.words == "10 tokens are in more than one of the 3 lists, of up to 10 tokens each, 10 in all."


def test_bars_of_all_lists_have_one_scale(session: Session) -> None:
    found = made(session, f"{SLUGS[1]}:{POSITIVE}", f"{SLUGS[1]}:{NEGATIVE}")
    assert found.tokens[0].lists[0].items[0].length == 100
    assert [item.length for item in found.tokens[0].lists[1].items] == [
        item.length for item in found.tokens[0].lists[0].items
    ]


def test_one_latent_in_two_runs_shows_its_difference_with_both_intervals(client: TestClient) -> None:
    html = page(client, RUNS)
    text = words(html)
    assert "A, run 1: 38.1 % (36.2–40.0 %); B, run 2: 38.1 % (36.2–40.0 %)." in text
    assert "0.00 points" in text
    assert "The 95 % intervals overlap" in text
    assert f'href="/saes/{SLUGS[0]}/latents/{POSITIVE}?run=1"' in html
    assert text.count("60,000 tokens of") >= 2
    assert "One latent, two runs" not in words(page(client, PAIR))


def changed(latent: Latent, **values: float | None) -> Latent:
    own = {column.name: getattr(latent, column.name) for column in Latent.__table__.columns}
    return Latent(**own | values)


def test_intervals_apart_are_said_to_be_apart(session: Session) -> None:
    found = made(session, f"{SLUGS[0]}:{POSITIVE}@1", f"{SLUGS[0]}:{POSITIVE}@2")
    first, second = found.columns
    moved = replace(second, latent=changed(second.latent, density=0.5, density_low=0.45, density_high=0.55))
    (difference,) = differences([first, moved])
    assert difference.points.startswith("+11.90")
    assert "do not overlap" in difference.words
    unknown = replace(second, latent=changed(second.latent, density_low=None, density_high=None))
    assert "no interval" in differences([first, unknown])[0].words


def test_what_people_say_stands_in_their_column(store: str, tmp_path: Path) -> None:
    path = str(tmp_path / "own.db")
    with closing(sqlite3.connect(store)) as held, closing(sqlite3.connect(path)) as own:
        held.backup(own)
    client = TestClient(create_app(Settings(db=path)), base_url="http://127.0.0.1")
    said = {"name": "Ada <i>", "verdict": "prune", "category": "position", "note": "<b>no</b>, see L1/1"}
    assert client.post(f"/saes/{SLUGS[1]}/latents/{POSITIVE}/annotation", data=said).status_code == 200
    html = page(client, PAIR)
    assert "&lt;b&gt;no&lt;/b&gt;, see" in html
    assert f'<a href="/saes/{SLUGS[1]}/latents/1">L1/1</a>' in html
    assert "Ada &lt;i&gt;" in html
    assert spaced(html).count("nothing yet") == 1


def test_the_form_leads_to_an_address_that_names_all(client: TestClient) -> None:
    asked = {"a": f"{SLUGS[1]}:0", "sae": f"{SLUGS[0]}@1", "index": " 3 ", "run": "2"}
    answer = client.get("/compare", params=asked, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/compare?a={SLUGS[1]}:0&b={SLUGS[0]}:3@1&run=2"
    assert "Compare 2 latents" in words(page(client, answer.headers["location"]))


def test_every_choice_of_the_form_is_a_latent_one_can_see(client: TestClient) -> None:
    values = re.findall(r'<option value="([^"]+)"', page(client, "/compare"))
    assert values == [*SLUGS, f"{SLUGS[0]}@1"]
    for value in values:
        assert "Compare 1 latent" in words(page(client, f"/compare?sae={value}&index=0"))


def test_a_column_can_be_taken_out_and_suggestions_put_in(client: TestClient) -> None:
    html = markup.unescape(page(client, f"{PAIR}&c={SLUGS[1]}:{TWIN}"))
    assert f'href="/compare?a={SLUGS[1]}:{POSITIVE}&b={SLUGS[1]}:{TWIN}"' in html
    (near,) = re.findall(r'href="([^"]+)">near-duplicate', html)
    assert near == f"/compare?a={SLUGS[1]}:0&b={SLUGS[1]}:1&c={SLUGS[1]}:{TWIN}&d={SLUGS[1]}:{ORIGINAL}"
    assert "Add a latent" not in words(page(client, near))


def test_the_same_latent_twice_is_one_column(client: TestClient) -> None:
    assert "Compare 1 latent" in words(page(client, f"/compare?a={SLUGS[1]}:0&b={SLUGS[1]}:0@2"))


def test_the_latent_page_leads_here_with_its_mirror_image(client: TestClient) -> None:
    for index, wanted in ((POSITIVE, PAIR), (TWIN, f"/compare?a={SLUGS[1]}:{TWIN}")):
        html = markup.unescape(page(client, f"/saes/{SLUGS[1]}/latents/{index}"))
        assert f'href="{wanted}"' in html
    pinned = markup.unescape(page(client, f"/saes/{SLUGS[0]}/latents/0?run=1"))
    assert f'href="/compare?a={SLUGS[0]}:0&b={SLUGS[0]}:1&run=1"' in pinned


@pytest.mark.parametrize(
    ("query", "status", "shown"),
    [
        ("a=nothing", 422, "write SLUG:INDEX"),
        ("b=x:-1", 422, "b 'x:-1' names no latent"),
        ("a=x:1:", 422, "names no latent"),
        ("a=x:9999999999", 422, "larger than any"),
        ("a=x:1@9999999999", 422, "larger than any"),
        ("a=x%00y:1", 422, "names no latent"),
        ("a=x:٣", 422, "names no latent"),
        ("a=" + "x" * 300, 422, "a "),
        ("a=none/such:1", 404, SLUGS[0]),
        (f"a={SLUGS[0]}:40", 404, "from 0 to 39"),
        (f"a={SLUGS[1]}:0@1", 404, "is not in run 1"),
        (f"a={SLUGS[0]}:0@3", 404, "is not in run 3"),
        (f"sae={SLUGS[0]}", 422, "give the index"),
        (f"sae={SLUGS[0]}&index=1e3", 422, "'1e3' is no number"),
        ("index=1", 422, "no name of an SAE"),
        (FOUR.partition("?")[2] + f"&sae={SLUGS[0]}&index=1", 422, "4 latents are compared at most"),
    ],
)
def test_what_names_no_latent_is_refused_in_plain_words(
    client: TestClient, query: str, status: int, shown: str
) -> None:
    answer = client.get(f"/compare?{query}", follow_redirects=False)
    assert answer.status_code == status
    assert shown in words(answer.text).replace("&#39;", "'")


def test_what_was_asked_for_is_text(client: TestClient) -> None:
    answer = client.get("/compare", params={"a": "<script>alert(1)</script>"})
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    html = page(client, PAIR)
    assert "<script>alert" not in html
    assert "<img src=x" not in html


@pytest.mark.parametrize("text", ["a:1", "a/b:0@7", "a:b:12", "x@2:3", "ü ".strip() + "/l:2147483647@1"])
def test_an_address_names_what_was_read_from_it(text: str) -> None:
    read = reference_of(text)
    assert str(read) == text
    assert address([read]).startswith("/compare?a=")
    assert reference_of(str(Reference("m/l", 3))) == Reference("m/l", 3)
    with pytest.raises(BadFilter):
        reference_of(f"{text}\n")


def test_an_unchanged_comparison_is_304(client: TestClient) -> None:
    tag = client.get(PAIR).headers["etag"]
    assert client.get(PAIR, headers={"If-None-Match": tag}).status_code == 304
    assert client.get(FOUR, headers={"If-None-Match": tag}).status_code == 200
