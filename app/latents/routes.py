"""Browse, and one latent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from app.deps import Index, PinDep, RendererDep, SaeDep, SessionDep
from app.http.cache import Fresh
from app.http.errors import NothingAnalysed
from app.latents.browse import browse_page
from app.latents.filters import RunList
from app.latents.page import PARTS, latent_page
from app.latents.record import read_latent
from app.runs import queries as runs
from app.shared.instead import maker_of
from app.shared.links import WHOLE

router = APIRouter(dependencies=[Fresh])


@router.get("/latents")
def browse(session: SessionDep, render: RendererDep, asked: Annotated[RunList, Query()], pin: PinDep) -> HTMLResponse:
    """Latents by filter and sort; dense ones unless asked otherwise."""
    shown = runs.run_to_browse(session, asked.sae, pin)
    if shown is None:
        raise NothingAnalysed
    return render(browse_page(session, shown, asked, render.pin))


@router.get("/saes/{slug:path}/latents/{index}")
def latent(session: SessionDep, render: RendererDep, found: SaeDep, index: Index) -> HTMLResponse:
    """One latent."""
    make = maker_of(found.run.family, "latent", latent_page)
    return render(make(found.run, read_latent(session, found.sae, index), render.pin))


@router.get("/saes/{slug:path}/latents/{index}/parts/{part}")
def one_part(session: SessionDep, render: RendererDep, found: SaeDep, index: Index, part: str) -> HTMLResponse:
    """What of a latent's page comes when it is asked for, or all of it on one page."""
    record = read_latent(session, found.sae, index)
    if part == WHOLE:
        make = maker_of(found.run.family, "latent", latent_page)
        return render(make(found.run, record, render.pin, whole=True))
    return render(PARTS.part(found.run, record, render.pin, part))
