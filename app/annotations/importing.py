"""Taking in what people wrote elsewhere: all of a file, or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.annotations.file import AnnotationLine, CategoryLine, Line, ViewLine, stored
from app.annotations.queries import Subject
from app.annotations.reading import Content, shown
from store.errors import StoreError
from store.identity import current
from store.tables import Annotation, Category, SavedView
from store.tables.team import ALONE

N = TypeVar("N", CategoryLine, ViewLine)
_BATCH = 1_000
_MEND = "Nothing was taken in; --merge keeps both"


@dataclass(frozen=True)
class Taken:
    """What was new."""

    versions: int
    categories: int
    views: int
    kept: list[str]
    """Categories and views of which the store's own stay, since the file's say something else."""
    joined: list[AnnotationLine] = field(default_factory=list)
    """What is said now where two histories of one latent or pair became one."""


class ConflictError(StoreError):
    """The file and the store say something else at the same place."""


def take_in(session: Session, content: Content, *, merge: bool = False) -> Taken:
    """Add what the store does not have, and commit.

    Args:
        merge: where histories part, the file's versions that the store has not come after the store's own, in
            their order and with their authors and times; of categories and views the store's own stay.

    Raises:
        ConflictError: without `merge`, the first place where file and store differ.
        StoreError: somebody else wrote meanwhile.
    """
    content = _renamed(session, content)
    with _whole(session, content):
        stored_categories = stored(CategoryLine, session.scalars(select(Category)))
        categories, kept = _new(session, content, content.categories, stored_categories, merge)
        views, more = _new(session, content, content.views, stored(ViewLine, session.scalars(select(SavedView))), merge)
        versions = list(_new_versions(session, content, merge))
        session.add_all([Category(**_values(line)) for line in categories])
        session.add_all([SavedView(**_values(line)) for line in views])
        _add(session, versions)
    return Taken(len(versions), len(categories), len(views), kept + more)


def join(session: Session, content: Content) -> Taken:
    """Add what the store does not have, and commit. Where histories part they become one, in the order of time: so the
    newest is shown, and stores that take in each other end with the same.

    Raises:
        StoreError: somebody else wrote meanwhile.
    """
    content = _renamed(session, content)
    with _whole(session, content):
        stored_categories = stored(CategoryLine, session.scalars(select(Category)))
        categories, kept = _new(session, content, content.categories, stored_categories, True)
        stored_views = stored(ViewLine, session.scalars(select(SavedView)))
        views, more = _new(session, content, content.views, stored_views, True)
        session.add_all([Category(**_values(line)) for line in categories])
        session.add_all([SavedView(**_values(line)) for line in views])
        versions, joined = 0, []
        for sae in sorted({sae for sae, _index, _other in content.annotations}):
            histories = _histories(session, sae)
            for subject in [one for one in content.annotations if one[0] == sae]:
                ours, theirs = histories.get(subject, []), [line for _number, line in content.annotations[subject]]
                both = _in_order(ours, theirs)
                if both == ours:
                    continue
                versions += len(both) - len(ours)
                if _part(ours, theirs):
                    joined.append(both[-1])
                    _forget(session, subject)
                _add(session, both if _part(ours, theirs) else both[len(ours) :])
    return Taken(versions, len(categories), len(views), kept + more, joined)


@contextmanager
def _whole(session: Session, content: Content) -> Iterator[None]:
    """All that is done within is committed together, or none of it is.

    Raises:
        StoreError: somebody else wrote meanwhile.
    """
    try:
        yield
        session.commit()
    except IntegrityError:
        session.rollback()
        raise StoreError(f"somebody wrote while {content.path} was taken in; nothing was; do it again") from None
    except BaseException:
        session.rollback()
        raise


def _part(ours: list[AnnotationLine], theirs: list[AnnotationLine]) -> bool:
    """Whether neither goes on from where the other ends."""
    return any(mine.content != line.content for mine, line in zip(ours, theirs, strict=False))


def _in_order(ours: list[AnnotationLine], theirs: list[AnnotationLine]) -> list[AnnotationLine]:
    """Both histories as one, each version once, by time."""
    if not _part(ours, theirs):
        return ours if len(ours) >= len(theirs) else [*ours, *theirs[len(ours) :]]
    meant = {line.content: own.get(line.restores) for own, line in _restored(ours, theirs)}
    lines = {line.content: line for line in (*theirs, *ours)}
    ordered = sorted(lines.values(), key=lambda line: (line.created, line.author, line.note, str(line.content)))
    places = {line.content: number for number, line in enumerate(ordered, start=1)}

    def restores(line: AnnotationLine) -> int | None:
        before = meant[line.content]
        return line.restores if before is None else places[before]  # none, or the emptiness before all

    return [line.model_copy(update={"version": places[line.content], "restores": restores(line)}) for line in ordered]


def _restored(
    *histories: list[AnnotationLine],
) -> Iterator[tuple[dict[int | None, tuple[Any, ...]], AnnotationLine]]:
    """Each version with what the numbers of its own history stand for."""
    for history in histories:
        own: dict[int | None, tuple[Any, ...]] = {line.version: line.content for line in history}
        for line in history:
            yield own, line


def _forget(session: Session, subject: tuple[str, int, int | None]) -> None:
    sae, index, other = subject
    session.execute(delete(Annotation).where(Subject(sae, index, ALONE if other is None else other).where()))


def _renamed(session: Session, content: Content) -> Content:
    """Under the SAEs' identities of today: a file may say what an older version called them."""
    now = {sae: current(session, sae) for sae in {sae for sae, _index, _other in content.annotations}}
    lines = {
        (now[subject[0]], *subject[1:]): [
            (number, line.model_copy(update={"sae_sha256": now[subject[0]]})) for number, line in versions
        ]
        for subject, versions in content.annotations.items()
    }
    return replace(content, annotations=lines)


def _new(
    session: Session, content: Content, theirs: Mapping[str, tuple[int, N]], ours: Iterable[N], merge: bool
) -> tuple[list[N], list[str]]:
    """Categories or views that the store does not have, and the names of those of which it says something else."""
    known, added, kept = {line.name: line for line in ours}, [], []
    for name, (number, line) in theirs.items():
        if name not in known:
            added.append(line)
        elif known[name] != line:
            what = f"{line.kind} {shown(name)}"
            _differ(content, number, what, known[name], line, merge)
            kept.append(what)
    return added, kept


def _new_versions(session: Session, content: Content, merge: bool) -> Iterator[AnnotationLine]:
    saes = sorted({sae for sae, _index, _other in content.annotations})
    for sae in saes:
        ours = _histories(session, sae)
        for subject, theirs in content.annotations.items():
            if subject[0] == sae:
                yield from _news(content, ours.get(subject, []), theirs, merge)


def _histories(session: Session, sae: str) -> dict[tuple[str, int, int | None], list[AnnotationLine]]:
    found: dict[tuple[str, int, int | None], list[AnnotationLine]] = {}
    statement = select(Annotation).where(Annotation.sae_sha256 == sae).order_by(Annotation.version)
    for line in stored(AnnotationLine, session.scalars(statement.execution_options(yield_per=_BATCH))):
        found.setdefault(line.subject, []).append(line)
    return found


def _news(
    content: Content, ours: list[AnnotationLine], theirs: list[tuple[int, AnnotationLine]], merge: bool
) -> list[AnnotationLine]:
    """What the store does not have: the rest of the same history, or of another what merging adds."""
    for mine, (number, line) in zip(ours, theirs, strict=False):
        if mine != line:
            _differ(content, number, f"version {line.version} of {line.about}", mine, line, merge)
            return _merged(ours, [line for _number, line in theirs])
    return [line for _number, line in theirs[len(ours) :]]


def _merged(ours: list[AnnotationLine], theirs: list[AnnotationLine]) -> list[AnnotationLine]:
    """Theirs that ours has not, after ours: taking in the same file again finds them there."""
    places: dict[int | None, int | None] = {None: None, 0: 0}  # their version -> ours
    known = {line.content: line.version for line in ours}
    added: list[AnnotationLine] = []
    for line in theirs:
        place = known.get(line.content)
        if place is None:
            place = len(ours) + len(added) + 1
            added.append(line.model_copy(update={"version": place, "restores": places[line.restores]}))
        places[line.version] = place
    return added


def _differ(content: Content, number: int, what: str, mine: Line, line: Line, merge: bool) -> None:
    if merge:
        return
    ours, theirs = mine.model_dump(mode="json"), line.model_dump(mode="json")
    name = next(name for name in ours if ours[name] != theirs[name])
    raise ConflictError(
        f"{content.path}, line {number}: expected {what} as the store has it, {name} {shown(ours[name])};"
        f" found {shown(theirs[name])}. {_MEND}"
    )


def _add(session: Session, lines: list[AnnotationLine]) -> None:
    last = {line.subject: line.version for line in lines}
    for sae, index, other in last:
        where = Subject(sae, index, ALONE if other is None else other).where()
        session.execute(update(Annotation).where(where, Annotation.latest).values(latest=False))
    for start in range(0, len(lines), _BATCH):
        session.add_all([_row(line, last[line.subject] == line.version) for line in lines[start : start + _BATCH]])
        session.flush()
        session.expunge_all()


def _row(line: AnnotationLine, latest: bool) -> Annotation:
    other = ALONE if line.other is None else line.other
    return Annotation(**_values(line) | {"other": other, "latest": latest})


def _values(line: Line) -> dict[str, Any]:
    return line.model_dump(exclude={"kind"})
