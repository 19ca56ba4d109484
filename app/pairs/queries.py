"""Pairs: two latents taken as one signed signal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.shared.reasons import Reasons
from app.shared.record import Record
from store.tables import Pair


class PairInfo(Record):
    """Two latents as one signed signal; `positive` is the denser one. Shares are of counted tokens."""

    positive: int
    negative: int
    is_pair: bool
    score: float | None
    cos_enc: float | None
    cos_dec: float | None
    correlation: float | None
    r2: float | None
    r2_single: float | None
    joint_1d: bool
    coverage: float
    dead_zone: float
    cofiring: float
    cofiring_ratio: float | None
    z_sd: float | None
    histogram: dict[str, list[Any]]
    """`edges` of z in its standard deviations; tokens between them where `positive`, `negative`, `neither` is on"""
    reasons: Reasons

    @property
    def gain(self) -> float | None:
        """Joint R² less that of the better single latent."""
        return None if self.r2 is None or self.r2_single is None else self.r2 - self.r2_single

    @property
    def mirror(self) -> bool:
        """Both cosines negative: the two point opposite ways, and a signed axis makes sense."""
        return (self.cos_enc is None or self.cos_enc < 0) and self.cos_dec is not None and self.cos_dec < 0


def find_pair(session: Session, analysis_id: int, first: int, second: int) -> PairInfo | None:
    """In whichever order the two are named; None where the worker measured no such pair."""
    statement = select(Pair).where(
        Pair.analysis_id == analysis_id,
        or_(
            and_(Pair.positive == first, Pair.negative == second),
            and_(Pair.positive == second, Pair.negative == first),
        ),
    )
    row = session.scalars(statement.limit(1)).first()
    return PairInfo.model_validate(row) if row else None


def list_pairs(session: Session, analysis_id: int, limit: int = 100) -> list[PairInfo]:
    """Antipodal pairs of one SAE, best score first."""
    statement = (
        select(Pair)
        .where(Pair.analysis_id == analysis_id, Pair.is_pair)
        .order_by(Pair.score.desc(), Pair.positive)
        .limit(limit)
    )
    return [PairInfo.model_validate(row) for row in session.scalars(statement)]
