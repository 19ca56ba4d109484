"""What a route may ask for in its signature."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
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


async def session_of(request: Request) -> AsyncIterator[Session]:
    """A session for this request, which connects at its first query; SQLite opens the file read-only."""
    session: Session = request.app.state.sessions()
    session.info["expected"] = getattr(request.state, "store", None)
    try:
        yield session
    finally:
        await _close(session)


async def writing_session_of(request: Request) -> AsyncIterator[Session]:
    """A session that may write; the functions that write commit.

    Raises:
        HTTPException: 403, nobody may write here; 503, too many do.
    """
    if request.app.state.settings.read_only:
        raise HTTPException(403, "This server only shows: it was started with --read-only, so nothing can be written.")
    async with request.app.state.writers.place():
        session: Session = request.app.state.writing()
        try:
            yield session
        finally:
            await _close(session)


async def _close(session: Session) -> None:
    """Ends a transaction where there is one, in a thread of its own: those of pages may have work for a while."""
    if session.in_transaction():
        await run_sync(session.close, limiter=CapacityLimiter(1))


async def download_of(request: Request) -> AsyncIterator[None]:
    """A place for a download, until its last byte is taken or its reader is gone."""
    async with request.app.state.downloads.place():
        yield


# "function": they end before the answer is sent, which a slow reader may take as long as it likes for
SessionDep = Annotated[Session, Depends(session_of, scope="function")]
WritingDep = Annotated[Session, Depends(writing_session_of, scope="function")]
Download = Depends(download_of)
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


async def render_of(
    request: Request, session: SessionDep, viewer: ViewerDep, here: HereDep, run: RunId = None
) -> Render:
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
