"""Rank statistics against scipy and against the slow way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.ranks import (
    Order,
    auc,
    benjamini_hochberg,
    correlation,
    grouped_auc,
    midranks,
    normal_tail,
    sums_over,
)

torch.set_num_threads(1)


def draw(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(-3, 3), min_size=7, max_size=7), min_size=1, max_size=4),
    keep=st.lists(st.booleans(), min_size=7, max_size=7),
)
def test_ranks_are_scipys_in_the_whole_and_in_every_part(rows: list[list[int]], keep: list[bool]) -> None:
    values, chosen = torch.tensor(rows).float(), torch.tensor(keep)
    np.testing.assert_array_equal(midranks(values).numpy(), stats.rankdata(values.numpy(), axis=1))
    if chosen.any():
        found = Order(values).ranks(chosen)[:, chosen]
        np.testing.assert_array_equal(found.numpy(), stats.rankdata(values[:, chosen].numpy(), axis=1))


def test_ranks_without_ties_in_a_part() -> None:
    values, chosen = draw(0, 3, 500), draw(1, 500) > 0
    found = Order(values).ranks(chosen)[:, chosen]
    np.testing.assert_array_equal(found.numpy(), stats.rankdata(values[:, chosen].numpy(), axis=1))


def test_correlation_of_ranks_is_spearman() -> None:
    a, b = draw(0, 3, 400), draw(1, 2, 400).round()
    found = correlation(midranks(a), midranks(b))
    for row in range(3):
        for column in range(2):
            true = stats.spearmanr(a[row], b[column]).statistic
            assert float(found[row, column]) == pytest.approx(true, abs=1e-6)
    assert correlation(torch.ones(1, 5), torch.arange(5.0)[None]).isnan().all()


def test_auc_is_mann_whitneys() -> None:
    values, positive = draw(0, 3, 300).mul(2).round(), torch.stack([draw(1, 300) > 0.5, draw(2, 300) > 9])
    found = auc(midranks(values), positive)
    for row in range(3):
        ones, zeros = values[row, positive[0]].numpy(), values[row, ~positive[0]].numpy()
        true = stats.mannwhitneyu(ones, zeros).statistic / (len(ones) * len(zeros))
        assert float(found[row, 0]) == pytest.approx(true, abs=1e-6)
    assert found[:, 1].isnan().all()


def test_benjamini_hochberg_is_scipys_and_leaves_holes() -> None:
    p = torch.tensor([[0.01, math.nan, 0.2], [0.03, 0.5, 0.001]])
    found = benjamini_hochberg(p)
    known = ~p.isnan()
    np.testing.assert_allclose(found[known], stats.false_discovery_control(p[known].double().numpy()), rtol=1e-6)
    assert found.isnan().tolist() == p.isnan().tolist()
    assert len(benjamini_hochberg(torch.zeros(0))) == 0


def test_tails_are_scipys() -> None:
    z = torch.tensor([-3.0, 0.0, 1.96, 8.0, math.nan])
    np.testing.assert_allclose(normal_tail(z), 2 * stats.norm.sf(np.abs(z.numpy())), rtol=1e-5)


def test_sums_over_groups() -> None:
    rows, group = draw(0, 4, 100), torch.arange(100) % 7
    found = sums_over(group, rows, 9)
    for number in range(9):
        torch.testing.assert_close(found[number].float(), rows[:, group == number].sum(1), rtol=1e-5, atol=1e-5)


def test_areas_by_tag_with_the_error_of_leaving_out_each_group() -> None:
    values, tag, group = draw(0, 2, 4000), torch.arange(4000) % 3, torch.arange(4000) // 400
    values[0] += tag + draw(1, 10)[group]
    sets = torch.tensor([[True, False, False], [False, True, True]])
    found, error, curve = grouped_auc(midranks(values), tag, sets, group, 32)
    torch.testing.assert_close(found, auc(midranks(values), sets[:, tag]))
    for row in range(2):
        left_out = [
            float(auc(midranks(values[row : row + 1, group != g]), sets[1:2, tag[group != g]])) for g in range(10)
        ]
        true = math.sqrt(9 / 10 * sum((value - float(found[row, 1])) ** 2 for value in left_out))
        assert float(error[row, 1]) == pytest.approx(true, rel=0.1)
    assert curve.shape == (2, 2, 33)
    assert curve[:, :, -1].tolist() == [[1, 1], [1, 1]]
    assert (curve.diff(dim=-1) >= 0).all()
