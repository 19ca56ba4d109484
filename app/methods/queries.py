"""What each value means, as the worker declared it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shared.memory import remembered
from store.tables import Statistic

GRADES = {
    "P": "stated in the paper",
    "R": "reported about the paper by others",
    "O": "our own choice",
}


@dataclass(frozen=True)
class Term:
    """A statistic's declaration."""

    name: str
    title: str
    unit: str
    kind: str
    of: str
    definition: str
    grade: str
    source: str


def list_terms(session: Session) -> dict[str, Term]:
    """By name, in the order of /methods."""
    return remembered(session, ("terms",), lambda: {term.name: term for term in _terms(session)})


def _terms(session: Session) -> list[Term]:
    rows = session.scalars(select(Statistic).order_by(Statistic.position, Statistic.name))
    return [Term(**{name: getattr(row, name) for name in Term.__dataclass_fields__}) for row in rows]
