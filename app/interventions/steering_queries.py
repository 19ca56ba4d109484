"""Steering: does a push along a signal make the text of its pole the likelier one?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.shared.record import cleaned, finite
from store.tables import Steering


@dataclass(frozen=True)
class SteeringInfo:
    """Flip rates of one signal; shares of pairs of texts whose preference goes with the sign of the steering."""

    positive: int
    negative: int
    """The latent itself where it has no mirror image."""
    label: str
    """yes, no or unmeasured."""
    dose: float | None
    """In standard deviations of the projection: the one the rates are of."""
    flips: float | None
    flips_low: float | None
    flips_high: float | None
    random: float | None
    """Along random directions of the same norm, the largest."""
    sparse: float | None
    """Along directions of sparse latents, the largest."""
    swapped: float | None
    """With the texts of other documents."""
    pairs: int
    words: str
    data: dict[str, Any]

    @property
    def alone(self) -> bool:
        """The signal is that of one latent."""
        return self.positive == self.negative


NUMBERS = ("dose", "flips", "flips_low", "flips_high", "random", "sparse", "swapped")


def steering_of(session: Session, intervention_id: int, index: int) -> list[SteeringInfo]:
    """The signals that a latent is a pole of."""
    either = or_(Steering.positive == index, Steering.negative == index)
    statement = select(Steering).where(Steering.intervention_id == intervention_id, either)
    return [_info(row) for row in session.scalars(statement.order_by(Steering.positive, Steering.negative))]


def _info(row: Steering) -> SteeringInfo:
    numbers = {name: finite(getattr(row, name)) for name in NUMBERS}
    return SteeringInfo(
        positive=row.positive,
        negative=row.negative,
        label=row.label,
        pairs=row.pairs,
        words=row.words,
        data=cleaned(row.data or {}),
        **numbers,
    )
