"""What search found, in JSON."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.deps import SessionDep
from app.http.cache import Fresh
from app.search.page import find
from app.search.queries import Group
from app.search.routes import AskedDep

router = APIRouter(dependencies=[Fresh])


class Found(BaseModel):
    """What was found in each kind; no groups where nothing was asked for."""

    q: str
    run: int | None = Field(description="Whose tokens and contexts were searched; null where nothing is analysed yet")
    groups: list[Group]


@router.get("/search")
def search_in_json(session: SessionDep, wanted: AskedDep) -> Found:
    """Search tokens, contexts, notes and categories of a run."""
    run, groups = find(session, wanted)
    return Found(q=wanted.q, run=run.id if run else None, groups=groups)
