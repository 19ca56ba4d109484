"""Chains: a latent's continuation in the neighbouring analysed layers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.runs.queries import RunInfo
from store.tables import Analysis, Chain, Latent, Sae


@dataclass(frozen=True)
class ChainInfo:
    """One step of a chain."""

    side: str
    """next or previous."""
    analysis_id: int
    """The other layer's."""
    slug: str
    layer: int
    index: int
    """The latent there whose signal correlates most, by magnitude."""
    density: float
    correlation: float
    """Of the two signals on the same tokens."""
    cosine: float | None
    """Of the two decoder directions; None where they live in different spaces."""


@dataclass(frozen=True)
class Step:
    """A dense latent and its continuation in the next analysed layer."""

    analysis_id: int
    index: int
    other_analysis_id: int
    other: int
    correlation: float


def find_chains(session: Session, analysis_id: int, index: int) -> dict[str, ChainInfo]:
    """By side; a side without a continuation is left out."""
    statement = (
        select(Chain, Sae.slug, Sae.layer, Latent.density)
        .join(Analysis, Analysis.id == Chain.other_analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(Latent, and_(Latent.analysis_id == Chain.other_analysis_id, Latent.index == Chain.other))
        .where(Chain.analysis_id == analysis_id, Chain.index == index)
    )
    return {
        row.side: ChainInfo(
            row.side, row.other_analysis_id, slug, layer, row.other, density, row.correlation, row.cosine
        )
        for row, slug, layer, density in session.execute(statement)
    }


def list_steps(session: Session, run: RunInfo) -> list[Step]:
    """Steps of all dense latents to the next layer."""
    statement = (
        select(Chain.analysis_id, Chain.index, Chain.other_analysis_id, Chain.other, Chain.correlation)
        .join(Latent, and_(Latent.analysis_id == Chain.analysis_id, Latent.index == Chain.index))
        .join(Analysis, Analysis.id == Chain.analysis_id)
        .where(Analysis.run_id == run.id, Latent.is_dense, Chain.side == "next")
        .order_by(Chain.analysis_id, Chain.index)
    )
    return [Step(*row) for row in session.execute(statement)]
