"""p-values of labels of rows: groups change their labels, or labels move within their groups.

A label that is one value a group is dealt out anew to whole groups, each with its mean rank
(`analysis.labels.permutation`). A label that varies within groups stays in its group, so that what differs between
groups is no evidence: it is moved round in the order of the rows where there is one (rows near in time are alike),
dealt out anew where there is none. That is done 64 times a block of groups; a draw takes one of those from each block.
Categories are tested on ranks as well (Kruskal and Wallis), so that one outlier is no level.

Cost of bounded draws: a p that no draw reaches is that of the fitted tail, sigma of the draws for ranks, a gamma with
their mean and variance for categories, and none with fewer than 30 groups. Above 2,000 groups whole groups need no
draws: the permutation's own mean and variance are known, and it is normal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.field.labels.grouping import Grouping
from analysis.labels.permutation import ENOUGH, FIRST, Null, group_null, rank_null
from analysis.statistics.ranks import midranks, normal_tail

MANY_GROUPS = 2_000
FEWEST_FOR_TAIL = 30  # groups, below which the statistic takes few values and no curve is its tail
_WORK = 50_000_000  # draws x groups (or blocks) of one column
_MOVES = 64  # of each block
_MOVES_OF_FEW = 256  # with fewer than 16 groups
_ROUNDING = 1e-5  # float32 sums of the same numbers in another order are ties
_BLOCK = 1_000  # draws held at once


class Test(NamedTuple):
    """[m] each: p, and how much larger the statistic is by permutation than if rows were independent, at least 1."""

    p: Tensor
    inflation: Tensor


def between_groups(
    measure: str, means: Tensor, y: Tensor, units: Grouping, random: np.random.Generator, draws: int
) -> Test:
    """Labels of whole groups.

    Args:
        measure: spearman, auc or eta2.
        means: [m, G], `ranked_means`.
        y: [n], the label, of which each group has its mean (a category: its most frequent).
        random, draws: where permutations come from, and how many at most.
    """
    label, none = group_labels(measure, y, units), torch.ones(len(means), dtype=torch.float64)
    if units.groups > MANY_GROUPS:
        return Test(_known(measure, means, label), none)
    fixed = torch.zeros(units.groups, dtype=torch.int64)
    made = group_null(means, label, fixed) if measure == "eta2" else rank_null(means, label, fixed)
    return Test(_p(measure, *made, random, min(draws, max(FIRST, _WORK // units.groups)), units)[0], none)


def ranked_means(ranks: Tensor, units: Grouping) -> Tensor:
    """[m, G]: ranks of the groups' mean ranks."""
    sums = torch.zeros(len(ranks), units.groups, dtype=torch.float64).index_add_(1, units.group, ranks.double())
    return midranks(sums / units.sizes)


def group_labels(measure: str, y: Tensor, units: Grouping) -> Tensor:
    """[G]: each group's mean rank of a number, share of true, or most frequent level."""
    if measure == "eta2":
        levels = int(y.max()) + 1
        table = torch.bincount(units.group * levels + y.long(), minlength=units.groups * levels)
        return table.view(-1, levels).argmax(1).double()
    of = midranks(y).double() if measure == "spearman" else y.double()
    means = torch.zeros(units.groups, dtype=torch.float64).index_add_(0, units.group, of) / units.sizes
    return midranks(means) if measure == "spearman" else means


def _known(measure: str, means: Tensor, label: Tensor) -> Tensor:
    """p by the mean and variance of the permutation (Hoeffding 1951; Kruskal and Wallis 1952)."""
    groups = len(label)
    z = means.double() - means.double().mean(1, keepdim=True)
    length = z.square().sum(1).clamp(min=1e-30)
    if measure != "eta2":
        y = label.double() - label.double().mean()
        return normal_tail(z @ y / (length * y.square().sum() / (groups - 1)).sqrt())
    level = torch.unique(label, return_inverse=True)[1]
    counts = torch.bincount(level).double()
    sums = torch.zeros(len(z), len(counts), dtype=torch.float64).index_add_(1, level, z)
    h = (groups - 1) * (sums.square() / counts).sum(1) / length
    return _gamma_tail(torch.full_like(h, (len(counts) - 1) / 2), h / 2)


def within_groups(
    measure: str, u: Tensor, y: Tensor, units: Grouping, order: Tensor | None, random: np.random.Generator, draws: int
) -> Test:
    """Labels of rows, moved within their groups.

    Args:
        measure: spearman, auc or eta2.
        u: [m, n], less its mean within the group.
        y: [n]: of a number or boolean less its mean within the group, of a category the level.
        order: [n] float64 or None.
        random, draws: where permutations come from, and how many at most.
    """
    rows = sorted_rows(units, order)
    y, u, block = y[rows], u[:, rows], units.block[rows]
    levels = int(y.max()) + 1 if measure == "eta2" else 0
    labels = torch.stack([y == level for level in range(levels)]).float() if levels else y.float()[None]
    weight = 1 / labels.sum(1).clamp(min=1) if levels else torch.ones(1)
    where = moves(units.group[rows], order is not None, random, _MOVES if units.groups >= 16 else _MOVES_OF_FEW)
    table = _table(u, labels, where, torch.bincount(block, minlength=units.blocks).tolist())
    first = len(where) * torch.arange(units.blocks)

    def statistic(sums: Tensor) -> Tensor:  # [draws, labels, signals]
        return (sums.square() * weight[:, None]).sum(1) if levels else sums[:, 0].abs()

    def null(generator: np.random.Generator, count: int, which: Tensor) -> Tensor:
        drawn = torch.from_numpy(generator.integers(0, len(where), (count, len(first)))) + first
        of = table[:, :, which].flatten(1)
        sums = torch.nn.functional.embedding_bag(drawn, of, mode="sum")
        return statistic(sums.view(count, len(labels), -1))

    p, mean = _p(measure, statistic((labels @ u.T)[None])[0], null, random, min(draws, _WORK // units.blocks), units)
    free = max(levels - 1, 1) * u.double().square().sum(1) / max(len(y) - units.groups, 1)
    return Test(p, (mean / free.clamp(min=1e-30)).clamp(min=1.0) if levels else torch.ones_like(p))


def sorted_rows(units: Grouping, order: Tensor | None) -> Tensor:
    """[n] int64: rows by block, in it by group, in it by order."""
    rows = torch.arange(len(units.group)) if order is None else order.argsort(stable=True)
    key = units.block * units.groups + units.group
    return rows[key[rows].argsort(stable=True)]


def moves(group: Tensor, in_order: bool, random: np.random.Generator, count: int) -> Tensor:
    """[count, n] int64: from which row each row's label comes; groups [n] stand one after the other.

    In order: each group's labels are moved round by a number of rows of its own; else they are shuffled within it.
    """
    n = len(group)
    place = torch.unique_consecutive(group, return_inverse=True)[1]
    sizes = torch.bincount(place)
    start = (sizes.cumsum(0) - sizes)[place]
    if in_order:
        by = torch.from_numpy(random.random((count, len(sizes))) * sizes.numpy()).long()
        return start + (torch.arange(n) - start + by[:, place]) % sizes[place]
    key = place + torch.from_numpy(random.random((count, n)))
    return torch.as_tensor(key.argsort(dim=1))


def _table(u: Tensor, labels: Tensor, where: Tensor, sizes: list[int]) -> Tensor:
    """[blocks x moves, labels, m]: sums over the rows of each block of u times the moved label."""
    made = []
    for label in labels:
        moved = torch.split(label[where], sizes, dim=1)
        made.append(torch.cat([of @ part.T for of, part in zip(moved, torch.split(u, sizes, dim=1), strict=True)]))
    return torch.stack(made, 1)


def _p(
    measure: str, observed: Tensor, null: Null, random: np.random.Generator, draws: int, units: Grouping
) -> tuple[Tensor, Tensor]:
    """p and the mean of the null, [m] each; as `analysis.labels.permutation.permutation_p`, with a tail."""
    every, draws = torch.arange(len(observed)), max(draws, FIRST)
    first = _drawn(null, random, FIRST, every)
    least = observed - _ROUNDING * observed.abs() - 1e-12
    counts = (first >= least).sum(0).double()
    p = (1 + counts) / (1 + FIRST)
    small = every[p <= ENOUGH]
    if len(small):
        more = _drawn(null, random, draws - FIRST, small) if draws > FIRST else first[:0, small]
        every_draw = torch.cat([first[:, small], more])
        reached = (every_draw >= least[small]).sum(0)
        p[small] = (1 + reached.double()) / (1 + draws)
        if units.groups >= FEWEST_FOR_TAIL:
            beyond = _tail(measure, observed[small].double(), every_draw.double())
            p[small] = torch.where(reached == 0, torch.minimum(p[small], beyond), p[small])
    return p, first.double().mean(0)


def _drawn(null: Null, random: np.random.Generator, draws: int, which: Tensor) -> Tensor:
    parts = [null(random, min(_BLOCK, draws - start), which) for start in range(0, draws, _BLOCK)]
    return torch.cat(parts)


def _tail(measure: str, observed: Tensor, draws: Tensor) -> Tensor:
    """Chance of the observed [m] beyond all draws [d, m]."""
    if measure != "eta2":
        return normal_tail(observed / draws.square().mean(0).sqrt().clamp(min=1e-30))
    mean, variance = draws.mean(0).clamp(min=1e-30), draws.var(0).clamp(min=1e-30)
    return _gamma_tail(mean.square() / variance, observed * mean / variance)


def _gamma_tail(shape: Tensor, x: Tensor) -> Tensor:
    return torch.as_tensor(torch.special.gammaincc(shape, x))
