"""An SAE's own page."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, SaeDep, SessionDep
from app.http.cache import Fresh
from app.saes.page import sae_page

router = APIRouter(dependencies=[Fresh])


@router.get("/saes/{slug:path}")
def sae(session: SessionDep, render: RendererDep, found: SaeDep) -> HTMLResponse:
    """One SAE."""
    return render(sae_page(session, *found, render.pin))
