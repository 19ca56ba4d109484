"""The user's labels against dense latents."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunDep, SessionDep
from app.http.cache import FreshMeasured
from app.labels.page import labels_page

router = APIRouter(dependencies=[FreshMeasured])


@router.get("/labels")
def labels(session: SessionDep, render: RendererDep, run: RunDep) -> HTMLResponse:
    """Label by latent."""
    return render(labels_page(session, run))
