"""Is a unit needed? What a head's loss gains where it is set to its mean; without a head, what predicts its labels.

Both are beside a control: a head's loss with another unit of equal variance at its mean; the loss of prediction without
a unit beside that without units that do not follow the label.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.labels.measures import FOLDS
from analysis.statistics.intervals import jackknife_ratio

PENALTY = 1.0
"""Of the squared coefficients of standardised columns, times their number."""
PEERS = 8
"""Units of nearest variance that a unit is set beside."""


class Needed(NamedTuple):
    """Of m units [m] float64."""

    value: Tensor  # loss gained, or share of the label's variance lost
    low: Tensor  # 95 % over groups
    high: Tensor
    whole: float  # the loss, or the share, with all of them


def without_each(x: Tensor, y: Tensor, fold: Tensor, block: Tensor) -> Needed:
    """What of a label's variance is no longer predicted, in groups kept out, without each unit in turn.

    Ridge on standardised columns; leaving a column out of it needs no new fit: its coefficient over the diagonal of the
    inverse is what the others take over.

    Args:
        x: [n, m], units. y: [k, n], a number, or a column for each level.
        fold: [n] int64, 0 to 4, none empty. block: [n] int64, parts of the groups.
    """
    x, y = x.double(), y.double().T
    wrong, total = torch.zeros(2, int(block.max()) + 1, x.shape[1] + 1, dtype=torch.float64)
    for number in range(FOLDS):
        here = fold == number
        centre, middle, spread = x[~here].mean(0), y[~here].mean(0), x[~here].std(0, correction=0).clamp(min=1e-12)
        known, target = (x[~here] - centre) / spread, y[~here] - middle
        inverse = torch.linalg.inv(known.T @ known + PENALTY * x.shape[1] * torch.eye(x.shape[1], dtype=torch.float64))
        weights = inverse @ (known.T @ target)
        tested = (x[here] - centre) / spread
        left = y[here] - middle - tested @ weights  # [t, k]
        taken = (tested @ inverse) / inverse.diagonal()  # [t, m]: what a coefficient of one would have said
        errors = left.square().sum(1, keepdim=True)
        # (left + taken_j w_jk)², summed over k
        each = errors + 2 * taken * (left @ weights.T) + taken.square() * weights.square().sum(1)
        wrong.index_add_(0, block[here], torch.cat([errors, each], 1))
        total.index_add_(0, block[here], (y[here] - middle).square().sum(1, keepdim=True).expand(-1, x.shape[1] + 1))
    lost, low, high = jackknife_ratio(wrong[:, 1:] - wrong[:, :1], total[:, 1:])
    return Needed(lost, low, high, float(1 - wrong[:, 0].sum() / total[:, 0].sum()))


class Head(NamedTuple):
    """What reads the matrix: `weight` [D, k] and `bias` [k], float64; one column of numbers, or one a class."""

    weight: Tensor
    bias: Tensor


def losses(logits: Tensor, y: Tensor, kind: str) -> Tensor:
    """[n]: squared error of a number; else cross entropy in nats, of one column (true/false) or of one a class."""
    if kind == "number":
        return (logits[..., 0] - y).square()
    if logits.shape[-1] == 1:
        return torch.nn.functional.softplus(logits[..., 0]) - y * logits[..., 0]
    chosen = logits.gather(-1, y.long().expand(logits.shape[:-1])[..., None])[..., 0]
    return logits.logsumexp(-1) - chosen


def set_to_mean(head: Head, x: Tensor, acts: Tensor, written: Tensor, y: Tensor, kind: str, block: Tensor) -> Needed:
    """What the head's loss gains where a unit is set to its mean on every row.

    Args:
        x: [n, D], what the head reads. acts: [n, m], units. written: [m, D], what each writes of one.
        y: [n], the label. block: [n] int64, parts of the groups.
    """
    logits = x.double() @ head.weight + head.bias
    base = losses(logits, y, kind)
    off = acts.double() - acts.double().mean(0)
    through = written.double() @ head.weight  # [m, k]
    gained = torch.stack(
        [losses(logits - off[:, unit, None] * through[unit], y, kind) - base for unit in range(acts.shape[1])], 1
    )
    blocks = int(block.max()) + 1
    sums = torch.zeros(blocks, acts.shape[1], dtype=torch.float64).index_add_(0, block, gained)
    rows = torch.bincount(block, minlength=blocks).double()[:, None].expand_as(sums)
    return Needed(*jackknife_ratio(sums, rows), float(base.mean()))


def peers(variance: Tensor, of: Tensor, among: Tensor) -> Tensor:
    """[m, 8] int64: for each unit of `of` [m], the units of `among` with the nearest variance, itself left out.

    Args:
        variance: [N], of what each unit writes.
    """
    apart = (variance[of, None].clamp(min=1e-30).log() - variance[among].clamp(min=1e-30).log()).abs()
    apart[of[:, None] == among] = torch.inf
    return among[apart.argsort(dim=1, stable=True)[:, :PEERS]]
