"""Alphabet: a letter latent is found through spaces and capitals; a random one and an early layer are not."""

from __future__ import annotations

import string

import pytest
import torch
from scipy import stats

from analysis.classes import alphabet
from analysis.classes.base import Finding, Lens
from tests.planted import text_world
from tests.planted_classes import D, evidence, labels, plain_lens, said, sample_of
from tests.seeds import seeds

each_seed = seeds(5)
SAMPLE = sample_of(text_world(0, 2, 4))


def words(seed: int) -> list[str]:
    """6,000 tokens: with and without a leading space, capital or not, some without a letter."""
    random = torch.Generator().manual_seed(seed)
    made = []
    for number in range(6000):
        letter = string.ascii_lowercase[int(torch.randint(0, 26, (1,), generator=random))]
        form = number % 5
        made.append(
            (
                f"{letter}{number}x",
                f" {letter}{number}",
                f"▁{letter.upper()}{number}",
                f" {letter.upper()}ab",
                f"{number}.",
            )[form]
        )
    return made


def lens_with_letter(seed: int, letter: str, strength: float = 4.0) -> Lens:
    """Direction 0 of the unembedding promotes the letter's tokens, direction 1 suppresses them."""
    names = words(seed)
    lens = plain_lens(seed, names)
    mine = torch.tensor([alphabet.first_letter(name) == letter for name in names])
    table = lens.unembedding.clone()
    table[:2] = 0.1 * table[:2]
    table[0, mine] += strength * torch.rand(int(mine.sum()), generator=torch.Generator().manual_seed(seed)).clamp(
        min=0.2
    )
    table[1, mine] -= strength
    return lens._replace(unembedding=table)


def judged(lens: Lens, layer: int = 3, latents: int = 4) -> list[Finding]:
    values = torch.randn(len(SAMPLE.token), latents, generator=torch.Generator().manual_seed(0))
    made = evidence(SAMPLE, values)
    directions = torch.cat([torch.eye(D)[:latents], made.signals.directions[latents:]])
    return alphabet.judge(
        evidence(SAMPLE, values, signals=made.signals._replace(directions=directions), lens=lens, layer=layer)
    )


@each_seed
def test_a_letter_latent_is_found_on_either_side(seed: int) -> None:
    found = judged(lens_with_letter(seed, "s"))
    assert labels(found) == ["yes", "yes", "no", "no"]
    assert (found[0].data["letter"], found[0].data["side"]) == ("s", "promoted")
    assert (found[1].data["letter"], found[1].data["side"]) == ("s", "suppressed")
    assert found[0].q < 1e-10
    assert found[0].data["lift"] > 10
    assert "begin with “s”" in said("alphabet", found[0])


@each_seed
def test_a_share_far_beyond_chance_is_said_and_is_no_label(seed: int) -> None:
    names = words(seed)
    lens = lens_with_letter(seed, "s")
    table = lens.unembedding.clone()
    mine = torch.nonzero(torch.tensor([alphabet.first_letter(name) == "s" for name in names])).flatten()
    others = torch.nonzero(torch.tensor([alphabet.first_letter(name) == "" for name in names])).flatten()
    table[0] = 0
    table[0, mine[:55]] = 5.0
    table[0, others[:45]] = 5.0
    found = judged(lens._replace(unembedding=table))[0]
    assert (found.label, found.statement["code"], found.score) == ("no", "leans", 0.55)
    assert "55 begin with “s”: fewer than the class asks for" in said("alphabet", found)


@each_seed
def test_before_the_last_layers_it_is_computed_but_not_labelled(seed: int) -> None:
    found = judged(lens_with_letter(seed, "s"), layer=1)
    assert found[0].score >= 0.9
    assert found[0].label == "no"
    assert "layers away" in said("alphabet", found[0])
    assert found[0].data["eligible"] is False


@pytest.mark.parametrize(
    ("word", "letter"),
    [
        (" Sea", "s"),
        ("▁sea", "s"),
        ("Ġsea", "ġ"),
        ("'s", "s"),
        ("12", ""),
        (" ", ""),
        ("Über", "ü"),
        ("ß", "s"),
        ("", ""),
    ],
)
def test_first_letters(word: str, letter: str) -> None:
    """Readable tokens have no Ġ: the vocabulary has already turned it into a space."""
    assert alphabet.first_letter(word) == letter


def test_what_stands_for_no_text_is_left_out() -> None:
    """Which tokens those are, the vocabulary says; a letter that only such tokens have is no letter of it."""
    lens = plain_lens(0, [*words(0), "\u00feorn", "sea"])
    lens.sayable[-2] = False
    found = alphabet.letters_of(lens)
    assert found.allowed[-2:].tolist() == [False, True]
    assert float(found.share[found.names.index("\u00fe")]) == 0
    assert float(found.share.sum()) < 1  # some have no letter


def test_the_tail_is_scipys() -> None:
    count, marked = torch.tensor([0.0, 5.0, 31.0, 100.0]), torch.tensor([500.0, 500.0, 4000.0, 90.0])
    found = alphabet.hypergeometric_tail(count, 40_000, marked, 100)
    true = [stats.hypergeom(40_000, int(m), 100).sf(int(c) - 1) for c, m in zip(count, marked, strict=True)]
    torch.testing.assert_close(found, torch.tensor(true, dtype=torch.float64), rtol=1e-7, atol=1e-300)


def test_a_small_vocabulary_is_not_measured() -> None:
    assert labels(judged(plain_lens(0, [f"w{n}" for n in range(300)]))) == ["unmeasured"] * 4
