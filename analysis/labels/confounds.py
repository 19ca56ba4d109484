"""Which labels of documents go with one another: what goes with one may come from the other."""

from __future__ import annotations

import math
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.statistics.ranks import auc, correlation, midranks

STRONG = 0.3
FEWEST_SHARED = 20  # documents with both values
BINS = 5  # of a number, where it is held fixed


class Confound(NamedTuple):
    """Another column that goes with this one; `strength` 0 to 1."""

    name: str
    strength: float
    measure: str


Part = tuple[str, str, Tensor, Tensor]  # name, kind, documents [D] ascending, values [D]


def confounds(parts: list[Part]) -> dict[str, list[Confound]]:
    """For each column by name, the others with a strength of at least `STRONG`, strongest first."""
    found: dict[str, list[Confound]] = {part[0]: [] for part in parts}
    for one, other in combinations(parts, 2):
        strength, measure = association(one, other)
        if strength >= STRONG:
            for part, with_ in ((one[0], other[0]), (other[0], one[0])):
                found[part].append(Confound(with_, strength, measure))
    return {name: sorted(of, key=lambda c: (-c.strength, c.name)) for name, of in found.items()}


def association(one: Part, other: Part) -> tuple[float, str]:
    """Strength 0 to 1 over the documents that have both, and what it is; 0 where they are too few or do not vary.

    Numbers: |Spearman|. Number and true/false: |2 AUC - 1|. Number and category: eta² of the ranks, corrected for
    the number of groups (Kelley's epsilon²). Else Cramér's V, corrected likewise (Bergsma 2013).
    """
    if {one[1], other[1]} != {"number"} and other[1] == "number":
        return association(other, one)
    _documents, a, b = shared(one[2], one[3], other[2], other[3])
    if len(a) < FEWEST_SHARED or len(torch.unique(a)) < 2 or len(torch.unique(b)) < 2:
        return 0.0, "none"
    if one[1] != "number":
        return cramers_v(a, b), "Cramér's V"
    ranks = midranks(a)[None]
    if other[1] == "number":
        return abs(float(correlation(ranks, midranks(b)[None]))), "Spearman"
    if other[1] == "boolean":
        return abs(2 * float(auc(ranks, b[None] > 0)) - 1), "|2 AUC - 1|"
    return _epsilon2(ranks[0].double(), b), "eta²"


def shared(index: Tensor, values: Tensor, other: Tensor, others: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Documents of both (ascending), and each one's values there."""
    first, second = torch.isin(index, other), torch.isin(other, index)
    return index[first], values[first], others[second]


def strata(kind: str, values: Tensor) -> Tensor:
    """What is held fixed [D] int64: the groups of a category, the quintiles of a number."""
    if kind != "number":
        _levels, group = torch.unique(values, return_inverse=True)
        return torch.as_tensor(group)
    cuts = values.quantile(torch.arange(1, BINS, dtype=values.dtype) / BINS)
    return torch.searchsorted(torch.unique(cuts), values)


def cramers_v(a: Tensor, b: Tensor) -> float:
    """Cramér's V of two categories [n], less what as many rows and columns give by chance."""
    a, b = torch.unique(a, return_inverse=True)[1], torch.unique(b, return_inverse=True)[1]
    rows, columns, n = int(a.max()) + 1, int(b.max()) + 1, len(a)
    table = torch.bincount(a * columns + b, minlength=rows * columns).view(rows, columns).double()
    expected = table.sum(1, keepdim=True) * table.sum(0) / n
    phi2 = float(((table - expected) ** 2 / expected).sum()) / n
    phi2 = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    least = min(side - (side - 1) ** 2 / (n - 1) for side in (rows, columns)) - 1
    return math.sqrt(min(1.0, phi2 / least)) if least > 0 else 0.0


def _epsilon2(values: Tensor, group: Tensor) -> float:
    group = torch.unique(group, return_inverse=True)[1]
    groups, n = int(group.max()) + 1, len(values)
    if groups == n:
        return 0.0
    values = values - values.mean()
    sums = torch.zeros(groups, dtype=torch.float64).index_add_(0, group, values)
    between = float((sums**2 / torch.bincount(group)).sum() / values.square().sum())
    return max(0.0, 1 - (1 - between) * (n - 1) / (n - groups))
