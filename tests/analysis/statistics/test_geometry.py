"""Partners, promoted tokens and bias alignment, found blockwise, against all pairs at once in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis.statistics import partner_search
from analysis.statistics.geometry import (
    PAIR_CUT,
    PARTNER_CUT,
    SAME_CUT,
    Partners,
    bias_cosine,
    partners,
    promoted_tokens,
    unit_rows,
)

torch.set_num_threads(1)


def random_rows(seed: int, latents: int, d: int) -> tuple[Tensor, Tensor]:
    """Encoder and decoder rows of random lengths."""
    random = torch.Generator().manual_seed(seed)
    lengths = 0.1 + 10 * torch.rand(2, latents, 1, generator=random)
    encoder, decoder = lengths * torch.randn(2, latents, d, generator=random)
    return encoder, decoder


def all_pairs(encoder: Tensor, decoder: Tensor) -> dict[str, list[float]]:
    """Partner, nearest copy and nearest mirror image of each latent, by a loop over all others."""
    e, d = (rows.double().numpy() / np.linalg.norm(rows.double().numpy(), axis=1, keepdims=True)
            for rows in (encoder, decoder))  # fmt: skip
    names = ("partner", "score", "cos_enc", "cos_dec", "duplicate_of", "duplicate_score", "mirror", "mirror_score")
    found: dict[str, list[float]] = {name: [] for name in names}
    for i in range(len(e)):
        others = [(float(e[i] @ e[j]), float(d[i] @ d[j]), j) for j in range(len(e)) if j != i]
        best, same, mirror = (
            max(some, key=lambda o: (o[0] * o[1], -o[2]), default=(math.nan, math.nan, -1))
            for some in (others, [o for o in others if min(o[:2]) > 0], [o for o in others if max(o[:2]) < 0])
        )
        least = PARTNER_CUT if min(best[:2]) > SAME_CUT else PAIR_CUT
        enc, dec, j = mirror if mirror[0] * mirror[1] >= least else best
        row = (j, enc * dec, enc, dec, same[2] if same[0] * same[1] >= PAIR_CUT else -1, same[0] * same[1],
               mirror[2], mirror[0] * mirror[1])  # fmt: skip
        for name, value in zip(names, row, strict=True):
            found[name].append(value)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_partners_are_those_of_all_pairs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With mirror images and duplicates across the borders of the blocks."""
    monkeypatch.setattr(partner_search, "TILE", 16)
    encoder, decoder = random_rows(seed, 70, 12)
    for one, other, sign in ((3, 40, -1.0), (15, 16, -1.0), (5, 66, 1.0)):
        encoder[other] = 2 * sign * encoder[one] + 0.01 * torch.randn(12)  # exactly parallel ones would tie
        decoder[other] = 3 * sign * decoder[one] + 0.01 * torch.randn(12)
    found, expected = partners(encoder, decoder), all_pairs(encoder, decoder)
    assert found.partner.tolist() == expected["partner"]
    assert found.duplicate_of.tolist() == expected["duplicate_of"]
    assert found.mirror.tolist() == expected["mirror"]
    for name in ("score", "cos_enc", "cos_dec", "mirror_score", "duplicate_score"):
        np.testing.assert_allclose(getattr(found, name).numpy(), expected[name], atol=1e-6)
    partner = expected["partner"]
    assert found.mutual.tolist() == [partner[int(partner[i])] == i for i in range(70)]
    assert torch.nonzero(found.is_pair).flatten().tolist() == [3, 15, 16, 40]


def test_blocks_of_any_size_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, decoder = random_rows(9, 50, 8)
    found = []
    for block in (1, 7, 49, 50, 51):
        monkeypatch.setattr(partner_search, "TILE", block)
        found.append(partners(encoder, decoder))
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, two, equal_nan=True)


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


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_is_no_rival_of_a_mirror_image(seed: int) -> None:
    """docs/methods.md §2: A, a copy of A and -A, in any order, are a pair and a duplicate, not nothing."""
    encoder, decoder = random_rows(seed, 60, 32)
    a, copy, mirror = torch.randperm(60, generator=torch.Generator().manual_seed(seed))[:3].tolist()
    noise = torch.Generator().manual_seed(seed + 100)
    for other, sign, off in ((copy, 1.0, 0.02), (mirror, -1.0, 0.06)):  # the copy is nearer than the mirror image
        for rows in (encoder, decoder):
            own = rows[a] / rows[a].norm()
            rows[other] = 3 * (sign * own + off * torch.randn(32, generator=noise))
    found = partners(encoder, decoder)
    pair = torch.nonzero(found.is_pair).flatten().tolist()
    assert mirror in pair
    assert len(pair) == 2
    assert pair in (sorted([a, mirror]), sorted([copy, mirror]))
    assert found.partner[[a, copy]].tolist() == [mirror, mirror]
    assert found.mirror[[a, copy]].tolist() == [mirror, mirror]
    assert found.duplicate_of[[a, copy, mirror]].tolist() == [copy, a, -1]
    assert (found.duplicate_score[[a, copy]] > found.mirror_score[[a, copy]]).all()
    assert (found.cos_enc[pair] < 0).all()
    assert found.score[a] == found.mirror_score[a]


@pytest.mark.parametrize("seed", range(5))
def test_two_copies_of_each_side_have_one_pair_between_them(seed: int) -> None:
    encoder, decoder = random_rows(seed, 40, 32)
    noise = torch.Generator().manual_seed(seed)
    for rows in (encoder, decoder):
        own = rows[0] / rows[0].norm()
        for other, sign in ((1, 1.0), (2, -1.0), (3, -1.0)):
            rows[other] = sign * own + 0.02 * torch.randn(32, generator=noise)
    found = partners(encoder, decoder)
    assert 2 <= int(found.is_pair.sum()) <= 4
    assert found.is_pair[4:].sum() == 0
    assert set(found.partner[:2].tolist()) <= {2, 3}
    assert set(found.partner[2:4].tolist()) <= {0, 1}
    assert found.duplicate_of[:4].tolist() == [1, 0, 3, 2]


def test_a_weak_mirror_image_displaces_a_copy_and_not_a_neighbour() -> None:
    """Cosines with the first: 0.99 or 0.9 the same way, -0.6 the other way (a product of 0.36)."""

    def row(cosine: float, axis: int) -> Tensor:
        made: Tensor = cosine * torch.eye(4)[0] + (1 - cosine**2) ** 0.5 * torch.eye(4)[axis]
        return made

    for near, partner in ((0.99, 2), (0.9, 1)):
        rows = torch.stack([row(1.0, 1), row(near, 2), row(-0.6, 3)])
        found = partners(rows, rows)
        assert int(found.partner[0]) == partner
        assert int(found.mirror[0]) == 2
        assert int(found.duplicate_of[0]) == 1
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
