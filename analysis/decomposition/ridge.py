"""Ridge regression of many signals on one design, out of fold.

The folds' inner products are made once for all signals. Each fold is predicted with what was fitted on the other
four, in the eigenvectors of theirs, where every strength costs a division. The strength is chosen for each signal and
fold by the error on the other folds; where no strength does better there than the mean, nothing is predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # times the mean eigenvalue


class Factors(NamedTuple):
    """Of f folds and p columns: the inner products of the other folds, factored, and of the fold itself."""

    basis: Tensor  # [f, p, p] float32: eigenvectors of the other folds' inner products
    roots: Tensor  # [f, p] float32: their eigenvalues
    own: Tensor  # [f, p, p] float32: the fold's own inner products in that basis
    strengths: Tensor  # [l, f] float32


def factored(grams: Tensor) -> Factors:
    """Of the inner products [f, p, p] of each fold's rows."""
    grams = grams.double()
    roots, basis = torch.linalg.eigh(grams.sum(0) - grams)
    roots = roots.clamp(min=0)
    own = basis.mT @ grams @ basis
    strengths = torch.tensor(STRENGTHS).double()[:, None] * roots.mean(1).clamp(min=1e-12)
    return Factors(basis.float(), roots.float(), own.float(), strengths.float())


def weights(factors: Factors, crosses: Tensor) -> Tensor:
    """[f, p, q]: what each fold is predicted with, fitted on the others.

    Args:
        crosses: [f, p, q] float32: inner products of each fold's rows with its signals.
    """
    inputs = factors.basis.mT @ (crosses.sum(0) - crosses)
    goals = factors.basis.mT @ crosses
    errors, found = [], []
    for strength in factors.strengths:
        weight = inputs / (factors.roots + strength[:, None])[:, :, None]
        errors.append((weight * (factors.own @ weight - 2 * goals)).sum(1))
        found.append(strength)
    chosen, used = best_elsewhere(torch.stack(errors))
    strength = factors.strengths.T.gather(1, chosen)  # [f, q]
    weight = inputs / (factors.roots[:, :, None] + strength[:, None, :])
    return factors.basis @ (weight * used[:, None, :])


def best_elsewhere(errors: Tensor) -> tuple[Tensor, Tensor]:
    """Which of l settings has the least error on the *other* folds, and whether that is less than that of the mean.

    Args:
        errors: [l, f, q]: sums of squared errors less those of predicting the mean.

    Returns:
        [f, q] int64, [f, q] bool.
    """
    elsewhere = errors.sum(1, keepdim=True) - errors
    least, chosen = elsewhere.min(0)
    return chosen, least < 0


class Columns(NamedTuple):
    """One source as p columns on n tokens, fold by fold, with what every regression on it needs."""

    values: Tensor  # [n, p] float32, mean 0
    sizes: list[int]  # tokens of each fold
    factors: Factors

    def predicted(self, signals: Tensor) -> Tensor:
        """[n, q] float32: what the columns say of `signals` [n, q], about mean 0, fitted on the other folds."""
        parts = torch.split(self.values, self.sizes)
        weight = weights(self.factors, _crosses(parts, torch.split(signals, self.sizes)))
        return torch.cat([part @ one for part, one in zip(parts, weight, strict=True)])


def columns_of(values: Tensor, sizes: list[int]) -> Columns:
    """The regressions of a source [n, p] whose folds have these sizes."""
    parts = torch.split(values, sizes)
    return Columns(values, sizes, factored(_crosses(parts, parts)))


def _crosses(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    return torch.stack([one.T @ other for one, other in zip(left, right, strict=True)])
