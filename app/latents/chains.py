"""Chains: a latent's continuation in the neighbouring analysed layers."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, computed_field
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.runs.queries import RunInfo
from app.shared.record import Hidden, Record, columns, read
from store.tables import DENSE, Analysis, Chain, Latent, Sae


class ChainInfo(Record):
    """A latent's continuation in a neighbouring analysed layer."""

    side: str
    """next or previous"""
    analysis_id: int = Hidden
    slug: str = Field(serialization_alias="sae")
    layer: int
    index: int
    density: float = Hidden
    correlation: float
    """Of the two signals on the same tokens"""
    cosine: float | None
    """Of the two decoder directions; null where they cannot be compared"""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no such pair
    @property
    def url(self) -> str:
        """Its page."""
        return f"/saes/{self.slug}/latents/{self.index}"


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
    other = {"analysis_id": Chain.other_analysis_id, "index": Chain.other}
    statement = (
        select(*columns(ChainInfo, Chain, Sae, Latent, **other))
        .join(Analysis, Analysis.id == Chain.other_analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(Latent, and_(Latent.analysis_id == Chain.other_analysis_id, Latent.index == Chain.other))
        .where(Chain.analysis_id == analysis_id, Chain.index == index)
    )
    return {step.side: step for step in read(session, ChainInfo, statement)}


def list_steps(session: Session, run: RunInfo) -> list[Step]:
    """Steps of all dense latents to the next layer."""
    statement = (
        select(Chain.analysis_id, Chain.index, Chain.other_analysis_id, Chain.other, Chain.correlation)
        .join(Latent, and_(Latent.analysis_id == Chain.analysis_id, Latent.index == Chain.index))
        .join(Analysis, Analysis.id == Chain.analysis_id)
        .where(Analysis.run_id == run.id, DENSE, Chain.side == "next")
        .order_by(Chain.analysis_id, Chain.index)
    )
    return [Step(*row) for row in session.execute(statement)]
