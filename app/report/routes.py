"""A run on one page, to be printed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunDep, SessionDep
from app.http.cache import Fresh
from app.report.page import report_page
from app.shared.instead import maker_of

router = APIRouter(dependencies=[Fresh])


@router.get("/report")
def report(session: SessionDep, render: RendererDep, run: RunDep) -> HTMLResponse:
    """What was found, and how."""
    return render(maker_of(run.family, "report", report_page)(session, run))
