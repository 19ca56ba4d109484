"""Two latents as one signed signal."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import Index, RendererDep, RunId, SessionDep, Slug
from app.http.cache import Fresh
from app.methods.queries import list_terms
from app.pairs.page import measured_pair, pair_page
from app.runs import queries as runs
from app.saes import queries as saes
from app.shared.links import pin_of

router = APIRouter(dependencies=[Fresh])


@router.get("/saes/{slug:path}/pairs/{first}/{second}")
def pair(
    session: SessionDep, render: RendererDep, slug: Slug, first: Index, second: Index, run: RunId = None
) -> HTMLResponse:
    """One pair, in either order."""
    shown = runs.run_of_sae(session, slug, run)
    sae = saes.find_sae(session, shown, slug)
    found = measured_pair(session, sae, first, second)
    return render(pair_page(session, shown, sae, found, list_terms(session), pin_of(run)))
