"""Words as search knows them: the same for the index, the question and the mark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.words import GAP, joined, joined_tokens, words, words_of_token


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The White WHALE's 2nd tail", ["the", "white", "whale", "s", "2nd", "tail"]),
        ("Ünter straße naïve ﬁn", ["unter", "strasse", "naive", "fin"]),
        ("e\u0301te\u0301 = été", ["ete", "ete"]),
        ("snake_case, kebab-case", ["snake", "case", "kebab", "case"]),
        ("白鯨を追う", ["白", "鯨", "を", "追", "う"]),
        ("кит Кит", ["кит", "кит"]),
        ("हिन्दी", ["हिन्दी"]),
        (", . ( \u202e\u200d \ufe0f", []),
        (f"{GAP} a", ["a"]),
    ],
)
def test_text_is_cut_into_folded_words(text: str, found: list[str]) -> None:
    assert [word.text for word in words(text)] == found


def test_a_picture_is_a_word_in_any_text_and_a_sign_only_in_a_token_of_signs() -> None:
    assert [(word.start, word.end) for word in words("sea 🐋, sea")] == [(0, 3), (4, 5), (7, 10)]
    assert len(words_of_token(".”")) == 2
    assert [word.text for word in words_of_token(" don't")] == ["don", "t"]
    assert words_of_token(" \n") == []


def test_tokens_of_a_list_are_kept_apart() -> None:
    assert joined_tokens([" white", "\n", " whale"]) == f"white {GAP} whale"


@given(st.text())
def test_whatever_the_text_words_hold_nothing_that_could_be_syntax_and_stand_where_they_say(text: str) -> None:
    end = 0
    for word in words(text):
        assert end <= word.start < word.end <= len(text)
        assert word.text
        assert not set(word.text) & set(" \0\"'*():&|!<>-^{}" + GAP)
        end = word.end
    assert joined(joined(text)) == joined(text) or any(not letter.isascii() for letter in text)
