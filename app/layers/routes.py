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
def layers(session: SessionDep, render: RendererDep, run: RunDep) -> HTMLResponse:
    """Classes, densities, antipodality and chains by layer."""
    return render(maker_of(run.family, "layers", layers_page)(session, run, render.pin))
