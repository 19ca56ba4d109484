"""Covariance of what the SAE reads, in two halves of the documents: principal components and how stable they are."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.reading.corpus import GROUPS
from analysis.statistics.base import Step, Sums
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup
from analysis.statistics.sampling import drawn

SHARE = 0.5  # of contexts, by hash: an outer product costs a quarter of what encoding does

STATISTICS = (
    Statistic("components", "Principal components", "share of variance", "series", "sae",
              "Eigenvectors of the covariance of what the SAE reads, centred, over ordinary tokens of half of the"
              " contexts (drawn by hash). The documents are also taken in two halves, to see whether a component is"
              " the same in both.", "O", "common usage"),
)  # fmt: skip


class CovarianceSummary(NamedTuple):
    """Two halves: tokens [2], mean [2, D] and covariance [2, D, D] (denominator n), float64; NaN where empty."""

    tokens: Tensor
    mean: Tensor
    covariance: Tensor


class Covariance(Sums):
    """Sums of x - pivot and of its outer product, by half of the documents.

    Args:
        pivot: [D] near the mean of x, from the pilot: keeps the sums free of cancellation.
        seed: of the hash that draws contexts.
    """

    def __init__(self, pivot: Tensor, seed: int = 0) -> None:
        self.pivot, self.seed = pivot, seed
        d, device = len(pivot), pivot.device
        self.tensors = {
            "tokens": torch.zeros(2, dtype=torch.int64, device=device),
            "sum": torch.zeros(2, d, dtype=torch.float64, device=device),
            "outer": torch.zeros(2, d, d, dtype=torch.float64, device=device),
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Where classes are asked for."""
        settings = setup.settings
        return {"covariance": cls(setup.plan.pivot, settings.seed)} if settings.class_tokens else {}

    def update(self, step: Step) -> None:
        """Add the ordinary tokens of the drawn contexts."""
        keep = step.ordinary & drawn(step, SHARE, self.seed)
        half = step.counted.group >= GROUPS // 2
        for side in (0, 1):
            off = step.x[keep & (half == bool(side))] - self.pivot
            if len(off):
                self.tensors["tokens"][side] += len(off)
                self.tensors["sum"][side] += off.double().sum(0)
                self.tensors["outer"][side] += off.T @ off  # float32: float64 would cost eight times as much

    def summarise(self) -> CovarianceSummary:
        """Both halves; see `both` for the whole."""
        return CovarianceSummary(self.tensors["tokens"].clone(), *_moments(self.tensors, self.pivot))

    def both(self) -> tuple[int, Tensor, Tensor]:
        """Tokens, mean [D] and covariance [D, D] over both halves."""
        joined = {name: tensor.sum(0, keepdim=True) for name, tensor in self.tensors.items()}
        mean, covariance = _moments(joined, self.pivot)
        return int(joined["tokens"]), mean[0], covariance[0]


def _moments(t: dict[str, Tensor], pivot: Tensor) -> tuple[Tensor, Tensor]:
    count = torch.where(t["tokens"] > 0, t["tokens"].double(), torch.nan)[:, None]
    off = t["sum"] / count
    covariance = t["outer"] / count[..., None] - off[:, :, None] * off[:, None, :]
    return pivot.double() + off, covariance
