"""What each value means, in JSON."""

from __future__ import annotations

from fastapi import APIRouter

from app.deps import SessionDep
from app.http.cache import FreshMeasured
from app.methods.queries import Term, list_terms

router = APIRouter(dependencies=[FreshMeasured])


@router.get("/statistics")
def list_statistics(session: SessionDep) -> list[Term]:
    """What each value means, with unit and source."""
    return list(list_terms(session).values())
