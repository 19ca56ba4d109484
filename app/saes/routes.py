"""An SAE's own page."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunId, SaeDep, SessionDep
from app.http.cache import Fresh
from app.runs import queries as runs
from app.saes import queries as saes
from app.saes.page import sae_page
from app.saes.queries import SaeInfo

api = APIRouter(dependencies=[Fresh])
router = APIRouter(dependencies=[Fresh])


@router.get("/saes/{slug:path}")
def sae(session: SessionDep, render: RendererDep, found: SaeDep) -> HTMLResponse:
    """One SAE."""
    return render(sae_page(session, *found, render.pin))


@api.get("/saes")
def list_saes(session: SessionDep, run: RunId = None) -> list[SaeInfo]:
    """SAEs of a run by layer; without one, every SAE as its newest run saw it."""
    shown = [runs.find_run(session, run)] if run else runs.list_runs(session)
    found: dict[str, SaeInfo] = {}
    for item in shown:
        for sae in saes.list_saes(session, item) if item else []:
            found.setdefault(sae.slug, sae)
    return sorted(found.values(), key=lambda sae: (sae.model, sae.layer, sae.slug))


@api.get("/saes/{slug:path}")
def get_sae(found: SaeDep) -> SaeInfo:
    """One SAE."""
    return found.sae
