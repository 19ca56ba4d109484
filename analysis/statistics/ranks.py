"""Rank statistics for many signals at once: average ranks for ties, AUC, Spearman, tails and corrections.

Signals are rows: [q, n], q signals over n tokens. scipy is the oracle in the tests.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SORTED = 1 << 20  # values that are sorted at once: their order and ties take 60 bytes each


def midranks(values: Tensor) -> Tensor:
    """Ranks 1..n along the last dimension; equal values share their average rank.

    Args:
        values: [..., n], finite.

    Returns:
        float32 [..., n]: a half-integer up to 2^23 is exact.
    """
    flat = values.reshape(-1, values.shape[-1])
    some = max(1, _SORTED // max(1, flat.shape[-1]))
    if len(flat) <= some:
        return Order(flat).ranks().view(values.shape)
    found = torch.empty(flat.shape, device=flat.device)
    for start in range(0, len(flat), some):
        found[start : start + some] = Order(flat[start : start + some]).ranks()
    return found.view(values.shape)


class Order:
    """Rows of values sorted once; ranks within any subset of the columns then cost no sorting.

    Args:
        values: [q, n], finite.
    """

    def __init__(self, values: Tensor) -> None:
        ordered, self.order = values.sort(dim=-1)
        n = values.shape[-1]
        place = torch.arange(n, device=values.device).expand_as(ordered)
        fresh = torch.ones_like(ordered, dtype=torch.bool)
        fresh[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
        self.ties = not bool(fresh.all())
        if self.ties:  # where the run of equal values begins and ends that a sorted place lies in
            self._first = torch.where(fresh, place, 0).cummax(-1).values
            ends = torch.ones_like(fresh)
            ends[..., :-1] = fresh[..., 1:]
            self._last = torch.where(ends, place, n).flip(-1).cummin(-1).values.flip(-1)

    def ranks(self, keep: Tensor | None = None) -> Tensor:
        """Average ranks [q, n] among the columns of `keep` [n] bool (all where None); only those columns are ranks."""
        if keep is None or bool(keep.all()):
            below = torch.arange(1, self.order.shape[-1] + 1, dtype=torch.float32, device=self.order.device)
            below = below.expand(self.order.shape)
        else:
            below = keep[self.order].cumsum(-1, dtype=torch.float32)  # kept ones up to each sorted place
        if self.ties:
            before = torch.where(self._first > 0, below.gather(-1, (self._first - 1).clamp(min=0)), 0.0)
            below = (before + 1 + below.gather(-1, self._last)) / 2
        return torch.empty(self.order.shape, device=self.order.device).scatter_(-1, self.order, below)


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlation of every row of `a` [q, n] with every row of `b` [k, n]: [q, k] float64.

    NaN where a row does not vary. Of ranks it is Spearman's.
    """
    return (standard(a) @ standard(b).T).double()


def standard(rows: Tensor) -> Tensor:
    """Rows less their mean, of length one, float32: products of two are correlations, good to 1e-6.

    NaN where a row does not vary. Average ranks less their mean are exact in float32.
    """
    rows = rows.float()
    off = rows - rows.mean(1, keepdim=True, dtype=torch.float64).float()
    return torch.nn.functional.normalize(off, dim=1, eps=0.0)


def sums_over(group: Tensor, rows: Tensor, groups: int) -> Tensor:
    """[groups, q] float64: sums of the rows [q, n] over the tokens of each group [n]; one matrix product."""
    chosen = torch.nn.functional.one_hot(group, groups).to(rows.dtype)
    return (rows @ chosen).T.double()


def auc(ranks: Tensor, positive: Tensor) -> Tensor:
    """Chance that a positive token's value is above a negative one's, ties half.

    Args:
        ranks: [q, n] average ranks over all n tokens. positive: [k, n] bool.

    Returns:
        [q, k] float64; NaN where one side is empty.
    """
    ones = positive.sum(1).double()
    zeros = positive.shape[1] - ones
    middle = (ranks.shape[1] + 1) / 2  # taken off first: sums of large ranks would cost float32 its digits
    mean = ((ranks - middle) @ positive.float().T).double() / torch.where(ones > 0, ones, torch.nan) + middle
    return (mean - (ones + 1) / 2) / torch.where(zeros > 0, zeros, torch.nan)


def normal_tail(z: Tensor) -> Tensor:
    """Two-sided p of a standard normal; NaN stays NaN."""
    return torch.erfc(z.double().abs() / 2**0.5)


def benjamini_hochberg(p: Tensor) -> Tensor:
    """q-values over all entries that are not NaN, same shape: the false discovery rate at which each would be found."""
    found, known = p.double().clone(), ~p.isnan()
    ordered, order = found[known].sort(stable=True)
    tests = len(ordered)
    ordered *= tests / torch.arange(1, tests + 1, dtype=torch.float64, device=p.device)
    q = torch.empty_like(ordered)
    q[order] = ordered.flip(0).cummin(0).values.flip(0).clamp(0, 1) if tests else ordered
    found[known] = q
    return found


def grouped_auc(
    ranks: Tensor, tag: Tensor, sets: Tensor, group: Tensor, points: int, groups: int = 64, bins: int = 128
) -> tuple[Tensor, Tensor, Tensor]:
    """AUC of each signal for sets of tags, with a standard error over groups of documents, and one ROC curve.

    The AUC is exact; its error comes from leaving out each group once, with ranks in `bins` equal parts, and is NaN
    where fewer than five groups hold the set.

    Args:
        ranks: [m, n]. tag: [n] int64, 0 to T - 1. sets: [k, T] bool; the curve is that of the last.
        group: [n] int64. points: of the curve, a divisor of `bins`.

    Returns:
        auc [m, k], error [m, k], curve [m, 2, points + 1] (false and true positive rate), float64.
    """
    found = auc(ranks, sets[:, tag])
    errors, curves = [], []
    for rows in ranks.split(_ROWS):  # type: ignore[no-untyped-call]
        counts = _binned(rows, tag, sets.shape[1], group, groups, bins)  # [rows, groups, bins, T]
        total = counts.sum(1, keepdim=True)
        without = _binned_auc(total - counts, sets)
        used = counts.sum((2, 3)) > 0  # [rows, groups]
        count = used.sum(1, keepdim=True).double()
        off = torch.where(used[..., None], without - _binned_auc(total, sets), 0.0)
        # a tag that stands in a few groups only: leaving them out says nothing of how it varies
        holding = ((counts.sum(2) @ sets.T.float()) > 0).sum(1)  # [rows, k]
        error = ((count - 1) / count * off.square().nan_to_num().sum(1)).sqrt()
        errors.append(torch.where(holding >= FEWEST_GROUPS, error, torch.nan))
        curves.append(_curve(total[:, 0].double(), sets[-1], points))
    return found, torch.cat(errors), torch.cat(curves)


FEWEST_GROUPS = 5  # of documents that must hold a tag for its AUC to have an error
_ROWS = 16  # signals whose counts by group, rank and tag are in memory at once


def _binned(ranks: Tensor, tag: Tensor, tags: int, group: Tensor, groups: int, bins: int) -> Tensor:
    place = ((ranks - 0.5) * (bins / ranks.shape[1])).long().clamp(0, bins - 1)
    index = (group * bins + place) * tags + tag
    counts = torch.zeros(len(ranks), groups * bins * tags, device=ranks.device)
    counts.scatter_add_(1, index, torch.ones_like(index, dtype=torch.float32))
    return counts.view(len(ranks), groups, bins, tags)


def _binned_auc(counts: Tensor, sets: Tensor) -> Tensor:
    """[..., bins, T] -> [..., k] float64; equal bins count half."""
    positive = counts @ sets.T.float()
    negative = counts.sum(-1, keepdim=True) - positive
    below = negative.cumsum(-2) - negative / 2
    pairs = positive.double().sum(-2) * negative.double().sum(-2)
    return torch.where(pairs > 0, (positive.double() * below).sum(-2) / pairs, torch.nan)


def _curve(counts: Tensor, chosen: Tensor, points: int) -> Tensor:
    """[m, bins, T] -> [m, 2, points + 1]: from the highest values down."""
    positive = counts[..., chosen].sum(-1)
    both = torch.stack([counts.sum(-1) - positive, positive], 1).flip(-1).cumsum(-1)
    rates = both / both[..., -1:].clamp(min=1)
    step = rates.shape[-1] // points
    return torch.cat([torch.zeros_like(rates[..., :1]), rates[..., step - 1 :: step]], -1)
