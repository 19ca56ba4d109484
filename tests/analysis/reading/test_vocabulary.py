"""Token ids become strings that people read, whatever the tokenizer calls them inside."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from analysis.reading.vocabulary import byte_alphabet, sayable, special_ids, token_strings
from tests.analysis.tiny_models import VOCAB, tiny_tokenizer

_FAST: Any = PreTrainedTokenizerFast


def words(vocabulary: dict[str, int], size: int, unknown: str = "<unk>") -> list[str]:
    """The strings of a tokenizer with this vocabulary."""
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    return token_strings(_FAST(tokenizer_object=tokenizer, unk_token=unknown), size)


def test_every_byte_has_its_character() -> None:
    table = byte_alphabet()
    assert sorted(table.values()) == list(range(256))
    assert (table["A"], table["Ġ"], table["Ċ"]) == (65, 32, 10)


def test_byte_level_tokens_are_what_the_tokenizer_decodes() -> None:
    """Spaces, line ends, and characters that need two tokens."""
    tokenizer: Any = tiny_tokenizer()
    found = token_strings(tokenizer, VOCAB)
    assert len(found) == VOCAB
    for text in ("The cat sat on\n\tthe mat.", " leading"):
        ids = tokenizer(text)["input_ids"]
        strings = [found[token] for token in ids]
        assert strings == [tokenizer.decode([token]) for token in ids]
    assert found[0] == "<pad>"
    assert " the" in found
    assert "<0xE3>" in found
    assert not any("\ufffd" in word for word in found)


def test_sentencepiece_marks_become_spaces_and_bytes() -> None:
    found = words({"<unk>": 0, "▁the": 1, "ing": 2, "<0x0A>": 3, "<0xE2>": 4, "a▁b": 5}, 6)
    assert found == ["<unk>", " the", "ing", "\n", "<0xE2>", "a b"]


def test_padding_of_the_embedding_is_empty() -> None:
    assert words({"<unk>": 0, "a": 1}, 4) == ["<unk>", "a", "", ""]


def test_a_hole_in_the_vocabulary_is_empty() -> None:
    assert words({"<unk>": 0, "a": 1, "c": 3}, 4) == ["<unk>", "a", "", "c"]


@pytest.mark.parametrize("size", [1, 3, 200])
def test_there_is_one_string_an_id(size: int) -> None:
    assert len(token_strings(tiny_tokenizer(), size)) == size


def test_only_what_stands_for_text_can_be_said() -> None:
    """Special tokens, parts of characters, places kept for later and holes are not; markup that is text is."""
    vocabulary = {
        "<unk>": 0, "▁the": 1, "<0xE2>": 2, "<0x0A>": 3, "<unused12>": 4, "<|reserved_special_token_3|>": 5,
        "[unused7]": 6, "<table>": 7, "reserved": 8, "日本": 9, "<turn>": 11, "[_unused 3]": 12,
        "▁<|end|of|>": 13, "\ufffd": 14, "<br>": 15, "▁": 16,
    }  # fmt: skip
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer = _FAST(tokenizer_object=made, unk_token="<unk>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<turn>"]})
    said = [number for number, yes in enumerate(sayable(tokenizer, 18)) if yes]
    assert said == [1, 3, 7, 8, 9, 15, 16]
    assert special_ids(tokenizer) == {0, 11}


def test_parts_of_characters_are_told_in_a_byte_level_vocabulary() -> None:
    tokenizer: Any = tiny_tokenizer()
    found, said = token_strings(tokenizer, VOCAB), sayable(tokenizer, VOCAB)
    assert not any(yes for word, yes in zip(found, said, strict=True) if "<0x" in word)
    assert said[found.index(" the")]
