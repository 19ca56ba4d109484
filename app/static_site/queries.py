"""What a site of a run holds: which latents and pairs have a page."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from store.tables import Latent, Pair


def paged_latents(session: Session, analysis_id: int, every: bool) -> list[int]:
    """Dense latents and those whose examples are kept, or every one; the densest first."""
    statement = select(Latent.index).where(Latent.analysis_id == analysis_id)
    if not every:
        statement = statement.where(or_(Latent.is_dense, Latent.detail.is_not(None)))
    return list(session.scalars(statement.order_by(Latent.density.desc(), Latent.index)))


def paged_pairs(session: Session, analysis_id: int) -> list[tuple[int, int]]:
    """Positive and negative latent of all that were measured as a pair."""
    statement = select(Pair.positive, Pair.negative).where(Pair.analysis_id == analysis_id)
    return [(row[0], row[1]) for row in session.execute(statement.order_by(Pair.positive, Pair.negative))]
