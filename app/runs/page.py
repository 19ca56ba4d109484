"""What pages about a whole run begin with: the run that is shown, or how to get one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi.responses import HTMLResponse
from sqlalchemy.orm import Session

from app.deps import Render
from app.methods.queries import Term, list_terms
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.shared.links import pin_of
from app.shared.page import EmptyPage, Page


def of_run(
    session: Session, run: runs.RunInfo, terms: dict[str, Term], pin: str, nav: str, title: str
) -> dict[str, Any]:
    """Fields of such a page by name: title, nav, terms, pin, run, and the run's SAEs by layer."""
    return {
        "title": title,
        "nav": nav,
        "terms": terms,
        "pin": pin,
        "run": run,
        "saes": saes.list_saes(session, run),
    }


Build = Callable[[Session, RunInfo, dict[str, Term], str], Page]


def page_of_run(session: Session, render: Render, run: int | None, nav: str, build: Build) -> HTMLResponse:
    """The page that `build` makes of the run asked for, or of the newest; of an empty store, what to do."""
    terms, shown = list_terms(session), runs.find_run(session, run)
    if shown is None:
        return render(EmptyPage("Nothing analysed yet", nav, terms, ""))
    return render(build(session, shown, terms, pin_of(run)))
