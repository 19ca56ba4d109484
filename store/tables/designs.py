"""Designs of SAEs that were trained on the same activations and compared."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from store.tables.base import Base


class DesignComparison(Base):
    """SAEs of several designs, trained at equal L0 on one model, hook point and text."""

    __tablename__ = "design_comparison"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)  # hash of all that fixes its numbers
    sae_id: Mapped[int] = mapped_column(ForeignKey("sae.id"))  # whose model, hook point and recipe all have
    tokens: Mapped[int]  # different tokens they are trained on
    eval_tokens: Mapped[int]  # held-out tokens they are measured on
    loss_tokens: Mapped[int]  # of those, how many the model's loss is measured on
    dense_threshold: Mapped[float]
    recipe: Mapped[dict[str, Any]]  # of the plain design
    settings: Mapped[dict[str, Any]]
    versions: Mapped[dict[str, Any]]
    summary: Mapped[dict[str, Any]]  # means over seeds, differences from the plain one, subspaces
    seconds: Mapped[float]
    finished: Mapped[datetime]


class Design(Base):
    """One SAE of a comparison. All is of held-out text and of both parts where a bottleneck stands beside."""

    __tablename__ = "design"
    comparison_id: Mapped[int] = mapped_column(ForeignKey("design_comparison.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)  # kind, with rank and whether it is counted
    seed: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[int]  # in the order they were asked for
    kind: Mapped[str] = mapped_column(
        String(16)
    )  # plain, raised, lowered, bottleneck, principal, random, frequency, abstopk
    rank: Mapped[int]  # of what stands beside it, or k is raised or lowered by; else 0
    counted: Mapped[bool]  # whether the rank was taken off k
    architecture: Mapped[str] = mapped_column(String(24))
    width: Mapped[int]
    k: Mapped[float]
    n_dense: Mapped[int]
    n_dense_low: Mapped[float | None]  # 95 % interval over documents, as the others
    n_dense_high: Mapped[float | None]
    fvu: Mapped[float | None]
    fvu_low: Mapped[float | None]
    fvu_high: Mapped[float | None]
    loss_recovered: Mapped[float | None]  # (zeroed - spliced) / (zeroed - clean)
    loss_recovered_low: Mapped[float | None]
    loss_recovered_high: Mapped[float | None]
    loss_clean: Mapped[float | None]  # nats per token, as the other losses
    loss_spliced: Mapped[float | None]
    loss_zeroed: Mapped[float | None]
    loss_without: Mapped[float | None]  # without what the bottleneck carries
    n_pairs: Mapped[int]
    alive_share: Mapped[float]
    l0: Mapped[float]  # of the latents
    dense_mass_share: Mapped[float | None]
    signed_share: Mapped[float | None]  # of the alive latents, those that use both signs; AbsTopK only
    density_curve: Mapped[list[Any]]  # all densities, sorted descending
    sha256: Mapped[str] = mapped_column(String(64))  # of the weights, the bottleneck's among them
    seconds: Mapped[float]
