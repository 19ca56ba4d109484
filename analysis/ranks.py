"""Rank statistics for many signals at once: average ranks for ties, AUC, Spearman, tails and corrections.

Signals are rows: [q, n], q signals over n tokens. scipy is the oracle in the tests.
"""

from __future__ import annotations

import torch
from torch import Tensor


def midranks(values: Tensor) -> Tensor:
    """Ranks 1..n along the last dimension; equal values share their average rank.

    Args:
        values: [..., n], finite.

    Returns:
        float32 [..., n]: a half-integer up to 2^23 is exact.
    """
    ordered, order = values.sort(dim=-1)
    n = values.shape[-1]
    place = torch.arange(1, n + 1, dtype=torch.float32, device=values.device).expand_as(ordered)
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    fresh[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    if bool(fresh.all()):
        ranks = place
    else:
        first = torch.where(fresh, place, 0.0).cummax(-1).values
        ends = torch.ones_like(fresh)
        ends[..., :-1] = fresh[..., 1:]
        last = torch.where(ends, place, torch.inf).flip(-1).cummin(-1).values.flip(-1)
        ranks = (first + last) / 2
    return torch.empty_like(ranks).scatter_(-1, order, ranks)


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation of every row of `a` [q, n] with every row of `b` [k, n]: [q, k] float64.

    NaN where a row does not vary. Of ranks it is Spearman's.
    """
    a, b = centred(a), centred(b)
    scale = a.square().sum(1).sqrt()[:, None] * b.square().sum(1).sqrt()
    return torch.where(scale > 0, (a @ b.T) / scale, torch.nan)


def centred(rows: Tensor) -> Tensor:
    """Rows less their mean, float64."""
    rows = rows.double()
    return rows - rows.mean(1, keepdim=True)


def auc(ranks: Tensor, positive: Tensor) -> Tensor:
    """Chance that a positive token's value is above a negative one's, ties half.

    Args:
        ranks: [q, n] average ranks over all n tokens. positive: [k, n] bool.

    Returns:
        [q, k] float64; NaN where one side is empty.
    """
    ones = positive.sum(1).double()
    zeros = positive.shape[1] - ones
    # float64: a float32 sum of 65,536 ranks loses the third digit of a small difference
    mean = (ranks.double() @ positive.double().T) / torch.where(ones > 0, ones, torch.nan)
    return (mean - (ones + 1) / 2) / torch.where(zeros > 0, zeros, torch.nan)


def normal_tail(z: Tensor) -> Tensor:
    """Two-sided p of a standard normal; NaN stays NaN."""
    return torch.erfc(z.double().abs() / 2**0.5)


def benjamini_hochberg(p: Tensor) -> Tensor:
    """q-values over all entries that are not NaN, same shape: the false discovery rate at which each would be found."""
    flat = p.double().flatten()
    known = torch.nonzero(~flat.isnan()).flatten()
    order = known[flat[known].argsort(stable=True)]
    count = len(order)
    found = torch.full_like(flat, torch.nan)
    if count:
        raw = flat[order] * count / torch.arange(1, count + 1, dtype=torch.float64, device=p.device)
        found[order] = raw.flip(0).cummin(0).values.flip(0).clamp(max=1.0)
    return found.view(p.shape)
