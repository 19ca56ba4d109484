"""How large the activation is where it fires: fixed logarithmic bins, so that shards add up exactly."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.statistics.base import LATENTS, Step, Sums, add_at
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup

PER_OCTAVE = 8
LOWEST, HIGHEST = -12, 20  # powers of two; smaller and larger values go into the outermost bins
BINS = PER_OCTAVE * (HIGHEST - LOWEST)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

STATISTICS = (
    Statistic("histogram", "Activation histogram", "tokens", "histogram", "latent",
              "Number of counted tokens by activation, where the latent fires. Eight bins to each doubling.",
              "O", "our own"),
    Statistic("quantiles", "Quantiles", "activation", "series", "latent",
              "Quantiles of the activation over firing tokens, interpolated within the histogram's bins: at most"
              " one bin, 9 %, off.", "O", "our own", "silent"),
)  # fmt: skip


class HistogramSummary(NamedTuple):
    """`counts` [N, sides * BINS] int32 and `edges` [sides * (BINS + 1)]; sides is 2 for signed activations.

    The negative side comes first, with edges of its own: none is shared across zero.
    """

    counts: Tensor
    edges: Tensor


class Histogram(Sums):
    """Counts [N, BINS], or [N, 2 * BINS] with the negative side first (mirrored)."""

    exact = True

    def __init__(self, latents: int, signed: bool = False, device: torch.device | str = "cpu") -> None:
        self.signed = signed
        self.bins = BINS * (2 if signed else 1)
        self.tensors = {"counts": torch.zeros(latents, self.bins, dtype=torch.int32, device=device)}

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Of all latents."""
        return {"histogram": cls(setup.sae.n_latents, setup.sae.signed, setup.plan.pivot.device)}

    def update(self, step: Step) -> None:
        """Count each firing in its bin."""
        firing = step.firing
        add_at(self.tensors["counts"], bin_of(firing.value, self.signed).add_(firing.latent, alpha=self.bins))

    def summarise(self) -> HistogramSummary:
        """All bins; trimming is the writer's."""
        positive = 2.0 ** (torch.arange(BINS + 1, dtype=torch.float64) / PER_OCTAVE + LOWEST)
        edges = torch.cat([-positive.flip(0), positive]) if self.signed else positive
        return HistogramSummary(self.tensors["counts"].clone(), edges)


def bin_of(value: Tensor, signed: bool) -> Tensor:
    """[m] non-zero activations -> [m] int64 bin numbers."""
    octaves = value.double().abs_().log2_().sub_(LOWEST)  # float64: every split of a batch finds the same bin
    place = octaves.mul_(PER_OCTAVE).clamp_(0, BINS - 1).long()  # clamped first: infinity has no int64
    if not signed:
        return place
    return torch.where(value < 0, BINS - 1 - place, BINS + place)


def quantiles(counts: Tensor, edges: Tensor, shares: tuple[float, ...] = QUANTILES) -> Tensor:
    """Quantiles [N, len(shares)] float64 by linear interpolation in the bin; NaN for an empty row.

    Args:
        counts: [N, bins] of one sign (unsigned histogram).
        edges: [bins + 1].
    """
    blocks = counts.split(LATENTS)  # type: ignore[no-untyped-call]
    return torch.cat([_quantiles(some, edges, shares) for some in blocks])


def _quantiles(counts: Tensor, edges: Tensor, shares: tuple[float, ...]) -> Tensor:
    cumulated = counts.double().cumsum(1)
    total = cumulated[:, -1:]
    wanted = total * torch.tensor(shares, dtype=torch.float64, device=counts.device)
    place = torch.searchsorted(cumulated, wanted).clamp(max=counts.shape[1] - 1)
    before = torch.where(place > 0, cumulated.gather(1, (place - 1).clamp(min=0)), torch.zeros_like(wanted))
    inside = counts.double().gather(1, place)
    low, high = edges.to(counts.device)[place], edges.to(counts.device)[place + 1]
    value = low + (high - low) * ((wanted - before) / inside.clamp(min=1)).clamp(0, 1)
    return torch.where(total > 0, value, torch.nan)
