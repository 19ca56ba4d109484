"""`/healthz`: whether the server reaches its store."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import func, select

from app.deps import SessionDep
from store.tables import Run

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def health(session: SessionDep) -> dict[str, object]:
    """For supervisors and compose files."""
    return {"status": "ok", "runs": session.scalar(select(func.count(Run.id)).where(Run.status == "complete"))}
