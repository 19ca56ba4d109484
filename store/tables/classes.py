"""What a latent does: classes, its way through the layers, the user's labels."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base


class Score(Base):
    """What one class (or the mixture) says of one latent: measured, against what, and what follows.

    Names: those that the classes declare, unexplained, mixture. `label` of a class: yes, likely (all that was
    measured holds, a named part is not measured yet), no, unmeasured (`statement` says why). `label` of the mixture:
    sum, aggregate, own, unmeasured.
    """

    __tablename__ = "score"
    analysis_id: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    label: Mapped[str] = mapped_column(String(12))
    score: Mapped[float | None]
    cut: Mapped[float | None]  # the score must reach it; cuts are settings of the run
    chance: Mapped[float | None]  # what random directions reach on the same text
    control: Mapped[float | None]  # the same measure where it must not hold; which one, the class's declaration says
    p: Mapped[float | None]  # where a test is made
    q: Mapped[float | None]  # after Benjamini-Hochberg over the SAE's latents with detail
    statement: Mapped[dict[str, Any]]  # a code with the numbers of its sentence (see `store.vocabulary`)
    data: Mapped[dict[str, Any]]  # the evidence, for its plot
    __table_args__ = (
        ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
        Index("ix_score_name", "analysis_id", "name", "label", "index"),
    )


class Chain(Base):
    """A latent's continuation in the next or previous analysed layer of the same suite."""

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
        Index("ix_chain_other", "other_analysis_id"),
    )


class Traces(Base):
    """What chains to SAEs that are analysed later are made of; nobody but the worker reads it."""

    __tablename__ = "traces"
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"), primary_key=True)
    tokens: Mapped[int]  # of the sample that are kept
    data: Mapped[bytes] = mapped_column(LargeBinary)  # safetensors, zstandard; at most 4 MiB and 2 bytes x m x D


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
    literal: Mapped[int | None]  # of these, in whose text the value stands; none of true/false and of spans
    groups: Mapped[list[Any]]  # of a category: [{"value": str, "documents": int}], most frequent first
    reason: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # why it was not measured: a code
    confounds: Mapped[list[Any]]  # [{"name": label, "strength": 0..1, "measure": str}], strongest first
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
    statement: Mapped[dict[str, Any]]  # a code with the numbers of its sentence
    data: Mapped[dict[str, Any]]  # {"means": [{"value": .., "mean": sd, "low": .., "high": .., "documents": n}]}
    __table_args__ = (
        ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
        Index("ix_association_label", "label_id", "verdict", "analysis_id", "index"),
    )
