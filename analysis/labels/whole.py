"""Labels of whole documents against the signals' means over them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.labels import measures
from analysis.labels.columns import FEWEST_DOCUMENTS, LabelColumn
from analysis.labels.confounds import shared, strata
from analysis.labels.found import Found, mean_rows, unmeasured
from analysis.labels.permutation import Null, centred_within, group_null, permutation_p, rank_null
from analysis.statistics.intervals import t95
from analysis.statistics.ranks import correlation, midranks

ADJUSTED_DRAWS = 1_999
FEWEST_INFORMATIVE = 10  # documents in groups of the other label in which this one still varies
LEAST_LEFT = 0.05  # of a number's variance: with less, two labels are one to these documents
FEW = 5  # values of a number that are shown one by one


class Means(NamedTuple):
    """D documents and the signals' means over each of them, as they are and after words and position."""

    which: Tensor  # [D] int64, ascending
    raw: Tensor  # [m, D] float64
    rest: Tensor  # [m, D] float64

    def of(self, column: LabelColumn) -> tuple[Means, Tensor]:
        """The same for the documents that have a value of the column, and those values."""
        which, y, place = shared(column.which, column.values, self.which, torch.arange(len(self.which)))
        return Means(which, self.raw[:, place], self.rest[:, place]), y


def of_documents(
    column: LabelColumn, columns: list[LabelColumn], every: Means, random: np.random.Generator, draws: int
) -> Found:
    """One column of documents against all signals."""
    means, y = every.of(column)
    if len(y) < FEWEST_DOCUMENTS or len(torch.unique(y)) < 2:
        return unmeasured(len(means.raw), {"code": "few_left", "documents": len(y)})
    of = measures.OF[column.measure]
    observed, null = _null(column.measure, means.rest, y, torch.zeros(len(y), dtype=torch.int64))
    p = permutation_p(observed, null, random, draws)
    constant = means.raw.std(1, correction=0) <= 1e-12 * means.raw.abs().amax(1)
    low, high = measures.interval(of, means.raw, y)
    rest_low, rest_high = measures.interval(of, means.rest, y)
    return Found(
        of.value(means.raw, y), low, high, of.value(means.rest, y), rest_low, rest_high,
        of.held_out(means.rest, y, measures.folds(means.which)), torch.where(constant, torch.nan, p),
        measures.chance(column.measure, y), _group_means(column, means.raw, y),
        _adjusted(column, columns, every, random),
    )  # fmt: skip


def _null(measure: str, x: Tensor, y: Tensor, fixed: Tensor) -> tuple[Tensor, Null]:
    if measure == "eta2":
        return group_null(x, y, fixed)
    return rank_null(x, midranks(y) if measure == "spearman" else y, fixed)


def _adjusted(
    column: LabelColumn, columns: list[LabelColumn], every: Means, random: np.random.Generator
) -> list[dict[str, Any]] | None:
    """The conditional association with another label held fixed, of each signal; None where none goes with this one.

    The other is the strongest that leaves something of this one to be seen; those that do not are named.
    """
    inseparable: list[str] = []
    for confound in column.confounds:
        other = next(one for one in columns if one.name == confound.name)
        fixed = _held_fixed(column, other, every)
        if fixed is None:
            inseparable.append(other.name)
            continue
        p = permutation_p(*_null(column.measure, *fixed), random=random, draws=ADJUSTED_DRAWS)
        found = zip(p.tolist(), _within(column.measure, *fixed).tolist(), strict=True)
        return [{"for": other.name, "p": p, "effect": effect, "inseparable": inseparable} for p, effect in found]
    none = {"for": None, "p": None, "effect": None, "inseparable": inseparable}
    return [none] * len(every.rest) if inseparable else None


def _held_fixed(column: LabelColumn, other: LabelColumn, every: Means) -> tuple[Tensor, Tensor, Tensor] | None:
    """Means [m, D] less those of the other label's groups (quintiles of a number), the label [D], the groups [D].

    Groups in which the label does not vary say nothing and are left out; None where too little is left.
    """
    means, held = every.of(other)
    means, y = means.of(column)
    fixed = strata(other.kind, held[torch.isin(every.of(other)[0].which, means.which)])
    some = _varies(y, fixed)
    if int(some.sum()) < FEWEST_INFORMATIVE or _left(column, y, fixed) < LEAST_LEFT:
        return None
    fixed = torch.unique(fixed[some], return_inverse=True)[1]
    return centred_within(means.rest[:, some], fixed), y[some], fixed


def _left(column: LabelColumn, y: Tensor, fixed: Tensor) -> float:
    """Share of a number's variance in rank that lies within the groups; 1 of other labels."""
    if column.kind != "number":
        return 1.0
    ranks = midranks(y)[None].double()
    return float(centred_within(ranks, fixed).square().sum() / (ranks - ranks.mean()).square().sum())


def _varies(y: Tensor, fixed: Tensor) -> Tensor:
    """[D] bool: in the document's stratum there is more than one value."""
    top = torch.full((int(fixed.max()) + 1,), -torch.inf, dtype=y.dtype).scatter_reduce_(0, fixed, y, "amax")
    least = torch.full_like(top, torch.inf).scatter_reduce_(0, fixed, y, "amin")
    return (top > least)[fixed]


def _within(measure: str, x: Tensor, y: Tensor, fixed: Tensor) -> Tensor:
    """The measure [m] of means about those of their stratum; of numbers the ranks of both are about theirs."""
    if measure != "spearman":
        return measures.OF[measure].value(x, y)
    a, b = centred_within(midranks(x).double(), fixed), centred_within(midranks(y)[None].double(), fixed)
    return correlation(a, b)[:, 0].nan_to_num(0.0)


def _group_means(column: LabelColumn, raw: Tensor, y: Tensor) -> list[list[dict[str, Any]]]:
    """Of each signal its means by group, in standard deviations of document means, with 95 % intervals."""
    names, group = _groups(column, y)
    z = (raw - raw.mean(1, keepdim=True)) / raw.std(1, keepdim=True).clamp(min=1e-30)
    sums, counts = measures.by_group(z, group)
    mean = sums / counts
    # one spread within all groups: a group of two has none of its own to speak of
    freedom = max(len(y) - len(counts), 1)
    error = ((z - mean[:, group]).square().sum(1, keepdim=True) / freedom / counts).sqrt()
    wide = t95(freedom) * error
    sizes = [int(count) for count in counts.tolist()]
    parts = zip(mean.tolist(), (mean - wide).tolist(), (mean + wide).tolist(), strict=True)
    return [mean_rows(names, sizes, *of_signal) for of_signal in parts]


def _groups(column: LabelColumn, y: Tensor) -> tuple[list[str], Tensor]:
    """Names of the groups for the plot, and each document's: of a number its quintiles, or its few values."""
    kind = "category" if len(torch.unique(y)) <= FEW else column.kind
    filled, group = torch.unique(strata(kind, y), return_inverse=True)
    if column.kind == "boolean":
        return ["false", "true"], group
    if column.kind == "category":
        return [column.groups[int(place)]["value"] for place in torch.unique(y).tolist()], group
    ends = [(float(y[group == number].min()), float(y[group == number].max())) for number in range(len(filled))]
    return [f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}" for low, high in ends], group
