"""Steering: does a push along a signal make the text of its pole the likelier one?"""

from __future__ import annotations

from pydantic import computed_field
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.interventions.sentences import steering_said
from app.shared.record import Evidence, Number, Record
from store.tables import Steering

CHANCE = 0.25  # of two preferences, each may be either way


class SteeringInfo(Record):
    """Whether steering along a signal makes the text of its pole the likelier one. Rates are shares of `pairs`."""

    positive: int
    negative: int
    """The latent itself where it has no mirror image"""
    label: str
    """yes, no, unmeasured"""
    dose: Number
    """In standard deviations of the signal"""
    flips: Number
    flips_low: Number
    """95 % interval over documents"""
    flips_high: Number
    random: Number
    """Along random directions of the same length, the largest"""
    sparse: Number
    """Along directions of sparse latents, the largest"""
    swapped: Number
    """With the texts of other documents"""
    chance: float = CHANCE
    """What two preferences do by chance"""
    pairs: int
    statement: Evidence
    """Its code, and the numbers of `words`"""
    data: Evidence

    @computed_field  # type: ignore[prop-decorator]
    @property
    def words(self) -> str:
        """In a sentence."""
        return steering_said(self.statement)

    @property
    def alone(self) -> bool:
        """The signal is that of one latent."""
        return self.positive == self.negative


def steering_of(session: Session, intervention_id: int, index: int) -> list[SteeringInfo]:
    """The signals that a latent is a pole of."""
    either = or_(Steering.positive == index, Steering.negative == index)
    statement = select(Steering).where(Steering.intervention_id == intervention_id, either)
    rows = session.scalars(statement.order_by(Steering.positive, Steering.negative))
    return [SteeringInfo.model_validate(row) for row in rows]
