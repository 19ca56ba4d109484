"""Taking a subspace out of activations, and how much of their variance goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.statistics.geometry import unit_rows
from analysis.statistics.plan import MASSIVE

_CHUNK = 8192


class Removal(NamedTuple):
    """x' = x - V V^T (x - mean): docs/methods.md §4; nothing is removed where V has no columns."""

    basis: Tensor  # V: [d, r] float32, orthonormal columns
    mean: Tensor  # [d] float32; 0: literal zero ablation

    def __call__(self, x: Tensor) -> Tensor:
        """[n, d] -> [n, d], at the cost of 4 n d r operations."""
        if not self.basis.shape[1]:
            return x
        basis, mean = self.basis.to(x.device), self.mean.to(x.device)
        kept: Tensor = x - ((x - mean) @ basis) @ basis.T
        return kept

    def save(self, path: Path) -> None:
        """Keep it, so that an arm that goes on later removes the same to the last bit."""
        save_file({"basis": self.basis.contiguous(), "mean": self.mean.contiguous()}, path)

    @classmethod
    def load(cls, path: Path) -> Removal:
        """One that was saved."""
        return cls(**load_file(path))


def span(rows: Tensor, energy: float) -> Tensor:
    """Orthonormal basis [d, r] of what the rows [n, d] span: the first right singular vectors of the rows at unit
    length that hold a share `energy` of their squared singular values.
    """
    _left, values, right = torch.linalg.svd(unit_rows(rows).double(), full_matrices=False)
    kept = values.square().cumsum(0) / values.square().sum()
    r = int((kept < energy - 1e-12).sum()) + 1
    basis: Tensor = right[:r].T.contiguous()
    return basis


class Spread(NamedTuple):
    """Mean and covariance of the ordinary tokens' activations."""

    mean: Tensor  # [d] float64
    covariance: Tensor  # [d, d] float64
    massive_share: float  # of the tokens, left out

    def share(self, basis: Tensor) -> float:
        """Share of the variance that lies in the span of an orthonormal basis [d, r]."""
        basis = basis.double()
        return float(((self.covariance @ basis) * basis).sum() / self.covariance.trace())

    def components(self, count: int) -> Tensor:
        """The top principal components: [d, count] float64."""
        vectors: Tensor = torch.linalg.eigh(self.covariance).eigenvectors
        return vectors.flip(1)[:, :count]


def spread_of(rows: np.memmap) -> Spread:
    """Of all rows [n, d] float16, without those longer than six times the median."""
    cut = massive_cut(rows)
    d = rows.shape[1]
    shift = torch.from_numpy(rows[:_CHUNK].astype(np.float64)).mean(0)  # so that squares lose no digits
    total, products, kept = torch.zeros(d, dtype=torch.float64), torch.zeros(d, d, dtype=torch.float64), 0
    for x in chunks(rows):
        x = (x[x.norm(dim=1) <= cut].double() - shift).float()
        total += x.double().sum(0)
        products += (x.T @ x).double()
        kept += len(x)
    mean = total / kept
    return Spread(mean + shift, products / kept - torch.outer(mean, mean), 1 - kept / len(rows))


def massive_cut(rows: np.memmap) -> float:
    """Six times the median norm."""
    return MASSIVE * float(torch.cat([x.norm(dim=1) for x in chunks(rows)]).median())


def chunks(rows: np.memmap) -> Iterator[Tensor]:
    """The rows as float32, some thousands at a time."""
    for start in range(0, len(rows), _CHUNK):
        yield torch.from_numpy(rows[start : start + _CHUNK].astype(np.float32))
