"""Chance levels: what a share of random directions exceeds, and no more, whatever their scores are distributed like."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from analysis.statistics.tails import FAMILY, chance_level, upper_end

torch.set_num_threads(1)


def normal(random: torch.Generator, *shape: int) -> Tensor:
    return 0.1 * torch.randn(*shape, generator=random, dtype=torch.float64)


def uniform(random: torch.Generator, *shape: int) -> Tensor:
    return 0.4 * torch.rand(*shape, generator=random, dtype=torch.float64)


def dominated(random: torch.Generator, *shape: int) -> Tensor:
    """Correlations where one loud dimension rules what a direction reads: they pile up at both ends."""
    g, h = torch.randn(2, *shape, generator=random, dtype=torch.float64)
    found: Tensor = 0.35 * g / (g.square() + 0.3 * h.square()).sqrt()
    return found


@pytest.mark.parametrize("draw", [normal, uniform, dominated])
def test_of_many_latents_hardly_any_passes_by_chance(draw: object) -> None:
    """Of 200 random signals in each of 200 worlds at most 0.5 % exceed the level; the largest of 64 lets 1.5 % pass."""
    random = torch.Generator().manual_seed(0)
    passed = by_largest = worlds_with_one = 0
    for _ in range(200):
        known, tried = draw(random, 512), draw(random, 200)  # type: ignore[operator]
        above = int((tried.abs() > chance_level(known, 200)).sum())
        passed, worlds_with_one = passed + above, worlds_with_one + (above > 0)
        by_largest += int((tried.abs() > known[:64].abs().max()).sum())
    assert passed / 40_000 < 0.001
    assert worlds_with_one / 200 < 3 * FAMILY  # nominally FAMILY: the tail is fitted to 64 values
    assert by_largest / 40_000 > 0.005


def test_the_tail_of_a_known_distribution_is_found() -> None:
    random = torch.Generator().manual_seed(1)
    found = [upper_end(normal(random, 512), 1e-4) for _ in range(100)]
    true = 0.1 * 3.89  # two-sided 1e-4
    assert sum(found) / 100 == pytest.approx(true, rel=0.1)


def test_it_is_never_below_the_largest_that_was_seen() -> None:
    random = torch.Generator().manual_seed(2)
    for _ in range(50):
        values = uniform(random, 300)
        assert chance_level(values, 1) >= float(values.max())


def test_few_values_say_no_more_than_their_largest() -> None:
    values = torch.tensor([-0.3, 0.1, math.nan])
    assert chance_level(values, 100) == pytest.approx(0.3)
    assert math.isnan(chance_level(values[2:], 100))
    assert chance_level(torch.full((64,), 0.2), 100) == pytest.approx(0.2)
