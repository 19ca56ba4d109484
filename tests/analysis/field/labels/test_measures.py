"""Effects, held-out values, intervals and p against scipy, scikit-learn, statsmodels and slow references."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from analysis.field.labels import FieldColumn, associate, measures
from analysis.field.labels.conditional import Fixed, conditional, left_of, separable
from analysis.field.labels.grouping import BLOCKS, grouping, within_ranks
from analysis.field.labels.permutation import between_groups, moves, ranked_means, within_groups
from analysis.statistics.ranks import midranks
from tests.planted_field import parts
from tests.seeds import seeds

torch.set_num_threads(1)
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
each_seed = seeds(5)


def world(seed: int, n: int = 240, groups: int = 12) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Values with ties [3, n], groups [n], labels."""
    random = torch.Generator().manual_seed(seed)
    group = torch.randint(groups, (n,), generator=random)
    x = torch.randn(3, n, generator=random).mul(2).round()
    x[0] = torch.randn(n, generator=random)
    x += group / 10
    pick = torch.rand(n, generator=random).double()
    pick = (pick + x[1].double() / 20).clamp(0, 0.999)
    return x, group, {"number": (pick * 9).floor(), "boolean": (pick > 0.6).double(), "category": (pick * 4).floor()}


def slow_auc(row: Array, y: Array) -> float:
    return float(scipy.stats.mannwhitneyu(row[y > 0], row[y <= 0]).statistic / sum(y > 0) / sum(y <= 0))


def columns(labels: dict[str, Tensor]) -> list[FieldColumn]:
    return [FieldColumn(kind, kind, y) for kind, y in labels.items()]


@each_seed
def test_effects_are_those_of_scipy_and_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics", reason="pip install '.[dev]'")
    x, group, labels = world(seed)
    number, boolean, category = associate(x.T, columns(labels), group)
    for k, row in enumerate(x.numpy()):
        y = {kind: of.numpy() for kind, of in labels.items()}
        assert number[k].effect == pytest.approx(scipy.stats.spearmanr(row, y["number"]).statistic, abs=1e-6)
        assert boolean[k].effect == pytest.approx(sklearn.roc_auc_score(y["boolean"], row), abs=1e-6)
        levels = [row[y["category"] == level] for level in np.unique(y["category"])]
        f = scipy.stats.f_oneway(*levels).statistic
        between, within = len(levels) - 1, len(row) - len(levels)
        assert category[k].effect == pytest.approx(f * between / (f * between + within), abs=1e-6)


def test_the_correction_is_that_of_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    x, group, labels = world(0)
    flat = [one for of in associate(x.T, columns(labels), group) for one in of]
    assert [one.q for one in flat] == pytest.approx(multipletests([one.p for one in flat], method="fdr_bh")[1])


@each_seed
def test_intervals_leave_out_a_group_at_a_time(seed: int) -> None:
    """Spearman keeps its ranks, AUC counts in 128 parts: both near the slow jackknife; eta² is exact."""
    x, group, labels = world(seed)
    units = grouping(group)
    assert units.blocks == len(torch.unique(group)) == units.groups
    slow: dict[str, Callable[[Array, Array], float]] = {
        "number": lambda row, y: scipy.stats.spearmanr(row, y).statistic,
        "boolean": lambda row, y: slow_auc(row, y),
        "category": lambda row, y: 1 - sum(((row[y == k] - row[y == k].mean()) ** 2).sum() for k in set(y)) / (
            (row - row.mean()) ** 2
        ).sum(),
    }  # fmt: skip
    close = {"number": 0.06, "boolean": 0.03, "category": 1e-4}
    ranks = midranks(x)
    fast = {
        "number": measures.spearman(ranks, labels["number"], units.block, units.blocks),
        "boolean": measures.boolean_auc(ranks, labels["boolean"], units.block, units.blocks),
        "category": measures.eta2(x, labels["category"].long(), units.block, units.blocks),
    }
    for kind, value in slow.items():
        for k, row in enumerate(x.double().numpy()):
            y = labels[kind].numpy()
            without = np.array([value(row[group.numpy() != g], y[group.numpy() != g]) for g in range(units.groups)])
            error = np.sqrt((units.groups - 1) / units.groups * ((without - without.mean()) ** 2).sum())
            wide = scipy.stats.t.ppf(0.975, units.groups - 1) * error
            low, high = float(fast[kind].low[k]), float(fast[kind].high[k])
            if kind != "category":
                assert (high - low) / 2 == pytest.approx(wide, rel=close[kind] * 2, abs=1e-3)
            else:
                assert low == pytest.approx(max(0, value(row, y) - wide), abs=1e-5)
                assert high == pytest.approx(value(row, y) + wide, abs=1e-5)


def test_intervals_over_groups_cover() -> None:
    """Of 100 worlds whose machines differ, about 95 % of intervals hold the truth; over rows far fewer would."""
    held = {"auc": 0, "spearman": 0}
    for seed in range(100):
        random = np.random.default_rng(seed)
        machine = np.repeat(np.arange(24), 10)
        y = (random.standard_normal(24)[machine] > 0).astype(float)
        x = 0.8 * y + random.standard_normal(24)[machine] + 0.3 * random.standard_normal(240)
        spread = np.sqrt(1 + 0.09)
        units, ranks = grouping(torch.from_numpy(machine)), midranks(torch.from_numpy(x)[None])
        one = measures.boolean_auc(ranks, torch.from_numpy(y), units.block, units.blocks)
        held["auc"] += float(one.low) < scipy.stats.norm.cdf(0.8 / spread / np.sqrt(2)) < float(one.high)
        a = random.standard_normal(24)[machine]
        b = torch.from_numpy(0.7 * a + 0.7 * random.standard_normal(24)[machine])
        truth = 6 / np.pi * np.arcsin(0.7 / np.sqrt(0.98) / 2)
        one = measures.spearman(midranks(torch.from_numpy(a)[None]), b, units.block, units.blocks)
        held["spearman"] += float(one.low) < truth < float(one.high)
    assert all(90 <= hits <= 99 for hits in held.values()), held


@each_seed
def test_within_strata_pairs_are_of_one_stratum(seed: int) -> None:
    """van Elteren's mean of the strata's AUCs, and Spearman of one stratum, the slow way."""
    x, group, labels = world(seed)
    units, y = grouping(group), labels["boolean"]
    u = within_ranks(midranks(x), units.group)
    left = left_of("auc", y, units.group)
    found, chance = conditional("auc", x, u, y, Fixed("g", "group", units.group), left, units)
    assert chance.tolist() == [0.5] * 3
    for k, row in enumerate(x.numpy()):
        above = below = 0.0
        for g in range(units.groups):
            here, true = row[group.numpy() == g], y.numpy()[group.numpy() == g] > 0
            pairs = (here[true][:, None] > here[~true]).sum() + 0.5 * (here[true][:, None] == here[~true]).sum()
            above, below = above + pairs / len(here), below + true.sum() * (~true).sum() / len(here)
        assert float(found.value[k]) == pytest.approx(above / below, abs=1e-6)
    one = torch.zeros_like(group)
    u = within_ranks(midranks(x), one)
    for measure, kind in (("spearman", "number"), ("auc", "boolean")):
        y = labels[kind]
        found, _chance = conditional(measure, x, u, y, Fixed("all", "column", one), left_of(measure, y, one), units)
        whole = associate(x.T, [FieldColumn("y", kind, y)], group)[0]
        assert found.value.tolist() == pytest.approx([each.effect for each in whole], abs=1e-5)


@each_seed
def test_partial_eta2_is_that_of_two_nested_regressions(seed: int) -> None:
    x, group, labels = world(seed)
    units, y = grouping(group), labels["category"]
    fixed = Fixed("g", "group", units.group)
    found, _chance = conditional("eta2", x, x, y, fixed, left_of("eta2", y, units.group), units)
    for k, row in enumerate(x.double().numpy()):
        machine, level = (np.eye(int(of.max()) + 1)[of.long().numpy()] for of in (units.group, y))
        rest = [((row - m @ np.linalg.lstsq(m, row)[0]) ** 2).sum() for m in (machine, np.hstack([machine, level]))]
        assert float(found.value[k]) == pytest.approx(1 - rest[1] / rest[0], abs=1e-4)


@each_seed
def test_held_out_levels_are_those_of_a_regression_on_the_same_folds(seed: int) -> None:
    """With many rows a level, means are hardly drawn in: R² as the plain means of the other folds have it."""
    random = torch.Generator().manual_seed(seed)
    n = 3_000
    level = torch.randint(3, (n,), generator=random)
    x = torch.randn(2, n, generator=random) + level * torch.tensor([[1.0], [0.0]])
    units = grouping(torch.arange(n))
    found = measures.held_out_means(x, level, units.fold)
    wrong = total = 0.0
    row, fold = x[0].numpy(), units.fold.numpy()
    for number in range(5):
        known, here = fold != number, fold == number
        means = np.array([row[known & (level.numpy() == k)].mean() for k in range(3)])
        wrong += ((row[here] - means[level.numpy()[here]]) ** 2).sum()
        total += ((row[here] - row[known].mean()) ** 2).sum()
    assert float(found[0]) == pytest.approx(1 - wrong / total, abs=2e-4)
    assert -0.01 < float(found[1]) < 0.003


def test_held_out_is_on_the_other_side_where_unseen_groups_disagree() -> None:
    n = 500
    group = torch.arange(n) % 5
    units = grouping(group)
    y = (torch.rand(n, generator=torch.Generator().manual_seed(0)) > 0.5).double()
    v = (y - y.mean()).float()
    same = within_ranks(midranks(y[None].float()), units.fold)
    assert float(measures.held_out_sign(same, v, units.fold, True)) > 0.95
    turned = torch.where(units.fold < 3, same, -same * 1.4)  # three folds against two
    assert float(measures.held_out_sign(turned, v, units.fold, True)) < 0.5


@pytest.mark.parametrize("measure", ["spearman", "auc", "eta2"])
def test_known_permutation_is_the_drawn_one(measure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above 2,000 groups by mean and variance, below by drawing: the same p for the same groups."""
    random = torch.Generator().manual_seed(0)
    n = 600
    y = torch.rand(n, generator=random).double()
    y = {"spearman": y, "auc": (y > 0.8).double(), "eta2": (y * 4).floor()}[measure]
    x = torch.randn(12, n, generator=random) + torch.linspace(0, 0.3, 12)[:, None] * (y - y.mean()).float()
    units = grouping(torch.arange(n))
    means = ranked_means(midranks(x), units)
    drawn = between_groups(measure, means, y, units, np.random.default_rng(0), 40_000).p
    monkeypatch.setattr("analysis.field.labels.permutation.MANY_GROUPS", 10)
    known = between_groups(measure, means, y, units, np.random.default_rng(0), 40_000).p
    error = 4 * (known * (1 - known) / 999).sqrt() + 0.003
    assert bool(((known - drawn).abs() < error).all()), (known, drawn)


def test_labels_move_within_their_groups() -> None:
    group = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])
    shifted, mixed = (moves(group, of, np.random.default_rng(0), 64) for of in (True, False))
    for where in (shifted, mixed):
        assert bool((group[where] == group).all())
        assert bool((where.sort(1).values == torch.arange(8)).all())
    turns = {tuple(row[:4].tolist()) for row in shifted}
    assert turns == {(0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2)}
    assert len({tuple(row[:4].tolist()) for row in mixed}) > 12


def test_p_beyond_all_draws_is_the_tail_s() -> None:
    """A normal statistic five and seven sigma out: within a factor of what the normal has."""
    seed = parts(0)
    units = grouping(seed.group)
    random = torch.Generator().manual_seed(0)
    y = torch.randn(len(seed.group), generator=random)
    v = within_ranks(midranks(y[None]), units.group)[0]
    noise = within_ranks(torch.randn(1, len(y), generator=random), units.group)
    u = torch.cat([noise + of * v for of in (0.09, 0.14)])
    z = (u @ v) / (u.square().sum(1) * v.square().sum()).sqrt() * (len(y) - units.groups) ** 0.5
    p = within_groups("spearman", u, v, units, None, np.random.default_rng(0), 9_999).p
    expected = 2 * scipy.stats.norm.sf(z.abs().double().numpy())
    assert bool((z.abs() > 4).any())
    for one, other in zip(p.tolist(), expected, strict=True):
        assert abs(np.log10(one) - np.log10(other)) < 0.15 * abs(np.log10(other)) + 0.3, (p, expected)


def test_blocks_lie_in_folds_and_do_not_depend_on_the_order_of_rows() -> None:
    codes = torch.randint(10**12, (300,), generator=torch.Generator().manual_seed(0)).repeat_interleave(3)
    units = grouping(codes)
    assert (units.groups, units.blocks) == (300, BLOCKS)
    assert len(torch.unique(units.block * 10 + units.fold)) == BLOCKS
    assert torch.bincount(units.fold).tolist() == [180] * 5
    turn = torch.randperm(900, generator=torch.Generator().manual_seed(1))
    assert grouping(codes[turn]).block.equal(units.block[turn])


def test_what_a_label_has_left_within_its_groups() -> None:
    group = torch.arange(100) // 10
    whole = (group % 2).double()
    assert not separable(left_of("auc", whole, group))
    mixed = (torch.arange(100) % 2).double()
    left = left_of("auc", mixed, group)
    assert left.strata == 10
    assert left.share == pytest.approx(1)
    some = torch.where(group < 2, mixed, 0.0)
    assert left_of("auc", some, group).rows.tolist() == (group < 2).tolist()
