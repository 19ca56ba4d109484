"""What interventions say: effects, verdicts by rule, steering."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class ControlOut(BaseModel):
    """What matched controls reach, by size."""

    median: float | None
    high: float | None = Field(description="95 % of them stay below")
    beats: float | None = Field(description="Share of them with a smaller effect")
    n: int | None


class EffectOut(BaseModel):
    """One measure of what changes without a latent or pair: changed less clean."""

    value: float | None
    low: float | None = Field(description="95 % interval over documents")
    high: float | None
    control: ControlOut | None = Field(description="The nearest random directions in length")
    sparse: ControlOut | None = Field(description="The nearest directions of sparse latents in length")


class GroundOut(BaseModel):
    """A measurement that a verdict rests on."""

    of: str = Field(description="rule: the rule's own sentence; else what was measured")
    speaks: str = Field(description="keep, prune or neither")
    words: str


class MissingOut(BaseModel):
    """A measurement that a verdict lacks."""

    of: str
    words: str = Field(description="With the command that would make it")


class SteeringOut(BaseModel):
    """Whether steering along a signal makes the text of its pole the likelier one. Rates are shares of `pairs`."""

    positive: int
    negative: int = Field(description="The latent itself where it has no mirror image")
    label: str = Field(description="yes, no, unmeasured")
    dose: float | None = Field(description="In standard deviations of the signal")
    flips: float | None
    flips_low: float | None = Field(description="95 % interval over documents")
    flips_high: float | None
    random: float | None = Field(description="Along random directions of the same length, the largest")
    sparse: float | None = Field(description="Along directions of sparse latents, the largest")
    swapped: float | None = Field(description="With the texts of other documents")
    chance: float = Field(description="What two preferences do by chance")
    pairs: int
    words: str
    data: dict[str, Any]
