"""What a route may ask for in its signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from app.http.origins import NOWHERE, Here, here_of
from app.http.viewer import Viewer, viewer_of
from app.rendering import Renderer
from app.shared.page import Page

MAX_ID = 2**31 - 1  # PostgreSQL's integer; a larger number names nothing in any store


def session_of(request: Request) -> Iterator[Session]:
    """A session for this request; SQLite opens the file read-only."""
    with request.app.state.sessions() as session:
        yield session


def writing_session_of(request: Request) -> Iterator[Session]:
    """A session that may write; the functions of `app.writes` commit.

    Raises:
        HTTPException: 403, nobody may write here.
    """
    if request.app.state.settings.read_only:
        raise HTTPException(403, "This server only shows: it was started with --read-only, so nothing can be written.")
    with request.app.state.writing() as session:
        yield session


@dataclass(frozen=True)
class Render:
    """Turns a page into HTML for one reader."""

    renderer: Renderer
    viewer: Viewer
    here: Here = NOWHERE

    def __call__(self, page: Page, status: int = 200) -> HTMLResponse:
        """The page's answer."""
        return self.renderer(page, status, self.viewer, self.here)


def render_of(request: Request) -> Render:
    """The templates, for who asks."""
    return Render(request.app.state.renderer, viewer_of(request), here_of(request))


SessionDep = Annotated[Session, Depends(session_of)]
WritingDep = Annotated[Session, Depends(writing_session_of)]
RendererDep = Annotated[Render, Depends(render_of)]
HereDep = Annotated[Here, Depends(here_of)]
ViewerDep = Annotated[Viewer, Depends(viewer_of)]
Index = Annotated[int, Path(ge=0, le=MAX_ID, description="Index of the latent in its SAE, from 0.")]
Number = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the experiment.")]
Slug = Annotated[str, Path(max_length=200, description="The SAE's name, e.g. smollm2-135m-instruct/l15-resid.")]
RunId = Annotated[
    int | None, Query(alias="run", ge=1, le=MAX_ID, description="Run id; without it the newest complete run.")
]
