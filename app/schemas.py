"""Answers of the API. Their descriptions are its documentation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from app.queries.profiles import Histogram, Series, TokenItem


class Problem(BaseModel):
    """An error (RFC 9457): `detail` says what was wrong and what there is instead."""

    type: str
    title: str
    status: int
    detail: str


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


class LabelGroupOut(BaseModel):
    """A value of a category."""

    value: str
    documents: int | None


class ConfoundOut(BaseModel):
    """Another label that goes with this one."""

    name: str
    strength: float | None = Field(description="0 to 1")
    measure: str | None
    words: str


class LabelOut(BaseModel):
    """A column of the corpus that the run's signals were held against."""

    name: str
    kind: str = Field(description="category, number or boolean")
    of: str = Field(description="document, or token: spans of characters")
    measure: str = Field(description="eta2, spearman or auc")
    documents: int = Field(description="That have a value and were read")
    groups: list[LabelGroupOut] = Field(description="Of a category, most frequent first")
    confounds: list[ConfoundOut] = Field(description="Other labels it goes with, strongest first")
    reason: str | None = Field(description="Why it was not measured")
    dense_latents: dict[str, int] = Field(description="By SAE: dense latents that go with it")


class AssociationOut(BaseModel):
    """One label against one latent's signal."""

    label: str
    measure: str
    verdict: str = Field(description="yes, no, unmeasured")
    effect: float | None = Field(description="The label's measure, on document means of the signal")
    low: float | None = Field(description="95 % interval over documents")
    high: float | None
    conditional: float | None = Field(description="The effect after token identity and position are taken out")
    held_out: float | None = Field(description="Cross-validated over documents: R² for eta2, else the measure itself")
    p: float | None = Field(description="Of `conditional`, by permuting documents")
    q: float | None = Field(description="p after Benjamini-Hochberg over latents and labels of the SAE")
    words: str
    confounds: list[str] = Field(description="What else differs where the label differs")
    data: dict[str, Any]


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
    effects: dict[str, Any]
    verdict: str | None
    category: str | None
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
    reasons: dict[str, str]


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
