"""What a route may ask for in its signature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Query, Request
from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from app.http.errors import NothingAnalysed
from app.http.origins import Here, here_of
from app.http.viewer import Viewer, viewer_of
from app.methods.queries import list_terms
from app.rendering import Given, Renderer
from app.runs.queries import RunInfo, find_run, run_of_sae
from app.saes.queries import SaeInfo, find_sae
from app.shared.cursor import MAX_ID
from app.shared.links import pin_of
from app.shared.page import Page


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


SessionDep = Annotated[Session, Depends(session_of)]
WritingDep = Annotated[Session, Depends(writing_session_of)]
HereDep = Annotated[Here, Depends(here_of)]
ViewerDep = Annotated[Viewer, Depends(viewer_of)]
Index = Annotated[int, Path(ge=0, le=MAX_ID, description="Index of the latent in its SAE, from 0.")]
Number = Annotated[int, Path(ge=1, le=MAX_ID, description="Id of the experiment.")]
Slug = Annotated[str, Path(max_length=200, description="The SAE's name, e.g. smollm2-135m-instruct/l15-resid.")]
RunId = Annotated[
    int | None, Query(alias="run", ge=1, le=MAX_ID, description="Run id; without it the newest complete run.")
]


@dataclass(frozen=True)
class Render:
    """Turns a page into HTML for one reader."""

    renderer: Renderer
    session: Session
    viewer: Viewer
    here: Here
    pin: str
    """Query string that keeps a pinned run in links: "run=3", or empty."""

    def __call__(self, page: Page, status: int = 200) -> HTMLResponse:
        """The page's answer."""
        return self.renderer(page, status, Given(self.viewer, self.here, list_terms(self.session), self.pin))


def render_of(request: Request, session: SessionDep, viewer: ViewerDep, here: HereDep, run: RunId = None) -> Render:
    """The templates, for who asks."""
    return Render(request.app.state.renderer, session, viewer, here, pin_of(run))


def shown_run(session: SessionDep, run: RunId = None) -> RunInfo:
    """The run asked for, or the newest.

    Raises:
        NothingAnalysed: there is none yet.
        NotFound: `run` names no complete run.
    """
    found = find_run(session, run)
    if found is None:
        raise NothingAnalysed
    return found


class Analysed(NamedTuple):
    """An SAE as one run saw it."""

    run: RunInfo
    sae: SaeInfo


def analysed_sae(session: SessionDep, slug: Slug, run: RunId = None) -> Analysed:
    """The SAE that the path names, in the run asked for, or in the newest that holds it.

    Raises:
        NotFound: no such SAE, or it is not in such a run.
    """
    shown = run_of_sae(session, slug, run)
    return Analysed(shown, find_sae(session, shown, slug))


RendererDep = Annotated[Render, Depends(render_of)]
RunDep = Annotated[RunInfo, Depends(shown_run)]
SaeDep = Annotated[Analysed, Depends(analysed_sae)]
