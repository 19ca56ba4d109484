"""Partners, promoted tokens and bias alignment, found blockwise, against all pairs at once in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis.statistics import geometry
from analysis.statistics.geometry import PAIR_CUT, Partners, bias_cosine, partners, promoted_tokens, unit_rows

torch.set_num_threads(1)


def random_rows(seed: int, latents: int, d: int) -> tuple[Tensor, Tensor]:
    """Encoder and decoder rows of random lengths."""
    random = torch.Generator().manual_seed(seed)
    lengths = 0.1 + 10 * torch.rand(2, latents, 1, generator=random)
    encoder, decoder = lengths * torch.randn(2, latents, d, generator=random)
    return encoder, decoder


def all_pairs(encoder: Tensor, decoder: Tensor) -> dict[str, list[float]]:
    """Partner and duplicate of each latent, by a loop over all others."""
    e, d = (rows.double().numpy() / np.linalg.norm(rows.double().numpy(), axis=1, keepdims=True)
            for rows in (encoder, decoder))  # fmt: skip
    found: dict[str, list[float]] = {"partner": [], "score": [], "cos_enc": [], "cos_dec": [], "duplicate_of": []}
    for i in range(len(e)):
        others = [(float(e[i] @ e[j]), float(d[i] @ d[j]), j) for j in range(len(e)) if j != i]
        enc, dec, j = max(others, key=lambda o: (o[0] * o[1], -o[2]))
        same = [o for o in others if o[0] > 0 and o[1] > 0 and o[0] * o[1] >= PAIR_CUT]
        found["partner"].append(j)
        found["score"].append(enc * dec)
        found["cos_enc"].append(enc)
        found["cos_dec"].append(dec)
        found["duplicate_of"].append(max(same, key=lambda o: (o[0] * o[1], -o[2]))[2] if same else -1)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_partners_are_those_of_all_pairs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With mirror images and duplicates across the borders of the blocks."""
    monkeypatch.setattr(geometry, "_BLOCK", 16)
    encoder, decoder = random_rows(seed, 70, 12)
    for one, other, sign in ((3, 40, -1.0), (15, 16, -1.0), (5, 66, 1.0)):
        encoder[other] = 2 * sign * encoder[one] + 0.01 * torch.randn(12)  # exactly parallel ones would tie
        decoder[other] = 3 * sign * decoder[one] + 0.01 * torch.randn(12)
    found, expected = partners(encoder, decoder), all_pairs(encoder, decoder)
    assert found.partner.tolist() == expected["partner"]
    assert found.duplicate_of.tolist() == expected["duplicate_of"]
    for name in ("score", "cos_enc", "cos_dec"):
        np.testing.assert_allclose(getattr(found, name).numpy(), expected[name], atol=1e-6)
    partner = expected["partner"]
    assert found.mutual.tolist() == [partner[int(partner[i])] == i for i in range(70)]
    assert torch.nonzero(found.is_pair).flatten().tolist() == [3, 15, 16, 40]


def test_blocks_of_any_size_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, decoder = random_rows(9, 50, 8)
    found = []
    for block in (1, 7, 49, 50, 51):
        monkeypatch.setattr(geometry, "_BLOCK", block)
        found.append(partners(encoder, decoder))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, two)


def test_the_sign_trap() -> None:
    """Mirrored encoders with equal decoders cancel nothing: the product is -1, and they are no partners."""
    rows = torch.eye(3)
    found = partners(torch.stack([rows[0], -rows[0], rows[1]]), torch.stack([rows[0], rows[0], rows[2]]))
    assert not found.is_pair.any()
    assert found.duplicate_of.tolist() == [-1, -1, -1]
    assert found.partner.tolist()[:2] == [2, 2]


def test_three_equal_latents_are_duplicates_and_never_pairs() -> None:
    rows = torch.tensor([[1.0, 2.0]] * 3)
    found = partners(rows, rows)
    assert found.partner.tolist() == [1, 0, 0]
    assert found.duplicate_of.tolist() == [1, 0, 0]
    assert found.mutual.tolist() == [True, True, False]
    assert not found.is_pair.any()


def no_partner(found: Partners, latent: int) -> bool:
    """Whether everything about it says so."""
    numbers = [float(column[latent]) for column in (found.score, found.cos_enc, found.cos_dec)]
    flags = bool(found.mutual[latent]) or bool(found.is_pair[latent])
    return (
        all(map(math.isnan, numbers))
        and not flags
        and int(found.partner[latent]) == int(found.duplicate_of[latent]) == -1
    )


def test_a_single_latent_has_no_partner() -> None:
    assert no_partner(partners(torch.ones(1, 4), torch.ones(1, 4)), 0)


def test_an_sae_without_an_encoder_has_no_partners() -> None:
    found = partners(torch.zeros(5, 4), torch.randn(5, 4))
    assert all(no_partner(found, latent) for latent in range(5))


def test_a_zero_direction_neither_has_nor_is_a_partner() -> None:
    """All other products are negative here: the zero row's 0 would win, and say nothing."""
    encoder = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 0.0]])
    decoder = torch.tensor([[1.0, 0.0], [-0.8, 0.6], [1.0, 1.0]])
    found = partners(encoder, decoder)
    assert found.partner.tolist() == [1, 0, -1]
    assert no_partner(found, 2)
    assert found.score[:2].tolist() == pytest.approx([-0.64, -0.64])
    alone = partners(encoder[1:], decoder[1:])
    assert no_partner(alone, 0)
    assert no_partner(alone, 1)


@pytest.mark.parametrize("seed", range(5))
def test_random_directions_score_near_chance(seed: int) -> None:
    """docs/methods.md §2: about 0.03 at d = 768 and n = 12k; a sixth of the latents already comes near it."""
    encoder, decoder = random_rows(seed, 2048, 768)
    found = partners(encoder, decoder)
    assert 0.005 < found.score.median() < 0.02
    assert found.score.max() < 0.05
    assert not found.is_pair.any()
    assert (found.duplicate_of == -1).all()


def test_the_bias_cosine_is_the_cosine() -> None:
    _encoder, decoder = random_rows(1, 20, 6)
    bias = torch.arange(6.0) - 2
    expected = torch.nn.functional.cosine_similarity(decoder.double(), bias.double()[None], dim=1)
    torch.testing.assert_close(bias_cosine(decoder, bias), expected, atol=1e-6, rtol=0)
    assert bias_cosine(torch.stack([bias, -3 * bias]), bias).tolist() == pytest.approx([1.0, -1.0])


def test_no_bias_and_no_direction_have_no_cosine() -> None:
    decoder = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    assert bias_cosine(decoder, None).isnan().all()
    assert bias_cosine(decoder, torch.zeros(2)).isnan().all()
    assert bias_cosine(decoder, torch.ones(2)).isnan().tolist() == [True, False]


@pytest.mark.parametrize("seed", range(3))
def test_promoted_tokens_are_those_of_all_logits(seed: int) -> None:
    _encoder, decoder = random_rows(seed, 600, 10)  # more than one block of 512
    unembedding = torch.randn(10, 37, generator=torch.Generator().manual_seed(seed))
    allowed = torch.arange(37) % 5 != 0
    found = promoted_tokens(decoder, unembedding, allowed, k=4)
    logits = unit_rows(decoder).double() @ unembedding.double()
    logits -= logits[:, allowed].mean(1, keepdim=True)
    for latent in range(600):
        ids = [n for n in range(37) if allowed[n]]
        up = sorted(ids, key=lambda n: -float(logits[latent, n]))[:4]
        down = sorted(ids, key=lambda n: float(logits[latent, n]))[:4]
        assert found.promoted[latent].tolist() == up
        assert found.suppressed[latent].tolist() == down
        torch.testing.assert_close(found.promoted_logit[latent].double(), logits[latent, up], atol=1e-5, rtol=0)
        torch.testing.assert_close(found.suppressed_logit[latent].double(), logits[latent, down], atol=1e-5, rtol=0)


def test_a_vocabulary_smaller_than_the_list_gives_all_of_it() -> None:
    found = promoted_tokens(torch.eye(2), torch.eye(2), torch.tensor([True, True]), k=20)
    assert found.promoted.tolist() == [[0, 1], [1, 0]]


def test_zero_rows_stay_zero() -> None:
    assert unit_rows(torch.tensor([[0.0, 0.0], [3.0, 4.0]])).tolist() == [[0.0, 0.0], pytest.approx([0.6, 0.8])]
