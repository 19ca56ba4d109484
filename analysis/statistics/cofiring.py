"""What fires together: every dense latent against all latents of its SAE."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.statistics.base import Step, Sums, by_latent, context_keys, summed_products
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup
from analysis.statistics.sampling import mix_bits
from analysis.statistics.tails import chance_level
from store.vocabulary import DENSE, DETAILS

ENTRIES = 2**24
"""Pairs of latents that are counted at most, 12 bytes each: of a very wide SAE only the first dense latents have it."""
_SIGNS = 43  # salt
_STILL = 1e-4  # variance over mean square, below which a latent never changes: float32 sums could not tell

STATISTICS = (
    Statistic("together", "Fires together with", "", "tokens", "latent",
              "The latents whose activations go up and down with this one's: Pearson correlation over the counted"
              " tokens, zeros included, massive tokens left out; beside it the Jaccard index, tokens on which both fire"
              " over tokens on which either does, and what that would be of two independent latents of these"
              " densities. Chance: what the correlations with all N latents hardly exceed, either way, once each"
              " context's share of them has got a random sign (drawn by a hash of its place; a tail is fitted to them,"
              " corrected for N). What goes with this latent in one context alone stays below it.",
              "O", "correlated and co-occurring features, common usage (SAEDashboard, Neuronpedia); chance level: our"
              " own, after the wild bootstrap"),
    Statistic("apart", "Fires apart from", "", "tokens", "latent",
              "The latents with the most negative correlation with this one, by the same measure; a mirror image is"
              " one of them.", "O", "our own", "not_compared"),
)  # fmt: skip


class CofiringSummary(NamedTuple):
    """Of m dense latents against N; NaN where a latent never fires or never changes."""

    tokens: int
    contexts: int
    fired: Tensor  # [N] float64: tokens on which each fires
    correlation: Tensor  # [m, N] float64
    chance: Tensor  # [m] float64: what |correlation| with random signs hardly exceeds in any of N latents
    both: Tensor  # [m, N] float64: tokens on which both fire
    jaccard: Tensor  # [m, N] float64: of the tokens on which either fires
    independent: Tensor  # [m, N] float64: what it would be of independent latents


class Cofiring(Sums):
    """Counts of firings, and sums of products in float32, of m latents with all N.

    Args:
        latents: [m] int64.
        n_latents: N.
    """

    def __init__(self, latents: Tensor, n_latents: int) -> None:
        self.latents = latents
        device, m = latents.device, len(latents)
        self.tensors = {
            "both": torch.zeros(n_latents, m, dtype=torch.int32, device=device),
            "product": torch.zeros(n_latents, m, device=device),
            "fired": torch.zeros(n_latents, dtype=torch.int64, device=device),
            "signed": torch.zeros(n_latents, m, device=device),
            "sum": torch.zeros(n_latents, dtype=torch.float64, device=device),
            "signed_sum": torch.zeros(n_latents, dtype=torch.float64, device=device),
            "square": torch.zeros(n_latents, dtype=torch.float64, device=device),
            "counts": torch.zeros(4, dtype=torch.int64, device=device),  # tokens, ordinary ones, their signs, contexts
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Of the latents that were dense in the pilot."""
        plan, n_latents = setup.plan, len(setup.sae.decoder)
        dense = plan.latents[plan.kind == DETAILS.index(DENSE)]
        return {"cofiring": cls(dense[: ENTRIES // max(n_latents, 1)], n_latents)}

    def update(self, step: Step) -> None:
        """One batch."""
        if not len(self.latents):
            return
        firing, t, m = step.firing, self.tensors, len(self.latents)
        columns = step.columns(self.latents)
        value = firing.value.double() * step.ordinary[firing.token]
        sign = 1 - 2 * (mix_bits(context_keys(step.batch), _SIGNS) & 1)[step.counted.row]
        products = summed_products(
            firing.starts, firing.token, value.float(), torch.cat([columns, columns * sign[:, None]], 1)
        )
        # whole numbers, exact in float32
        t["both"] += summed_products(
            firing.starts, firing.token, torch.ones_like(firing.value), (columns != 0).float()
        ).int()
        t["product"] += products[:, :m]
        t["signed"] += products[:, m:]
        t["fired"] += firing.starts.diff()
        t["sum"] += by_latent(value, firing)
        t["signed_sum"] += by_latent(value * sign[firing.token], firing)
        t["square"] += by_latent(value.square(), firing)
        contexts = step.batch.mask.any(1).sum()
        signs = (sign * step.ordinary).sum()
        t["counts"] += torch.stack([torch.full_like(signs, len(columns)), step.ordinary.sum(), signs, contexts])

    def summarise(self) -> CofiringSummary:
        """Correlations, and Jaccard indices beside those of independent latents."""
        t, mine = self.tensors, self.latents
        tokens, ordinary, signs, contexts = t["counts"].tolist()
        fired, mean = t["fired"].double(), t["sum"] / max(ordinary, 1)
        variance = t["square"] / max(ordinary, 1) - mean.square()
        scale = torch.where(variance > _STILL * t["square"] / max(ordinary, 1), variance, torch.nan).sqrt()
        scales = scale[mine, None] * scale
        covariance = t["product"].T / max(ordinary, 1) - mean[mine, None] * mean
        signed = t["signed"].T - mean[mine, None] * t["signed_sum"] - mean * t["signed_sum"][mine, None]
        by_chance = (signed + signs * mean[mine, None] * mean).abs() / max(ordinary, 1) / scales
        by_chance[torch.arange(len(mine)), mine] = torch.nan  # of itself
        both = t["both"].T.double()
        either, chance = fired[mine, None] + fired - both, fired[mine, None] * fired / max(tokens, 1)
        return CofiringSummary(
            tokens,
            contexts,
            fired,
            covariance / scales,
            torch.tensor([chance_level(row, len(fired)) for row in by_chance.cpu()], dtype=torch.float64),
            both,
            both / torch.where(either > 0, either, torch.nan),
            chance / torch.where(either > 0, fired[mine, None] + fired - chance, torch.nan),
        )
