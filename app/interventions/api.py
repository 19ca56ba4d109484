"""What changes without a latent or a pair, as the API says it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from app.interventions.effects import ControlInfo, EffectInfo
from store.vocabulary import MEASURES, RANDOM, SPARSE


class Change(BaseModel):
    """One measure of what changes without a latent or pair, against the original model."""

    value: float | None
    low: float | None = Field(description="95 % interval over documents")
    high: float | None
    control: ControlInfo | None = Field(description="The nearest random directions in length")
    sparse: ControlInfo | None = Field(description="The nearest directions of sparse latents in length")


def changes(found: EffectInfo | None) -> dict[str, Change]:
    """By measure; empty where nothing was ablated."""
    if found is None:
        return {}
    measures = {**{name: found.measures[name] for name in MEASURES}, "mediated": found.mediated}
    return {
        name: Change(
            value=measured.value,
            low=measured.low,
            high=measured.high,
            control=found.against(name, RANDOM),
            sparse=found.against(name, SPARSE),
        )
        for name, measured in measures.items()
        if measured.value is not None
    }
