"""What a route may ask for in its signature."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, NamedTuple
from urllib.parse import parse_qsl, urlencode

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
from app.rendering import Given, Renderer, Tongue
from app.runs.queries import RunInfo, find_run, list_suites, run_of_sae
from app.saes.queries import SaeInfo, find_sae
from app.shared.cursor import MAX_ID
from app.shared.language import PARAMETER, _, languages, spoken
from app.shared.links import Pin
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
        raise HTTPException(
            403, _("This server only shows: it was started with --read-only, so nothing can be written.")
        )
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
RunId = Annotated[int | None, Query(alias="run", ge=1, le=MAX_ID, description="Run id: what this run alone measured.")]
SuiteName = Annotated[
    str | None,
    Query(
        alias="suite",
        max_length=200,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of a suite (see /api/v1/suites): of each of its SAEs the newest complete analysis. Without"
        " run and suite, the suite of the newest complete run.",
    ),
]


def pin_asked(run: RunId = None, suite: SuiteName = None) -> Pin:
    """What an address asks for, if it is not the newest."""
    return Pin(run, suite)


PinDep = Annotated[Pin, Depends(pin_asked)]


@dataclass(frozen=True)
class Render:
    """Turns a page into HTML for one reader."""

    renderer: Renderer
    session: Session
    viewer: Viewer
    here: Here
    pinned: Pin

    @property
    def pin(self) -> str:
        """Query string that keeps what is pinned in links: "run=3", or empty."""
        return self.pinned.query

    def __call__(self, page: Page, status: int = 200) -> HTMLResponse:
        """The page's answer."""
        suites = list_suites(self.session)
        choice = suites if len(suites) > 1 else []
        run = getattr(page, "run", None)
        shown = run if isinstance(run, RunInfo) else find_run(self.session, self.pinned)
        of_rows = shown is not None and shown.of_rows
        terms = list_terms(self.session, of_rows)
        given = Given(self.viewer, self.here, terms, self.pin, choice, of_rows, tongues(self.here))
        return self.renderer(page, status, given)


def tongues(here: Here) -> list[Tongue]:
    """Every language with the address at which this page is in it."""
    path, _sign, query = here.address.partition("?")
    if not here.address or len(languages()) < 2:
        return []
    other = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != PARAMETER]
    return [
        Tongue(code, name, "" if code == spoken() else f"{path}?{urlencode([*other, (PARAMETER, code)])}")
        for code, name in languages().items()
    ]


async def render_of(request: Request, session: SessionDep, viewer: ViewerDep, here: HereDep, pin: PinDep) -> Render:
    """The templates, for who asks."""
    return Render(request.app.state.renderer, session, viewer, here, pin)


def shown_run(session: SessionDep, pin: PinDep) -> RunInfo:
    """The run or suite asked for, or the suite of the newest run.

    Raises:
        NothingAnalysed: there is none yet.
        NotFound: there is no such complete run, or no such suite.
    """
    found = find_run(session, pin)
    if found is None:
        raise NothingAnalysed
    return found


class Analysed(NamedTuple):
    """An SAE as one run saw it."""

    run: RunInfo
    sae: SaeInfo


def analysed_sae(session: SessionDep, slug: Slug, pin: PinDep) -> Analysed:
    """The SAE that the path names, in the run or suite asked for, or as it was analysed last.

    Raises:
        NotFound: no such SAE, or it is not in such a run.
    """
    shown = run_of_sae(session, slug, pin)
    return Analysed(shown, find_sae(session, shown, slug))


RendererDep = Annotated[Render, Depends(render_of)]
RunDep = Annotated[RunInfo, Depends(shown_run)]
SaeDep = Annotated[Analysed, Depends(analysed_sae)]
