"""What interventions and the rule say of a latent, in JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field

from app.interventions.effects import ControlInfo, EffectInfo
from app.interventions.steering import CHANCE
from app.interventions.steering_queries import SteeringInfo
from app.verdicts.queries import VerdictInfo
from store.vocabulary import MEASURES, RANDOM, SPARSE


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


def of_effects(found: EffectInfo | None) -> dict[str, EffectOut]:
    """By measure; empty where nothing was ablated."""
    if found is None:
        return {}
    measures = {**{name: found.measures[name] for name in MEASURES}, "mediated": found.mediated}
    return {
        name: EffectOut(
            value=one_of.value,
            low=one_of.low,
            high=one_of.high,
            control=_control(found.against(name, RANDOM)),
            sparse=_control(found.against(name, SPARSE)),
        )
        for name, one_of in measures.items()
        if one_of.value is not None
    }


def _control(found: ControlInfo | None) -> ControlOut | None:
    return None if found is None else ControlOut(**asdict(found))


def of_verdict(found: VerdictInfo | None) -> dict[str, Any]:
    """`grounds` and `missing` of an answer."""
    if found is None:
        return {"grounds": [], "missing": []}
    return {
        "grounds": [GroundOut(**asdict(ground)) for ground in found.grounds],
        "missing": [MissingOut(**asdict(gap)) for gap in found.missing],
    }


def of_steering(found: list[SteeringInfo]) -> list[SteeringOut]:
    """Signals that were steered along."""
    return [SteeringOut(**asdict(one_of), chance=CHANCE) for one_of in found]
