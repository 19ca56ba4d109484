"""Which categories are in use, and where."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from app.runs.queries import RunInfo
from store.tables import Analysis, Annotation, Latent, Sae
from store.tables.team import ALONE


@dataclass(frozen=True)
class Use:
    """What has a category now."""

    shown: int = 0
    """Latents of the shown run."""
    latents: int = 0
    """Latents of all SAEs, those too that this store does not know."""
    pairs: int = 0


def uses(session: Session, run: RunInfo | None) -> dict[str, Use]:
    """By key of the category; one that nothing has is left out."""
    here = and_(Analysis.sae_id == Sae.id, Analysis.run_id == (run.id if run else None))
    statement = (
        select(
            Annotation.category,
            func.count(Latent.index),
            func.sum(case((Annotation.other == ALONE, 1), else_=0)),
            func.sum(case((Annotation.other != ALONE, 1), else_=0)),
        )
        .outerjoin(Sae, Sae.sha256 == Annotation.sae_sha256)
        .outerjoin(Analysis, here)
        .outerjoin(
            Latent,
            and_(Latent.analysis_id == Analysis.id, Latent.index == Annotation.index, Annotation.other == ALONE),
        )
        .where(Annotation.latest, Annotation.category.is_not(None))
        .group_by(Annotation.category)
    )
    return {str(key): Use(shown, int(latents), int(pairs)) for key, shown, latents, pairs in session.execute(statement)}
