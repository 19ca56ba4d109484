"""All that people wrote, in the order of the file of annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.annotations.file import AnnotationLine, CategoryLine, Line, ViewLine, moment
from store.tables import Annotation, Category, SavedView
from store.tables.team import ALONE

_BATCH = 1_000


def annotation_lines(session: Session) -> Iterator[Line]:
    """Categories by key, versions by SAE, latent and number, views by name; all of one state of the store."""
    hold_still(session)
    yield from sorted(map(category_line, session.scalars(select(Category))), key=lambda line: line.key)
    order = (Annotation.sae_sha256, Annotation.index, Annotation.other, Annotation.version)
    rows = session.scalars(select(Annotation).order_by(*order).execution_options(yield_per=_BATCH))
    for row in rows:
        yield annotation_line(row)
    yield from sorted(map(view_line, session.scalars(select(SavedView))), key=lambda line: line.name)


def hold_still(session: Session) -> None:
    """What follows in this session is of one state; SQLite's transactions are so by themselves."""
    session.rollback()
    if session.get_bind().dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def category_line(row: Category) -> CategoryLine:
    """A category as it is written."""
    return CategoryLine(**_own(row, CategoryLine) | {"changed": moment(row.changed)})


def annotation_line(row: Annotation) -> AnnotationLine:
    """A version as it is written."""
    other = None if row.other == ALONE else row.other
    return AnnotationLine(**_own(row, AnnotationLine) | {"other": other, "created": moment(row.created)})


def view_line(row: SavedView) -> ViewLine:
    """A saved view as it is written."""
    return ViewLine(**_own(row, ViewLine) | {"created": moment(row.created)})


def _own(row: Any, line: type[Line]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in line.__dataclass_fields__}
