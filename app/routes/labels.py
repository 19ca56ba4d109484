"""The user's labels against dense latents."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.caching import Fresh
from app.compose.label_list import labels_page
from app.deps import RendererDep, RunId, SessionDep
from app.routes.of_run import page_of_run

router = APIRouter(dependencies=[Fresh])


@router.get("/labels")
def labels(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """Label by latent."""
    return page_of_run(session, render, run, "labels", labels_page)
