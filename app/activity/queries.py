"""All that people wrote, in the order of writing, each version beside the one before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from app.annotations.queries import AnnotationInfo
from store.tables import Analysis, Annotation, Pair, Run, Sae

MAX_NAMES = 200


@dataclass(frozen=True)
class Activity:
    """One version."""

    now: AnnotationInfo
    before: AnnotationInfo | None
    slug: str | None
    """Of the SAE; None where this store does not know it."""
    shown: bool
    """The server has a page of this latent or pair."""


def activity(
    session: Session, *, author: str | None = None, sae: str | None = None, before: int | None = None, limit: int
) -> list[Activity]:
    """Versions, newest first.

    Args:
        sae: slug of an SAE.
        before: id of the last version of the page before.
    """
    older = aliased(Annotation)
    statement = (
        select(Annotation, older, Sae.id, Sae.slug)
        .outerjoin(
            older,
            and_(
                older.sae_sha256 == Annotation.sae_sha256,
                older.index == Annotation.index,
                older.other == Annotation.other,
                older.version == Annotation.version - 1,
            ),
        )
        .outerjoin(Sae, Sae.sha256 == Annotation.sae_sha256)
        .order_by(Annotation.id.desc())
        .limit(limit)
    )
    asked = ((Annotation.author == author, author), (Sae.slug == sae, sae), (Annotation.id < (before or 0), before))
    statement = statement.where(*(condition for condition, value in asked if value))
    rows = session.execute(statement).all()
    pages, info = _Pages(session, rows), AnnotationInfo.model_validate
    return [
        Activity(info(now), info(then) if then else None, slug, pages.has(sae_id, now))
        for now, then, sae_id, slug in rows
    ]


def names(session: Session) -> list[str]:
    """Those who ever wrote, by name; MAX_NAMES at most."""
    return list(session.scalars(select(Annotation.author).distinct().order_by(Annotation.author).limit(MAX_NAMES)))


def slugs(session: Session) -> list[str]:
    """SAEs of which anybody wrote, by layer; MAX_NAMES at most."""
    written = select(Annotation.sae_sha256)
    statement = select(Sae.slug).where(Sae.sha256.in_(written)).order_by(Sae.layer, Sae.slug)
    return list(session.scalars(statement.limit(MAX_NAMES)))


class _Pages:
    """Which latents and pairs have a page: those of an SAE's newest complete run."""

    def __init__(self, session: Session, rows: Iterable[Any]) -> None:
        held = [(sae_id, now) for now, _then, sae_id, _slug in rows if sae_id is not None]
        self.newest = _newest(session, {sae_id for sae_id, _now in held})
        analyses = {self.newest[sae_id][0] for sae_id, _now in held if sae_id in self.newest}
        self.pairs = _pairs(session, analyses, [now for _sae_id, now in held if now.other >= 0])

    def has(self, sae_id: int | None, now: Annotation) -> bool:
        """Whether this one's page is there."""
        if sae_id not in self.newest:
            return False
        analysis, width = self.newest[sae_id]
        if now.other < 0:
            return now.index < width
        return (analysis, now.index, now.other) in self.pairs


def _newest(session: Session, wanted: set[int]) -> dict[int, tuple[int, int]]:
    """By SAE: its newest analysis, and how many latents it has."""
    if not wanted:
        return {}
    statement = (
        select(Sae.id, Analysis.id, Sae.n_latents)
        .join(Analysis, Analysis.sae_id == Sae.id)
        .join(Run, Run.id == Analysis.run_id)
        .where(Sae.id.in_(wanted), Run.status == "complete")
        .order_by(Run.finished, Run.id)
    )
    return {sae_id: (analysis, width) for sae_id, analysis, width in session.execute(statement)}


def _pairs(session: Session, analyses: set[int], wanted: list[Annotation]) -> set[tuple[int, int, int]]:
    if not wanted or not analyses:
        return set()
    indices = {index for one in wanted for index in (one.index, one.other)}
    statement = select(Pair.analysis_id, Pair.positive, Pair.negative).where(
        Pair.analysis_id.in_(analyses), Pair.positive.in_(indices), Pair.negative.in_(indices)
    )
    return {(analysis, min(one, two), max(one, two)) for analysis, one, two in session.execute(statement)}
