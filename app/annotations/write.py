"""Saving what people say. Every save is a new version; one that was made from an old version is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo, Subject, find_latest, find_version
from app.classes.views import CLASSES
from app.http.errors import BadFilter
from app.shared.language import _
from app.shared.people import plain_text
from store.tables import Annotation, Category
from store.vocabulary import VERDICTS

MAX_NOTE = 4_000
_ATTEMPTS = 5


@dataclass(frozen=True)
class Draft:
    """What somebody wants to say."""

    category: str | None = None
    verdict: str | None = None
    note: str = ""


class Stale(Exception):  # noqa: N818 -- an answer (409), no fault
    """Somebody saved in between; nothing was written."""

    def __init__(self, current: AnnotationInfo | None) -> None:
        super().__init__(_("somebody saved in between"))
        self.current = current


@contextmanager
def released(session: Session) -> Iterator[None]:
    """A refusal gives the lock back at once: the answer that tells of it may go to a slow client."""
    try:
        yield
    except BaseException:
        session.rollback()
        raise


def save(
    session: Session, subject: Subject, draft: Draft, base: int, author: str, *, restores: int | None = None
) -> AnnotationInfo | None:
    """Make a new version and commit it. What is said already makes none, whatever the author saw: a form sent twice
    is no conflict.

    Args:
        base: the version that the author saw; 0 where there was none.
        restores: the version whose content this is, where it is an undo.

    Returns:
        What is said now; None where nothing ever was, and nothing is.

    Raises:
        BadFilter: an unknown category or verdict, a note that is too long.
        Stale: `base` is not the newest.
    """
    with released(session):
        current = find_latest(session, subject)
        draft = draft if restores is not None else checked(session, draft, current)
        fresh = base == (current.version if current else 0)
        if draft == (_content(current) if current else Draft()) and (fresh or restores is None):
            session.rollback()
            return current
        if not fresh:
            raise Stale(current)
        try:
            made = _add(session, subject, draft, base, author, restores)
            session.commit()
        except IntegrityError:  # PostgreSQL: the other one committed after we had looked
            session.rollback()
            raise Stale(find_latest(session, subject)) from None
        return AnnotationInfo.model_validate(made)


def restore(session: Session, subject: Subject, version: int, base: int, author: str) -> AnnotationInfo | None:
    """Bring back what a version said, as a new version; 0 says nothing again.

    Raises:
        BadFilter: there is no such version.
        Stale: `base` is not the newest.
    """
    with released(session):
        old = find_version(session, subject, version) if version else None
        if version and old is None:
            raise BadFilter(_("there is no version %(version)s to bring back", version=version))
    draft = _content(old) if old else Draft()
    return save(session, subject, draft, base, author, restores=version)


def change_many(
    session: Session, subjects: Iterable[Subject], author: str, *, category: str | None, verdict: str | None
) -> int:
    """Give many the same category or verdict; what is None stays as it is, "" takes it away. One transaction.

    Returns:
        How many changed.

    Raises:
        BadFilter: an unknown category or verdict.
        Stale: others saved some of them at every try.
    """
    asked = sorted(set(subjects), key=astuple)  # in one order, so that two at once do not wait for each other
    with released(session):
        for _attempt in range(_ATTEMPTS):
            try:
                changed = sum(_change(session, subject, author, category, verdict) for subject in asked)
                session.commit()
                return changed
            except IntegrityError:  # PostgreSQL: somebody saved one of them in between; look again
                session.rollback()
        raise Stale(None)


def _change(session: Session, subject: Subject, author: str, category: str | None, verdict: str | None) -> bool:
    current = find_latest(session, subject)
    before = _content(current) if current else Draft()
    draft = before if category is None else replace(before, category=category or None)
    draft = draft if verdict is None else replace(draft, verdict=verdict or None)
    draft = checked(session, draft, current)
    if draft == before:
        return False
    _add(session, subject, draft, current.version if current else 0, author, None)
    return True


def _add(session: Session, subject: Subject, draft: Draft, base: int, author: str, restores: int | None) -> Annotation:
    """Two who saw the same version both come here on PostgreSQL: the update makes the second wait for the first, and
    then the version's number, which is unique, is taken. So versions have no gap, and one of them is the latest."""
    session.execute(update(Annotation).where(subject.where(), Annotation.latest).values(latest=False))
    made = Annotation(
        sae_sha256=subject.sae_sha256,
        index=subject.index,
        other=subject.other,
        version=base + 1,
        latest=True,
        category=draft.category,
        verdict=draft.verdict,
        note=draft.note,
        author=author,
        created=datetime.now(UTC).replace(tzinfo=None),
        restores=restores,
    )
    session.add(made)
    session.flush()
    return made


def _content(found: AnnotationInfo) -> Draft:
    return Draft(found.category, found.verdict, found.note)


def checked(session: Session, draft: Draft, current: AnnotationInfo | None = None) -> Draft:
    """The draft as it is stored: line ends of one kind, no space at the end, nothing that cannot be shown.

    Raises:
        BadFilter: an unknown category or verdict, a note that is too long.
    """
    category, verdict = draft.category or None, draft.verdict or None
    if verdict is not None and verdict not in VERDICTS:
        raise BadFilter(
            _(
                "unknown verdict '%(verdict)s'; choose one of %(verdicts)s, or none",
                verdict=verdict[:60],
                verdicts=", ".join(VERDICTS),
            )
        )
    if category is not None and category not in CLASSES and (current is None or category != current.category):
        _known(session, category)
    note = plain_text(draft.note).strip()
    if len(note) > MAX_NOTE:
        raise BadFilter(
            _(
                "the note has %(note)s characters; the limit is %(max_note)s",
                note=f"{len(note):,}",
                max_note=f"{MAX_NOTE:,}",
            )
        )
    return Draft(category, verdict, note)


def _known(session: Session, category: str) -> None:
    own = set(session.scalars(select(Category.key)))
    if category not in own:
        raise BadFilter(
            _(
                "unknown category '%(category)s'; choose one of %(own)s",
                category=category[:60],
                own=", ".join([*CLASSES, *sorted(own)]),
            )
        )
