"""Measures of units against a label over rows, from sums by block of groups: values, intervals, held out.

Three measures as of documents (`analysis.labels.measures`): Spearman of a number, AUC of a boolean, eta² of a category.
Units are rows of a tensor: [m, n], m units on n rows. An interval leaves out one block of groups at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.labels.measures import FOLDS, auc_bounds, correlation_bounds, half_width, share_bounds
from analysis.statistics.intervals import t95
from analysis.statistics.ranks import auc, grouped_auc, midranks, sums_over

_SMALL = 1e-30


class Estimate(NamedTuple):
    """A measure with its 95 % interval, [m] float64 each."""

    value: Tensor
    low: Tensor
    high: Tensor


def spearman(ranks: Tensor, y: Tensor, block: Tensor, blocks: int) -> Estimate:
    """Of a number y [n]; the ranks [m, n] stay what they were when a block leaves."""
    n = ranks.shape[1]
    a = ranks / n - (n + 1) / (2 * n)
    b = midranks(y) / n - (n + 1) / (2 * n)
    sums = [sums_over(block, rows, blocks) for rows in (a, (b[None] * a), a.square(), b[None], b.square()[None])]
    sums.append(torch.bincount(block, minlength=blocks).double()[:, None])
    value = _pearson([one.sum(0) for one in sums])
    without = _pearson([one.sum(0) - one for one in sums])
    return Estimate(value, *correlation_bounds(value, half_width(without.T)))


def _pearson(sums: list[Tensor]) -> Tensor:
    a, ab, aa, b, bb, n = sums
    n = n.clamp(min=1)
    spread = (aa - a * a / n).clamp(min=0) * (bb - b * b / n).clamp(min=0)
    return torch.where(spread > 0, (ab - a * b / n) / spread.clamp(min=_SMALL).sqrt(), 0.0)


def boolean_auc(ranks: Tensor, y: Tensor, block: Tensor, blocks: int) -> Estimate:
    """Of a boolean y [n] of 0 and 1. The value is exact; the error is that of ranks in 128 parts."""
    true = y > 0
    sets = torch.tensor([[False, True]])
    _same, error, _curve = grouped_auc(ranks, true.long(), sets, block, points=1, groups=blocks)
    value = auc(ranks, true[None])[:, 0]
    return Estimate(value, *auc_bounds(value, t95(max(blocks - 1, 1)) * error[:, 0]))


def eta2(x: Tensor, level: Tensor, block: Tensor, blocks: int) -> Estimate:
    """Share of the variance of x [m, n] that lies between levels [n], 0 to L - 1."""
    levels = int(level.max()) + 1
    cell = block * levels + level
    sums = _by(cell, x, blocks * levels).view(len(x), blocks, levels)
    counts = torch.bincount(cell, minlength=blocks * levels).view(blocks, levels).double()
    squares = _by(block, x.square(), blocks)
    value = _eta2(sums.sum(1), counts.sum(0), squares.sum(1))
    rest = sums.sum(1, keepdim=True) - sums, counts.sum(0) - counts, squares.sum(1, keepdim=True) - squares
    return Estimate(value, *share_bounds(value, half_width(_eta2(*rest))))


def _by(part: Tensor, x: Tensor, parts: int) -> Tensor:
    """Sums [m, parts] float64 of x [m, n]; float32 sums of 60,000 values would lose what is between levels."""
    return torch.zeros(len(x), parts, dtype=torch.float64).index_add_(1, part, x.double())


def _eta2(sums: Tensor, counts: Tensor, squares: Tensor) -> Tensor:
    middle = sums.sum(-1).square() / counts.sum(-1)
    between = (sums.square() / counts.clamp(min=1)).sum(-1) - middle
    total = squares - middle
    return torch.where(total > 0, between / total.clamp(min=_SMALL), 0.0)


def share_between(x: Tensor, group: Tensor) -> Tensor:
    """eta² of x [m, n] for groups [n], without interval."""
    groups = int(group.max()) + 1
    return _eta2(_by(group, x, groups), torch.bincount(group, minlength=groups).double(), x.double().square().sum(1))


# --- within strata: both sides are less what their stratum has ---------------------------------------


def within_spearman(u: Tensor, v: Tensor, block: Tensor, blocks: int) -> Estimate:
    """Correlation of places within the stratum, u [m, n] and v [n]: the mean over strata of Spearman, by rows."""
    uv, uu = sums_over(block, u * v, blocks), sums_over(block, u.square(), blocks)
    vv = sums_over(block, v.square()[None], blocks)

    def value(uv: Tensor, uu: Tensor, vv: Tensor) -> Tensor:
        return torch.where(uu * vv > 0, uv / (uu * vv).clamp(min=_SMALL).sqrt(), 0.0)

    found = value(uv.sum(0), uu.sum(0), vv.sum(0))
    wide = half_width(value(uv.sum(0) - uv, uu.sum(0) - uu, vv.sum(0) - vv).T)
    return Estimate(found, *correlation_bounds(found, wide))


def within_auc(u: Tensor, y: Tensor, block: Tensor, blocks: int) -> Estimate:
    """AUC of pairs of the same stratum (van Elteren's weights), y [n] 0 or 1 less its stratum's mean."""
    uy, yy = sums_over(block, u * y, blocks), sums_over(block, y.square()[None], blocks)
    value = 0.5 + (uy.sum(0) / yy.sum(0).clamp(min=_SMALL))
    without = 0.5 + (uy.sum(0) - uy) / (yy.sum(0) - yy).clamp(min=_SMALL)
    return Estimate(value, *auc_bounds(value.clamp(0, 1), half_width(without.T)))


def partial_eta2(x: Tensor, dummies: Tensor, block: Tensor, blocks: int) -> Estimate:
    """Share of the variance within strata that levels explain; x [m, n] and dummies [n, L] less their stratum's mean.

    One level is redundant: the last column of `dummies` is dropped.
    """
    d, order = dummies[:, :-1], block.argsort(stable=True)
    sizes = torch.bincount(block, minlength=blocks).tolist()
    parts = list(zip(torch.split(d[order], sizes), torch.split(x[:, order], sizes, dim=1), strict=True))
    dd = torch.stack([one.T @ one for one, _x in parts]).double()
    dx = torch.stack([(of @ one).T for one, of in parts]).double()
    xx = torch.stack([of.square().sum(1) for _d, of in parts]).double()

    def value(dd: Tensor, dx: Tensor, xx: Tensor) -> Tensor:
        inverse = torch.linalg.pinv(dd, hermitian=True, rtol=1e-6)
        return torch.as_tensor(((inverse @ dx) * dx).sum(-2) / xx.clamp(min=_SMALL))

    found = value(dd.sum(0), dx.sum(0), xx.sum(0)).clamp(0, 1)
    without = value(dd.sum(0) - dd, dx.sum(0) - dx, xx.sum(0) - xx)
    return Estimate(found, *share_bounds(found, half_width(without.T)))


# --- held out by folds of groups --------------------------------------------------------------------


def held_out_sign(u: Tensor, v: Tensor, fold: Tensor, of_auc: bool) -> Tensor:
    """Spearman, or AUC, within each fold, its side by that of the other folds [m]; chance 0, or 0.5.

    Args:
        u, v: [m, n] and [n], less their mean within strata that no two folds share.
        fold: [n], 0 to 4.
    """
    uv = sums_over(fold, u * v, FOLDS)
    uu, vv = sums_over(fold, u.square(), FOLDS), sums_over(fold, v.square()[None], FOLDS)
    scale = vv if of_auc else (uu * vv).sqrt()
    each = torch.where(scale > 0, uv / scale.clamp(min=_SMALL), 0.0)
    weight = vv / vv.sum()
    side = (uv.sum(0) - uv).sign()
    found = uv.sum(0).sign() * (weight * side * each).sum(0)
    return found + 0.5 if of_auc else found


def held_out_means(x: Tensor, level: Tensor, fold: Tensor) -> Tensor:
    """R² of rows x [m, n] predicted by the other folds' level means, against those folds' common mean [m].

    A level's mean is drawn toward the common one by rows / (rows + k), k the variance within levels over that between
    them as the other folds have it. 0 by chance or below; NaN where a fold is empty.
    """
    levels = int(level.max()) + 1
    cell = fold * levels + level
    sums = _by(cell, x, FOLDS * levels).view(len(x), FOLDS, levels)
    counts = torch.bincount(cell, minlength=FOLDS * levels).view(FOLDS, levels).double()
    squares = _by(fold, x.square(), FOLDS)
    if bool((counts.sum(1) == 0).any()):
        return torch.full((len(x),), torch.nan, dtype=torch.float64)
    wrong, total = torch.zeros(2, len(x), dtype=torch.float64)
    for here in range(FOLDS):
        known, n = sums.sum(1) - sums[:, here], counts.sum(0) - counts[here]
        centre = known.sum(1, keepdim=True) / n.sum()
        drawn = _drawn(known - n * centre, n, squares.sum(1) - squares[:, here] - n.sum() * centre[:, 0].square())
        own, size = sums[:, here] - counts[here] * centre, counts[here]
        spread = squares[:, here] - 2 * centre[:, 0] * sums[:, here].sum(1) + size.sum() * centre[:, 0].square()
        wrong += spread - 2 * (drawn * own).sum(1) + (drawn.square() * size).sum(1)
        total += spread
    return torch.where(total > 0, 1 - wrong / total.clamp(min=_SMALL), 0.0)


def _drawn(sums: Tensor, counts: Tensor, squares: Tensor) -> Tensor:
    """Level means [m, L] about 0, drawn toward it; 0 for a level that does not occur."""
    filled, n = int((counts > 0).sum()), counts.sum()
    between = (sums.square() / counts.clamp(min=1)).sum(1)
    within = (squares - between).clamp(min=0) / (n - filled).clamp(min=1)
    size = (n - counts.square().sum() / n) / max(filled - 1, 1)
    spread = ((between / max(filled - 1, 1) - within) / size.clamp(min=_SMALL)).clamp(min=0)
    k = torch.where(spread > 0, within / spread.clamp(min=_SMALL), torch.inf)
    return torch.where(counts > 0, sums / (counts + k[:, None]), 0.0)
