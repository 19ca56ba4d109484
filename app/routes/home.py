"""`/`: models and runs, dense latents by layer, density against antipodality."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import plots
from app.deps import RunId, SessionDep
from app.pages import HomePage
from app.queries.latents import dense_points
from app.queries.saes import list_saes
from app.rendering import respond, shell

router = APIRouter(include_in_schema=False)
_POINTS = 1500


@router.get("/")
def home(request: Request, session: SessionDep, run: RunId = None) -> Response:
    """The first page."""
    return respond(request, session, lambda: home_page(session, run))


def home_page(session: Session, run_id: int | None) -> HomePage:
    """Its content; without a run it says how to make one."""
    around = shell(session, "home", run_id)
    if around.run is None:
        return HomePage(around, [], None, None, [])
    saes = list_saes(session, around.run.id)
    points = dense_points(session, around.run.id, _POINTS)
    return HomePage(
        shell=around,
        saes=saes,
        by_layer=plots.dense_by_layer(saes),
        scatter=plots.density_antipodality(points, around.run.dense_threshold),
        curves=[{"name": sae.name, "slug": sae.slug, "densities": sae.density_curve} for sae in saes],
    )
