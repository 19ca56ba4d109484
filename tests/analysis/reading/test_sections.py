"""Tokens as spans of their document: joined they are the text, and no character is lost or cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.reading.documents import Document
from analysis.reading.sections import Tokenised, cut, distances, sentence_starts
from tests.analysis.tiny_models import tiny_tokenizer

LANGUAGES = {
    "Japanese": "吾輩は猫である。名前はまだ無い。",
    "Chinese": "道可道，非常道。名可名，非常名。",
    "Korean": "나랏말싸미 듕귁에 달아",
    "Arabic": "كان يا ما كان في قديم الزمان",
    "Hebrew": "בראשית ברא אלהים את השמים",
    "Hindi": "सारे जहाँ से अच्छा हिन्दोस्ताँ हमारा",
    "Thai": "ในน้ำมีปลา ในนามีข้าว",
    "Russian": "Все счастливые семьи похожи друг на друга",
    "Greek": "Μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος",
    "Emoji": "👩‍🚀 went 🚀🚀 to the 🌕, e\u0301te\u0301",
}


def encoded(text: str) -> Any:
    """By a byte-level tokenizer that knows few of these characters."""
    tokenizer: Any = tiny_tokenizer()
    return tokenizer._tokenizer.encode(text, add_special_tokens=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_character_is_lost_in_any_language(language: str) -> None:
    text = LANGUAGES[language]
    found = encoded(text)
    pieces = cut(text, [begin for begin, _ in found.offsets], [end for _, end in found.offsets])
    assert len(pieces) == len(found.ids)
    assert "".join(pieces) == text
    assert "" in pieces, "the case this is about: a character of several tokens"


@given(st.text(max_size=60))
def test_tokens_joined_are_the_text(text: str) -> None:
    found = encoded(text)
    pieces = cut(text, [begin for begin, _ in found.offsets], [end for _, end in found.offsets])
    assert "".join(pieces) == (text if found.ids else "")


def test_a_window_that_begins_within_a_character_shows_it_whole() -> None:
    text = "a猫b"
    assert cut(text, [1, 1, 2], [2, 2, 3]) == ["猫", "", "b"]


def test_a_space_that_a_tokenizer_leaves_out_stays_in_the_text() -> None:
    assert cut("the cat", [0, 4], [3, 7]) == ["the", " cat"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("吾輩は猫である。名前はまだ無い。「誰だ！」と言った。", ["吾", "名", "「", "と"]),
        ("道可道，非常道！名可名？非常名。", ["道", "名", "非"]),
        ("कान था। वह गया। फिर आया।", ["क", "व", "फ"]),
        ("The cat sat. It slept.", ["T", "I"]),
    ],
)
def test_sentences_end_where_their_script_ends_them(text: str, sentences: list[str]) -> None:
    found = encoded(text)
    begins, ends = [begin for begin, _ in found.offsets], [end for _, end in found.offsets]
    document = Document(index=0, name="a", text=text, labels={})
    starts = sentence_starts(Tokenised(document, 0, found.ids, begins, ends, len(text)), 0, len(begins))
    assert [text[start] for start in starts] == sentences
    # the first of a character's tokens is where its sentence starts
    counted = distances(begins, starts, 0, len(begins))
    first = [begins[place] for place, distance in enumerate(counted) if distance == 0]
    assert [text[begin:].lstrip()[0] for begin in first] == sentences
