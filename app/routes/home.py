"""Models and runs, and the three overviews."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app import plots
from app.caching import Fresh
from app.deps import RendererDep, RunId, SessionDep
from app.pages import EmptyPage, HomePage, LayersPage
from app.queries import runs, saes
from app.queries.statistics import list_terms
from app.routes.links import pin_of

router = APIRouter(dependencies=[Fresh])


@router.get("/")
def home(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """The start page."""
    terms, shown = list_terms(session), runs.find_run(session, run)
    if shown is None:
        return render(EmptyPage("Nothing analysed yet", "home", terms, ""))
    found, points = saes.list_saes(session, shown), saes.scatter_points(session, shown)
    info = plots.curve_info(saes.density_curves(session, shown), shown.dense_threshold)
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
    )
    return render(page)


@router.get("/layers")
def layers(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """The run's SAEs side by side."""
    terms, shown = list_terms(session), runs.find_run(session, run)
    if shown is None:
        return render(EmptyPage("Nothing analysed yet", "layers", terms, ""))
    found = saes.list_saes(session, shown)
    curves = saes.density_curves(session, shown)
    page = LayersPage(
        title="Layers",
        nav="layers",
        terms=terms,
        pin=pin_of(run),
        run=shown,
        saes=found,
        charts=plots.layers_figure(found, pin_of(run)),
        densities={slug: plots.density_heights(curve) for slug, curve in curves.items()},
    )
    return render(page)
