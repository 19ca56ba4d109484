"""Latents and pairs of one analysis, and what is shown of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base


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
