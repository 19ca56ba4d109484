"""Mean activation by distance from the start of the context, paragraph or sentence."""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.reading.corpus import GROUPS
from analysis.statistics.base import Step, Sums, add_at
from analysis.statistics.declaration import Statistic
from analysis.statistics.intervals import jackknife_ratio
from analysis.statistics.plan import Setup

KINDS = ("context", "paragraph", "sentence")

STATISTICS = tuple(
    Statistic(
        f"position_{kind}", f"Where it is on: position in {kind}", "activation", "series", "latent",
        f"Mean activation over counted tokens by their distance, in tokens, from the start of the {kind}, with a"
        f" 95 % interval over documents. {extra} Massive tokens are left out.", "O", "our own",
    )
    for kind, extra in (
        ("context", "BOS is position 0 and not counted."),
        ("paragraph", "Paragraphs are set apart by a blank line; text without one has no paragraphs."),
        ("sentence", "Sentences as found by syntok, and at the full stops of scripts it does not know; Thai and Khmer"
         " write none, so there the distance says little."),
    )
)  # fmt: skip


def edges_for(kind: str, context: int) -> Tensor:
    """Bin edges in tokens: one by one at first, then wider, so that each bin holds enough tokens."""
    limit = context if kind == "context" else min(context, 512)
    first = 1 if kind == "context" else 0
    fine = list(range(first, min(first + 16, limit)))
    wide, step, last = [], 2, fine[-1] + 1
    while last < limit:
        wide.append(last)
        last += step
        step = max(2, int(last * 0.12))
    return torch.tensor([*fine, *wide, limit], dtype=torch.int64)


class PositionSummary(NamedTuple):
    """[m, bins] float64 each, but `tokens` [bins] int64 and `edges` [bins + 1]; NaN in empty bins."""

    mean: Tensor
    low: Tensor
    high: Tensor
    tokens: Tensor
    edges: Tensor


class Positions(Sums):
    """Sums [64, bins, m] and token counts [64, bins] of the m latents with detail.

    Args:
        kind: context, paragraph or sentence.
        latents: the m latents, int64.
        context: tokens per context.
    """

    def __init__(self, kind: str, latents: Tensor, context: int, device: torch.device | str = "cpu") -> None:
        self.kind, self.latents = kind, latents.to(device)
        self.edges = edges_for(kind, context).to(device)
        self.bins = len(self.edges) - 1
        self.tensors = {
            "sum": torch.zeros(GROUPS, self.bins, len(latents), dtype=torch.float64, device=device),
            "tokens": torch.zeros(GROUPS, self.bins, dtype=torch.int64, device=device),
        }

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Three kinds of distance, in text."""
        plan, context = setup.plan, setup.settings.context
        if not setup.settings.vocab:
            return {}
        return {f"position_{kind}": cls(kind, plan.latents, context, plan.pivot.device) for kind in KINDS}

    def update(self, step: Step) -> None:
        """Add every ordinary token whose distance is known."""
        counted = step.counted
        distance = {"context": counted.column, "paragraph": counted.paragraph, "sentence": counted.sentence}[self.kind]
        keep = step.ordinary & (distance >= self.edges[0]) & (distance < self.edges[-1])
        place = (torch.bucketize(distance, self.edges, right=True) - 1).clamp_(0, self.bins - 1)
        index = counted.group * self.bins + place
        add_at(self.tensors["tokens"], index, keep)  # what is not kept adds 0: to drop it would wait for the device
        found = step.among(self.latents)
        at = index[found.token] * len(self.latents) + found.place
        add_at(self.tensors["sum"], at, found.value * keep[found.token])

    def summarise(self) -> PositionSummary:
        """Means with their document-jackknife interval."""
        tokens = self.tensors["tokens"]
        below = tokens.double()[..., None].expand_as(self.tensors["sum"])
        mean, low, high = (part.T for part in jackknife_ratio(self.tensors["sum"], below))
        return PositionSummary(mean, low, high, tokens.sum(0), self.edges)
