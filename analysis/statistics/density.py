"""How often a latent fires, and how sure that is."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.reading.corpus import GROUPS
from analysis.statistics.base import LATENTS, Step, Sums, add_at
from analysis.statistics.declaration import Statistic
from analysis.statistics.intervals import jackknife_ratio
from analysis.statistics.plan import Setup

STATISTICS = (
    Statistic(
        "density", "Density", "share of tokens", "scalar", "latent",
        "Share of counted tokens on which the latent's activation is not zero. Special tokens and padding are in"
        " neither numerator nor denominator. The interval is 95 % over documents, because neighbouring tokens fire"
        " together: documents are hashed into 64 groups and each group is left out once (jackknife).",
        "P", "Sun et al. 2025, section 3; interval: our own",
        "few_groups",
    ),
    Statistic(
        "is_dense", "Dense", "", "scalar", "latent",
        "Density above the run's threshold, 0.1 unless set otherwise.", "P", "Sun et al. 2025, section 3",
    ),
    Statistic(
        "borderline", "Borderline", "", "scalar", "latent",
        "The 95 % interval of the density contains the threshold: on other text of this kind it may fall on the other"
        " side.",
        "O", "our own",
    ),
)  # fmt: skip


class DensitySummary(NamedTuple):
    """All [N] float64 but `tokens`; bounds are NaN where fewer than two groups hold tokens."""

    density: Tensor
    low: Tensor
    high: Tensor
    tokens: int


class Density(Sums):
    """Firing counts by document group: `fired` [64, N] int32 and `tokens` [64] int64."""

    exact = True

    def __init__(self, latents: int, device: torch.device | str = "cpu", threshold: float = 0.1) -> None:
        self.latents, self.threshold = latents, threshold
        self.tensors = {
            "fired": torch.zeros(GROUPS, latents, dtype=torch.int32, device=device),
            "tokens": torch.zeros(GROUPS, dtype=torch.int64, device=device),
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Of all latents."""
        return {"density": cls(setup.sae.n_latents, setup.plan.pivot.device, setup.settings.threshold)}

    def update(self, step: Step) -> None:
        """Count firings and tokens by group."""
        group = step.counted.group
        add_at(self.tensors["tokens"], group)
        add_at(self.tensors["fired"], group[step.firing.token] * self.latents + step.firing.latent)

    def summarise(self) -> DensitySummary:
        """Density and its document-jackknife interval."""
        tokens = self.tensors["tokens"].double()
        found = []
        for some in self.tensors["fired"].split(LATENTS, dim=1):  # type: ignore[no-untyped-call]
            fired = some.double()
            found.append(torch.stack(jackknife_ratio(fired, tokens[:, None].expand_as(fired))))
        ratio, low, high = torch.cat(found, 1)
        return DensitySummary(ratio, low.clamp(0, 1), high.clamp(0, 1), int(tokens.sum()))

    def columns(self) -> dict[str, Tensor]:
        """With what the threshold says of it."""
        density, low, high, _tokens = self.summarise()
        return {
            "density": density,
            "density_low": low,
            "density_high": high,
            "is_dense": density > self.threshold,
            "borderline": (low < self.threshold) & (self.threshold < high),
        }
