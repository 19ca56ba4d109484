"""What each value means, as the worker declared it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.methods.rows import ALIKE, ROWS, TITLES
from app.shared.language import N_, Words, translated
from app.shared.memory import remembered
from app.shared.record import Record, columns, read
from store.tables import Statistic

GRADES = Words(
    {
        "P": N_("stated in the paper"),
        "R": N_("reported about the paper by others"),
        "O": N_("our own choice"),
    }
)


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


def list_terms(session: Session, of_rows: bool = False) -> dict[str, Term]:
    """By name, in the order of /methods.

    Args:
        of_rows: those that apply to rows of activations, in words of rows; what does not is not measured.
    """
    found = remembered(session, ("terms",), lambda: {term.name: term for term in _terms(session)})
    return _of_rows(found) if of_rows else found


def _of_rows(terms: Mapping[str, Term]) -> dict[str, Term]:
    made = {}
    for name, term in terms.items():
        if name in ROWS:
            unit, definition = ROWS[name]
            update = {"unit": term.unit if unit is None else str(unit), "definition": str(definition)}
            update["title"] = str(TITLES.get(name, term.title))
            made[name] = term.model_copy(update=update | {"grade": "O", "source": "docs/methods.md, 18"})
        elif name in ALIKE:
            made[name] = term
    return made


def _terms(session: Session) -> list[Term]:
    statement = select(*columns(Term, Statistic)).order_by(Statistic.position, Statistic.name)
    return [_spoken(term) for term in read(session, Term, statement)]


def _spoken(term: Term) -> Term:
    """In the page's language, where its catalogue has the store's words: an older worker may have had others."""
    said = {name: translated(getattr(term, name)) for name in ("title", "unit", "definition", "source")}
    return term.model_copy(update=said)
