"""A run on one page, to be printed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.caching import Fresh
from app.compose.report import report_page
from app.deps import RendererDep, RunId, SessionDep
from app.routes.of_run import page_of_run

router = APIRouter(dependencies=[Fresh])


@router.get("/report")
def report(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """What was found, and how."""
    return page_of_run(session, render, run, "home", report_page)
