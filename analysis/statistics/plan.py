"""What is fixed once the first tokens were read: sizes, the plan, and with them every accumulator of a run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.reading.sae import LoadedSae
from analysis.statistics.geometry import unit_rows

MASSIVE = 6.0  # times the median norm: longer tokens are massive, and left out of every linear measure


class PairPlan(NamedTuple):
    """q candidate pairs and what the pilot knows of them; `first`, `second` are latents."""

    first: Tensor  # [q] int64
    second: Tensor  # [q] int64
    norms: Tensor  # [q, 2] float32: decoder norms
    direction: Tensor  # [q, D] float32: unit vectors u
    pivot: Tensor  # [D] float32: about the mean of x
    z_sd: Tensor  # [q] float32: sd of z in the pilot, > 0


class Plan(NamedTuple):
    """Fixed after the pilot, saved with every checkpoint."""

    latents: Tensor  # [m] int64: latents with detail, ascending
    kind: Tensor  # [m] int64: why, an index into DETAILS
    partners: Tensor  # [m] int64: partner, or the latent itself
    cuts: Tensor  # [m, levels - 1] float32: where the levels of the firing |activations| meet
    median_norm: Tensor  # [] float32
    pivot: Tensor  # [D] float32: mean of x over ordinary tokens
    pairs: PairPlan
    random: Tensor  # [r, D] float32: random unit vectors, the chance level of the classes; r = 0 without classes
    pool: Tensor  # [c] int64: sparse latents a dense signal may be a sum of


class Settings(NamedTuple):
    """What a run was asked for, as far as accumulators need it."""

    context: int
    contexts: int  # per batch
    vocab: int  # 0: what is read is no text
    seed: int
    class_tokens: int = 0  # size of the sample the classes look at; 0: no classes
    threshold: float = 0.1  # density above which a latent is dense
    crowd: int = 0  # random directions, beside the plan's, that chance levels of text are fitted to
    intervals: int = 0  # of activation, that examples come from; 0: the quarters of the firing activations


@dataclass(frozen=True)
class Setup:
    """Everything an accumulator may be made from."""

    sae: LoadedSae
    plan: Plan
    settings: Settings

    @cached_property
    def directions(self) -> Tensor:
        """[m + r, D] unit vectors whose projections are the signals: the detail latents', then the random ones."""
        return torch.cat([unit_rows(self.sae.decoder[self.plan.latents]), self.plan.random])

    @cached_property
    def beside(self) -> Tensor:
        """[R, D]: what gives a bottleneck's codes; no rows where nothing stands beside the SAE."""
        part = self.sae.bottleneck
        return self.sae.decoder[:0] if part is None else part.w_in

    @cached_property
    def crowd(self) -> Tensor:
        """[crowd, D] unit vectors, uniform on the sphere, none of them the plan's."""
        generator = torch.Generator().manual_seed((self.settings.seed << 8) + 0xC0)
        drawn = torch.randn(self.settings.crowd, self.sae.decoder.shape[1], generator=generator)
        return unit_rows(drawn).to(self.sae.decoder.device)
