"""Mean, spread and skewness of a latent's activation where it fires; its maximum; its firing mass."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.statistics.base import Accumulator, Step, by_latent
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup

_ORDINARY = (
    " Over firing tokens; massive tokens (norm over 6 x the layer's median) are left out, since a few of them would"
    " rule every linear measure."
)
_SILENT = "silent_on_ordinary"
STATISTICS = (
    Statistic("mean", "Mean activation", "activation", "scalar", "latent",
              "Mean activation." + _ORDINARY, "O", "our own", _SILENT),
    Statistic("std", "Standard deviation", "activation", "scalar", "latent",
              "Standard deviation of the activation (denominator n)." + _ORDINARY, "O", "our own", _SILENT),
    Statistic("skewness", "Skewness", "", "scalar", "latent",
              "Third standardised moment of the activation; positive: a long tail to the right." + _ORDINARY,
              "O", "our own", "rare_or_constant"),
    Statistic("max", "Largest activation", "activation", "scalar", "latent",
              "The activation largest in magnitude over all counted tokens, massive ones too.", "O", "our own",
              "silent"),
    Statistic("mass_share", "Share of firing mass", "share", "scalar", "latent",
              "Sum of the latent's |activation| over the sum of all latents' |activation|, all counted tokens.",
              "O", "our own; the dense latents' sum of it is reported as in SAEBench",
              "all_silent"),
)  # fmt: skip


class MomentsSummary(NamedTuple):
    """All [N] float64; NaN where nothing fired. `count` is firing ordinary tokens."""

    count: Tensor  # type: ignore[assignment]
    mean: Tensor
    std: Tensor
    skewness: Tensor
    max: Tensor
    mass: Tensor


class Moments(Accumulator):
    """Central moments in float64 by Chan's merging rule: no cancellation, whatever the offset."""

    def __init__(self, latents: int, device: torch.device | str = "cpu") -> None:
        self.latents = latents
        names = ("count", "mean", "m2", "m3", "max", "mass")
        self.tensors = {name: torch.zeros(latents, dtype=torch.float64, device=device) for name in names}

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Of all latents."""
        return {"moments": cls(setup.sae.n_latents, setup.plan.pivot.device)}

    def update(self, step: Step) -> None:
        """Moments of this batch in two passes, then one merge."""
        firing = step.firing
        value, latent = firing.value.double(), firing.latent
        self.tensors["mass"] += by_latent(value.abs(), firing)
        high, low = by_latent(value, firing, "max"), by_latent(value, firing, "min")
        self._keep_larger(torch.where(high >= -low, high, low))
        ordinary = step.ordinary[firing.token].double()
        count = by_latent(ordinary, firing)
        mean = by_latent(value * ordinary, firing) / count.clamp(min=1)
        off = value.sub_(mean[latent]).mul_(ordinary)
        square = off * off
        self._fold(count, mean, by_latent(square, firing), by_latent(square.mul_(off), firing))

    def merge(self, other: Self) -> None:
        """Chan's rule for the first three moments; sums and maxima as they are."""
        theirs = other.tensors
        self._fold(theirs["count"], theirs["mean"], theirs["m2"], theirs["m3"])
        self.tensors["mass"] += theirs["mass"]
        self._keep_larger(theirs["max"])

    def summarise(self) -> MomentsSummary:
        """Population moments."""
        t = self.tensors
        n = torch.where(t["count"] > 0, t["count"], torch.nan)
        variance = t["m2"] / n
        skewness = torch.where(variance > 0, t["m3"] / n / variance**1.5, torch.nan)
        fired = torch.where(t["mass"] > 0, t["max"], torch.nan)
        return MomentsSummary(t["count"], t["mean"] + 0 * n, variance.sqrt(), skewness, fired, t["mass"].clone())

    def columns(self) -> dict[str, Tensor]:
        """As summarised; the mass as a share of all latents'."""
        found = self.summarise()
        total = found.mass.sum()
        share = found.mass / torch.where(total > 0, total, torch.nan)
        return {
            "mean": found.mean, "std": found.std, "skewness": found.skewness, "max": found.max, "mass_share": share,
        }  # fmt: skip

    def _keep_larger(self, candidate: Tensor) -> None:
        current = self.tensors["max"]
        bigger = (candidate.abs() > current.abs()) | ((candidate.abs() == current.abs()) & (candidate > current))
        self.tensors["max"] = torch.where(bigger, candidate, current)

    def _fold(self, count: Tensor, mean: Tensor, m2: Tensor, m3: Tensor) -> None:
        t = self.tensors
        n, m = t["count"], count
        total = (n + m).clamp(min=1)
        delta = torch.where(m > 0, mean - t["mean"], torch.zeros_like(mean))
        t["m3"] = t["m3"] + m3 + delta**3 * n * m * (n - m) / total**2 + 3 * delta * (n * m2 - m * t["m2"]) / total
        t["m2"] = t["m2"] + m2 + delta**2 * n * m / total
        t["mean"] = t["mean"] + delta * m / total
        t["count"] = n + m
