"""What a unit's variance is divided among: the columns of the table in the place of words and contexts. [our own]

Each unit's activation is predicted from columns in groups that were not fitted: from one alone, from all of them, and
averaged over the orders in which they can be added (Shapley), so that columns that say the same share what both say.
A column of numbers may act in any shape: by a line that is bent at 21 places.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import factorial
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.statistics.intervals import jackknife_ratio
from analysis.statistics.sampling import mix_bits

FOLDS = 5
MOST = 8
"""Columns that are divided among: those that say most alone."""
KNOTS = 21
"""Of the bent line that a column of numbers may act by; between them are equally many rows."""
MOST_LEVELS = 50
PENALTY = 5.0
"""Rows' worth of shrinkage to the mean: so little that a level with hundreds of rows is not moved."""
_FOLD = 55  # salt


class Source(NamedTuple):
    """A column of the table as far as prediction needs it.

    Args:
        values: [n] float64: numbers, or codes of categories and of true/false; NaN where missing.
    """

    name: str
    kind: str  # number, boolean, category
    values: Tensor


class Divided(NamedTuple):
    """Shares of the variance of m units, in groups kept out; all float64. c columns in the order of `names`."""

    names: list[str]
    alone: Tensor  # [c, m]
    added: Tensor  # [c, m]: to all others; NaN of a column that was left out of the whole
    average: Tensor  # [c, m]: over all orders; NaN likewise
    total: Tensor  # [m]: of all together
    low: Tensor  # [m]: 95 % interval of it over buckets of groups
    high: Tensor  # [m]


def divide(values: Tensor, sources: Sequence[Source], group: Tensor, bucket: Tensor) -> Divided:
    """Predict units from columns.

    Args:
        values: [n, m] float32: activations of the units.
        sources: columns.
        group: [n] int64: rows of one group are fitted together or not at all.
        bucket: [n] int64: which part of the groups, for intervals.
    """
    y = values.double()
    fold = folds(group)
    designs = [_design(source) for source in sources]
    shares_alone = [_share(y, _left(y, [design], fold)) for design in designs]
    alone = torch.stack(shares_alone) if designs else y.new_empty(0, y.shape[1])
    strongest = alone.clamp(min=0).mean(1).argsort(descending=True, stable=True)[:MOST].sort().values.tolist()
    value = {
        some: _left(y, [designs[strongest[place]] for place in some], fold)
        for size in range(len(strongest) + 1)
        for some in combinations(range(len(strongest)), size)
    }
    shares = {some: _share(y, left) for some, left in value.items()}
    whole = tuple(range(len(strongest)))
    average, added = (torch.full_like(alone, torch.nan) for _ in range(2))
    for place, column in enumerate(strongest):
        average[column] = _averaged(shares, place, len(strongest))
        added[column] = shares[whole] - shares[tuple(p for p in whole if p != place)]
    low, high = _interval(y, value[whole], bucket)
    return Divided([source.name for source in sources], alone, added, average, shares[whole], low, high)


def folds(group: Tensor) -> Tensor:
    """[n] int64: the fold of each row; groups are whole, drawn by hash, as equal in number as can be."""
    code, place = torch.unique(group, return_inverse=True)
    order = mix_bits(code, _FOLD).argsort()
    fold = torch.empty_like(code)
    fold[order] = torch.arange(len(code)) * min(FOLDS, len(code)) // max(1, len(code))
    return fold[place]


def _design(source: Source) -> Tensor:
    """[n, p] float64: of a category its levels, of a number a line bent at `KNOTS` places; what is missing is a part of
    its own."""
    known = ~source.values.isnan()
    some = source.values[known]
    if source.kind == "number" and len(torch.unique(some)) > KNOTS:
        shares = torch.linspace(0, 1, KNOTS, dtype=torch.float64)
        knots = torch.unique(some[: 2**24].quantile(shares))  # as many as torch sorts at once
        made = torch.zeros(len(known), len(knots) + 1, dtype=torch.float64)
        made[known, 1:] = _hats(some, knots)
        made[~known, 0] = 1.0
        return made
    code = torch.zeros(len(known), dtype=torch.int64)
    levels, place, counts = torch.unique(some, return_inverse=True, return_counts=True)
    rank = torch.empty(len(levels), dtype=torch.int64)
    rank[counts.argsort(descending=True, stable=True)] = torch.arange(len(levels))
    code[known] = 1 + rank[place].clamp(max=MOST_LEVELS)  # the rare ones are one
    return torch.nn.functional.one_hot(code).double()


def _hats(values: Tensor, knots: Tensor) -> Tensor:
    """[n, k]: how near each value is to each knot, 1 at it and 0 from its neighbours on."""
    above = torch.searchsorted(knots, values).clamp(1, len(knots) - 1)
    share = ((values - knots[above - 1]) / (knots[above] - knots[above - 1])).clamp(0, 1)
    made = torch.zeros(len(values), len(knots), dtype=torch.float64)
    row = torch.arange(len(values))
    made[row, above - 1], made[row, above] = 1 - share, share
    return made


def _left(y: Tensor, designs: Sequence[Tensor], fold: Tensor) -> Tensor:
    """[n, m]: what is left of y once it is predicted from rows of other folds; of no columns, about their mean."""
    count = int(fold.max()) + 1
    ones = torch.ones(len(y), 1, dtype=torch.float64)
    x = torch.cat([ones, *designs], 1)
    grams = [(x[fold == f].T @ x[fold == f], x[fold == f].T @ y[fold == f]) for f in range(count)]
    gram, cross = (torch.stack(parts).sum(0) for parts in zip(*grams, strict=True))
    penalty = torch.full((x.shape[1],), PENALTY, dtype=torch.float64)
    penalty[0] = 1e-9
    left = torch.empty_like(y)
    for f, (inner, outer) in enumerate(grams):
        others, target = (gram - inner, cross - outer) if count > 1 else (gram, cross)
        weights = torch.linalg.solve(others + torch.diag(penalty), target)
        left[fold == f] = y[fold == f] - x[fold == f] @ weights
    return left


def _share(y: Tensor, left: Tensor) -> Tensor:
    """[m]: 1 less what is left of the variance; NaN of a unit that does not vary."""
    total = (y - y.mean(0)).square().sum(0)
    return torch.where(total > 0, 1 - left.square().sum(0) / total, torch.nan)


def _interval(y: Tensor, left: Tensor, bucket: Tensor) -> tuple[Tensor, Tensor]:
    """95 % interval of the share, leaving out each bucket once."""
    shape = int(bucket.max()) + 1, y.shape[1]
    error, total = (torch.zeros(shape, dtype=torch.float64) for _ in range(2))
    error.index_add_(0, bucket, left.square())
    total.index_add_(0, bucket, (y - y.mean(0)).square())
    _ratio, low, high = jackknife_ratio(error, total)
    return 1 - high, 1 - low


def _averaged(shares: dict[tuple[int, ...], Tensor], place: int, count: int) -> Tensor:
    """[m]: what a column adds, over all orders (Shapley)."""
    others = [other for other in range(count) if other != place]
    total = torch.zeros_like(shares[()])
    for size in range(count):
        weight = factorial(size) * factorial(count - size - 1) / factorial(count)
        for some in combinations(others, size):
            total += weight * (shares[tuple(sorted((*some, place)))] - shares[some])
    return total
