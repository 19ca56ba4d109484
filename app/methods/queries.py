"""What each value means, as the worker declared it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

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
    rows = session.scalars(select(Statistic).order_by(Statistic.position, Statistic.name))
    return {
        row.name: Term(row.name, row.title, row.unit, row.kind, row.of, row.definition, row.grade, row.source)
        for row in rows
    }
