"""Models and runs, and the overviews."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.caching import Fresh
from app.compose.home import home_page
from app.deps import RendererDep, RunId, SessionDep
from app.routes.of_run import page_of_run

router = APIRouter(dependencies=[Fresh])


@router.get("/")
def home(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """The start page."""
    return page_of_run(session, render, run, "home", home_page)
