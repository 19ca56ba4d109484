"""The card of a latent: a picture made on the server, as SVG and PNG."""

from __future__ import annotations

import re
import struct
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from app.cards import card
from app.cards.card import Card, card_svg
from app.cards.picture import own_picture, round_decades, round_steps, signed_picture
from app.latents.plots import signed_info
from app.latents.profiles import Histogram
from app.pairs.queries import find_pair
from app.shared.lettering import cut, lines, width
from tests.app.world import DEAD, HOSTILE, NEGATIVE, POSITIVE, SLUGS, TWIN

SAE = f"/saes/{SLUGS[1]}"
LATENT = f"{SAE}/latents/{POSITIVE}"
SVG = "{http://www.w3.org/2000/svg}"
ODD = [*HOSTILE, "a" * 5_000, "\ud800", "\ufffe\x00"]
HARD = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(ODD)


def written(svg: str) -> list[str]:
    """Texts of a card, without the marks that isolate them."""
    tree = ElementTree.fromstring(svg)
    return [re.sub("[\u2068\u2069]", "", "".join(node.itertext())) for node in tree.iter(f"{SVG}text")]


def test_a_card_says_what_the_page_says(client: TestClient) -> None:
    answer = client.get(f"{LATENT}/card.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    texts = written(answer.text)
    assert f"L1/{POSITIVE}⇄ mirror of {NEGATIVE}" in texts
    assert "Fires on 38.1\u202f%of 60,000 tokens, 95 % interval 36.2–40.0\u202f%" in texts
    assert "Tiny · layer 1 · l1-resid" in texts
    assert "0 on" in texts
    assert "1 on" in texts


def test_a_card_of_a_pair_has_both_colours_and_of_others_one(client: TestClient) -> None:
    fills = {
        index: set(re.findall(r'fill="(#[0-9a-f]{6})"', client.get(f"{SAE}/latents/{index}/card.svg").text))
        & {"#b35806", "#2b62a8"}
        for index in (POSITIVE, NEGATIVE, TWIN, DEAD)
    }
    assert len(fills[POSITIVE]) == len(fills[NEGATIVE]) == 2
    assert fills[TWIN] == {"#b35806"}
    assert fills[DEAD] == set()


def test_a_card_of_a_dead_latent_says_why_there_is_no_picture(client: TestClient) -> None:
    texts = written(client.get(f"{SAE}/latents/{DEAD}/card.svg").text)
    assert "never fired on this text" in texts
    assert any(text.startswith("Never fires") for text in texts)


@settings(deadline=None)
@given(HARD, HARD, HARD)
def test_whatever_a_token_is_the_card_is_xml_of_known_elements_alone(one: str, two: str, three: str) -> None:
    card = Card(one, two, three, one, two, None, three, [(one, 0.5, two), (three, 1.0, one)], "p", f"{two} {three}")
    tree = ElementTree.fromstring(card_svg(card))
    assert {node.tag.removeprefix(SVG) for node in tree.iter()} <= {"svg", "title", "rect", "text", "tspan"}
    assert {name for node in tree.iter() for name in node.attrib if name.startswith("on") or "href" in name} == set()


@settings(deadline=None)
@given(st.text(max_size=60), st.integers(40, 900))
def test_cut_text_keeps_to_its_room_and_says_that_it_is_cut(text: str, room: int) -> None:
    made = cut(text, room, 20)
    assert width(made, 20) <= max(room, width("…", 20))
    assert made == text or (made.endswith("…") and text.startswith(made[:-1].rstrip()))
    assert len(lines(text, room, 20, 2)) <= 2


def test_lines_hold_all_words_where_they_fit() -> None:
    assert lines("one two three", 10_000, 20, 2) == ["one two three"]
    assert lines("aaaa bbbb cccc", width("aaaa bbbb", 20), 20, 3) == ["aaaa bbbb", "cccc"]


def test_the_png_is_of_the_size_that_previews_want_and_holds_letters(client: TestClient) -> None:
    if not card.can_draw():
        pytest.skip("no font to draw letters with: apt-get install fonts-dejavu-core")
    sizes = {}
    for index in (POSITIVE, DEAD):
        answer = client.get(f"{SAE}/latents/{index}/card.png")
        assert answer.headers["content-type"] == "image/png"
        assert answer.content[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", answer.content[16:24]) == (1200, 630)
        sizes[index] = answer.content
    assert sizes[POSITIVE] != sizes[DEAD]


def test_without_a_font_the_png_leads_to_the_svg(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card, "can_draw", lambda: False)
    answer = client.get(f"/saes/{SLUGS[0]}/latents/0/card.png?run=1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "card.svg?run=1")
    assert client.get(f"/saes/{SLUGS[0]}/latents/0/card.png?run=1").headers["content-type"] == "image/svg+xml"


def test_without_the_library_there_is_no_png(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_svg: str) -> bytes:
        raise ImportError

    monkeypatch.setattr(card, "_drawn", absent)
    card.can_draw.cache_clear()
    try:
        assert card.png_of("<svg/>") is None
    finally:
        card.can_draw.cache_clear()


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_an_unchanged_card_is_304_and_an_unknown_one_404(client: TestClient, kind: str) -> None:
    tag = client.get(f"{LATENT}/card.{kind}").headers["etag"]
    assert client.get(f"{LATENT}/card.{kind}", headers={"If-None-Match": tag}).status_code == 304
    for path in (f"{SAE}/latents/40", f"{SAE}/latents/-1", "/saes/none/such/latents/1"):
        assert client.get(f"{path}/card.{kind}").status_code == 404


def test_a_picture_has_each_pole_on_its_side(session: Session) -> None:
    pair = find_pair(session, 11, POSITIVE, NEGATIVE)
    assert pair
    info = signed_info(pair)
    assert info
    picture = signed_picture(pair, info)
    assert max(bar.left for bar in picture.bars if bar.side == "n") < 0.5
    assert min(bar.left for bar in picture.bars if bar.side == "p") >= 0.5
    assert max(bar.height for bar in picture.bars) == 1
    assert [(tick.at, tick.label) for tick in picture.x if tick.label == "0"] == [(0.5, "0")]


def test_a_picture_of_one_latent_has_logarithmic_places() -> None:
    picture = own_picture(7, Histogram([1.0, 2.0, 4.0, 8.0, 16.0], [0, 100, 10, 1]), "p")
    assert picture
    assert [(bar.left, bar.width) for bar in picture.bars] == [(0.0, 0.3333), (0.3333, 0.3333), (0.6667, 0.3333)]
    first, second, third = (bar.height for bar in picture.bars)
    assert first == 1 > second > third > 0
    assert first - second == pytest.approx(second - third, abs=1e-3)
    assert own_picture(7, Histogram([1.0, 2.0], [0]), "p") is None


@given(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4))
def test_steps_are_few_and_within(low: float, span: float) -> None:
    steps = round_steps(low, low + span)
    assert len(steps) <= 8
    assert all(low - 1e-9 * abs(low) - 1e-9 <= step <= low + span + 1e-9 * abs(low + span) + 1e-9 for step in steps)


@given(st.floats(1e-6, 1e4), st.floats(1.1, 1e8))
def test_decades_are_few_and_within(low: float, factor: float) -> None:
    values = round_decades(low, low * factor)
    assert len(values) <= 8
    assert all(low <= value <= low * factor for value in values)
