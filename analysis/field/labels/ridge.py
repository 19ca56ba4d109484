"""Ridge regression held out by folds, for many targets at once, from one table of products a fold.

Columns are standardised by the training folds alone. The penalty is the one of three (a tenth, one and ten times the
number of columns: what 91, 50 and 9 % of the variance known beforehand would ask for) that predicts best within the
training folds, each of them left out once; each target has its own. Cost: [c, c] products, and 45 solutions of them.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor

PENALTIES = (0.1, 1.0, 10.0)


class Sums(NamedTuple):
    """Products of one fold, or of several together, float64."""

    n: Tensor  # rows
    x: Tensor  # [c]
    y: Tensor  # [k]
    xx: Tensor  # [c, c]
    xy: Tensor  # [c, k]
    yy: Tensor  # [k]


def held_out_predictions(x: Tensor, y: Tensor, fold: Tensor, folds: int, penalty: float | None = None) -> Tensor:
    """Each row predicted by the other folds [n, k] float64.

    Args:
        x: [n, c] float32. y: [n, k] targets.
        fold: [n] int64, 0 to folds - 1, none empty.
        penalty: of the squared coefficients of standardised columns; None: chosen within the training folds.
    """
    x, y = x.double(), y.double()
    middle = y.mean(0)
    x, y = x - x.mean(0), y - middle  # products of large numbers would cost their digits
    parts = [sums_of(x[fold == number], y[fold == number]) for number in range(folds)]
    whole = _added(parts)
    grid = [penalty] if penalty is not None else [share * max(x.shape[1], 1) for share in PENALTIES]
    best = _chosen(parts, whole, grid)
    found = torch.empty_like(y)
    for number in range(folds):
        here = fold == number
        solved = [_fitted(_less(whole, parts[number]), of) for of in grid]
        weights = torch.stack([weight for weight, _bias in solved])
        bias = torch.stack([constant for _weight, constant in solved])
        which, targets = best[number], torch.arange(y.shape[1])
        found[here] = x[here] @ weights[which, :, targets].T + bias[which, targets]
    return found + middle


def sums_of(x: Tensor, y: Tensor) -> Sums:
    """Products of some rows, x [n, c] and y [n, k] float64."""
    return Sums(torch.tensor(float(len(x))), x.sum(0), y.sum(0), x.T @ x, x.T @ y, y.square().sum(0))


def _added(parts: list[Sums]) -> Sums:
    return Sums(*(torch.stack(of).sum(0) for of in zip(*parts, strict=True)))


def _less(whole: Sums, *parts: Sums) -> Sums:
    return Sums(*(total - sum(of) for total, *of in zip(whole, *parts, strict=True)))


def _fitted(known: Sums, penalty: float) -> tuple[Tensor, Tensor]:
    """Coefficients [c, k] of the columns as they are, and the constant [k]."""
    mean, middle = known.x / known.n, known.y / known.n
    gram = known.xx - known.n * mean[:, None] * mean
    cross = known.xy - mean[:, None] * known.y
    spread = (gram.diagonal() / known.n).clamp(min=0).sqrt()
    scale = torch.where(spread > 1e-9 * spread.max().clamp(min=1e-30), 1 / spread.clamp(min=1e-30), 0.0)
    gram = gram * scale[:, None] * scale
    gram.diagonal().add_(penalty + 1e-9)
    weights = scale[:, None] * torch.cholesky_solve(scale[:, None] * cross, torch.linalg.cholesky(gram))
    return weights, middle - mean @ weights


def _chosen(parts: list[Sums], whole: Sums, grid: list[float]) -> Tensor:
    """[folds, k]: for each fold, which penalty predicts the other folds best, each left out once."""
    folds = len(parts)
    wrong = torch.zeros(folds, len(grid), parts[0].xy.shape[1], dtype=torch.float64)
    if len(grid) == 1:
        return wrong[:, 0].long()
    for one, other in combinations(range(folds), 2):
        known = _less(whole, parts[one], parts[other])
        for place, penalty in enumerate(grid):
            weights, bias = _fitted(known, penalty)
            wrong[one, place] += _squared(parts[other], weights, bias)
            wrong[other, place] += _squared(parts[one], weights, bias)
    return wrong.argmin(1)


def _squared(rows: Sums, weights: Tensor, bias: Tensor) -> Tensor:
    """Sum of squared errors [k] of rows, from their products."""
    fitted = (weights * (rows.xx @ weights)).sum(0) + 2 * bias * (rows.x @ weights) + rows.n * bias.square()
    return rows.yy - 2 * ((weights * rows.xy).sum(0) + bias * rows.y) + fitted
