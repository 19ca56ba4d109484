"""What is typed becomes words, and words become marks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.search.terms import Part, hits, parse, parts, postgresql_expression, snippet, sqlite_expression
from store.words import words

TYPED = [
    '"',
    '""',
    "*",
    "**",
    "\\",
    "%",
    "_",
    "'",
    "'; drop table search_text; --",
    '" OR "1"="1',
    "AND OR NOT NEAR(",
    "NEAR(a b, 2)",
    "words:whale",
    "-whale ^whale {a b}:c",
    "whale:* & !sea | (",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnorw",
    "👩\u200d👩\u200d👧",
    "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "白鯨",
    "a" * 200,
    '"a b" ' * 16,
    "\x01\x02",
]


@pytest.mark.parametrize("expression", [sqlite_expression, postgresql_expression])
@pytest.mark.parametrize("typed", TYPED)
def test_an_expression_holds_no_more_than_the_words(expression: Callable[..., str], typed: str) -> None:
    terms = parse(typed)
    bare = re.sub(r"AND|<->|:\*|[\"' *&()]", "", expression(terms))
    assert bare == "".join(word for term in terms for word in term.words)
    assert bare.isalnum() or not bare


def test_a_snippet_is_cut_at_words_around_the_first_hit() -> None:
    long = " ".join(f"word{number}" for number in range(200))
    made = snippet(long, hits(list(words(long)), parse("word120")))
    assert made[0] == Part("… ", False)
    assert made[-1] == Part(" …", False)
    assert Part("word120", True) in made
    inner = "".join(part.text for part in made[1:-1])
    assert inner in long
    assert len(inner) <= 240
    assert long[long.index(inner) - 1] == " "


def test_overlapping_hits_are_one_mark() -> None:
    line = "the white whale"
    assert parts(line, hits(list(words(line)), parse('"the white" "white whale"'))) == [Part(line, True)]


def test_a_korean_word_is_found_with_its_particle() -> None:
    line = "서울의 지하철은 아침마다 사람들로 가득하다"
    assert [part.text for part in parts(line, hits(list(words(line)), parse("서울 사람"))) if part.hit] == ["서울의", "사람들로"]
    assert not parse("seoul")[0].prefix
