"""Quantiles read off the histogram, against numpy's of the activations themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis.statistics.histogram import BINS, PER_OCTAVE, QUANTILES, Histogram, bin_of, quantiles
from tests.analysis.statistics.test_density import one_document

BIN = 2 ** (1 / PER_OCTAVE)


def counted(values: Tensor, signed: bool = False) -> tuple[Tensor, Tensor]:
    """Histogram and edges of one latent that has these activations."""
    histogram = Histogram(1, signed)
    histogram.update(one_document(0, values[:, None]))
    return histogram.summarise()


@pytest.mark.parametrize("shape", ["exponential", "lognormal", "uniform", "ties"])
@pytest.mark.parametrize("seed", range(5))
def test_quantiles_are_numpys_within_a_bin(shape: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    draw = {
        "exponential": lambda: random.exponential(3.0, 4000),
        "lognormal": lambda: random.lognormal(0.0, 2.0, 4000),
        "uniform": lambda: random.uniform(0.01, 1.0, 4000),
        "ties": lambda: random.integers(1, 9, 4000) / 4.0,
    }[shape]()
    values = draw.astype(np.float32)
    found = quantiles(*counted(torch.from_numpy(values)))[0].numpy()
    expected = np.quantile(values, QUANTILES, method="inverted_cdf")
    assert (found <= expected * BIN * (1 + 1e-6)).all()
    assert (found >= expected / BIN * (1 - 1e-6)).all()


def test_a_latent_that_never_fires_has_no_quantiles() -> None:
    counts, edges = counted(torch.zeros(5))
    assert int(counts.sum()) == 0
    assert quantiles(counts, edges).isnan().all()


def test_values_out_of_range_go_into_the_outermost_bins() -> None:
    extreme = torch.tensor([1e-30, 1e30, torch.inf, 2.0**-12, 2.0**20])
    assert bin_of(extreme, signed=False).tolist() == [0, BINS - 1, BINS - 1, 0, BINS - 1]
    assert bin_of(-extreme, signed=True).tolist() == [BINS - 1, 0, 0, BINS - 1, 0]


def test_signed_bins_are_mirrored_and_edges_enclose_their_values() -> None:
    values = torch.tensor([-8.0, -0.3, 0.3, 1.0, 7.9])
    counts, edges = counted(values, signed=True)
    assert counts.shape[1] == 2 * BINS
    assert len(edges) == 2 * (BINS + 1)
    places = bin_of(values, signed=True)
    for value, place in zip(values.tolist(), places.tolist(), strict=True):
        side = edges[: BINS + 1] if value < 0 else edges[BINS + 1 :]
        low, high = side[place % BINS], side[place % BINS + 1]
        assert low <= value <= high
