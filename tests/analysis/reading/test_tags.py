"""Tags: every token has the tag of the word that holds its first letter, however tokens and words are cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import UserError
from analysis.reading.batches import Sample
from analysis.reading.documents import Document
from analysis.reading.taggers import PatternTagger, Tagger, universal
from analysis.reading.tags import CONTENT, UNIVERSAL, Tags, Word, sentences, tag_sample
from tests.tag_agreement import SPACY_MODELS, SpacyTagger, agreement, brown, coarse, content, indices

# documents are cleaned of controls before anything sees them
TEXT = st.characters(exclude_categories=["Cc", "Cs"])
ENGLISH = (
    "I don't know what the old captain saw; it was the well-known whale. "
    'He said, "She sails to London," and they were not there when Ishmael came to sleep.'
)
FRENCH = (
    "Ce matin-là, le capitaine regardait la mer sans rien dire à personne. Les marins, assis sur le pont, "
    "attendaient depuis longtemps que le vent se lève enfin et les emporte vers les îles."
)
GERMAN = (
    "Der alte Kapitän stand in der Nacht am Ruder, und die See war so still, dass man in der Ferne die Glocken "
    "hören konnte. Was wollte er hier? Niemand an Bord wusste es."
)
DUTCH = (
    "De oude kapitein stond in de nacht aan het roer en de zee was zo stil dat men in de verte de klokken kon "
    "horen. Wat wilde hij hier over en weer? Niemand aan boord wist of we er al waren."
)
SPANISH = (
    "El viejo capitán miraba el mar sin decir nada a nadie. Los marineros esperaban que el viento se levantara "
    "y los llevara hasta las islas, como todos los años."
)
CHINESE = "老船长站在船头，望着大海，一句话也没有说。水手们等着风起。"


@pytest.fixture(scope="module")
def tagger() -> PatternTagger:
    return PatternTagger()


class ByLetter:
    """Tags that a test can predict: by the number of letters."""

    name = "by letter"

    def tag(self, words: list[str]) -> list[str]:
        return [UNIVERSAL[len(word) % len(UNIVERSAL)] for word in words]


def sample(*contexts: tuple[int, list[int]]) -> Sample:
    """A sample of contexts: document, and where its tokens begin."""
    begins = [begin for _document, own in contexts for begin in own]
    of = [number for number, (_document, own) in enumerate(contexts) for _ in own]
    zero = torch.zeros(len(begins), dtype=torch.int64)
    documents = torch.tensor([document for document, _own in contexts], dtype=torch.int64)
    at = torch.tensor(begins, dtype=torch.int64)
    return Sample(
        zero, torch.tensor(of, dtype=torch.int64), zero, zero, zero, at, documents, torch.zeros_like(documents)
    )


def document(text: str, index: int = 0) -> dict[int, Document]:
    return {index: Document(index, "text", text, {})}


def begins_of(*tokens: str) -> list[int]:
    """Where tokens begin that follow each other."""
    places = [0]
    for token in tokens[:-1]:
        places.append(places[-1] + len(token))
    return places


def tagged(tagger: Tagger, *tokens: str) -> list[str]:
    """Tags of tokens that are a text; "-" where no word covers one."""
    found = tag_sample(sample((0, begins_of(*tokens))), document("".join(tokens)), tagger)
    assert found.reason is None
    return names(found)


def names(tags: Tags) -> list[str]:
    return [UNIVERSAL[value] if value >= 0 else "-" for value in tags.values.tolist()]


def test_a_leading_space_belongs_to_its_word(tagger: PatternTagger) -> None:
    assert tagged(tagger, "The", " old", " captain", " was", " here", ".") == (
        ["DET", "ADJ", "NOUN", "AUX", "ADV", "PUNCT"]
    )


def test_sub_tokens_share_their_words_tag(tagger: PatternTagger) -> None:
    assert tagged(tagger, "The", " cap", "t", "ain", " s", "aw", " Is", "hm", "ael", " and", " the", " sea") == (
        ["DET", "NOUN", "NOUN", "NOUN", "VERB", "VERB", "PROPN", "PROPN", "PROPN", "CCONJ", "DET", "NOUN"]
    )


def test_a_token_of_two_words_has_the_first_ones_tag(tagger: PatternTagger) -> None:
    assert tagged(tagger, "The sea", " was old", '."') == ["DET", "AUX", "PUNCT"]


@pytest.mark.parametrize("apostrophe", ["'", "’"])
def test_contractions_are_two_words(tagger: PatternTagger, apostrophe: str) -> None:
    tokens = ["They", " do", f"n{apostrophe}t", " know", " the", " captain", f"{apostrophe}s", " sea"]
    assert tagged(tagger, *tokens) == ["PRON", "VERB", "PART", "VERB", "DET", "NOUN", "PART", "NOUN"]
    assert tagged(tagger, "It", f"{apostrophe}s", " the", " sea") == ["PRON", "AUX", "DET", "NOUN"]


@pytest.mark.parametrize("dash", ["—", "--", " – ", "…", "..."])
def test_a_dash_without_spaces_parts_words(tagger: PatternTagger, dash: str) -> None:
    assert tagged(tagger, "the", " sea", dash, "the", " captain") == ["DET", "NOUN", "PUNCT", "DET", "NOUN"]


def test_marks_and_signs(tagger: PatternTagger) -> None:
    tokens = ["The", " price", " (", "$", "5", ".", "20", "),", " of", " the", " “", "sea", "”", " 😀", "!"]
    assert " ".join(tagged(tagger, *tokens)) == (
        "DET NOUN PUNCT SYM NUM NUM NUM PUNCT ADP DET PUNCT NOUN PUNCT SYM PUNCT"
    )


def test_white_space_has_no_tag(tagger: PatternTagger) -> None:
    assert tagged(tagger, "The", " sea", "\n\n", "  ", "The", " captain", " ") == (
        ["DET", "NOUN", "-", "-", "DET", "NOUN", "-"]
    )


def test_tokens_smaller_than_a_character(tagger: PatternTagger) -> None:
    """The bytes of one character all begin at its place, and " sea" may begin at its letter."""
    found = tag_sample(sample((0, [0, 4, 8, 8, 8, 9])), document("The sea 😀!"), tagger)
    assert names(found) == ["DET", "NOUN", "SYM", "SYM", "SYM", "PUNCT"]


def test_a_word_cut_by_the_end_of_a_context_is_seen_whole(tagger: PatternTagger) -> None:
    """ "captain" is cut after "cap", and the second context begins within it."""
    text = "They saw the captain of the ship."
    found = tag_sample(sample((3, [0, 4, 8, 12]), (3, [16, 20, 23, 27, 32])), document(text, 3), tagger)
    assert names(found) == ["PRON", "VERB", "DET", "NOUN", "NOUN", "ADP", "DET", "NOUN", "PUNCT"]


def test_contexts_are_tagged_where_they_lie(tagger: PatternTagger) -> None:
    """Far into a document, and contexts of different documents one after the other."""
    long = "The sea was old. " * 500 + "They saw Ishmael."
    documents = {**document(long, 7), **document("It was the sea", 2)}
    start = long.index("They")
    found = tag_sample(sample((7, [start, start + 4, start + 8]), (2, [0, 2, 6, 10])), documents, tagger)
    assert names(found) == ["PRON", "VERB", "PROPN", "PRON", "AUX", "DET", "NOUN"]


def test_the_first_sentence_is_whole() -> None:
    """The words before the context are given to the tagger, those of other sentences and paragraphs are not."""
    text = "Nobody was there.\n\nOne came. The old captain saw the whale of the sea. And more."
    begin = text.index("saw")
    (only,) = sentences(text, begin, begin + 9)
    assert " ".join(word.text for word in only) == "The old captain saw the whale of the sea ."
    assert all(text.startswith(word.text, word.begin) for word in only)


@pytest.mark.parametrize("text", [FRENCH, GERMAN, DUTCH, SPANISH, CHINESE, "", "123 456 ...", "\n \n"])
def test_what_is_not_english_is_refused(tagger: PatternTagger, text: str) -> None:
    found = tag_sample(sample((0, [0, max(0, len(text) - 3)])), document(text), tagger)
    assert found.reason is not None
    assert found.values.tolist() == [-1, -1]
    assert found.reason["code"] in {"not_english", "no_words"}


def test_an_empty_sample(tagger: PatternTagger) -> None:
    found = tag_sample(sample(), {}, tagger)
    assert (len(found.values), found.reason) == (0, {"code": "no_words"})


def test_english_is_accepted_and_names_its_tagger() -> None:
    found = tag_sample(sample((0, list(range(len(ENGLISH))))), document(ENGLISH))
    assert found.reason is None
    assert found.tagger.startswith("TextBlob 0.")
    assert set(names(found)) >= {"NOUN", "VERB", "PRON", "PUNCT"}


@given(
    words=st.lists(
        st.sampled_from(
            ["the", "of", "sea", "don't", "can’t", "well-known", "a—b", "it's", "5.20", "😀", "U.S.", "(x)"]
        )
        | st.text(TEXT, max_size=8),
        min_size=1,
        max_size=30,
    ),
    cuts=st.sets(st.integers(0, 200)),
    first=st.integers(0, 100),
)
@settings(max_examples=300, deadline=None)
def test_every_token_has_the_tag_of_the_word_with_its_first_letter(
    words: list[str], cuts: set[int], first: int
) -> None:
    text = "the " * 30 + " ".join(words)  # so that it passes for English
    first = min(first, len(text) - 1)
    begins = sorted({first, *(cut for cut in cuts if first <= cut < len(text))})
    tags = tag_sample(sample((0, begins)), document(text), ByLetter())
    assert tags.reason is None
    spoken = [word for sentence in sentences(text, 0, len(text)) for word in sentence]
    ends = [*begins[1:], min(len(text), begins[-1] + 40)]
    for begin, end, tag in zip(begins, ends, names(tags), strict=True):
        letter = next((place for place in range(begin, end) if not text[place].isspace()), None)
        assert tag == _expected(spoken, letter), (text, begin)


def _expected(words: list[Word], letter: int | None) -> str:
    if letter is None:
        return "-"
    holding = [word for word in words if word.begin <= letter < word.begin + len(word.text)]
    return ByLetter().tag([holding[0].text])[0] if holding else "-"


@given(text=st.text(TEXT, max_size=80))
@settings(deadline=None)
def test_words_are_stretches_of_the_text_in_order(text: str) -> None:
    words = [word for sentence in sentences(text, 0, len(text)) for word in sentence]
    assert all(text.startswith(word.text, word.begin) for word in words)
    assert all(a.begin + len(a.text) <= b.begin for a, b in pairwise(words))
    covered = sum(len(word.text) for word in words)
    assert covered == sum(not character.isspace() and character != "\u200b" for character in text)


def test_the_mapping_says_what_penn_can() -> None:
    words = ["There", "was", "something", "to", "do", "and", "he", "'s", "not", "to", "the", "city"]
    penn = ["EX", "VBD", "NN", "TO", "VB", "CC", "PRP", "POS", "RB", "TO", "DT", "NN"]
    assert universal(words, penn) == (
        ["PRON", "AUX", "PRON", "PART", "VERB", "CCONJ", "PRON", "AUX", "PART", "ADP", "DET", "NOUN"]
    )
    assert universal([], []) == []
    assert universal(["qwx"], ["FW"]) == ["X"]
    assert set(CONTENT) < set(UNIVERSAL)


def test_spacy_agrees_on_plain_words(tagger: PatternTagger) -> None:
    if not _has_spacy():
        pytest.skip("spaCy is not installed: pip install -c constraints.txt -e '.[spacy]'")
    spacy = SpacyTagger()
    assert spacy.name.startswith("spaCy 3.")
    assert spacy.tag([]) == []
    words = ["The", "old", "captain", "was", "in", "London", "."]
    assert spacy.tag(words) == tagger.tag(words) == ["DET", "ADJ", "NOUN", "AUX", "ADP", "PROPN", "PUNCT"]


def test_without_spacy_the_error_names_the_extra() -> None:
    if _has_spacy():
        pytest.skip("spaCy is installed")
    with pytest.raises(UserError, match=r"\[spacy\].*en_core_web_sm"):
        SpacyTagger()


def _has_spacy() -> bool:
    from importlib.util import find_spec

    return any(find_spec(name) for name in SPACY_MODELS)


def test_agreement_is_counted_where_both_have_a_label() -> None:
    a = torch.tensor([0, 0, 1, 1, -1, 0])
    b = torch.tensor([0, 1, 1, 1, 0, -1])
    found = agreement(a, b, 2)
    assert found.confusion.tolist() == [[1, 1], [0, 2]]
    assert (found.n, found.accuracy, found.kappa) == (4, 0.75, 0.5)
    assert agreement(a[:0], b[:0], 2).n == 0


def test_coarse_and_content_labels() -> None:
    labels = indices(["PROPN", "AUX", "ADV", "PUNCT"])
    assert coarse(labels).tolist() == indices(["NOUN", "VERB", "ADV", "PUNCT"]).tolist()
    assert content(labels).tolist() == [1, 0, 1, 0]


def test_a_folder_without_brown(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ca01"):
        list(brown(tmp_path))
