"""What the team wrote: its progress with a run."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunDep, SessionDep
from app.http.cache import Fresh
from app.team.page import team_page

router = APIRouter(dependencies=[Fresh])

Limit = Annotated[int, Query(ge=1, le=500, description="Latents in each list of the queue.")]


@router.get("/annotations")
def team(session: SessionDep, render: RendererDep, run: RunDep, limit: Limit = 50) -> HTMLResponse:
    """Progress, agreement, and what to look at next."""
    return render(team_page(session, run, limit))
