"""What was planted is read back."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from analysis.decomposition.decompose import SOURCES, Decomposition
from tests.planted_sources import Text, text, unit
from tests.seeds import seeds

each_seed = seeds(5)
POINT = 0.01
PLANTED = ("mixture", "other documents", "word of other documents", "noise", "8 tokens", "64 tokens")


class World(NamedTuple):
    """A text, and what is found of each planted signal."""

    text: Text
    found: Decomposition

    def added(self, signal: str, *names: str) -> float:
        """What these sources add, of one signal."""
        return float(sum(self.found.added.share[SOURCES.index(name), PLANTED.index(signal)] for name in names))


@cache
def world(seed: int) -> World:
    """All signals of one text at once: the design is made once."""
    made = text(seed)
    word = (made.of_type(rare=False) + made.of_type(rare=True)) * 0.2**0.5
    norm = unit(made.norm.log()[:, None])
    signals = [
        word + 0.3**0.5 * unit(made.slow(1000)) + 0.2**0.5 * norm + 0.1**0.5 * made.noise(),
        shuffled(made, norm + made.slow(20)),
        shuffled(made, word),
        made.noise(),
        made.slow(8) + 0.5 * made.noise(),
        made.slow(64) + 0.5 * made.noise(),
    ]
    return World(made, made.decomposed(torch.cat(signals, 1)))


def shuffled(made: Text, signals: Tensor) -> Tensor:
    """Every document gets the signals of another one."""
    documents = signals.view(len(made.sample.document) // 2, -1, signals.shape[1])
    return documents[torch.randperm(len(documents), generator=made.random)].flatten(0, 1)


@each_seed
def test_four_tenths_word_three_state_two_norm_one_noise(seed: int) -> None:
    made = world(seed)
    assert made.added("mixture", "word") == pytest.approx(0.4, abs=3 * POINT)
    assert made.added("mixture", "past", "context", "document") == pytest.approx(0.3, abs=3 * POINT)
    assert made.added("mixture", "norm") == pytest.approx(0.2, abs=3 * POINT)
    assert made.added("mixture", "previous", "position", "shape") == pytest.approx(0, abs=POINT)
    assert float(made.found.total.share[0]) == pytest.approx(0.9, abs=3 * POINT)
    assert made.found.together.average[:, 0].tolist() == pytest.approx([0.4, 0, 0, 0.2, 0.3], abs=3 * POINT)


@each_seed
def test_signals_of_other_documents_are_followed_by_nothing_of_the_text(seed: int) -> None:
    made = world(seed)
    text_only = [SOURCES.index(name) for name in ("word", "previous", "position", "shape", "norm")]
    others = [PLANTED.index(name) for name in ("other documents", "word of other documents")]
    assert made.found.added.share[text_only][:, others].abs().max() < POINT
    assert made.found.alone.share[text_only][:, others].abs().max() < POINT


@each_seed
def test_noise_is_followed_by_nothing(seed: int) -> None:
    made = world(seed)
    assert made.found.added.share[:, PLANTED.index("noise")].abs().max() < POINT
    assert made.found.total.share[PLANTED.index("noise")].abs() < POINT


@each_seed
@pytest.mark.parametrize("tokens", [8, 64])
def test_how_long_a_state_lasts_is_said_in_tokens(seed: int, tokens: int) -> None:
    """Not how far back the mean looks that predicts it best: that is 2 tokens of both."""
    made = world(seed)
    assert tokens / 1.6 < float(made.found.half_life[PLANTED.index(f"{tokens} tokens")]) < tokens * 1.6
    assert made.added(f"{tokens} tokens", "past") > 0.25


@each_seed
def test_rare_words_give_the_norm_nothing(seed: int) -> None:
    """The norm goes with the word: means of types, which know nothing of a type seen once, would leave that to it."""
    made = text(seed)
    word = made.of_type(rare=True) + made.rare[:, None]
    norm = torch.exp(word[:, 0] / 3 + 0.1 * made.noise()[:, 0])
    found = made.decomposed(word, norm)
    place = SOURCES.index("norm")
    assert float(found.alone.share[place]) > 0.3
    assert float(found.added.share[place]) == pytest.approx(0, abs=POINT)
    assert float(found.added.share[0]) > 0.95
    blind = made.without_embeddings().decomposed(word, norm)
    assert float(blind.added.share[place]) > 10 * POINT


@each_seed
def test_sources_that_go_together_are_said_to_be_so(seed: int) -> None:
    made = text(seed)
    word = made.of_type(rare=False)
    state = made.slow(1000)
    found = made.decomposed(torch.cat([word + 0.5 * made.noise(), state + word], 1), torch.exp(word[:, 0]))
    alike = found.together.alike
    norm, past = SOURCES.index("norm"), SOURCES.index("past")
    assert alike[0, norm].tolist() == alike[norm, 0].tolist() == [True, True]
    part = made.decomposed(word + made.of_type(rare=True), torch.exp(word[:, 0]))  # the norm knows half of the word
    assert not part.together.alike.any()
    assert found.alone.share[norm].min() > 0.3
    assert found.added.share[norm].abs().max() < POINT
    assert not alike[0, past].any()


def test_intervals_cover() -> None:
    """Of 120 signals alike on one text, the share that each has on average."""
    made = text(11)
    signals = torch.cat([made.of_type(rare=False) + made.slow(60) + made.noise() for _ in range(120)], 1)
    found = made.decomposed(signals)
    past = SOURCES.index("past")
    for share, low, high in (found.total, [part[past] for part in found.added]):
        truth = share.mean()
        assert 0.2 < truth < 0.8
        assert 0.88 <= float(((low < truth) & (truth < high)).double().mean()) <= 0.99


@pytest.mark.parametrize(("documents", "size"), [(1, 1), (1, 30), (2, 3), (7, 5)])
def test_of_a_text_however_short_a_design_is_made(documents: int, size: int) -> None:
    made = text(0, documents=documents, size=size)
    found = made.decomposed(torch.cat([made.noise(2), torch.zeros(len(made.norm), 1)], 1))
    assert found.added.share.shape == (len(SOURCES), 3)
    assert bool(found.total.share[2].isnan())  # what does not vary has no shares
