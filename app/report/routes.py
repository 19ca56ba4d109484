"""A run on one page, to be printed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunDep, SessionDep
from app.http.cache import Fresh
from app.report.page import report_page

router = APIRouter(dependencies=[Fresh])


@router.get("/report")
def report(session: SessionDep, render: RendererDep, run: RunDep) -> HTMLResponse:
    """What was found, and how."""
    return render(report_page(session, run))
