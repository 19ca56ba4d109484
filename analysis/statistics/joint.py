"""Two latents as one signed signal: does their difference rebuild a direction of what the SAE reads?"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.statistics.base import Accumulator, Step, add_at
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import PairPlan, Setup

REACH, PER_SD = 8, 4
BINS = 2 * REACH * PER_SD
R2_CUT, GAIN_CUT, COFIRE_CUT = 0.8, 0.5, 0.1

STATISTICS = (
    Statistic("correlation", "corr(z, p)", "", "scalar", "pair",
              "Correlation of the signed signal z = a_i |d_i| - a_j |d_j| with the projection p of what the SAE reads"
              " on the pair's direction, the unit vector along d_i/|d_i| - d_j/|d_j|. Massive tokens are left out.",
              "O", "our own"),
    Statistic("r2", "Joint R²", "share of variance", "scalar", "pair",
              "Share of the variance of the projection p that the signed signal z explains, massive tokens left out.",
              "O", "our own"),
    Statistic("r2_single", "Best single R²", "share of variance", "scalar", "pair",
              "The same for the better one of the two latents alone: the control of the joint R².", "O", "our own"),
    Statistic("joint_1d", "One signed axis", "", "scalar", "pair",
              f"Joint R² at least {R2_CUT}; of what the better single latent leaves unexplained, the two together"
              f" explain at least {GAIN_CUT:.0%}, (joint R² - best single R²) / (1 - best single R²); and the two fire"
              f" together less than {COFIRE_CUT:.0%} as often as independent latents of these densities would.",
              "O", "our own"),
    Statistic("coverage", "Coverage", "share of tokens", "scalar", "pair",
              "Share of counted tokens on which at least one of the two fires.", "O", "our own"),
    Statistic("dead_zone", "Dead zone", "share of tokens", "scalar", "pair",
              "Share of counted tokens on which neither fires.", "O", "our own"),
    Statistic("cofiring", "Co-firing", "share of tokens", "scalar", "pair",
              "Share of counted tokens on which both fire.", "O", "our own"),
    Statistic("cofiring_ratio", "Co-firing against chance", "x", "scalar", "pair",
              "Co-firing over the product of the two densities: 1 is independence, 0 never together.", "O", "our own"),
    Statistic("z_histogram", "Signed activation", "tokens", "histogram", "pair",
              "Number of counted tokens by z, in standard deviations of z; the outermost bins hold what lies beyond.",
              "O", "our own"),
)  # fmt: skip


def is_one_axis(r2: float, single: float, cofiring_ratio: float) -> bool:
    """Whether two latents are one signed axis.

    Args:
        r2: of p from z. single: of p from the better latent alone. cofiring_ratio: against independence.
    """
    return r2 >= R2_CUT and r2 - single >= GAIN_CUT * (1 - single) and cofiring_ratio < COFIRE_CUT


class JointSummary(NamedTuple):
    """[q] float64 each but the histogram [q, 3, BINS] int64 (first on, second on, neither) with `edges` in sd of z."""

    correlation: Tensor
    r2: Tensor
    r2_first: Tensor
    r2_second: Tensor
    both: Tensor
    first: Tensor
    second: Tensor
    tokens: int
    z_sd: Tensor
    z_mean: Tensor
    histogram: Tensor
    edges: Tensor


class Joint(Accumulator):
    """Co-moments of (p, z, a_i |d_i|, a_j |d_j|) in float64 and a histogram of z in fixed bins."""

    def __init__(self, plan: PairPlan) -> None:
        self.plan = plan
        # a latent may be in several pairs: `both` has each once, `place` where the first and the second ones are
        self.both, place = torch.unique(torch.stack([plan.first, plan.second]), return_inverse=True)
        self.place = place.unbind()
        pairs, device = len(plan.first), plan.first.device
        self.tensors = {
            "count": torch.zeros(1, dtype=torch.float64, device=device),
            "mean": torch.zeros(pairs, 4, dtype=torch.float64, device=device),
            "comoment": torch.zeros(pairs, 4, 4, dtype=torch.float64, device=device),
            "tokens": torch.zeros(1, dtype=torch.int64, device=device),
            "firing": torch.zeros(pairs, 3, dtype=torch.int64, device=device),  # first, second, both
            "histogram": torch.zeros(pairs, 3, BINS, dtype=torch.int64, device=device),
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Of all candidate pairs."""
        return {"joint": cls(setup.plan.pairs)}

    def update(self, step: Step) -> None:
        """One batch; co-moments over ordinary tokens, counts over all."""
        if not len(self.plan.first):
            return
        acts = step.columns(self.both)
        a, b = (acts[:, place] * norm for place, norm in zip(self.place, self.plan.norms.T, strict=True))
        self._count(a, b)
        p = (step.x - self.plan.pivot) @ self.plan.direction.T
        keep = step.ordinary.double()
        count = keep.sum()
        values = torch.stack([p, a - b, a, b], -1).double().mul_(keep[:, None, None])  # [n, q, 4], 0 where not kept
        mean = values.sum(0) / count.clamp(min=1)
        off = values.sub_(mean).mul_(keep[:, None, None])
        self._fold(count, mean, torch.einsum("nqi,nqj->qij", off, off))

    def merge(self, other: Self) -> None:
        """Chan's rule; counts add up."""
        theirs = other.tensors
        self._fold(theirs["count"], theirs["mean"], theirs["comoment"])
        for name in ("tokens", "firing", "histogram"):
            self.tensors[name] += theirs[name]

    def summarise(self) -> JointSummary:
        """Correlations, R² and counts; NaN where a variance is 0."""
        t = self.tensors
        variance = torch.diagonal(t["comoment"], dim1=1, dim2=2)
        against = t["comoment"][:, 0, 1:]
        scale = (variance[:, :1] * variance[:, 1:]).sqrt()
        correlation = torch.where(scale > 0, against / scale, torch.nan)
        r2 = correlation.square()
        edges = torch.arange(BINS + 1, dtype=torch.float64) / PER_SD - REACH
        return JointSummary(
            correlation[:, 0], r2[:, 0], r2[:, 1], r2[:, 2], t["firing"][:, 2].double(), t["firing"][:, 0].double(),
            t["firing"][:, 1].double(), int(t["tokens"]), self.plan.z_sd.double(), t["mean"][:, 1].clone(),
            t["histogram"].clone(), edges,
        )  # fmt: skip

    def _count(self, a: Tensor, b: Tensor) -> None:
        on_a, on_b = a != 0, b != 0
        self.tensors["tokens"] += len(a)
        self.tensors["firing"] += torch.stack([on_a.sum(0), on_b.sum(0), (on_a & on_b).sum(0)], 1)
        z = a - b
        side = torch.where(z > 0, 0, torch.where(z < 0, 1, torch.where(on_a | on_b, 0, 2)))
        # in float32 a small negative z plus REACH is REACH, and lands on the positive side
        place = ((z.double() / self.plan.z_sd + REACH) * PER_SD).floor().clamp(0, BINS - 1).long()
        pair = torch.arange(a.shape[1], device=a.device)
        add_at(self.tensors["histogram"], ((pair * 3 + side) * BINS + place).flatten())

    def _fold(self, count: Tensor, mean: Tensor, comoment: Tensor) -> None:
        t = self.tensors
        total = t["count"] + count
        share = count / total.clamp(min=1)  # no step where nothing comes
        delta = (mean - t["mean"]) * (count > 0)
        outer = delta[:, :, None] * delta[:, None, :]
        t["comoment"] = t["comoment"] + comoment + outer * (t["count"] * share)
        t["mean"] = t["mean"] + delta * share
        t["count"] = total
