"""The three measures of a signal against a label of documents, each with its interval and its held-out form.

Signals are rows, as in `analysis.statistics.ranks`: x [m, D], m signals' means over D documents; y [D] the label.
An interval is the delete-one-document jackknife: it needs no random numbers, and for all three measures every
leave-one-out value has a closed form. Cost: documents count as independent; two by one author are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.hashing import unit_hash
from analysis.statistics.intervals import t95
from analysis.statistics.ranks import auc, correlation, midranks

FOLDS = 5


Bounds = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # value and half width [m] -> low and high [m]


class Measure(NamedTuple):
    """One measure: its value [m], its values without each document [m, D], its interval from an error."""

    value: Callable[[Tensor, Tensor], Tensor]
    without: Callable[[Tensor, Tensor], Tensor]
    bounds: Bounds
    held_out: Callable[[Tensor, Tensor, Tensor], Tensor]


def interval(measure: Measure, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """95 % by the jackknife over documents: low and high [m]."""
    return measure.bounds(measure.value(x, y), half_width(measure.without(x, y)))


def half_width(without: Tensor) -> Tensor:
    """Of a 95 % interval [m], from the values without each of D documents [m, D]."""
    n = without.shape[1]
    error = ((n - 1) / n * (without - without.mean(1, keepdim=True)).square().sum(1)).sqrt()
    return t95(n - 1) * error


def folds(index: Tensor) -> Tensor:
    """Which of 5 folds each document is in [D]: dealt out in the order of a hash of the document alone."""
    order = sorted(range(len(index)), key=lambda place: unit_hash("label fold", int(index[place])))
    fold = torch.empty(len(index), dtype=torch.int64)
    fold[torch.tensor(order)] = torch.arange(len(index)) % FOLDS
    return fold


# --- numbers: Spearman ----------------------------------------------------------------------------


def spearman(x: Tensor, y: Tensor) -> Tensor:
    """[m]; 0 where the signal does not vary."""
    return correlation(midranks(x), midranks(y)[None])[:, 0].nan_to_num(0.0)


def spearman_without(x: Tensor, y: Tensor) -> Tensor:
    """[m, D]: Pearson's of the ranks over all documents, which stay what they were when one leaves."""
    a, b = midranks(x).double(), midranks(y).double()
    a, b = a - a.mean(1, keepdim=True), b - b.mean()
    n = len(b) - 1
    ab = (a * b).sum(1, keepdim=True) - a * b - (-a) * (-b) / n  # the rest sums to minus the one that left
    aa = a.square().sum(1, keepdim=True) - a.square() - a.square() / n
    bb = b.square().sum() - b.square() - b.square() / n
    return torch.where(aa * bb > 0, ab / (aa * bb).clamp(min=1e-30).sqrt(), 0.0)


_NEARLY_1 = 1 - 5e-7  # nearer to it, an error of rounding would be as wide as all


def correlation_bounds(value: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
    """On Fisher's scale, where errors are even; the error is taken there by its slope at the value.

    A jackknife on that scale would not do: near 1, one document less can be 1 exactly, which is infinite there.
    """
    value = value.clamp(-_NEARLY_1, _NEARLY_1)
    middle, wide = value.atanh(), wide / (1 - value.square())
    return (middle - wide).tanh(), (middle + wide).tanh()


def spearman_held_out(x: Tensor, y: Tensor, fold: Tensor) -> Tensor:
    """Spearman within each fold, its sign by that of the other folds, mean over folds by documents."""
    return signed_held_out(fold, lambda part: spearman(x[:, part], y[part]), lambda part: float(part.sum()))


def signed_held_out(fold: Tensor, value: Callable[[Tensor], Tensor], weight: Callable[[Tensor], float]) -> Tensor:
    """A measure with chance 0, cross-validated [m], times the sign that it has over all documents.

    Positive where unseen documents go the way that the others say, whatever way that is; turned so that it
    reads as the measure itself. By chance 0: the sign does not know the fold it is used on.

    Args:
        fold: [D]. value, weight: of the documents of a mask [D].
    """
    parts = [(fold == number, weight(fold == number)) for number in range(FOLDS)]
    weights = sum(w for _here, w in parts)
    every = value(torch.ones_like(fold, dtype=torch.bool))
    if not weights:
        return torch.full_like(every, torch.nan)
    found = sum(((w / weights) * value(~here).sign() * value(here) for here, w in parts if w), torch.zeros_like(every))
    return every.sign() * found


# --- true/false: AUC ------------------------------------------------------------------------------


def boolean_auc(x: Tensor, y: Tensor) -> Tensor:
    """[m]: chance that a true document's mean is above a false one's."""
    return auc(midranks(x), y[None] > 0)[:, 0]


def auc_without(x: Tensor, y: Tensor) -> Tensor:
    """[m, D], exact: a document takes its own pairs with it."""
    true = y > 0
    ones, zeros = int(true.sum()), int((~true).sum())
    ranks = midranks(x).double()
    above = torch.empty_like(ranks)  # for a true document the false ones below it, and the other way round
    above[:, true] = ranks[:, true] - midranks(x[:, true]).double()
    above[:, ~true] = ones - (ranks[:, ~true] - midranks(x[:, ~true]).double())
    pairs = torch.where(true, (ones - 1) * zeros, ones * (zeros - 1)).double()
    return (above[:, true].sum(1, keepdim=True) - above) / pairs


def auc_bounds(value: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
    """As of the correlation 2 AUC - 1."""
    low, high = correlation_bounds(2 * value - 1, 2 * wide)
    return (low + 1) / 2, (high + 1) / 2


def auc_held_out(x: Tensor, y: Tensor, fold: Tensor) -> Tensor:
    """AUC within each fold, its side by that of the other folds, mean over folds by pairs."""

    def pairs(part: Tensor) -> float:
        return float((y[part] > 0).sum() * (y[part] <= 0).sum())

    def above(part: Tensor) -> Tensor:
        return (boolean_auc(x[:, part], y[part]) - 0.5).nan_to_num(0.0)

    return 0.5 + signed_held_out(fold, above, pairs)


# --- categories: eta² -----------------------------------------------------------------------------


def eta2(x: Tensor, y: Tensor) -> Tensor:
    """Share of the variance over documents that lies between groups [m]; 0 where there is none."""
    x = x - x.mean(1, keepdim=True)
    sums, counts = by_group(x, y)
    total = x.square().sum(1)
    return torch.where(total > 0, (sums.square() / counts.clamp(min=1)).sum(1) / total.clamp(min=1e-300), 0.0)


def by_group(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Sums [m, G] and counts [G] of the groups of documents, float64."""
    group = y.long()
    counts = torch.bincount(group).double()
    return torch.zeros(len(x), len(counts), dtype=torch.float64).index_add_(1, group, x.double()), counts


def eta2_chance(y: Tensor) -> float:
    """What eta² is on average where the label says nothing: (groups - 1) / (documents - 1)."""
    return (len(torch.unique(y)) - 1) / (len(y) - 1)


def eta2_without(x: Tensor, y: Tensor) -> Tensor:
    """[m, D], exact."""
    x = x - x.mean(1, keepdim=True)
    sums, counts = by_group(x, y)
    own, size = sums[:, y.long()], counts[y.long()]
    mean = x.square() / (len(y) - 1)  # the others sum to minus the one that left
    between = (sums.square() / counts.clamp(min=1)).sum(1, keepdim=True) - own.square() / size
    between = between + torch.where(size > 1, (own - x).square() / (size - 1).clamp(min=1), 0.0) - mean
    total = x.square().sum(1, keepdim=True) - x.square() - mean
    return torch.where(total > 0, between / total.clamp(min=1e-300), 0.0)


def eta2_held_out(x: Tensor, y: Tensor, fold: Tensor) -> Tensor:
    """R² of documents [m] predicted by the other folds' group means, against those folds' common mean.

    A group's mean is drawn toward the common one by n / (n + k), k the variance within groups over that between
    them, as the other folds have it: a mean of two documents predicts badly otherwise. 0 by chance or below.
    """
    wrong, total = torch.zeros(2, len(x), dtype=torch.float64)
    for number in range(FOLDS):
        here = fold == number
        known = x[:, ~here]
        centre = known.mean(1, keepdim=True)
        drawn = _drawn_means(known - centre, y[~here], int(y.max()) + 1)
        rest = x[:, here] - centre
        wrong += (rest - drawn[:, y[here].long()]).square().sum(1)
        total += rest.square().sum(1)
    return torch.where(total > 0, 1 - wrong / total.clamp(min=1e-300), 0.0)


def _drawn_means(x: Tensor, y: Tensor, groups: int) -> Tensor:
    """Group means [m, groups] of x about mean 0, drawn toward 0; 0 for a group that does not occur."""
    sums, counts = torch.zeros(len(x), groups, dtype=torch.float64), torch.zeros(groups, dtype=torch.float64)
    some, number = by_group(x, y)
    sums[:, : some.shape[1]], counts[: len(number)] = some, number
    filled = int((counts > 0).sum())
    between = (sums.square() / counts.clamp(min=1)).sum(1)
    within = (x.square().sum(1) - between).clamp(min=0) / max(len(y) - filled, 1)
    size = (len(y) - counts.square().sum() / len(y)) / max(filled - 1, 1)
    spread = ((between / max(filled - 1, 1) - within) / size).clamp(min=0)
    k = torch.where(spread > 0, within / spread.clamp(min=1e-300), torch.inf)
    return torch.where(counts > 0, sums / (counts + k[:, None]), 0.0)


def share_bounds(value: Tensor, wide: Tensor) -> tuple[Tensor, Tensor]:
    """As it is, within 0 and 1."""
    return (value - wide).clamp(min=0.0), (value + wide).clamp(max=1.0)


OF = {
    "spearman": Measure(spearman, spearman_without, correlation_bounds, spearman_held_out),
    "auc": Measure(boolean_auc, auc_without, auc_bounds, auc_held_out),
    "eta2": Measure(eta2, eta2_without, share_bounds, eta2_held_out),
}


def chance(measure: str, y: Tensor) -> float:
    """Where a measure stands on average when the label says nothing."""
    return eta2_chance(y) if measure == "eta2" else {"spearman": 0.0, "auc": 0.5}[measure]
