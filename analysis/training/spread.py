"""Mean and covariance of cached activations, and the rows some thousands at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.statistics.plan import MASSIVE

_CHUNK = 8192


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
    """Of all rows [n, d], without those longer than six times the median."""
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
