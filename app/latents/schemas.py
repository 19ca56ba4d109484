"""Latents and pairs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from app.annotations.schemas import AnnotationOut
from app.interventions.schemas import EffectOut, GroundOut, MissingOut, SteeringOut
from app.labels.schemas import AssociationOut
from app.latents.profiles import Histogram, Series, TokenItem


class ClassOut(BaseModel):
    """What one class says of one latent. A null number was not measured; `words` says why."""

    label: str = Field(
        description="yes, likely (a part is not measured yet), no, unmeasured; of the mixture: sum, aggregate, own"
    )
    score: float | None = Field(description="What is compared with the cut")
    cut: float | None = Field(description="What the score must reach: a setting of the run")
    chance: float | None = Field(description="What the largest of 64 random directions reaches on the same text")
    control: float | None = Field(description="The same measure where it must not hold; see the class's definition")
    p: float | None = Field(description="Where a test is made")
    q: float | None = Field(description="p after Benjamini-Hochberg over the SAE's latents with detail")
    words: str = Field(description="One plain sentence")
    data: dict[str, Any] | None = Field(description="The evidence; null in lists")


class ChainOut(BaseModel):
    """A latent's continuation in a neighbouring analysed layer."""

    side: str = Field(description="next or previous")
    sae: str
    layer: int
    index: int
    url: str
    correlation: float = Field(description="Of the two signals on the same tokens")
    cosine: float | None = Field(description="Of the two decoder directions; null where they cannot be compared")


class LatentOut(BaseModel):
    """One latent in one run. A null number has its reason in `reasons`."""

    sae: str
    run: int
    url: str = Field(description="Its page")
    index: int
    layer: int
    density: float = Field(description="Share of counted tokens on which it fires")
    density_low: float | None = Field(description="95 % interval over documents")
    density_high: float | None
    is_dense: bool
    borderline: bool = Field(description="The interval contains the threshold")
    mean: float | None = Field(description="Over firing tokens, massive ones left out")
    std: float | None
    skewness: float | None
    max: float | None
    mass_share: float | None
    antipodality: float | None = Field(description="Largest product of encoder and decoder cosine with another latent")
    cos_enc: float | None
    cos_dec: float | None
    partner: int | None
    mutual: bool
    is_pair: bool
    duplicate_of: int | None
    cos_bias: float | None
    decoder_norm: float | None
    quantiles: dict[str, float] | None = Field(description="Of the firing activations")
    detail: str | None = Field(
        description="Why examples were kept: dense, partner, control, asked; null: they were not"
    )
    classes: dict[str, ClassOut] = Field(description="By name; empty where they were not measured")
    mixture: ClassOut | None = Field(description="Whether its signal is a sum of sparse latents")
    effects: dict[str, EffectOut] = Field(
        description="What changes without it: loss, kl, entropy, top1, rank, mediated; empty where it was not ablated"
    )
    equivalent: bool | None = Field(description="The interval of the loss lies within the ablation's +- epsilon")
    verdict: str | None = Field(description="By rule: keep, investigate or prune; no person's")
    category: str | None = Field(description="A person's: a class's name, or the key of a category of the team's own")
    annotation: AnnotationOut | None = Field(description="What people say of it now; null: nothing")
    top_tokens: list[TokenItem]
    promoted: list[TokenItem]
    suppressed: list[TokenItem]
    reasons: dict[str, str]


class LatentPageOut(BaseModel):
    """Some latents. Pass `next` as `cursor` for those that follow; null on the last page."""

    items: list[LatentOut]
    next: str | None
    total: int


class ExampleOut(BaseModel):
    """A stretch of text; activations are aligned with tokens."""

    kind: str = Field(description="top, level4 to level1, random, off")
    document: str
    labels: dict[str, Any]
    position: int = Field(description="Character of the document at which the context begins")
    focus: int = Field(description="Which token the example is about")
    tokens: list[str]
    activations: list[float]
    partner: list[float] | None


class LatentDetailOut(LatentOut):
    """One latent with all that is kept of it."""

    histogram: Histogram | None
    top_tokens_mass: list[TokenItem]
    positions: dict[str, Series]
    examples: list[ExampleOut]
    chains: list[ChainOut]
    labels: list[AssociationOut]
    grounds: list[GroundOut] = Field(description="Of the verdict; the first is the rule's own sentence")
    missing: list[MissingOut] = Field(description="Measurements that the verdict lacks")
    pair_effects: dict[str, EffectOut] = Field(description="What changes without it and its mirror image")
    steering: list[SteeringOut]


class PairOut(BaseModel):
    """Two latents as one signed signal; `positive` is the denser one."""

    sae: str
    run: int
    url: str
    positive: int
    negative: int
    is_pair: bool
    score: float | None
    cos_enc: float | None
    cos_dec: float | None
    correlation: float | None
    r2: float | None
    r2_single: float | None
    joint_1d: bool
    coverage: float
    dead_zone: float
    cofiring: float
    cofiring_ratio: float | None
    z_sd: float | None
    histogram: dict[str, list[float]]
    annotation: AnnotationOut | None = Field(description="What people say of the two now; null: nothing")
    effects: dict[str, EffectOut] = Field(description="What changes without the two; empty where they were not ablated")
    equivalent: bool | None = Field(description="The interval of the loss lies within the ablation's +- epsilon")
    steering: list[SteeringOut]
    reasons: dict[str, str]
