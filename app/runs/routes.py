"""Runs, in JSON."""

from __future__ import annotations

from fastapi import APIRouter

from app.deps import SessionDep
from app.http.cache import FreshMeasured
from app.runs import queries as runs
from app.runs.queries import RunInfo

api = APIRouter(dependencies=[FreshMeasured])


@api.get("/runs")
def list_runs(session: SessionDep) -> list[RunInfo]:
    """Complete runs, newest first."""
    return runs.list_runs(session)
