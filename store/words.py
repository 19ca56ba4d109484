"""Text -> the words that search knows it by: one cutting for the index, for what is asked and for what is marked.

Cut and folded here and not by the database, SQLite and PostgreSQL find the same, and a page marks exactly what
matched. The cost is a folded copy of the words in the store.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

LONGEST = 40
"""Characters of a word that count; PostgreSQL refuses to look for words beyond 2,046 bytes."""
GAP = "\ua66e"
"""The word between two tokens of a list, so that no phrase spans them. No text is cut into it."""
_CODE = "\ua66d"  # before the number of a sign: to both databases a word, to nobody a part of one
_PICTURES = "\u2190-\u21ff\u2300-\u23ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff"
# scripts without spaces: each character is a word, and what is asked in them is a phrase
_SINGLE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SINGLE += "\U00020000-\U0003ffff"
_ACCENTS = re.compile("[\u0300-\u036f]+")


class Word(NamedTuple):
    """A word as it is compared, and where it stands in its text."""

    text: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """Letters and digits by words, without case and accents; a picture or an arrow is a word by itself."""
    for match in _pattern().finditer(text):
        folded = _fold(match[0])
        if folded:
            yield Word(folded, match.start(), match.end())


def words_of_token(token: str) -> list[Word]:
    """Those of a token; of one without letters and digits, each sign is a word."""
    return list(words(token)) or signs(token)


def signs(text: str) -> list[Word]:
    """Each character that is no space, as a word."""
    return [Word(_coded(letter), at, at + 1) for at, letter in enumerate(text) if not letter.isspace()]


def joined(text: str) -> str:
    """The words of running text, as the index holds them."""
    return " ".join(filter(None, map(_fold, _pattern().findall(text))))


def joined_tokens(tokens: list[str]) -> str:
    """The words of a list of tokens, as the index holds them."""
    return f" {GAP} ".join(filter(None, map(_of_token, tokens)))


@lru_cache(maxsize=1 << 16)
def _of_token(token: str) -> str:
    """A store names the same few thousand tokens again and again."""
    return " ".join(word.text for word in words_of_token(token))


@cache
def _pattern() -> re.Pattern[str]:
    marks = "".join(chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code))[0] == "M")
    letter = rf"[^\W_{_SINGLE}{GAP}{_CODE}]"
    return re.compile(rf"[{_PICTURES}]|[{_SINGLE}][{marks}]*|{letter}(?:{letter}|[{marks}])*")


@lru_cache(maxsize=1 << 16)
def _fold(word: str) -> str:
    if word.isascii():
        return word[:LONGEST].lower()
    if len(word) == 1 and unicodedata.category(word)[0] == "S":
        return _coded(word)
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", word.casefold())).lower()
    kept = (letter for letter in bare if letter.isalnum() or unicodedata.category(letter)[0] == "M")
    return unicodedata.normalize("NFC", "".join(kept))[:LONGEST]


def _coded(sign: str) -> str:
    return f"{_CODE}{ord(sign):x}"
