"""Two latents as one signed signal."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import Index, RendererDep, SaeDep, SessionDep
from app.http.cache import Fresh
from app.pairs.page import measured_pair, pair_page

router = APIRouter(dependencies=[Fresh])


@router.get("/saes/{slug:path}/pairs/{first}/{second}")
def pair(session: SessionDep, render: RendererDep, found: SaeDep, first: Index, second: Index) -> HTMLResponse:
    """One pair, in either order."""
    joint = measured_pair(session, found.sae, first, second)
    return render(pair_page(session, *found, joint, render.pin))
