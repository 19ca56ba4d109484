"""Coloured text: whole characters, whatever a tokenizer makes of them, in the direction they are read."""

from __future__ import annotations

import pytest

from app.shared.scripts import writing
from app.shared.tokens import Paint, Passage, coloured


def passage(tokens: list[str], values: list[float], focus: int | None = None) -> Passage:
    """A text in the colours of latent 7."""
    return Passage("a book", 0, tokens, values, None, focus, Paint(7, scale=8.0))


def test_a_character_of_several_tokens_is_one_cell_with_all_their_activations() -> None:
    found = coloured(passage(["a", "猫", "", "", "b"], [0.0, 1.0, 7.5, 0.0, 2.0], focus=2))
    assert found == ('<bdi>a</bdi><bdi class="b8 focus" data-v="1 7.5 0">猫</bdi><bdi class="b3" data-v="2">b</bdi>')


def test_a_window_that_begins_with_a_rest_shows_it_as_a_cell_of_its_own() -> None:
    assert coloured(passage(["", "b"], [1.0, 0.0])) == '<bdi class="b2" data-v="1"></bdi><bdi>b</bdi>'


def test_markup_in_a_text_stays_text() -> None:
    assert "<script>" not in coloured(passage(["<script>"], [1.0]))


@pytest.mark.parametrize(
    ("text", "lang", "direction"),
    [
        ("The cat sat on the mat.", "", ""),
        ("吾輩は猫である。", "ja", ""),
        ("道可道，非常道。", "zh", ""),
        ("나는 고양이로소이다", "ko", ""),
        ("كان يا ما كان", "und-Arab", "rtl"),
        ("בראשית ברא", "und-Hebr", "rtl"),
        ("Все счастливые семьи", "und-Cyrl", ""),
        ("सारे जहाँ से अच्छा", "und-Deva", ""),
        ("He said 猫 and left the room", "", ""),
        ("", "", ""),
        ("123 … !", "", ""),
    ],
)
def test_the_writing_is_told_from_the_letters(text: str, lang: str, direction: str) -> None:
    assert writing(text) == (lang, direction)
