"""What each value means."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunId, SessionDep
from app.http.cache import FreshMeasured
from app.methods.page import methods_page
from app.runs.queries import find_run

router = APIRouter(dependencies=[FreshMeasured])


@router.get("/methods")
def methods(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """Definitions, units and sources, as the worker declared them."""
    return render(methods_page(session, find_run(session, run)))
