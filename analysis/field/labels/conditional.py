"""What is left of a label once something else is held fixed: its group, the place in its order, another column.

Both sides lose what they share with it: rows are compared only within the same stratum, and where the strata are parts
of an order both sides lose their slope in each part as well. Cost: within a quintile of a number there is still a
little of it, and a stratum in which the label does not vary says nothing and is left out.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.field.labels import measures
from analysis.field.labels.grouping import Grouping, within_ranks
from analysis.field.labels.measures import Estimate
from analysis.labels.permutation import centred_within
from analysis.labels.whole import FEWEST_INFORMATIVE, LEAST_LEFT
from analysis.statistics.ranks import midranks


class Fixed(NamedTuple):
    """What is held fixed: its name, what it is (group, order, column), and how."""

    name: str
    kind: str
    strata: Tensor  # [n] int64, 0 to S - 1
    along: Tensor | None = None  # [n] float64: whose slope within each stratum is taken out, too


class Left(NamedTuple):
    """A label within strata that vary in it."""

    rows: Tensor  # [n] bool
    strata: int  # how many
    share: float  # of the label's variance (of a number's ranks, of a category's levels) that lies within strata


def left_of(measure: str, y: Tensor, strata: Tensor) -> Left:
    """What strata [n] leave of a label [n]."""
    code = coded(measure, y)
    some = torch.zeros(int(strata.max()) + 1, dtype=torch.bool)
    inside = centred_within(code, strata).square().sum(0)
    some[strata[inside > 1e-9 * max(float(inside.max()), 1e-30)]] = True
    whole = (code - code.mean(1, keepdim=True)).square().sum()
    return Left(some[strata], int(some.sum()), float(inside.sum() / whole.clamp(min=1e-30)))


def separable(left: Left) -> bool:
    """Enough is left to be seen."""
    return left.share >= LEAST_LEFT and int(left.rows.sum()) >= FEWEST_INFORMATIVE


def coded(measure: str, y: Tensor) -> Tensor:
    """A label as numbers [k, n] float64: ranks, 0 and 1, or one row a level."""
    if measure == "eta2":
        return torch.nn.functional.one_hot(y.long()).T.double()
    return (midranks(y) if measure == "spearman" else y)[None].double()


def within(measure: str, y: Tensor, strata: Tensor) -> Tensor:
    """The label less what its stratum has [n] float32; of a number its place in the stratum."""
    if measure == "spearman":
        return within_ranks(midranks(y)[None], strata)[0]
    return centred_within(y[None].double(), strata)[0].float()


def conditional(
    measure: str, x: Tensor, u: Tensor, y: Tensor, fixed: Fixed, left: Left, units: Grouping
) -> tuple[Estimate, Tensor]:
    """The measure within strata [m], and where it stands by chance [m].

    Args:
        measure: spearman, auc or eta2.
        x: [m, n] values. u: [m, n], their places within the strata.
        y: [n]. fixed, left: the strata, and in which the label varies.
    """
    if measure != "eta2":
        inside = level(within(measure, y, fixed.strata)[None], fixed)[0]
        of = measures.within_spearman if measure == "spearman" else measures.within_auc
        found = of(level(u, fixed) * left.rows, inside * left.rows, units.block, units.blocks)
        return found, torch.full_like(found.value, 0.0 if measure == "spearman" else 0.5)
    centred = level(centred_within(x, fixed.strata), fixed) * left.rows
    dummies = (level(centred_within(coded(measure, y), fixed.strata), fixed) * left.rows).T.float()
    found = measures.partial_eta2(centred, dummies, units.block, units.blocks)
    free = max(int(left.rows.sum()) - left.strata * (1 if fixed.along is None else 2), 1)
    return found, torch.full_like(found.value, min(1.0, (dummies.shape[1] - 1) / free))


def level(x: Tensor, fixed: Fixed) -> Tensor:
    """x [k, n], of mean 0 in every stratum, less its slope along the order in each; as it is where there is none."""
    if fixed.along is None:
        return x
    along = centred_within(fixed.along[None].double(), fixed.strata)[0].to(x.dtype)
    strata = int(fixed.strata.max()) + 1
    length = torch.zeros(strata, dtype=x.dtype).index_add_(0, fixed.strata, along.square())
    shared = torch.zeros(len(x), strata, dtype=x.dtype).index_add_(1, fixed.strata, x * along)
    return x - (shared / length.clamp(min=1e-30))[:, fixed.strata] * along


def levelled(measure: str, y: Tensor, fixed: Fixed) -> float:
    """Share of a label's variance that is left within strata and off its slope in each."""
    code = coded(measure, y)
    whole = (code - code.mean(1, keepdim=True)).square().sum()
    return float(level(centred_within(code, fixed.strata), fixed).square().sum() / whole.clamp(min=1e-30))


def kept_of(measure: str, y: Tensor, fixed: Fixed, left: Left, whole: Tensor) -> float:
    """How much a label varies in a row with something held fixed, over how much it does within strata `whole` [n]."""
    code = coded(measure, y)
    inside = level(centred_within(code, fixed.strata), fixed)[:, left.rows].square().sum(0).mean()
    return float(inside / centred_within(code, whole).square().sum(0).mean().clamp(min=1e-30))


def were_it_true(measure: str, size: Tensor, kept: float) -> Tensor:
    """Distance from chance [m] of an effect of this size that is the label's own, where the label keeps so much of its
    variance: an AUC is of pairs of rows and stays; a correlation shrinks with what varies.
    """
    if measure == "auc":
        return size
    share = size.square() if measure == "spearman" else size
    share = (share * kept / (share * kept + 1 - share).clamp(min=1e-30)).clamp(0, 1)
    return share.sqrt() if measure == "spearman" else share
