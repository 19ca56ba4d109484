"""Universal part-of-speech tags for the tokens of a sample.

A context is cut into sentences and words with syntok, which keeps every word's place, and the words of
each sentence are tagged. A token has the tag of the word that holds its first character that is no
space; sub-tokens of one word share its tag. Tag a whole sample, not one that lost its massive tokens: a
token ends where the next one begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.reading.batches import Sample
from analysis.reading.documents import Document
from analysis.reading.sections import BLANK_LINE, LOOK_BACK
from analysis.reading.taggers import CONTENT, UNIVERSAL, PatternTagger, Tagger
from store.vocabulary import Statement

__all__ = ["CONTENT", "UNIVERSAL", "Tags", "Word", "sentences", "tag_sample"]

_LOOK_AHEAD = 200  # characters after it, so that its last word is whole and has neighbours
_LAST_TOKEN = 40  # characters that the last token of a context may have
_JOINED = re.compile(r"(-{2,}|[—―]+|…+|\.{2,}|(?<!\d)–|–(?!\d))")  # these join words without a space
_SAME = re.compile(r"(.)\1*", re.DOTALL)
_ENGLISH_AT_LEAST = 0.15  # share of function words: .35 to .50 in English prose, below .05 in its neighbours
# frequent, and no frequent words of the neighbouring languages: no "in", "a", "is", "was", "die", "so"
_FUNCTION_WORDS = frozenset(
    (
        *("the", "and", "of", "to", "that", "with", "which", "this", "these", "those", "from", "by", "for", "at"),
        *("as", "or", "not", "but", "if", "when", "than", "then", "there", "into", "upon", "because", "more"),
        *("i", "my", "you", "your", "he", "his", "her", "she", "it", "its", "our", "us", "they", "their", "them"),
        *("who", "what", "are", "were", "been", "have", "has", "had", "will", "would", "could", "should", "shall"),
    )
)


class Word(NamedTuple):
    """A word or mark, and the character of the document at which it begins."""

    text: str
    begin: int


class Tags(NamedTuple):
    """Tags of the n tokens of a sample; `reason` says why there are none."""

    values: Tensor  # [n] int64: index into UNIVERSAL, -1 where no word covers the token
    tagger: str
    reason: Statement | None = None


def tag_sample(sample: Sample, documents: Mapping[int, Document], tagger: Tagger | None = None) -> Tags:
    """Tags of all tokens of a sample.

    Args:
        sample: whole contexts, one after the other.
        documents: those that `sample.document` names.
        tagger: of English words; TextBlob's where None.

    Returns:
        `values` all -1, and a reason, where the sample is plainly not English.
    """
    tagger = tagger or PatternTagger()
    contexts = list(_contexts(sample))
    texts = [documents[int(sample.document[context])].text for context, _begins in contexts]
    found = [
        list(sentences(text, begins[0], _end(text, begins))) for text, (_c, begins) in zip(texts, contexts, strict=True)
    ]
    reason = _not_english(found)
    if reason:
        return Tags(torch.full((len(sample.begin),), -1), tagger.name, reason)
    values = [
        value
        for text, (_c, begins), words in zip(texts, contexts, found, strict=True)
        for value in _aligned(text, begins, words, tagger)
    ]
    return Tags(torch.tensor(values, dtype=torch.int64), tagger.name)


def sentences(text: str, begin: int, end: int) -> Iterator[list[Word]]:
    """Sentences of `text` that reach into the characters `begin` to `end`, whole where they are not too long.

    Raises nothing on any text; every character that is no space is in a word, but for zero-width ones.
    """
    from syntok import segmenter
    from syntok.tokenizer import Tokenizer

    # as the text has them: "not" for "n't" and words without their hyphens would have no places
    tokenizer = Tokenizer(emit_hyphen_or_underscore_sep=True, replace_not_contraction=False)
    for start, paragraph in _paragraphs(text, begin, end):
        for sentence in segmenter.segment(tokenizer.tokenize(paragraph)):
            words = [word for token in sentence for word in _parts(token.value, start + token.offset)]
            if words and words[0].begin < end and words[-1].begin + len(words[-1].text) > begin:
                yield words


def _contexts(sample: Sample) -> Iterator[tuple[int, list[int]]]:
    """(context, begins of its tokens)."""
    numbers, counts = torch.unique_consecutive(sample.context, return_counts=True)
    begins = torch.split(sample.begin, counts.tolist())
    return ((int(number), own.tolist()) for number, own in zip(numbers, begins, strict=True))


def _end(text: str, begins: list[int]) -> int:
    """Character after the context: that after its last token, or after 40 characters of it."""
    last = _first_letter(text, begins[-1], min(len(text), begins[-1] + _LAST_TOKEN))
    place = max(last, begins[-1])
    while place < min(len(text), begins[-1] + _LAST_TOKEN) and not text[place].isspace():
        place += 1
    return place


def _paragraphs(text: str, begin: int, end: int) -> Iterator[tuple[int, str]]:
    """(first character, text) of the paragraphs in reach, the first and last cut off where they go on too long."""
    start, stop = max(0, begin - LOOK_BACK), min(len(text), end + _LOOK_AHEAD)
    for gap in BLANK_LINE.finditer(text, start, stop):
        if gap.end() > begin and gap.start() > start:
            yield start, text[start : gap.start()]
        start = gap.end()
        if start >= end:
            return
    yield start, text[start:stop]


def _parts(value: str, begin: int) -> Iterator[Word]:
    """A word cut at its dashes: "sea—the" and "sea--the" are three; marks cut where they change."""
    parts: Iterable[str] = (value,)
    if _JOINED.search(value):
        parts = _JOINED.split(value)
    elif len(value) > 1 and not any(map(str.isalnum, value)):
        parts = (match[0] for match in _SAME.finditer(value))
    for part in parts:
        if part:
            yield Word(part, begin)
        begin += len(part)


def _not_english(found: list[list[list[Word]]]) -> Statement | None:
    """Why the words are not worth tagging; None where they may be English."""
    words = [word.text.lower() for context in found for sentence in context for word in sentence if word.text.isalpha()]
    if not words:
        return {"code": "no_words"}
    share = sum(word in _FUNCTION_WORDS for word in words) / len(words)
    if share >= _ENGLISH_AT_LEAST:
        return None
    return {"code": "not_english", "share": round(share, 4), "needed": _ENGLISH_AT_LEAST}


def _aligned(text: str, begins: list[int], found: list[list[Word]], tagger: Tagger) -> list[int]:
    """The tag of each token of one context."""
    origin = min([begins[0], *(words[0].begin for words in found)])
    size = max([begins[-1] + _LAST_TOKEN, *(words[-1].begin + len(words[-1].text) for words in found)]) - origin
    owner = [-1] * size
    for words in found:
        for word, tag in zip(words, tagger.tag([word.text for word in words]), strict=True):
            place = word.begin - origin
            owner[place : place + len(word.text)] = [UNIVERSAL.index(tag)] * len(word.text)
    ends = [*begins[1:], min(len(text), begins[-1] + _LAST_TOKEN)]
    # two tokens of one character begin at the same place; both have it
    letters = (_first_letter(text, b, max(e, b + 1)) for b, e in zip(begins, ends, strict=True))
    return [owner[place - origin] if place >= 0 else -1 for place in letters]


def _first_letter(text: str, begin: int, end: int) -> int:
    """First of the characters that is no space; -1 where all are."""
    for place in range(begin, min(end, len(text))):
        if not text[place].isspace():
            return place
    return -1
