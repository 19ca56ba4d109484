"""The tables. The worker writes all but annotations; the server reads them.

Who is who: an `Sae` is its weights (SHA-256). A `Run` is one reading of one corpus through one
model. An `Analysis` is one SAE in one run, and owns the latents, pairs, profiles and examples.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of the store."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}


class Model(Base):
    """A language model, by the hash of what it was loaded from."""

    __tablename__ = "model"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    source: Mapped[str]
    licence: Mapped[str | None]
    family: Mapped[str] = mapped_column(String(40))
    n_layers: Mapped[int]
    d_model: Mapped[int]
    vocab_size: Mapped[int]


class Sae(Base):
    """A sparse autoencoder; `sha256` of its weights is its identity, `slug` its name in URLs."""

    __tablename__ = "sae"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(200), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    hook_point: Mapped[str] = mapped_column(String(120))
    layer: Mapped[int]
    architecture: Mapped[str] = mapped_column(String(40))  # as trained
    d_in: Mapped[int]
    n_latents: Mapped[int]
    dtype: Mapped[str] = mapped_column(String(20))
    source: Mapped[str]
    neuronpedia_id: Mapped[str | None]
    details: Mapped[dict[str, Any]]  # sae-lens' own config and metadata
    training: Mapped[dict[str, Any] | None]  # the training report beside the weights, if any


class Corpus(Base):
    """A corpus, by the hash of its cleaned records."""

    __tablename__ = "corpus"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    documents: Mapped[int]
    characters: Mapped[int]
    licence: Mapped[str | None]
    report: Mapped[dict[str, Any]]  # what was read, skipped and mended
    label_columns: Mapped[list[Any]]


class Run(Base):
    """One reading of a corpus through a model and one or more SAEs."""

    __tablename__ = "run"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), index=True)  # hash of all that fixes its numbers
    status: Mapped[str] = mapped_column(String(12))  # complete; set last, in the same transaction
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    corpus_id: Mapped[int] = mapped_column(ForeignKey("corpus.id"))
    tokens: Mapped[int]  # counted tokens: the denominator of every density
    masked_tokens: Mapped[int]  # BOS, EOS, padding: in no numerator and no denominator
    documents: Mapped[int]  # documents that gave at least one counted token
    context: Mapped[int]  # tokens per context, BOS included
    dense_threshold: Mapped[float]
    seed: Mapped[int]
    settings: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    strip: Mapped[dict[str, Any] | None]  # {"document": name, "labels": {}, "tokens": [str]}: one whole document
    seconds: Mapped[float]
    finished: Mapped[datetime]


class Analysis(Base):
    """One SAE in one run. Shares and means are over counted tokens unless said otherwise."""

    __tablename__ = "analysis"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    sae_id: Mapped[int] = mapped_column(ForeignKey("sae.id"))
    l0: Mapped[float]  # latents that fire per token, mean
    fvu: Mapped[float | None]  # fraction of variance unexplained, massive tokens left out
    n_dense: Mapped[int]
    n_borderline: Mapped[int]
    n_dead: Mapped[int]  # never fired on this text
    n_pairs: Mapped[int]  # antipodal pairs: mutual, both cosines negative, score >= 0.8
    dense_mass_share: Mapped[float | None]  # share of summed |activation| from dense latents
    massive_share: Mapped[float]  # share of tokens over 6 x the median norm, left out of linear measures
    median_norm: Mapped[float]
    density_curve: Mapped[list[Any]]  # all densities, sorted descending
    summary: Mapped[dict[str, Any]]  # whatever else belongs to the layer
    __table_args__ = (UniqueConstraint("run_id", "sae_id"),)


class Statistic(Base):
    """What a value means; written by the worker from the statistic's own declaration."""

    __tablename__ = "statistic"
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    title: Mapped[str]
    unit: Mapped[str]  # "" where it has none
    kind: Mapped[str] = mapped_column(String(12))  # scalar, histogram, series, tokens, matrix
    of: Mapped[str] = mapped_column(String(12))  # latent, pair, sae
    definition: Mapped[str]  # one or two plain sentences, with denominator
    grade: Mapped[str] = mapped_column(String(1))  # P paper, R reported, O our own choice
    source: Mapped[str]
    position: Mapped[int]  # order on /methods


class Latent(Base):
    """One latent in one analysis. A value that cannot be computed is NULL, with its reason in `reasons`."""

    __tablename__ = "latent"
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    density: Mapped[float]
    density_low: Mapped[float | None]
    density_high: Mapped[float | None]
    is_dense: Mapped[bool]
    borderline: Mapped[bool]
    detail: Mapped[str | None] = mapped_column(String(10))  # dense, partner, control, asked; NULL: none kept
    mean: Mapped[float | None]
    std: Mapped[float | None]
    skewness: Mapped[float | None]
    max: Mapped[float | None]
    mass_share: Mapped[float | None]
    antipodality: Mapped[float | None]
    cos_enc: Mapped[float | None]
    cos_dec: Mapped[float | None]
    partner: Mapped[int | None]
    mutual: Mapped[bool]
    is_pair: Mapped[bool]
    duplicate_of: Mapped[int | None]
    cos_bias: Mapped[float | None]
    decoder_norm: Mapped[float | None]
    quantiles: Mapped[dict[str, Any] | None]  # {"0.05": a, ...} of the firing activations
    spark: Mapped[list[Any]]  # 24 heights 0..9 of the activation histogram, log counts
    top_tokens: Mapped[list[Any]]  # a few token strings for tables
    reasons: Mapped[dict[str, Any]]  # column or profile name -> why it is NULL or missing
    __table_args__ = (
        Index("ix_latent_density", "analysis_id", "density", "index"),
        Index("ix_latent_antipodality", "analysis_id", "antipodality", "index"),
    )


class Profile(Base):
    """A value with more than one number: histogram, series or token list of one latent.

    `data` is JSON for token lists; arrays are in `values` (see `store.arrays`) and what names
    their axes is in `data`.
    """

    __tablename__ = "profile"
    analysis_id: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    data: Mapped[dict[str, Any]]
    values: Mapped[bytes | None] = mapped_column(LargeBinary)
    __table_args__ = (
        ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
    )


class Example(Base):
    """A stretch of text around one token, with the latent's and its partner's activations on it."""

    __tablename__ = "example"
    analysis_id: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)  # top, level1..level4, random, off
    rank: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[str]
    labels: Mapped[dict[str, Any]]
    context_start: Mapped[int]  # character of the document at which the example's context begins
    focus: Mapped[int]  # which of the shown tokens the example is about
    tokens: Mapped[list[Any]]  # strings
    activations: Mapped[bytes] = mapped_column(LargeBinary)  # f4 [tokens]
    partner_activations: Mapped[bytes | None] = mapped_column(LargeBinary)
    __table_args__ = (
        ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
    )


class Pair(Base):
    """Two latents taken as one signed signal; `positive` is the denser one."""

    __tablename__ = "pair"
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True)
    positive: Mapped[int] = mapped_column(primary_key=True)
    negative: Mapped[int] = mapped_column(primary_key=True)
    is_pair: Mapped[bool]
    score: Mapped[float | None]
    cos_enc: Mapped[float | None]
    cos_dec: Mapped[float | None]
    correlation: Mapped[float | None]  # corr(z, p)
    r2: Mapped[float | None]  # of p from z
    r2_single: Mapped[float | None]  # of p from the better single latent
    joint_1d: Mapped[bool]
    coverage: Mapped[float]  # share of tokens where either fires
    dead_zone: Mapped[float]  # share of tokens where neither fires
    cofiring: Mapped[float]  # share of tokens where both fire
    cofiring_ratio: Mapped[float | None]  # against the product of the two densities
    z_sd: Mapped[float | None]  # standard deviation of z, in units of activation
    histogram: Mapped[dict[str, Any]]  # {"edges": [...], "positive": [...], "negative": [...], "neither": [...]}
    reasons: Mapped[dict[str, Any]]


class Score(Base):
    """What one class (or the mixture) says of one latent: measured, against what, and what follows.

    Names: position, context_binding, null_space, alphabet, content_word, principal_component, unexplained,
    mixture. `label` of a class: yes, likely (all that was measured holds, a named part is not measured yet),
    no, unmeasured (its reason is in `words`). `label` of the mixture: sum, aggregate, own, unmeasured.
    """

    __tablename__ = "score"
    analysis_id: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    label: Mapped[str] = mapped_column(String(12))
    score: Mapped[float | None]
    cut: Mapped[float | None]  # the score must reach it; cuts are settings of the run
    chance: Mapped[float | None]  # what the largest of the random directions reaches on the same text
    control: Mapped[float | None]  # the same measure where it must not hold; which one, the class's declaration says
    p: Mapped[float | None]  # where a test is made
    q: Mapped[float | None]  # after Benjamini-Hochberg over the SAE's latents with detail
    words: Mapped[str]  # one plain sentence
    data: Mapped[dict[str, Any]]  # the evidence, for its plot
    __table_args__ = (
        ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
        Index("ix_score_name", "analysis_id", "name", "label"),
    )


class Chain(Base):
    """A latent's continuation in the next or previous analysed layer of the same run."""

    __tablename__ = "chain"
    analysis_id: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    side: Mapped[str] = mapped_column(String(8), primary_key=True)  # next, previous
    other_analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"))
    other: Mapped[int]  # the latent there whose signal correlates most, by magnitude
    correlation: Mapped[float]  # of the two projections on the same tokens
    cosine: Mapped[float | None]  # of the two decoder directions
    __table_args__ = (
        ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
    )


class Label(Base):
    """A column of the user's corpus that the run's signals were held against."""

    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(12))  # category, number, boolean
    of: Mapped[str] = mapped_column(String(12))  # document, token (character spans)
    measure: Mapped[str] = mapped_column(String(12))  # eta2, spearman, auc
    documents: Mapped[int]  # that have a value and were read
    groups: Mapped[list[Any]]  # of a category: [{"value": str, "documents": int}], most frequent first
    reason: Mapped[str | None]  # why it was not measured
    confounds: Mapped[list[Any]]  # [{"name": label, "strength": 0..1, "measure": str, "words": str}], strongest first
    __table_args__ = (UniqueConstraint("run_id", "name"),)


class Association(Base):
    """One label against one latent's signal."""

    __tablename__ = "association"
    analysis_id: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("label.id", ondelete="CASCADE"), primary_key=True)
    verdict: Mapped[str] = mapped_column(String(12))  # yes, no, unmeasured
    effect: Mapped[float | None]  # the label's measure, on document means of the signal
    low: Mapped[float | None]  # 95 % interval over documents
    high: Mapped[float | None]
    conditional: Mapped[float | None]  # the same after token identity and position are taken out of the signal
    held_out: Mapped[float | None]  # cross-validated over documents: R2 for eta2, else the measure itself
    p: Mapped[float | None]  # of `conditional`, by permuting documents
    q: Mapped[float | None]  # after Benjamini-Hochberg over latents x labels of the SAE
    words: Mapped[str]  # one plain sentence
    data: Mapped[dict[str, Any]]  # {"means": [{"value": .., "mean": sd, "low": .., "high": .., "documents": n}]}
    __table_args__ = (
        ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
        Index("ix_association_label", "label_id", "verdict"),
    )
