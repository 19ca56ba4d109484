"""Experiments: SAEs trained anew."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class ArmOut(BaseModel):
    """One SAE of an experiment."""

    name: str = Field(description="original, dense, dimension, count, variance, components, abstopk, abstopk_half")
    seed: int
    architecture: str
    width: int
    k: float
    removed_latents: int = Field(description="Whose decoder directions span what was removed")
    removed_dimensions: int
    removed_variance: float | None = Field(description="Share of the activations' variance")
    n_dense: int
    n_dense_low: float | None = Field(description="95 % interval over documents")
    n_dense_high: float | None
    dense_mass_share: float | None
    n_pairs: int
    signed_share: float | None = Field(description="Of the alive latents, those that use both signs; AbsTopK only")
    fvu: float | None
    alive_share: float | None = Field(description="Latents that fire on the held-out text")
    l0: float | None
    sha256: str = Field(description="Of the weights")
    seconds: float


class StabilityOut(BaseModel):
    """Whether a dense latent of the experiment's SAE comes back under other seeds."""

    index: int
    cosines: list[float | None] = Field(description="Largest |cosine| with a latent of each seed")
    found: int = Field(description="Seeds in which it is found again")
    stable: bool


class ExperimentOut(BaseModel):
    """SAEs trained on the same activations with different parts of them removed."""

    id: int
    url: str = Field(description="Its page")
    key: str = Field(description="Hash of all that fixes its numbers")
    sae: str = Field(description="Whose dense latents are removed")
    model: str
    layer: int
    tokens: int = Field(description="Different tokens the SAEs are trained on")
    eval_tokens: int = Field(description="Held-out tokens that everything is measured on")
    dense_threshold: float
    summary: dict[str, Any] = Field(description="Means over seeds with intervals, differences, angles, stability")
    seconds: float
    finished: datetime


class ExperimentDetailOut(ExperimentOut):
    """One experiment with all its SAEs."""

    recipe: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, Any]
    arms: list[ArmOut]
    stability: list[StabilityOut]
