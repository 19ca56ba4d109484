"""A text is read as a run reads its corpus."""

from __future__ import annotations

import pytest
import torch

from analysis.live.reading import Wanted, read_text
from analysis.live.refusals import Refused
from tests.analysis.conftest import Parts
from tests.live_world import CONTEXT, TEXT, directly, sae_of, tiny

SOME = [0, 3, 5, 22]


def test_activations_are_those_of_the_model_and_the_sae(parts: Parts) -> None:
    saes = [Wanted(sae_of(parts, place), SOME) for place in (0, 1)]
    read = read_text(tiny(parts), CONTEXT, saes, TEXT, 512)
    assert len(read.tokens) > CONTEXT
    for place, found in enumerate(read.activations):
        torch.testing.assert_close(found.T, directly(parts, place, TEXT)[:, SOME], rtol=1e-4, atol=1e-5)
        assert (found != 0).any(), "a text on which nothing fires shows nothing"


def test_a_character_of_several_tokens_stays_whole(parts: Parts) -> None:
    read = read_text(tiny(parts), CONTEXT, [Wanted(sae_of(parts, 0), [0])], "日本語 👩‍👩‍👧 é", 512)
    assert "".join(read.tokens) == "日本語 👩‍👩‍👧 é"
    assert "\ufffd" not in "".join(read.tokens)
    assert "" in read.tokens, "a tokenizer of bytes makes several tokens of one of these"


def test_a_special_token_in_a_text_is_not_counted(parts: Parts) -> None:
    special = tiny(parts).tokenizer.eos_token
    read = read_text(tiny(parts), CONTEXT, [Wanted(sae_of(parts, 0), list(range(24)))], f"the sea{special}the sky", 99)
    place = read.tokens.index(special)
    assert [number for number, counted in enumerate(read.counted) if not counted] == [place]
    assert not read.activations[0][:, place].any()


def test_the_51st_token_of_50_is_refused_with_both_numbers(parts: Parts) -> None:
    with pytest.raises(Refused) as refused:
        read_text(tiny(parts), CONTEXT, [Wanted(sae_of(parts, 0), [0])], TEXT, 50)
    assert refused.value.answer["error"] == "tokens"
    assert refused.value.answer["found"] > refused.value.answer["most"] == 50
