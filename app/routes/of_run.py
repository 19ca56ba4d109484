"""What pages about a whole run begin with: the run that is shown, or how to get one."""

from __future__ import annotations

from collections.abc import Callable

from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from app.deps import Render
from app.links import pin_of
from app.pages import EmptyPage, Page
from app.queries import runs
from app.queries.runs import RunInfo
from app.queries.statistics import Term, list_terms

Build = Callable[[Session, RunInfo, dict[str, Term], str], Page]


def page_of_run(session: Session, render: Render, run: int | None, nav: str, build: Build) -> HTMLResponse:
    """The page that `build` makes of the run asked for, or of the newest; of an empty store, what to do."""
    terms, shown = list_terms(session), runs.find_run(session, run)
    if shown is None:
        return render(EmptyPage("Nothing analysed yet", nav, terms, ""))
    return render(build(session, shown, terms, pin_of(run)))
