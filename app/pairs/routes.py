"""Two latents as one signed signal."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import Index, RendererDep, SaeDep, SessionDep
from app.http.cache import Fresh
from app.pairs.page import PARTS, pair_page
from app.pairs.record import read_pair
from app.shared.links import WHOLE

router = APIRouter(dependencies=[Fresh])


@router.get("/saes/{slug:path}/pairs/{first}/{second}")
def pair(session: SessionDep, render: RendererDep, found: SaeDep, first: Index, second: Index) -> HTMLResponse:
    """One pair, in either order."""
    return render(pair_page(found.run, read_pair(session, found.sae, first, second), render.pin))


@router.get("/saes/{slug:path}/pairs/{first}/{second}/parts/{part}")
def one_part(
    session: SessionDep, render: RendererDep, found: SaeDep, first: Index, second: Index, part: str
) -> HTMLResponse:
    """What of a pair's page comes when it is asked for, or all of it on one page."""
    record = read_pair(session, found.sae, first, second)
    if part == WHOLE:
        return render(pair_page(found.run, record, render.pin, whole=True))
    return render(PARTS.part(found.run, record, render.pin, part))
