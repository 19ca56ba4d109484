"""Null space: planted quiet directions are found, random decoders at any width are not."""

from __future__ import annotations

import pytest
import torch

from analysis.classes import null_space
from analysis.classes.base import Finding
from analysis.reading.batches import Sample
from analysis.statistics.geometry import unit_rows
from tests.planted import text_world
from tests.planted_classes import D, evidence, labels, plain_lens, said, sample_of
from tests.seeds import seeds

each_seed = seeds(5)
SAMPLE = sample_of(text_world(0, 2, 4))


def judged(
    sample: Sample,
    directions: torch.Tensor,
    unembedding: torch.Tensor,
    seed: int = 0,
    sparse: torch.Tensor | None = None,
) -> list[Finding]:
    values = torch.randn(len(sample.token), len(directions), generator=torch.Generator().manual_seed(seed))
    made = evidence(sample, values)
    signals = made.signals._replace(directions=torch.cat([directions, directions[:1]]))
    lens = plain_lens(seed, [f"w{n}" for n in range(unembedding.shape[1])], unembedding)
    others = torch.zeros(0, 0) if sparse is None else sparse
    return null_space.judge(evidence(sample, values, signals=signals, lens=lens, sparse=others))


def unembedding_with_quiet(seed: int, width: int, quiet: int) -> tuple[torch.Tensor, torch.Tensor]:
    """W_U [width, 2 width] whose smallest `quiet` singular values are planted, and those directions [quiet, width]."""
    random = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(width, width, generator=random)).Q
    right = torch.linalg.qr(torch.randn(2 * width, width, generator=random)).Q
    scale = torch.ones(width)
    scale[-quiet:] = 0.01
    return basis * scale @ right.T, basis[:, -quiet:].T


@each_seed
def test_planted_quiet_directions_are_found(seed: int) -> None:
    unembedding, quiet = unembedding_with_quiet(seed, 256, 10)
    noise = torch.randn(3, 256, generator=torch.Generator().manual_seed(seed)) / 256**0.5
    directions = unit_rows(torch.cat([quiet[:1], quiet[:1] + noise[:1], quiet[1:2] + noise[1:2], noise[2:]]))
    found = judged(SAMPLE, directions, unembedding)
    assert labels(found) == ["yes", "yes", "yes", "no"]
    assert found[0].score == pytest.approx(1.0)
    assert found[0].cut == pytest.approx(3 * (10 / 256) ** 0.5)


@each_seed
def test_random_decoders_at_d_768_are_not(seed: int) -> None:
    """By chance they reach 0.2, the cut reported for d = 2304."""
    random = torch.Generator().manual_seed(seed)
    unembedding = torch.randn(768, 2000, generator=random)
    found = judged(SAMPLE, unit_rows(torch.randn(400, 768, generator=random)), unembedding)
    assert labels(found) == ["no"] * 400
    assert max(each.score for each in found) > 0.18


def test_alpha_is_the_share_by_a_full_singular_value_decomposition() -> None:
    random = torch.Generator().manual_seed(1)
    unembedding = torch.randn(96, 500, generator=random)
    directions = unit_rows(torch.randn(5, 96, generator=random))
    left = torch.linalg.svd(unembedding.double()).U
    found = null_space.alphas(directions.double(), null_space.sensitive_directions(unembedding, False), [1, 10, 30])
    for column, k in enumerate((1, 10, 30)):
        true = (directions.double() @ left[:, -k:]).norm(dim=1)
        torch.testing.assert_close(found[:, column], true, rtol=1e-6, atol=1e-9)


def test_what_layernorm_removes_is_not_null_space() -> None:
    """The all-ones direction reaches no logit of a LayerNorm model, but says nothing of a latent."""
    unembedding = torch.randn(96, 500, generator=torch.Generator().manual_seed(2))
    unembedding = unembedding - unembedding.mean(0)
    quiet = null_space.sensitive_directions(unembedding, True)
    assert quiet.shape == (96, 95)
    assert float((quiet.T @ torch.ones(96, dtype=torch.float64)).abs().max()) < 1e-6
    mixed = unit_rows((torch.ones(96) / 96**0.5 + 0.3 * torch.randn(96))[None]).double()
    assert float(null_space.alphas(mixed, quiet, [10])) < 0.8


def test_a_stream_too_narrow_to_tell_is_not_measured() -> None:
    found = judged(SAMPLE, torch.eye(D)[:2], torch.randn(D, 300, generator=torch.Generator().manual_seed(0)))
    assert labels(found) == ["unmeasured"] * 2


@each_seed
def test_what_the_sparse_latents_have_too_is_the_layers(seed: int) -> None:
    """A part that all directions share lies in the quiet space: only who has far more of it is told apart."""
    random = torch.Generator().manual_seed(seed)
    unembedding, quiet = unembedding_with_quiet(seed, 256, 10)

    def mixed(count: int, share: float) -> torch.Tensor:
        return unit_rows(share * quiet[:1] + torch.randn(count, 256, generator=random) / 256**0.5)

    usual, strong, sparse = mixed(40, 1.0), mixed(3, 8.0), mixed(1000, 1.0)
    directions = torch.cat([usual, strong])
    alone = judged(SAMPLE, directions, unembedding, seed)
    assert labels(alone) == ["yes"] * 43  # no sparse latents to compare with
    found = judged(SAMPLE, directions, unembedding, seed, sparse)
    assert sum(finding.holds for finding in found[:40]) <= 2
    assert labels(found[40:]) == ["yes"] * 3
    common = next(finding for finding in found if not finding.holds)
    assert common.statement["code"] == "common"
    assert common.control == pytest.approx(common.statement["sparse"], rel=1e-3)
    assert "one in 200 of this SAE's sparse latents has" in said("null_space", common)


@each_seed
def test_of_the_sparse_latents_themselves_one_in_two_hundred_passes(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    unembedding, quiet = unembedding_with_quiet(seed, 256, 10)
    sparse = unit_rows(quiet[:1] + torch.randn(2000, 256, generator=random) / 256**0.5)
    found = judged(SAMPLE, sparse[::10], unembedding, seed, sparse)
    assert sum(finding.holds for finding in found) <= 4
    few = judged(SAMPLE, sparse[:150], unembedding, seed, sparse[:150])
    assert not any(finding.holds for finding in few)  # of so few none may pass
