"""Runs, in JSON."""

from __future__ import annotations

from fastapi import APIRouter

from app.deps import SessionDep
from app.http.cache import FreshMeasured
from app.runs import queries as runs
from app.runs.info import RunInfo
from app.runs.suites import SuiteInfo

api = APIRouter(dependencies=[FreshMeasured])


@api.get("/runs")
def list_runs(session: SessionDep) -> list[RunInfo]:
    """Complete runs, newest first."""
    return runs.list_runs(session)


@api.get("/suites")
def list_suites(session: SessionDep) -> list[SuiteInfo]:
    """Suites, the one with the newest run first: what belongs together, whichever run made it."""
    return runs.list_suites(session)
