"""`/layers`: the analysed layers side by side."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app import plots
from app.deps import RunId, SessionDep
from app.pages import LayersPage
from app.queries.saes import list_saes
from app.rendering import respond, shell

router = APIRouter(include_in_schema=False)


@router.get("/layers")
def layers(request: Request, session: SessionDep, run: RunId = None) -> Response:
    """Dense latents, their densities and what the SAE costs, by layer."""
    return respond(request, session, lambda: layers_page(session, run))


def layers_page(session: Session, run_id: int | None) -> LayersPage:
    """Its content."""
    around = shell(session, "layers", run_id)
    saes = [] if around.run is None else list_saes(session, around.run.id)
    return LayersPage(
        around, saes, plots.dense_by_layer(saes), plots.density_by_layer(saes), plots.cost_by_layer(saes)
    )
