"""What people said of latents and pairs: the latest of each, and how it came about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from app.classes.queries import Key
from app.shared.record import Hidden, Moment, Record
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


def find_latest(session: Session, subject: Subject) -> AnnotationInfo | None:
    """What is said now; None where nothing ever was."""
    row = session.scalar(select(Annotation).where(subject.where(), Annotation.latest))
    return None if row is None else info(row)


def find_version(session: Session, subject: Subject, version: int) -> AnnotationInfo | None:
    """One version."""
    row = session.scalar(select(Annotation).where(subject.where(), Annotation.version == version))
    return None if row is None else info(row)


def history(session: Session, subject: Subject, limit: int | None = None) -> list[AnnotationInfo]:
    """All versions, newest first, or so many of them."""
    statement = select(Annotation).where(subject.where()).order_by(Annotation.version.desc()).limit(limit)
    return [info(row) for row in session.scalars(statement)]


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
    found = {(analysis, row.index): info(row) for analysis, row in session.execute(statement)}
    return {key: one for key, one in found.items() if key in wanted and not one.empty}


def of_latent() -> ColumnElement[bool]:
    """Joins the latest annotation to a latent of a statement that has `Latent` and `Sae`."""
    return and_(
        Annotation.sae_sha256 == Sae.sha256,
        Annotation.index == Latent.index,
        Annotation.other == ALONE,
        Annotation.latest,
    )


def _said(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(select(1).select_from(Annotation).where(of_latent(), *conditions)).correlate(Latent, Sae)


def has_category(key: str) -> ColumnElement[bool]:
    """A person gave it this category; `any`: one at all; `none`: none."""
    if key in {ANY, NONE}:
        found = _said(Annotation.category.is_not(None))
        return found if key == ANY else ~found
    return _said(Annotation.category == key)


def has_human_verdict(verdict: str) -> ColumnElement[bool]:
    """A person gave it this verdict; `any`: one at all; `none`: none."""
    if verdict in {ANY, NONE}:
        found = _said(Annotation.verdict.is_not(None))
        return found if verdict == ANY else ~found
    return _said(Annotation.verdict == verdict)


def is_annotated(wanted: bool) -> ColumnElement[bool]:
    """Somebody said something of it, or nobody did."""
    found = _said(or_(Annotation.category.is_not(None), Annotation.verdict.is_not(None), Annotation.note != ""))
    return found if wanted else ~found


def info(row: Annotation) -> AnnotationInfo:
    """A row as pages get it."""
    return AnnotationInfo.model_validate(row)
