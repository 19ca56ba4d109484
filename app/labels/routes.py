"""The user's labels against dense latents."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunId, SessionDep
from app.http.cache import Fresh
from app.labels.page import labels_page
from app.runs.page import page_of_run

router = APIRouter(dependencies=[Fresh])


@router.get("/labels")
def labels(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """Label by latent."""
    return page_of_run(session, render, run, "labels", labels_page)
