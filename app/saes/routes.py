"""An SAE's own page."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import PinDep, RendererDep, SaeDep, SessionDep
from app.http.cache import Fresh
from app.runs import queries as runs
from app.saes import queries as saes
from app.saes.page import sae_page
from app.saes.queries import SaeInfo
from app.shared.instead import maker_of
from app.shared.links import UNPINNED

api = APIRouter(dependencies=[Fresh])
router = APIRouter(dependencies=[Fresh])


@router.get("/saes/{slug:path}")
def sae(session: SessionDep, render: RendererDep, found: SaeDep) -> HTMLResponse:
    """One SAE."""
    make = maker_of(found.run.family, "sae", sae_page)
    return render(make(session, *found, render.pin))


@api.get("/saes")
def list_saes(session: SessionDep, pin: PinDep) -> list[SaeInfo]:
    """SAEs of a run or suite by layer; without one, every SAE as it was analysed last."""
    shown = runs.list_runs(session) if pin == UNPINNED else [runs.find_run(session, pin)]
    found: dict[str, SaeInfo] = {}
    for item in shown:
        for sae in saes.list_saes(session, item) if item else []:
            found.setdefault(sae.slug, sae)
    return sorted(found.values(), key=lambda sae: (sae.model, sae.layer, sae.slug))


@api.get("/saes/{slug:path}")
def get_sae(found: SaeDep) -> SaeInfo:
    """One SAE."""
    return found.sae
