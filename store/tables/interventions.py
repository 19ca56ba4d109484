"""What was done to the model and what came of it: ablations, steering, retrained SAEs, and the verdict by rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base


class Intervention(Base):
    """One reading of text with the model's inside changed, for one analysis; a new one of its kind takes its place."""

    __tablename__ = "intervention"
    id: Mapped[int] = mapped_column(primary_key=True)
    analysis_id: Mapped[int] = mapped_column(ForeignKey("analysis.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(12))  # ablate, steer
    key: Mapped[str] = mapped_column(String(64))  # hash of all that fixes its numbers
    tokens: Mapped[int]  # positions whose next-token prediction was measured
    documents: Mapped[int]
    settings: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    summary: Mapped[dict[str, Any]]  # clean loss and entropy, what the controls reach, notes
    seconds: Mapped[float]
    finished: Mapped[datetime]
    __table_args__ = (UniqueConstraint("analysis_id", "kind"),)


class Effect(Base):
    """What taking something out of the residual stream does to the next-token distribution.

    Changes are changed less clean, averaged over the intervention's tokens; `*_low` and `*_high` are the 95 %
    interval of a bootstrap over documents. Losses, entropies and KL in nats per token.
    """

    __tablename__ = "effect"
    intervention_id: Mapped[int] = mapped_column(ForeignKey("intervention.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(8))  # latent, pair, set
    what: Mapped[str] = mapped_column(String(20))  # own: the subject itself; else the control: random, sparse, ...
    index: Mapped[int | None]  # the latent, or the positive one of the pair; of a control, the one it is matched to
    other: Mapped[int | None]  # the negative latent of a pair
    latents: Mapped[list[Any]]  # of a set: indices
    norm: Mapped[float]  # root mean square length of what was taken out, in units of the layer's median norm
    variance: Mapped[float | None]  # of a set: share of the layer's variance taken out
    loss: Mapped[float]
    loss_low: Mapped[float | None]
    loss_high: Mapped[float | None]
    entropy: Mapped[float]
    entropy_low: Mapped[float | None]
    entropy_high: Mapped[float | None]
    kl: Mapped[float]  # KL(clean, changed)
    kl_low: Mapped[float | None]
    kl_high: Mapped[float | None]
    top1: Mapped[float]  # share of tokens whose most likely next token is another one
    top1_low: Mapped[float | None]
    top1_high: Mapped[float | None]
    rank: Mapped[float]  # mean change of log2(rank of the right token)
    rank_low: Mapped[float | None]
    rank_high: Mapped[float | None]
    direct_loss: Mapped[float | None]  # with the final norm's scale frozen at its clean value
    direct_entropy: Mapped[float | None]
    mediated: Mapped[float | None]  # 1 - mean |direct change of entropy| / mean |change of entropy|
    mediated_low: Mapped[float | None]
    mediated_high: Mapped[float | None]
    equivalent: Mapped[bool | None]  # the 95 % interval of the loss lies within +- the intervention's epsilon
    control: Mapped[dict[str, Any]]  # measure -> {"median", "high" (95 %), "beats" (share of controls), "n"}
    __table_args__ = (Index("ix_effect_index", "intervention_id", "subject", "what", "index"),)


class Steering(Base):
    """Context binding, part C: does steering along a signal make the text of its pole the likelier one?"""

    __tablename__ = "steering"
    intervention_id: Mapped[int] = mapped_column(ForeignKey("intervention.id", ondelete="CASCADE"), primary_key=True)
    positive: Mapped[int] = mapped_column(primary_key=True)
    negative: Mapped[int] = mapped_column(primary_key=True)  # the latent itself where it has no mirror image
    label: Mapped[str] = mapped_column(String(12))  # yes, no, unmeasured
    dose: Mapped[float | None]  # in standard deviations of the projection: the one the rates below are of
    flips: Mapped[float | None]  # share of pairs of texts whose preference goes with the sign of the steering
    flips_low: Mapped[float | None]  # 95 % interval over documents
    flips_high: Mapped[float | None]
    random: Mapped[float | None]  # the same along random directions of the same norm, the largest
    sparse: Mapped[float | None]  # along directions of sparse latents, the largest
    swapped: Mapped[float | None]  # with the texts of other documents
    pairs: Mapped[int]  # how many pairs of texts
    statement: Mapped[dict[str, Any]]  # a code with the numbers of its sentence
    data: Mapped[dict[str, Any]]  # {"doses": [...], "examples": [...]}: rates, costs, refusals; steered texts


class Experiment(Base):
    """SAEs trained on the same activations with different parts of them removed."""

    __tablename__ = "experiment"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  # hash of all that fixes its numbers
    sae_id: Mapped[int] = mapped_column(ForeignKey("sae.id"))  # whose dense latents are removed
    analysis_id: Mapped[int | None] = mapped_column(ForeignKey("analysis.id", ondelete="SET NULL"))
    tokens: Mapped[int]  # different tokens the arms are trained on
    eval_tokens: Mapped[int]  # held-out tokens the densities are measured on
    dense_threshold: Mapped[float]
    recipe: Mapped[dict[str, Any]]
    settings: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    summary: Mapped[dict[str, Any]]  # counts over seeds, angles between seeds
    seconds: Mapped[float]
    finished: Mapped[datetime]


class Arm(Base):
    """One SAE of an experiment."""

    __tablename__ = "arm"
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiment.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(24), primary_key=True)  # original, dense, dimension, count, ...
    seed: Mapped[int] = mapped_column(primary_key=True)
    architecture: Mapped[str] = mapped_column(String(24))
    width: Mapped[int]
    k: Mapped[float]
    removed_latents: Mapped[int]  # whose decoders span what was removed; 0 where nothing or components were
    removed_dimensions: Mapped[int]
    removed_variance: Mapped[float]  # share of the variance of the activations
    n_dense: Mapped[int]
    n_dense_low: Mapped[float | None]  # 95 % interval over documents
    n_dense_high: Mapped[float | None]
    dense_mass_share: Mapped[float | None]
    n_pairs: Mapped[int]
    signed_share: Mapped[float | None]  # of the alive latents, those that use both signs; AbsTopK only
    fvu: Mapped[float | None]
    alive_share: Mapped[float]  # latents that fire on the held-out text
    l0: Mapped[float]
    density_curve: Mapped[list[Any]]  # all densities, sorted descending
    sha256: Mapped[str] = mapped_column(String(64))  # of the arm's weights
    seconds: Mapped[float]


class Stability(Base):
    """Whether a latent comes back in SAEs trained anew from other seeds."""

    __tablename__ = "stability"
    experiment_id: Mapped[int] = mapped_column(ForeignKey("experiment.id", ondelete="CASCADE"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)  # of the experiment's SAE
    cosines: Mapped[list[Any]]  # the largest |cosine| of its decoder direction with a latent of each seed
    found: Mapped[int]  # seeds in which it is at least the experiment's cut
    stable: Mapped[bool]


class Verdict(Base):
    """Keep, investigate or prune, by rule; a person's own verdict stands beside it."""

    __tablename__ = "verdict"
    analysis_id: Mapped[int] = mapped_column(primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[str] = mapped_column(String(12))  # keep, investigate, prune
    grounds: Mapped[list[Any]]  # [{"of": measurement, "speaks": "keep" | "prune" | "neither", "code": ..., numbers}]
    missing: Mapped[list[Any]]  # [{"of": measurement, "code": ..., numbers}]
    __table_args__ = (
        ForeignKeyConstraint(["analysis_id", "index"], ["latent.analysis_id", "latent.index"], ondelete="CASCADE"),
        Index("ix_verdict", "analysis_id", "verdict", "index"),
    )
