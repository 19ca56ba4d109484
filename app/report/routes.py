"""A run on one page, to be printed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunId, SessionDep
from app.http.cache import Fresh
from app.report.page import report_page
from app.runs.page import page_of_run

router = APIRouter(dependencies=[Fresh])


@router.get("/report")
def report(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """What was found, and how."""
    return page_of_run(session, render, run, "home", report_page)
