"""Is a dense signal a sum of sparse latents? Cross-moments for the regression, in two halves of the documents."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.reading.corpus import GROUPS
from analysis.statistics.base import Entries, Step, Sums, dense, summed_products
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup
from analysis.statistics.sampling import drawn

SHARE = 0.5
POOL = 512  # sparse latents a signal may be a sum of

STATISTICS: tuple[Statistic, ...] = ()  # declared with the mixture itself, in analysis/classes/mixture.py


class MixtureSummary(NamedTuple):
    """By half of the documents: tokens [2], and centred second moments (denominator n), float64."""

    tokens: Tensor
    pool: Tensor  # [2, c, c]: pool with pool
    cross: Tensor  # [2, c, q]: pool with signals
    signal: Tensor  # [2, q]: variance of the signals


class Mixture(Sums):
    """Moments of c sparse latents' activations and q signals over ordinary tokens of half of the contexts.

    Args:
        pool: the c sparse latents, int64.
        directions: [q, D] unit vectors of the signals.
        pivot: [D] near the mean of x.
        seed: of the hash that draws contexts.
    """

    def __init__(self, pool: Tensor, directions: Tensor, pivot: Tensor, seed: int = 0) -> None:
        self.pool, self.directions, self.pivot, self.seed = pool, directions, pivot, seed
        c, q, device = len(pool), len(directions), directions.device
        real = {"dtype": torch.float64, "device": device}
        self.tensors = {
            "tokens": torch.zeros(2, dtype=torch.int64, device=device),
            "sum_pool": torch.zeros(2, c, **real),  # type: ignore[call-overload]
            "sum_signal": torch.zeros(2, q, **real),  # type: ignore[call-overload]
            "pool": torch.zeros(2, c, c, **real),  # type: ignore[call-overload]
            "cross": torch.zeros(2, c, q, **real),  # type: ignore[call-overload]
            "signal": torch.zeros(2, q, **real),  # type: ignore[call-overload]
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Where classes are asked for."""
        plan, settings = setup.plan, setup.settings
        signals = setup.directions[: len(plan.latents)]
        return {"mixture": cls(plan.pool, signals, plan.pivot, settings.seed)} if settings.class_tokens else {}

    def update(self, step: Step) -> None:
        """Add the ordinary tokens of the drawn contexts."""
        if not len(self.pool):
            return
        keep = step.ordinary & drawn(step, SHARE, self.seed)
        half = step.counted.group >= GROUPS // 2
        found = step.among(self.pool)
        for side in (0, 1):
            chosen = keep & (half == bool(side))
            mine, number = torch.nonzero(chosen).flatten(), chosen.cumsum(0) - 1
            if len(mine):
                here = torch.nonzero(chosen[found.token]).flatten()
                few = Entries(number[found.token[here]], found.place[here], found.value[here])
                self._add(side, few, (step.x[mine] - self.pivot) @ self.directions.T)

    def summarise(self) -> MixtureSummary:
        """Centred moments of both halves; NaN where a half is empty."""
        t = self.tensors
        count = torch.where(t["tokens"] > 0, t["tokens"].double(), torch.nan)[:, None]
        a, p = t["sum_pool"] / count, t["sum_signal"] / count
        return MixtureSummary(
            t["tokens"].clone(),
            t["pool"] / count[..., None] - a[:, :, None] * a[:, None, :],
            t["cross"] / count[..., None] - a[:, :, None] * p[:, None, :],
            t["signal"] / count - p.square(),
        )

    def _add(self, side: int, found: Entries, p: Tensor) -> None:
        """Firings of the pool on n tokens, and the signals [n, q] there."""
        t, c = self.tensors, len(self.pool)
        starts = torch.searchsorted(
            found.place, torch.arange(c + 1, device=p.device)
        )  # few fire: a hundredth of a.T @ a
        both = torch.cat([dense(found, len(p), c), p], 1)
        # sparse latents: nearly all of a dense product's terms would be 0
        products = summed_products(starts, found.token, found.value, both)
        t["tokens"][side] += len(p)
        t["sum_pool"][side].index_add_(0, found.place, found.value.double())
        t["sum_signal"][side] += p.double().sum(0)
        t["pool"][side] += products[:, :c]
        t["cross"][side] += products[:, c:]
        t["signal"][side] += p.double().square().sum(0)
