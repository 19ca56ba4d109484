"""The user's labels against dense latents."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.caching import Fresh
from app.compose.label_list import labels_page
from app.deps import RendererDep, RunId, SessionDep
from app.links import pin_of
from app.pages import EmptyPage
from app.queries import runs
from app.queries.statistics import list_terms

router = APIRouter(dependencies=[Fresh])


@router.get("/labels")
def labels(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """Label by latent."""
    terms, shown = list_terms(session), runs.find_run(session, run)
    if shown is None:
        return render(EmptyPage("Nothing analysed yet", "labels", terms, ""))
    return render(labels_page(session, shown, terms, pin_of(run)))
