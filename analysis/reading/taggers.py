"""Words of one sentence -> universal part-of-speech tags; English only.

Taggers give Penn Treebank tags, and one mapping takes them to `UNIVERSAL`, so that where two of them
differ the taggers differ and not the mappings. The mapping says what Penn can say, with closed word
lists where Penn is silent:

- AUX is a modal (MD) or a form of *be*; *have* and *do* are VERB always, for Penn does not tell them apart.
- ADP holds subordinating conjunctions and particles too (Penn's IN and RP); CCONJ is CC.
- PART is the infinitive's *to* (TO before a verb), *not*, and the possessive *'s*; *to* elsewhere is ADP.
- PRON holds *who*, *which*, *there is* and *something* (a noun to Penn); DET holds *this* and *all* everywhere.
- A word without a letter or digit is SYM or PUNCT, whatever the tagger says.

Choice: TextBlob's tagger looks each word up and guesses the unknown ones by their endings. Its rules of
context are left out, as TextBlob itself leaves them out: they cost twenty times the time and lose a
hundredth of the accuracy on Brown. Cost: *act* is a noun in "to act" as well.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Protocol

UNIVERSAL = (
    *("NOUN", "PROPN", "VERB", "AUX", "ADJ", "ADV", "PRON", "DET"),
    *("ADP", "CCONJ", "PART", "NUM", "INTJ", "PUNCT", "SYM", "X"),
)
CONTENT = ("NOUN", "PROPN", "VERB", "ADJ", "ADV")  # docs/methods.md §9

_PENN = {
    penn: universal
    for universal, tags in {
        "NOUN": "NN NNS",
        "PROPN": "NNP NNPS",
        "VERB": "VB VBD VBG VBN VBP VBZ",
        "AUX": "MD",
        "ADJ": "JJ JJR JJS AFX",
        "ADV": "RB RBR RBS WRB",
        "PRON": "PRP PRP$ WP WP$ WDT EX",
        "DET": "DT PDT",
        "ADP": "IN RP TO",
        "CCONJ": "CC",
        "PART": "POS",
        "NUM": "CD",
        "INTJ": "UH",
    }.items()
    for penn in tags.split()
}
_BE = frozenset(("be", "am", "is", "are", "was", "were", "been", "being", "'m", "'re", "ai"))
_NOT = frozenset(("not", "n't"))
_INDEFINITE = frozenset(
    start + end
    for start in ("some", "any", "every", "no")
    for end in ("body", "one", "thing")
    if start + end != "noone"
)
_SUBJECT = ("PRP", "EX", "WP", "WDT", "WRB")  # what "'s" follows as a verb
_QUOTES = frozenset("`´^¨")  # to Unicode modifier symbols; in a text they are quotes and accents
_SIGNS = frozenset("%#&@*")  # to Unicode punctuation; universal guidelines call them symbols
_ASCII = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "—": "-", "–": "-"})


class Tagger(Protocol):
    """What cuts no words and gives each one a tag."""

    @property
    def name(self) -> str:
        """Name and version, as stored with the run."""

    def tag(self, words: list[str]) -> list[str]:
        """One of `UNIVERSAL` for each word of a sentence."""


class PatternTagger:
    """TextBlob's PatternTagger without its tokenizer, which would lose the places of words; no NLTK data."""

    def __init__(self) -> None:
        english = _english()
        self._parse: Callable[..., list[list[str]]] = english.parser.find_tags
        self._lexicon = dict(english.lexicon.items())  # the original tests for its file at each look-up
        self.name = f"TextBlob {version('textblob')} PatternTagger"

    def tag(self, words: list[str]) -> list[str]:
        """One of `UNIVERSAL` for each word of a sentence."""
        plain = without_typography(words)
        found = self._parse(plain, lexicon=self._lexicon)
        return universal(plain, [tag.split("|")[0] for _word, tag in found])


def _english() -> Any:
    """`textblob.en` without TextBlob's front, which loads NLTK and scipy.stats: a second and a half."""
    if "textblob" in sys.modules:
        return import_module("textblob.en")
    front = ModuleType("textblob")
    front.__path__ = list(find_spec("textblob").submodule_search_locations)  # type: ignore[union-attr,arg-type]
    sys.modules["textblob"] = front
    try:
        return import_module("textblob.en")
    finally:
        del sys.modules["textblob"]


def without_typography(words: Sequence[str]) -> list[str]:
    """Quotes and dashes as lexicons have them."""
    return [word.translate(_ASCII) for word in words]


def universal(words: Sequence[str], penn: Sequence[str]) -> list[str]:
    """The words' tags in `UNIVERSAL`, given their Penn Treebank tags."""
    after = [*penn[1:], ""] if penn else []
    before = ["", *penn[:-1]]
    return [_one(*given) for given in zip(words, penn, before, after, strict=False)]


def _one(word: str, penn: str, before: str, after: str) -> str:
    if not any(character.isalnum() for character in word):
        return "SYM" if all(map(_is_symbol, word)) else "PUNCT"
    low = word.lower()
    if low in _NOT:
        return "PART"
    if low in _BE or (low == "'s" and before in _SUBJECT):
        return "AUX"
    if low in _INDEFINITE:
        return "PRON"
    if penn == "TO":
        return "PART" if after in ("VB", "VBP") else "ADP"
    return _PENN.get(penn, "X")


def _is_symbol(character: str) -> bool:
    return character in _SIGNS or (unicodedata.category(character)[0] == "S" and character not in _QUOTES)
