"""Logit weights: moments as scipy has them, a direction of few tokens beyond chance, nothing lost."""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from analysis.statistics.logit_weights import BINS, chance, logit_weights

torch.set_num_threads(1)


def world() -> tuple[torch.Tensor, torch.Tensor]:
    """An unembedding [12, 900] in which 20 tokens share a direction, and which tokens count."""
    random = torch.Generator().manual_seed(0)
    unembedding = torch.randn(12, 900, generator=random)
    unembedding[0, :20] += 15
    return unembedding, torch.arange(900) < 880


def test_moments_and_counts_equal_scipys() -> None:
    unembedding, allowed = world()
    directions = torch.cat([torch.eye(12) * 3, torch.zeros(1, 12)])
    found = logit_weights(directions, unembedding, allowed)
    assert found.tokens == 880
    for place in range(12):
        logits = unembedding[place, :880].double().numpy()
        logits = logits - logits.mean()
        np.testing.assert_allclose(found.skewness[place], stats.skew(logits), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.kurtosis[place], stats.kurtosis(logits), rtol=1e-4, atol=1e-4)
        expected, edges = np.histogram(logits, BINS)
        assert abs(found.counts[place].numpy() - expected).sum() <= 2  # on an edge, by float32
        np.testing.assert_allclose([found.low[place], found.high[place]], edges[[0, -1]], rtol=1e-5)
    assert bool(found.skewness[12].isnan())
    assert int(found.counts.sum()) == 13 * 880


def test_a_direction_of_few_tokens_is_beyond_chance_and_others_are_not() -> None:
    unembedding, allowed = world()
    found, level = logit_weights(torch.eye(12), unembedding, allowed), chance(unembedding, allowed, seed=3)
    assert found.kurtosis[0] > level["kurtosis"][1]
    assert found.skewness[0] > level["skewness"][1]
    assert level["skewness"][0] <= float(found.skewness[1:].median()) <= level["skewness"][1]


def test_no_direction_is_no_error() -> None:
    unembedding, allowed = world()
    assert logit_weights(torch.zeros(0, 12), unembedding, allowed).counts.shape == (0, BINS)
