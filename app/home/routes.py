"""Models and runs, and the overviews."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunDep, SessionDep
from app.home.page import home_page
from app.http.cache import Fresh
from app.shared.instead import maker_of

router = APIRouter(dependencies=[Fresh])


@router.get("/")
def home(session: SessionDep, render: RendererDep, run: RunDep) -> HTMLResponse:
    """The start page."""
    make = maker_of(run.family, "home", home_page)
    return render(make(session, run, render.pin))
