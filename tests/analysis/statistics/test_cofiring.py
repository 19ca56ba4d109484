"""What fires together: planted companions are found, independent latents stay below the chance level."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from analysis.statistics.base import context_keys
from analysis.statistics.cofiring import _SIGNS, Cofiring
from analysis.statistics.sampling import mix_bits
from analysis.statistics.tails import chance_level
from tests.analysis import slow_reference as slow
from tests.planted import World, law_world

torch.set_num_threads(1)

LOOSE = {"correlation": 1e-4, "chance": 1e-4}  # summed in float32
DETAIL = [0, 2, 4, 5, 6, 7]  # as the laws plan it


def reference(world: World) -> slow.Numbers:
    """Pair by pair, in float64."""
    data = slow.dense(world)
    ordinary, on = data.ordinary(), data.acts != 0
    shape = len(DETAIL), world.latents
    found: dict[str, Any] = {name: np.full(shape, np.nan) for name in ("correlation", "both", "jaccard", "independent")}
    for (place, one), other in itertools.product(enumerate(DETAIL), range(world.latents)):
        a, b = data.acts[ordinary, one], data.acts[ordinary, other]
        if a.max() > a.min() and b.max() > b.min():
            found["correlation"][place, other] = np.corrcoef(a, b)[0, 1]
        p, q = on[:, one].mean(), on[:, other].mean()
        found["both"][place, other] = (on[:, one] & on[:, other]).sum()
        if p + q > 0:
            found["jaccard"][place, other] = found["both"][place, other] / (on[:, one] | on[:, other]).sum()
            found["independent"][place, other] = p * q / (p + q - p * q)
    contexts = len({token.context for token in data.tokens})
    found["chance"] = np.array([chance(world, data, one) for one in DETAIL])
    return found | {"fired": on.sum(0), "tokens": len(data.tokens), "contexts": contexts}


def chance(world: World, data: slow.Dense, one: int) -> float:
    """Of the correlations with all others, each context's part of it given its sign."""
    odd = (mix_bits(context_keys(world.batch), _SIGNS) & 1).tolist()
    sign = np.array([1 - 2 * odd[token.context] for token in data.tokens])[data.ordinary()]
    acts = data.acts[data.ordinary()]
    off = (acts - acts.mean(0)) / np.where(acts.max(0) > acts.min(0), acts.std(0), np.nan)
    found = [abs((sign * off[:, one] * off[:, other]).mean()) for other in range(world.latents) if other != one]
    return chance_level(torch.tensor(found), world.latents)


def planted(seed: int, contexts: int = 200, width: int = 20, latents: int = 300) -> tuple[World, list[int]]:
    """Independent latents, but for one that fires with latent 0 (half of its firings) and one that never does."""
    random = torch.Generator().manual_seed(seed)
    frame = law_world(seed, contexts=contexts, width=width)
    on = torch.rand(contexts, width, latents, generator=random) < torch.linspace(0.3, 0.01, latents)
    on[..., 50] = on[..., 0] & (torch.rand(contexts, width, generator=random) < 0.5)
    on[..., 60] = ~on[..., 0]
    acts = torch.where(on, torch.rand(on.shape, generator=random) + 0.1, 0.0)
    x = torch.ones(contexts, width, 1)
    return World(frame.batch, x, acts, torch.tensor(1.0)), [50, 60]


def test_companions_are_found_and_all_others_stay_below_chance() -> None:
    beyond = 0
    for seed in range(20):
        world, (together, apart) = planted(seed)
        accumulator = Cofiring(torch.tensor([0]), world.latents)
        for step in world.steps(range(0, 200, 16)):
            accumulator.update(step)
        found = accumulator.summarise()
        correlation = found.correlation[0].clone()
        correlation[0] = 0.0
        assert int(correlation.argmax()) == together
        assert int(correlation.argmin()) == apart
        assert found.jaccard[0, together] > 2 * found.independent[0, together]
        assert found.jaccard[0, apart] == 0
        chance = float(found.chance[0])
        rest = correlation[[n for n in range(world.latents) if n not in (0, together, apart)]]
        beyond += int((rest.abs() > chance).sum())
        assert correlation[together] > chance
    assert beyond / (20 * 297) < 0.002  # the tail is fitted to 299 values; their largest alone lets 0.4 % pass
