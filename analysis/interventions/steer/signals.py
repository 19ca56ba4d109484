"""Which signals are steered along, and along which lines; and the lines that are their controls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from sqlalchemy import Engine, select
from torch import Tensor

from analysis.errors import UserError
from analysis.hashing import unit_hash
from analysis.interventions.steer.config import SteerConfig
from analysis.interventions.subject import Stored
from analysis.statistics.geometry import unit_rows
from store.session import session_factory
from store.tables import Score
from store.vocabulary import LIKELY, STEERED


class Signal(NamedTuple):
    """An antipodal pair, or one latent: then both are the same."""

    positive: int
    negative: int

    @property
    def is_pair(self) -> bool:
        """Whether it has two poles of its own."""
        return self.positive != self.negative

    def __str__(self) -> str:
        return f"{self.positive}:{self.negative}" if self.is_pair else str(self.positive)

    def direction(self, decoder: Tensor) -> Tensor:
        """[D]: the unit vector from the negative pole to the positive one."""
        rows = unit_rows(decoder[[self.positive, self.negative]])
        return unit_rows((rows[0] - rows[1] if self.is_pair else rows[0])[None])[0]


class Controls(NamedTuple):
    """Unit vectors [k, D] of a signal's controls, and the sparse latents' indices."""

    random: Tensor
    sparse: Tensor
    latents: list[int]


def chosen_signals(config: SteerConfig, stored: Stored, latents: int, likely: list[int]) -> list[Signal]:
    """Those that were named, else candidates of context binding first, then pairs, densest first, up to the limit.

    Args:
        latents: how many the SAE has.
        likely: latents that lack nothing but steering to be context binding.

    Raises:
        UserError: a pair that is none, or a latent the SAE does not have.
    """
    if config.pairs or config.latents:
        named = [_named_pair(pair, stored) for pair in config.pairs]
        return _once([*named, *(_named_latent(index, stored, latents) for index in config.latents)])
    pairs = sorted(stored.pairs, key=lambda pair: -stored.densities.get(pair[0], 0.0))
    by_density = sorted(likely, key=lambda index: -stored.densities.get(index, 0.0))
    found = _once([*(_of(index, stored) for index in by_density), *(Signal(*pair) for pair in pairs)])
    return found[: config.limit]


def likely_latents(engine: Engine, analysis_id: int) -> list[int]:
    """Latents with parts A and B of context binding, whatever earlier steering said of them."""
    with session_factory(engine)() as session:
        rows = session.execute(
            select(Score.index, Score.label, Score.data)
            .where(Score.analysis_id == analysis_id, Score.name == STEERED)
            .order_by(Score.index)
        ).all()
    return [index for index, label, data in rows if before_steering(label, data) == LIKELY]


def before_steering(label: str, data: dict[str, object]) -> str:
    """The label that parts A and B alone gave."""
    steering = data.get("steering")
    known = steering.get("before") if isinstance(steering, dict) else None
    return str(known["label"]) if isinstance(known, dict) else label


def controls_of(signal: Signal, stored: Stored, decoder: Tensor, count: int, seed: int) -> Controls:
    """Directions drawn by the signal's name, so that they are the same whatever else is steered along."""
    generator = torch.Generator().manual_seed(int(unit_hash("steer", seed, *signal) * 2**53))
    random = unit_rows(torch.randn(count, decoder.shape[1], generator=generator)).to(decoder.device)
    others = [index for index in stored.controls if index not in signal]
    latents = sorted(others, key=lambda index: unit_hash("sparse", seed, *signal, index))[:count]
    return Controls(random, unit_rows(decoder[latents]), latents)


def _named_pair(pair: tuple[int, int], stored: Stored) -> Signal:
    for known in (pair, pair[::-1]):
        if known in stored.pairs:
            return Signal(*known)
    there = ", ".join(f"{one}:{other}" for one, other in stored.pairs) or "none"
    raise UserError(f"--pair {pair[0]}:{pair[1]}: expected an antipodal pair of {stored.slug}; it has {there}")


def _named_latent(index: int, stored: Stored, latents: int) -> Signal:
    if not 0 <= index < latents:
        raise UserError(f"--latent {index}: expected a latent of {stored.slug}, which has 0 to {latents - 1}")
    return _of(index, stored)


def _of(index: int, stored: Stored) -> Signal:
    """The pair a latent belongs to, else the latent itself."""
    return next((Signal(*pair) for pair in stored.pairs if index in pair), Signal(index, index))


def _once(signals: Iterable[Signal]) -> list[Signal]:
    return list(dict.fromkeys(signals))
