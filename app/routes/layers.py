"""The run's SAEs side by side: what their dense latents do."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.caching import Fresh
from app.compose.layers import layers_page
from app.deps import RendererDep, RunId, SessionDep
from app.links import pin_of
from app.pages import EmptyPage
from app.queries import runs
from app.queries.statistics import list_terms

router = APIRouter(dependencies=[Fresh])


@router.get("/layers")
def layers(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """Classes, densities, antipodality and chains by layer."""
    terms, shown = list_terms(session), runs.find_run(session, run)
    if shown is None:
        return render(EmptyPage("Nothing analysed yet", "layers", terms, ""))
    return render(layers_page(session, shown, terms, pin_of(run)))
