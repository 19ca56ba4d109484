"""The run's SAEs side by side: what their dense latents do."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunDep, SessionDep
from app.http.cache import FreshMeasured
from app.layers.page import layers_page
from app.shared.instead import maker_of

router = APIRouter(dependencies=[FreshMeasured])


@router.get("/layers")
def layers(session: SessionDep, render: RendererDep, run: RunDep, chain: str = "") -> HTMLResponse:
    """Classes, densities, antipodality and chains by layer."""
    make = maker_of(run.family, "layers", layers_page)
    if make is layers_page:  # rows have layers, but no chains to light
        return render(layers_page(session, run, render.pin, chain))
    return render(make(session, run, render.pin))
