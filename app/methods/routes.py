"""What each value means."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import PinDep, RendererDep, SessionDep
from app.http.cache import FreshMeasured
from app.methods.page import methods_page
from app.methods.queries import Term, list_terms
from app.runs.queries import find_run

api = APIRouter(dependencies=[FreshMeasured])
router = APIRouter(dependencies=[FreshMeasured])


@router.get("/methods")
def methods(session: SessionDep, render: RendererDep, pin: PinDep) -> HTMLResponse:
    """Definitions, units and sources, as the worker declared them."""
    return render(methods_page(session, find_run(session, pin)))


@api.get("/statistics")
def list_statistics(session: SessionDep) -> list[Term]:
    """What each value means, with unit and source."""
    return list(list_terms(session).values())
