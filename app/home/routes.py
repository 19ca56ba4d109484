"""Models and runs, and the overviews."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunId, SessionDep
from app.home.page import home_page
from app.http.cache import Fresh
from app.runs.page import page_of_run

router = APIRouter(dependencies=[Fresh])


@router.get("/")
def home(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """The start page."""
    return page_of_run(session, render, run, "home", home_page)
