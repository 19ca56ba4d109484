"""Runs, SAEs, and what the values mean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field


class RunOut(BaseModel):
    """One reading of a corpus through a model and its SAEs."""

    id: int = Field(description="Pins the run: ?run=")
    key: str = Field(description="Hash of all that fixes the run's numbers")
    model: str
    corpus: str
    corpus_sha256: str
    tokens: int = Field(description="Counted tokens: the denominator of every density")
    masked_tokens: int = Field(description="BOS, EOS and padding: in no numerator and no denominator")
    documents: int
    context: int = Field(description="Tokens per context, BOS included")
    dense_threshold: float = Field(description="A latent is dense above this density")
    seed: int
    versions: dict[str, Any]
    seconds: float
    finished: datetime
    n_saes: int
    n_dense: int
    n_latents: int


class SaeOut(BaseModel):
    """An SAE as its newest run saw it."""

    slug: str
    sha256: str = Field(description="Of the weights: the SAE's identity")
    model: str
    run: int
    layer: int
    hook_point: str
    architecture: str
    d_in: int
    n_latents: int
    dtype: str
    neuronpedia_id: str | None
    l0: float = Field(description="Latents that fire per token, mean")
    fvu: float | None = Field(description="Fraction of variance unexplained, massive tokens left out")
    n_dense: int
    n_borderline: int
    n_dead: int
    n_pairs: int
    dense_mass_share: float | None = Field(description="Share of summed |activation| from dense latents")
    massive_share: float
    median_norm: float


class StatisticOut(BaseModel):
    """What a value means."""

    name: str
    title: str
    unit: str
    kind: str
    of: str
    definition: str
    grade: str = Field(description="P: stated in the paper. R: reported about it. O: our own choice")
    source: str
