"""Sections of a document, their tokens, and where in them paragraphs and sentences start."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from analysis.reading.documents import Document

# where sentences end in scripts that syntok does not know: Chinese and Japanese, Indian, Arabic, Armenian, Burmese
_STOPS = re.compile("[。！？｡।॥؟۔։။][」』）】〉》”’\"'）]*\\s*")
LOOK_BACK = 1_000  # characters before a context in which the beginning of its first sentence is looked for
BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")
_ENDS_BLANK = re.compile(r"\n[ \t]*\n\s*\Z")


@dataclass(frozen=True)
class Section:
    """Characters `begin` to `end` of a document; `number` counts its sections."""

    document: Document
    number: int
    begin: int
    end: int


@dataclass(frozen=True)
class Tokenised:
    """Part of a document as tokens: token i is of its characters `begins[i]` to `ends[i]`.

    Tokens may share a character that several of them make together.
    """

    document: Document
    number: int
    ids: list[int]
    begins: list[int]
    ends: list[int]
    end: int


def pieces(text: str, size: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of pieces of at most `size` characters: bounded memory for a document without a space.

    Each ends with a paragraph if one ends in its second half, else with a line, sentence or word.
    """
    start = 0
    while start < len(text):
        stop = start + size
        if stop < len(text):
            stop = _good_end(text, start + size // 2, stop)
        yield start, stop
        start = stop


def _good_end(text: str, first: int, last: int) -> int:
    for mark, keep in (("\n\n", 2), ("\n", 1), (". ", 1), (" ", 0)):
        place = text.rfind(mark, first, last)
        if place >= 0:
            return place + keep
    return last


def paragraph_starts(tokenised: Tokenised) -> list[int]:
    """Characters of this section where a paragraph is known to start; none in a text without a blank line."""
    text, begin = tokenised.document.text, tokenised.begins[0] if tokenised.begins else 0
    if not BLANK_LINE.search(text):
        return []
    first = [begin] if not text[:begin].strip() or _ENDS_BLANK.search(text, max(0, begin - 200), begin) else []
    ends = (match.end() for match in BLANK_LINE.finditer(text, begin, tokenised.end))
    return [*first, *(end for end in ends if end < tokenised.end)]


def sentence_starts(tokenised: Tokenised, start: int, stop: int) -> list[int]:
    """Characters of this section where a sentence starts, in reach of the tokens `start` to `stop`.

    The text is taken from 1,000 characters before, and the broken sentence at its beginning is
    dropped; a sentence that begins earlier, or in the section before, leaves its tokens unknown (-1).
    """
    from syntok import segmenter

    text, begins = tokenised.document.text, tokenised.begins
    begin = max(0, begins[start] - LOOK_BACK)
    end = begins[stop] if stop < len(begins) else tokenised.end
    stretch = text[begin:end]
    found = {
        begin + sentence[0].offset
        for paragraph in segmenter.analyze(stretch)  # process() joins words and counts from each paragraph
        for sentence in paragraph
        if sentence
    }
    found |= {begin + stop.end() for stop in _STOPS.finditer(stretch) if stop.end() < len(stretch)}
    known = sorted(found)[begin > 0 :]
    return [place for place in known if place >= begins[0]]


def distances(begins: list[int], starts: list[int], first: int, last: int) -> list[int]:
    """Tokens since the nearest start at or before each token; -1 before the first start.

    A token with a leading space begins one character before the word, so a start belongs to the
    last token that begins at or before it; of several that make one character, to the first of them.
    """
    nearest = {max(0, bisect.bisect_right(begins, start) - 1) for start in starts}
    tokens = sorted({bisect.bisect_left(begins, begins[token]) for token in nearest})
    places = [bisect.bisect_right(tokens, number) - 1 for number in range(first, last)]
    numbers = zip(range(first, last), places, strict=True)
    return [number - tokens[place] if place >= 0 else -1 for number, place in numbers]


def cut(text: str, begins: list[int], ends: list[int]) -> list[str]:
    """The text of each token in turn: joined, they are the text from the first to the last.

    A character that several tokens make together stands at the first of them; the others, which only end what
    it began, are empty. What stands between two tokens (a space that a tokenizer leaves out) goes with the second.
    """
    stops = accumulate(ends, max, initial=begins[0] if begins else 0)
    return [text[begin:end] for begin, end in pairwise(stops)]
