"""Latents and pairs of one analysis, and what is shown of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.tables.base import Base
from store.tables.runs import Analysis

_COVERED = ("density", "antipodality", "max", "mean", "mass_share")
"""Columns that stand in the indexes of the few and of the bounds, too: a new one can do without."""
SORTED = (*_COVERED, "word_share", "past_share", "followed")
"""Columns with an index over all SAEs, so that a list sorted by one shows its first page without reading the rest."""
FLAGS = ("is_dense", "detail", "is_pair", "borderline", "duplicate_of")
"""What few latents are. These few have an index of their own."""
_MARKED = (
    "is_dense IS {yes} OR is_pair IS {yes} OR borderline IS {yes} OR detail IS NOT NULL OR duplicate_of IS NOT NULL"
)


def _indexes() -> Iterator[Index]:
    yield Index("ix_latent_by_index", "index", "analysis_id", "is_dense", "detail")
    for name in SORTED:
        # lists are bounded by antipodality and density: what is between two values is sorted within the index
        more = (*FLAGS[2:], *_COVERED) if name == "antipodality" else ()
        columns = dict.fromkeys((name, "analysis_id", "index", "is_dense", "detail", *more))
        yield Index(f"ix_latent_by_{name}", *columns)
    yield Index("ix_latent_density", *dict.fromkeys(("analysis_id", "density", "index", *FLAGS, *_COVERED)))
    yield Index(
        "ix_latent_marked",
        *("analysis_id", "index", *FLAGS, *_COVERED),
        sqlite_where=text(_MARKED.format(yes=1)),
        postgresql_where=text(_MARKED.format(yes="true")),
    )


class Latent(Base):
    """One latent in one analysis. A value that cannot be computed is NULL, with its reason in `reasons`.

    What `doc` says of a column is what the API says of it.
    """

    __tablename__ = "latent"
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    density: Mapped[float] = mapped_column(doc="Share of counted tokens on which it fires")
    density_low: Mapped[float | None] = mapped_column(doc="95 % interval over documents")
    density_high: Mapped[float | None]
    is_dense: Mapped[bool]
    borderline: Mapped[bool] = mapped_column(doc="The interval contains the threshold")
    detail: Mapped[str | None] = mapped_column(
        String(10), doc="Why examples were kept: dense, partner, control, asked; null: they were not"
    )
    mean: Mapped[float | None] = mapped_column(doc="Over firing tokens, massive ones left out")
    std: Mapped[float | None]
    skewness: Mapped[float | None]
    max: Mapped[float | None]
    mass_share: Mapped[float | None]
    antipodality: Mapped[float | None] = mapped_column(
        doc="Largest product of encoder and decoder cosine with another latent"
    )
    cos_enc: Mapped[float | None]
    cos_dec: Mapped[float | None]
    partner: Mapped[int | None]
    mutual: Mapped[bool]
    is_pair: Mapped[bool]
    duplicate_of: Mapped[int | None]
    duplicate_score: Mapped[float | None] = mapped_column(
        doc="Largest product of two positive cosines with another latent: how near the nearest copy is"
    )
    mirror: Mapped[int | None] = mapped_column(doc="The latent nearest to its mirror image: both cosines negative")
    mirror_score: Mapped[float | None] = mapped_column(doc="Product of the two cosines with it")
    cos_bias: Mapped[float | None]
    decoder_norm: Mapped[float | None]
    word_share: Mapped[float | None] = mapped_column(
        doc="Share of the activation's variance that the present word predicts in documents that were not fitted"
    )
    past_share: Mapped[float | None] = mapped_column(
        doc="The same of the latent's own past, the rest of the context and the document, beyond word, place and norm"
    )
    followed: Mapped[float | None] = mapped_column(doc="The same of all sources together")
    quantiles: Mapped[dict[str, Any] | None] = mapped_column(doc="Of the firing activations")  # {"0.05": a, ...}
    spark: Mapped[list[Any]]  # 24 heights 0..9 of the activation histogram, log counts
    top_tokens: Mapped[list[Any]]  # a few token strings for tables
    reasons: Mapped[dict[str, Any]]  # column or profile name -> why it is NULL or missing: a statement's code
    analysis: Mapped[Analysis] = relationship(lazy="raise", viewonly=True)
    __table_args__ = tuple(_indexes())

    @property
    def slug(self) -> str:
        """Of its SAE."""
        return self.analysis.sae.slug

    @property
    def layer(self) -> int:
        """Of its SAE."""
        return self.analysis.sae.layer


DENSE = Latent.is_dense.is_(True)
"""As the index of the few says it: SQLite reads every latent for `WHERE is_dense`."""


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
    reasons: Mapped[dict[str, Any]]  # as a latent's
