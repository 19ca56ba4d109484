"""Density's interval: its groups, and that it covers the truth where tokens fire in runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from analysis.reading.batches import TokenBatch
from analysis.reading.corpus import GROUPS, group_of
from analysis.reading.firing import listed
from analysis.statistics.base import Step, counted_tokens
from analysis.statistics.density import Density, DensitySummary

torch.set_num_threads(1)


def corpora(seed: int, documents: int, tokens: int, latents: int) -> tuple[Density, float]:
    """One stream that is `latents` independent corpora of the same documents.

    A document's rate is drawn anew for each latent (Beta, mean 0.1), and its tokens fire at that
    rate: a latent that likes some documents. Returns the counts and the true density.
    """
    random = torch.Generator().manual_seed(seed)
    np_random = np.random.default_rng(seed)
    density = Density(latents)
    for document in range(documents):
        rate = torch.tensor(np_random.beta(0.4, 3.6, latents))
        acts = (torch.rand(tokens, latents, generator=random, dtype=torch.float64) < rate).float()
        density.update(one_document(document, acts))
    return density, 0.1


def one_document(document: int, acts: Tensor) -> Step:
    """A document as one context without BOS, read by latents with these activations [n, N]."""
    shape = (1, len(acts))
    yes, zero = torch.ones(shape, dtype=torch.bool), torch.zeros(shape, dtype=torch.int64)
    one = torch.tensor([document])
    batch = TokenBatch(
        *(zero, yes, yes, one, one * 0, torch.tensor([group_of(document)]), one < 0, ~yes, zero, zero, zero, zero),
        lead=0,
        cursor=document + 1,
    )
    x = torch.ones(len(acts), 1)
    return Step(batch, counted_tokens(batch, x.device), torch.ones(len(x)).bool(), x, listed(acts, acts != 0))


def covers(low: Tensor, high: Tensor, truth: float) -> float:
    """Share of intervals that hold the truth."""
    return float(((low <= truth) & (truth <= high)).double().mean())


@pytest.mark.parametrize("documents", [60, 400])
def test_the_interval_covers_the_truth_where_an_iid_one_does_not(documents: int) -> None:
    """95 % of intervals hold the truth; one that takes tokens as independent holds it in under half."""
    found, truth = corpora(documents, documents, tokens=40, latents=1500)
    density, low, high, tokens = found.summarise()
    half = 1.96 * (density * (1 - density) / tokens).sqrt()
    assert 0.92 <= covers(low, high, truth) <= 0.98
    assert covers(density - half, density + half, truth) < 0.6


def test_a_latent_near_the_threshold_is_borderline_more_often_than_tokens_suggest() -> None:
    """At a density near 0.1 nearly all intervals straddle the threshold: the page must not call it dense."""
    found, _truth = corpora(7, 200, tokens=40, latents=500)
    density, low, high, _tokens = found.summarise()
    straddles = (low <= 0.1) & (high >= 0.1)
    assert straddles.double().mean() > 0.9
    assert float((density > 0.1).double().mean()) == pytest.approx(0.5, abs=0.1)


def test_a_latent_is_borderline_where_its_interval_holds_the_threshold() -> None:
    density = Density(4, threshold=0.1)
    wobble = torch.tensor([20, -20]).repeat(GROUPS // 2)[:, None]
    density.tensors["tokens"] += 1000
    density.tensors["fired"] += torch.tensor([70, 99, 103, 150]) + wobble
    found = density.columns()
    assert found["is_dense"].tolist() == [False, False, True, True]
    assert found["borderline"].tolist() == [False, True, True, False]


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_dead_and_an_always_on_latent_have_no_width(value: float) -> None:
    density = Density(1)
    for document in range(50):
        density.update(one_document(document, torch.full((10, 1), value)))
    expected = float(value > 0)
    found = density.summarise()
    assert found == DensitySummary(found.density, found.low, found.high, 500)
    assert [float(found.density), float(found.low), float(found.high)] == [expected] * 3


def test_one_document_gives_a_density_and_no_interval() -> None:
    density = Density(1)
    density.update(one_document(3, torch.tensor([[1.0], [0.0]])))
    found = density.summarise()
    assert float(found.density) == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_documents_spread_over_all_groups() -> None:
    sizes = np.bincount([group_of(document) for document in range(6400)], minlength=GROUPS)
    assert len(sizes) == GROUPS
    assert stats.chisquare(sizes).pvalue > 0.001
