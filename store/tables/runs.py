"""Models, SAEs, texts, and the readings that bring them together."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.tables.base import Base


class Model(Base):
    """A language model; `fingerprint` of its numbers, configuration and tokenizer is its identity."""

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


class FormerIdentity(Base):
    """What an older version called an SAE or a model: the hash of a file, or of weights in the dtype they ran in."""

    __tablename__ = "former_identity"
    old: Mapped[str] = mapped_column(String(64), primary_key=True)
    now: Mapped[str] = mapped_column(String(64), index=True)


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
    """One reading of a corpus through a model and one or more SAEs. Runs of one suite are shown as one."""

    __tablename__ = "run"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), index=True)  # hash of all that fixes its numbers
    suite: Mapped[str] = mapped_column(String(64), index=True)  # what it stands beside: see `store.suites`
    status: Mapped[str] = mapped_column(String(12))  # complete; set last. Until then nobody shows it
    writer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # who writes it: `store.writing`
    model_id: Mapped[int] = mapped_column(ForeignKey("model.id"))
    corpus_id: Mapped[int] = mapped_column(ForeignKey("corpus.id"))
    tokens: Mapped[int]  # counted tokens: the denominator of every density
    masked_tokens: Mapped[int]  # no text, so in no numerator and no denominator; padding is no token at all
    masks: Mapped[dict[str, Any] | None]  # the same by name, {"bos": n, "special": n}; None: not known
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
    judged: Mapped[datetime | None]  # when the rule last judged its latents: equal times, equal verdicts
    sae: Mapped[Sae] = relationship(lazy="raise", viewonly=True)
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
