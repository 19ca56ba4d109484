"""Models and runs, and the overviews."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app import plots
from app.caching import Fresh
from app.compose.layers import stack_words
from app.deps import RendererDep, RunId, SessionDep
from app.links import pin_of
from app.pages import EmptyPage, HomePage
from app.queries import class_counts, runs, saes
from app.queries.statistics import list_terms

router = APIRouter(dependencies=[Fresh])


@router.get("/")
def home(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """The start page."""
    terms, shown = list_terms(session), runs.find_run(session, run)
    if shown is None:
        return render(EmptyPage("Nothing analysed yet", "home", terms, ""))
    found, points = saes.list_saes(session, shown), saes.scatter_points(session, shown)
    info = plots.curve_info(saes.density_curves(session, shown), shown.dense_threshold)
    groups = class_counts.profile(session, shown) if class_counts.measured(session, shown) else {}
    page = HomePage(
        title="Overview",
        nav="home",
        terms=terms,
        pin=pin_of(run),
        run=shown,
        runs=runs.list_runs(session),
        saes=found,
        most=max((sae.n_dense for sae in found), default=0) or 1,
        scatter=plots.scatter_figure(points, pin_of(run)),
        shown=len(points),
        curve=plots.curve_figure(info, found),
        counts=info,
        functions=plots.functions.stack_figure(found, groups, pin_of(run), small=True) if groups else None,
        functions_words=stack_words(found, groups),
        legend=plots.functions.legend(groups),
    )
    return render(page)
