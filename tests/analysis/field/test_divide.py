"""Variance divided among columns: planted shares are read back, in groups that were not fitted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from analysis.field.divide import PENALTY, Source, divide, folds

ROWS, GROUPS = 12_000, 120


def planted(seed: int) -> tuple[torch.Tensor, list[Source], torch.Tensor]:
    """40 % of the first unit is a category, 30 % a curve of a number, the rest noise; the second is noise alone."""
    random = np.random.default_rng(seed)
    group = np.arange(ROWS) * GROUPS // ROWS
    kind = random.integers(0, 6, ROWS)
    heat = random.normal(size=ROWS)
    by_kind, by_heat = random.normal(size=6)[kind], np.cos(2 * heat)
    parts = [(0.4, by_kind), (0.3, by_heat), (0.3, random.normal(size=ROWS))]
    signal = sum(share**0.5 * (part - part.mean()) / part.std() for share, part in parts)
    values = torch.tensor(np.stack([signal, random.normal(size=ROWS)], 1), dtype=torch.float32)
    sources = [
        Source("kind", "category", torch.tensor(kind, dtype=torch.float64)),
        Source("heat", "number", torch.tensor(heat)),
        Source("idle", "number", torch.tensor(random.normal(size=ROWS))),
    ]
    return values, sources, torch.tensor(group)


@pytest.mark.parametrize("seed", range(5))
def test_planted_shares_are_read_back(seed: int) -> None:
    values, sources, group = planted(seed)
    found = divide(values, sources, group, group % 64)
    assert found.average[:, 0].tolist() == pytest.approx([0.4, 0.3, 0.0], abs=0.03)
    assert found.total[0] == pytest.approx(0.7, abs=0.03)
    assert found.low[0] < found.total[0] < found.high[0]
    assert abs(float(found.total[1])) < 0.01  # noise follows nothing, in groups that were not fitted


def test_shares_add_up_and_columns_that_say_the_same_share_it() -> None:
    values, sources, group = planted(0)
    twice = [*sources, Source("kind again", "category", sources[0].values)]
    found = divide(values, twice, group, group % 64)
    assert found.average.sum(0).tolist() == pytest.approx((found.total - _nothing(values, group)).tolist(), abs=1e-9)
    assert found.average[0, 0] == pytest.approx(float(found.average[3, 0]), abs=1e-6)
    assert abs(float(found.added[0, 0])) < 1e-3  # beyond its copy it adds nothing


def _nothing(values: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """The share that the mean of the other folds predicts: a little below 0."""
    return divide(values, [], group, group % 64).total


def test_what_is_predicted_is_what_scikit_learn_predicts() -> None:
    values, sources, group = planted(1)
    fold, codes = folds(group).numpy(), sources[0].values.long().numpy()
    x, y = np.eye(6)[codes], values[:, 0].numpy()
    guess = np.empty(ROWS)
    for number in range(5):
        inside = fold == number
        guess[inside] = Ridge(alpha=PENALTY).fit(x[~inside], y[~inside]).predict(x[inside])
    assert divide(values, sources, group, group % 64).alone[0, 0] == pytest.approx(r2_score(y, guess), abs=2e-4)


def test_a_column_that_names_groups_predicts_none_that_was_kept_out() -> None:
    random = np.random.default_rng(3)
    group = np.arange(ROWS) * GROUPS // ROWS
    values = torch.tensor(random.normal(size=GROUPS)[group][:, None], dtype=torch.float32)
    named = Source("machine", "category", torch.tensor(group, dtype=torch.float64))
    assert float(divide(values, [named], torch.tensor(group), torch.tensor(group % 64)).total[0]) < 0.05


def test_missing_values_and_units_that_do_not_vary() -> None:
    values, sources, group = planted(2)
    values[:, 1] = 1.0
    gap = sources[1].values.clone()
    gap[::3] = torch.nan
    found = divide(values, [sources[0], Source("heat", "number", gap)], group, group % 64)
    assert found.total[0] == pytest.approx(0.6, abs=0.05)  # a third of the rows say nothing of the heat
    assert bool(found.total[1].isnan())
