"""The run's SAEs side by side: what their dense latents do."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunId, SessionDep
from app.http.cache import Fresh
from app.layers.page import layers_page
from app.runs.page import page_of_run

router = APIRouter(dependencies=[Fresh])


@router.get("/layers")
def layers(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """Classes, densities, antipodality and chains by layer."""
    return page_of_run(session, render, run, "layers", layers_page)
