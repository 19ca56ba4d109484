"""What a unit's variance is divided among: the columns of the table in the place of words and contexts. [our own]

Each unit's activation is predicted from columns in groups that were not fitted: from one alone, from all of them, and
averaged over the orders in which they can be added (Shapley), so that columns that say the same share what both say.
A column of numbers may act in any shape: by a line that is bent at 21 places.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
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
    alone = (
        torch.stack([_Products(y, [one], fold).share((0,)) for one in designs])
        if designs
        else y.new_empty(0, y.shape[1])
    )
    strongest = alone.clamp(min=0).nanmean(1).argsort(descending=True, stable=True)[:MOST].sort().values.tolist()
    chosen = [designs[place] for place in strongest]
    products, whole = _Products(y, chosen, fold), tuple(range(len(chosen)))
    shares = {
        some: products.share(some) for size in range(len(chosen) + 1) for some in combinations(range(len(chosen)), size)
    }
    average, added = (torch.full_like(alone, torch.nan) for _ in range(2))
    for place, column in enumerate(strongest):
        average[column] = _averaged(shares, place, len(chosen))
        added[column] = shares[whole] - shares[tuple(p for p in whole if p != place)]
    low, high = _interval(y, _left(y, products, fold), bucket)
    return Divided([source.name for source in sources], alone, added, average, shares[whole], low, high)


def together(parts: Sequence[Divided]) -> Divided:
    """Of some units, and of others: the same columns, and the units one after the other.

    Which columns are divided among may differ from part to part: they are those that say most of its units.
    """
    alone, added, average = (
        torch.cat([getattr(one, name) for one in parts], 1) for name in ("alone", "added", "average")
    )
    total, low, high = (torch.cat([getattr(one, name) for one in parts]) for name in ("total", "low", "high"))
    return Divided(parts[0].names, alone, added, average, total, low, high)


class _Products:
    """Inner products of the columns' designs and the units, fold by fold: all that is predicted is made of them.

    Args:
        y: [n, m].
        designs: [n, p] each.
        fold: [n] int64.
    """

    def __init__(self, y: Tensor, designs: Sequence[Tensor], fold: Tensor) -> None:
        ends = [1]
        for design in designs:
            ends.append(ends[-1] + design.shape[1])
        self.places = [torch.arange(low, high) for low, high in pairwise(ends)]
        self.x = torch.cat([torch.ones(len(y), 1, dtype=torch.float64), *designs], 1)
        self.folds = int(fold.max()) + 1
        parts = [(self.x[fold == f], y[fold == f]) for f in range(self.folds)]
        self.inner = torch.stack([x.T @ x for x, _y in parts])
        self.outer = torch.stack([x.T @ of for x, of in parts])
        self.square = torch.stack([of.square().sum(0) for _x, of in parts])
        self.total = (y - y.mean(0)).square().sum(0)

    def weights(self, fold: int, some: Tensor) -> Tensor:
        """[p, m]: of the parts `some`, fitted on the other folds; on this one, where there is no other."""
        own = self.folds > 1
        inner = self.inner.sum(0) - own * self.inner[fold]
        outer = self.outer.sum(0) - own * self.outer[fold]
        penalty = torch.full((len(some),), PENALTY, dtype=torch.float64)
        penalty[0] = 1e-9
        found: Tensor = torch.linalg.solve(inner[some][:, some] + torch.diag(penalty), outer[some])
        return found

    def parts(self, columns: Sequence[int]) -> Tensor:
        """Places of a constant and of these columns' designs."""
        return torch.cat([torch.zeros(1, dtype=torch.int64), *(self.places[column] for column in columns)])

    def share(self, columns: Sequence[int]) -> Tensor:
        """[m]: 1 less what is left of the variance in folds that were not fitted; NaN of a unit that does not vary."""
        some = self.parts(columns)
        left = torch.zeros_like(self.total)
        for fold in range(self.folds):
            weights, inner = self.weights(fold, some), self.inner[fold][some][:, some]
            left += self.square[fold] - 2 * (weights * self.outer[fold][some]).sum(0)
            left += (weights * (inner @ weights)).sum(0)
        return torch.where(self.total > 0, 1 - left / self.total, torch.nan)


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


def _left(y: Tensor, products: _Products, fold: Tensor) -> Tensor:
    """[n, m]: what is left of y once all columns have predicted it."""
    some = products.parts(range(len(products.places)))
    left = torch.empty_like(y)
    for f in range(products.folds):
        left[fold == f] = y[fold == f] - products.x[fold == f] @ products.weights(f, some)
    return left


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
