"""What each value means, as the worker declared it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shared.memory import remembered
from app.shared.record import Record, columns, read
from store.tables import Statistic

GRADES = {
    "P": "stated in the paper",
    "R": "reported about the paper by others",
    "O": "our own choice",
}


class Term(Record):
    """What a value means."""

    name: str
    title: str
    unit: str
    kind: str
    of: str
    definition: str
    grade: str
    """P: stated in the paper. R: reported about it. O: our own choice"""
    source: str


def list_terms(session: Session) -> dict[str, Term]:
    """By name, in the order of /methods."""
    return remembered(session, ("terms",), lambda: {term.name: term for term in _terms(session)})


def _terms(session: Session) -> list[Term]:
    statement = select(*columns(Term, Statistic)).order_by(Statistic.position, Statistic.name)
    return read(session, Term, statement)
