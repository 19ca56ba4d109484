"""What pages about a whole run have in common."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.queries import runs, saes
from app.queries.statistics import Term


def of_run(
    session: Session, run: runs.RunInfo, terms: dict[str, Term], pin: str, nav: str, title: str
) -> dict[str, Any]:
    """Fields of such a page by name: title, nav, terms, pin, run, and the run's SAEs by layer."""
    return {
        "title": title,
        "nav": nav,
        "terms": terms,
        "pin": pin,
        "run": run,
        "saes": saes.list_saes(session, run),
    }
