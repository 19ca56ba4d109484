"""What people said of latents and pairs: the latest of each, and how it came about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from app.shared.links import latent_at, pair_at
from app.shared.record import Hidden, Key, Moment, Record
from app.vocabulary import ANY, NONE
from store.tables import Analysis, Annotation, Latent, Sae
from store.tables.team import ALONE


@dataclass(frozen=True)
class Subject:
    """What an annotation is about: a latent, or two as one signal, of an SAE by its weights."""

    sae_sha256: str
    index: int
    other: int = ALONE
    """Of a pair the larger index."""

    @classmethod
    def pair(cls, sae_sha256: str, first: int, second: int) -> Subject:
        """Two latents, named in either order."""
        return cls(sae_sha256, min(first, second), max(first, second))

    @property
    def is_pair(self) -> bool:
        """Two latents."""
        return self.other != ALONE

    def page(self, slug: str) -> str:
        """Its address, of the SAE of this name."""
        return pair_at(slug, self.index, self.other) if self.is_pair else latent_at(slug, self.index)

    def where(self) -> ColumnElement[bool]:
        """Its annotations."""
        return and_(
            Annotation.sae_sha256 == self.sae_sha256, Annotation.index == self.index, Annotation.other == self.other
        )


class AnnotationInfo(Record):
    """What a person says, in one version."""

    id: int = Hidden
    sae_sha256: str = Hidden
    index: int = Hidden
    other: int = Hidden
    version: int
    """1, 2, ... of this latent or pair"""
    category: str | None
    """A class's name, or the key of a category of the team's own"""
    verdict: str | None
    """keep, investigate or prune"""
    note: str
    author: str
    created: Moment
    restores: int | None
    """The version whose content an undo brought back; 0: nothing was said"""

    @property
    def empty(self) -> bool:
        """It says nothing: what was said was taken back."""
        return self.category is None and self.verdict is None and not self.note

    def shortened(self, most: int) -> AnnotationInfo:
        """With the beginning of its note alone, where that is long."""
        return self if len(self.note) <= most else self.model_copy(update={"note": f"{self.note[:most].rstrip()} …"})


def find_latest(session: Session, subject: Subject) -> AnnotationInfo | None:
    """What is said now; None where nothing ever was."""
    row = session.scalar(select(Annotation).where(subject.where(), Annotation.latest))
    return None if row is None else AnnotationInfo.model_validate(row)


def find_version(session: Session, subject: Subject, version: int) -> AnnotationInfo | None:
    """One version."""
    row = session.scalar(select(Annotation).where(subject.where(), Annotation.version == version))
    return None if row is None else AnnotationInfo.model_validate(row)


def history(session: Session, subject: Subject, limit: int | None = None) -> list[AnnotationInfo]:
    """All versions, newest first, or so many of them."""
    statement = select(Annotation).where(subject.where()).order_by(Annotation.version.desc()).limit(limit)
    return [AnnotationInfo.model_validate(row) for row in session.scalars(statement)]


def annotations_of(session: Session, keys: Iterable[Key]) -> dict[Key, AnnotationInfo]:
    """The latest of many latents, by analysis and index, in one query; those that say nothing are left out."""
    wanted = set(keys)
    statement = (
        select(Analysis.id, Annotation)
        .join(Sae, Sae.sha256 == Annotation.sae_sha256)
        .join(Analysis, Analysis.sae_id == Sae.id)
        .where(
            Annotation.latest,
            Annotation.other == ALONE,
            Analysis.id.in_({key[0] for key in wanted}),
            Annotation.index.in_({key[1] for key in wanted}),
        )
    )
    found = {(analysis, row.index): AnnotationInfo.model_validate(row) for analysis, row in session.execute(statement)}
    return {key: one for key, one in found.items() if key in wanted and not one.empty}


def of_latent() -> ColumnElement[bool]:
    """Joins the latest annotation to a latent of a statement that has `Latent` and `Sae`."""
    return and_(
        Annotation.sae_sha256 == Sae.sha256,
        Annotation.index == Latent.index,
        Annotation.other == ALONE,
        Annotation.latest,
    )


def with_category(key: str, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that a person gave this category; `any`: one at all; `none`: of those that are NOT it, which
    have one."""
    given = Annotation.category
    return _said(given.is_not(None) if key in {ANY, NONE} else given == key, analyses)


def with_human_verdict(verdict: str, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that a person gave this verdict; `any` and `none` as of a category."""
    given = Annotation.verdict
    return _said(given.is_not(None) if verdict in {ANY, NONE} else given == verdict, analyses)


def with_annotation(analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents of which somebody said something."""
    return _said(
        or_(Annotation.category.is_not(None), Annotation.verdict.is_not(None), Annotation.note != ""), analyses
    )


def with_note(part: str, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents with this in a note, without regard to the case of A to Z."""
    return _said(Annotation.note.icontains(part, autoescape=True), analyses)


def _said(condition: ColumnElement[bool], analyses: Sequence[int]) -> Select[int, int]:
    found = select(Analysis.id, Annotation.index).join(Sae, Sae.id == Analysis.sae_id)
    found = found.join(Annotation, Annotation.sae_sha256 == Sae.sha256).where(Analysis.id.in_(analyses))
    # an annotation points at no latent: a file may have brought one of an index that no latent has
    return found.where(Annotation.latest, Annotation.other == ALONE, Annotation.index < Sae.n_latents, condition)
