"""Mixture: a sum of thirty is read as one, a sum of three hundred as an aggregate, and a stranger as its own."""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.classes import mixture
from analysis.classes.base import Finding
from analysis.statistics.mixture import Mixture
from tests.planted import World, text_world
from tests.planted_classes import evidence, labels, sample_of
from tests.seeds import seeds

each_seed = seeds(5)
POOL, D = 400, 410


def world_of(seed: int) -> World:
    """POOL sparse latents, each with a direction of its own, and noise in the rest."""
    world = text_world(seed, D, documents=128)
    random = torch.Generator().manual_seed(seed)
    shape = (*world.x.shape[:2], POOL)
    acts = torch.where(torch.rand(shape, generator=random) < 0.05, torch.rand(shape, generator=random) + 0.5, 0.0)
    x = torch.randn(world.x.shape, generator=random) * 0.01
    x[..., :POOL] += acts
    x[..., POOL:] = torch.randn(*world.x.shape[:2], D - POOL, generator=random)
    return World(world.batch, x, acts, torch.tensor(1e3))


def judged(world: World, directions: Tensor, latents: Tensor | None = None) -> list[Finding]:
    pool = torch.arange(POOL)
    made = Mixture(pool, directions, world.x[world.batch.mask].mean(0))
    for step in world.steps(range(0, world.contexts, 16)):
        made.update(step)
    sample = sample_of(text_world(0, 2, 4))
    found = evidence(sample, torch.randn(len(sample.token), len(directions)), mixture=made.summarise(), pool=pool)
    signals = found.signals._replace(latents=torch.arange(900, 900 + len(directions)) if latents is None else latents)
    return mixture.judge(evidence(sample, found.signals.values[:, : len(directions)], signals=signals,
                                  mixture=made.summarise(), pool=pool))  # fmt: skip


@each_seed
def test_sums_are_told_from_aggregates_and_from_signals_of_their_own(seed: int) -> None:
    directions = torch.zeros(3, D)
    directions[0, 10:40] = 1 / 30**0.5
    directions[1, :300] = 1 / 300**0.5
    directions[2, POOL] = 1.0
    found = judged(world_of(seed), directions)
    assert labels(found) == ["sum", "aggregate", "own"]
    assert found[0].score > 0.8
    assert found[2].score < 0.1
    assert 20 < found[0].data["participation"] < 45
    assert {item["index"] for item in found[0].data["latents"]} <= set(range(10, 40))


def test_a_latent_is_no_sum_of_itself() -> None:
    """A sparse control's own activation would rebuild its direction; without it nothing does."""
    directions = torch.zeros(2, D)
    directions[:, 7] = 1.0
    found = judged(world_of(0), directions, torch.tensor([7, 900]))
    assert labels(found) == ["own", "sum"]
    assert all(item["index"] != 7 or item["weight"] == 0 for item in found[0].data["latents"])


def test_leaving_one_out_is_the_regression_without_it() -> None:
    random = torch.Generator().manual_seed(0)
    a, p = torch.randn(500, 12, generator=random).double(), torch.randn(500, 3, generator=random).double()
    inverse = torch.linalg.inv(a.T @ a)
    weight = (inverse @ (a.T @ p)).T
    itself = torch.zeros(3, 12, dtype=torch.bool)
    itself[0, 4] = itself[2, 11] = True
    found = mixture._without(weight, inverse, itself)
    for row, left_out in ((0, [4]), (1, []), (2, [11])):
        kept = [n for n in range(12) if n not in left_out]
        true = torch.linalg.lstsq(a[:, kept], p[:, row : row + 1]).solution[:, 0]
        torch.testing.assert_close(found[row, kept], true, rtol=1e-8, atol=1e-10)
        assert (found[row, left_out] == 0).all()


def test_too_little_text_is_not_measured() -> None:
    world = world_of(0)
    short = World(world.part(0, 8), world.x[:8], world.acts[:8], world.median_norm)
    assert labels(judged(short, torch.eye(D)[:2])) == ["unmeasured"] * 2
