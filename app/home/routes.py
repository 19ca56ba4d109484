"""Models and runs, and the overviews."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from app.deps import RendererDep, RunDep, SessionDep
from app.home.page import home_page
from app.http.cache import Fresh
from app.shared.instead import maker_of

router = APIRouter(dependencies=[Fresh])


@router.get("/")
def home(
    session: SessionDep,
    render: RendererDep,
    run: RunDep,
    chosen: Annotated[str, Query(alias="map", max_length=200)] = "",
) -> HTMLResponse:
    """The start page; `map` is the SAE whose map is shown."""
    make = maker_of(run.family, "home", partial(home_page, chosen=chosen))
    return render(make(session, run, render.pin))
