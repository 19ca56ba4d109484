"""Designs of SAEs for what is dense and sparse together, compared."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import Number, RendererDep, SessionDep
from app.designs import queries as designs
from app.designs.page import comparison_page
from app.designs.queries import ComparisonDetail, ComparisonInfo
from app.http.cache import FreshMeasured

api = APIRouter(dependencies=[FreshMeasured])
router = APIRouter(dependencies=[FreshMeasured])


@router.get("/experiments/designs/{number}")
def comparison(session: SessionDep, render: RendererDep, number: Number) -> HTMLResponse:
    """One of them."""
    return render(comparison_page(session, number))


@api.get("/designs")
def list_comparisons(session: SessionDep) -> list[ComparisonInfo]:
    """Designs of SAEs trained at equal L0 and compared, newest first."""
    return designs.list_comparisons(session)


@api.get("/designs/{number}")
def get_comparison(session: SessionDep, number: Number) -> ComparisonDetail:
    """One comparison with all its SAEs."""
    return designs.find_comparison(session, number)
