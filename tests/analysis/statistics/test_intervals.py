"""Intervals against the books and against the slow way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from analysis.statistics.intervals import bootstrap_weights, jackknife_ratio, percentiles, t95, wilson
from tests.analysis import slow_reference as slow


@pytest.mark.parametrize(("freedom", "book"), [(1, 12.706205), (7, 2.364624), (30, 2.042272), (1_000_000, 1.959966)])
def test_t95_is_students_quantile(freedom: int, book: float) -> None:
    assert t95(freedom) == pytest.approx(book, abs=1e-6)


def test_wilsons_interval_is_the_books() -> None:
    assert wilson(5, 10) == pytest.approx((0.23659, 0.76341), abs=1e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.16113), abs=1e-5)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "tries"), [(3, 200), (0, 7), (7, 7), (123, 456)])
def test_wilsons_interval_is_its_formula(hits: int, tries: int) -> None:
    z, share = float(stats.norm.ppf(0.975)), hits / tries
    middle = (share + z * z / (2 * tries)) / (1 + z * z / tries)
    half = z / (1 + z * z / tries) * (share * (1 - share) / tries + z * z / (4 * tries * tries)) ** 0.5
    assert wilson(hits, tries) == pytest.approx((middle - half, middle + half), abs=1e-12)


def test_the_bootstrap_draws_whole_groups_and_the_same_ones_for_the_same_seed() -> None:
    weights = bootstrap_weights(9, 3)
    assert weights.shape == (2000, 9)
    assert (weights.sum(1) == 9).all()
    assert torch.equal(weights, bootstrap_weights(9, 3))
    assert not torch.equal(weights, bootstrap_weights(9, 4))
    assert (weights.mean(0) - 1).abs().max() < 0.1


def test_percentiles_are_numpys() -> None:
    values = torch.randn(2000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(percentiles(values), np.quantile(values.numpy(), [0.025, 0.975], axis=0), atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2, 3, 64])
def test_the_jackknife_is_leaving_out_one_group_at_a_time(groups: int) -> None:
    random = np.random.default_rng(groups)
    below = random.integers(0, 20, (64, 7)).astype(float)
    below[groups:] = 0
    above = np.floor(below * random.random((64, 7)))
    found = np.array([part.numpy() for part in jackknife_ratio(torch.tensor(above), torch.tensor(below))])
    expected = np.array([slow.jackknife(list(zip(above[:, n], below[:, n], strict=True))) for n in range(7)]).T
    np.testing.assert_allclose(found, expected, rtol=1e-5, equal_nan=True)
