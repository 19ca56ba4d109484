"""`/methods`: what every number means, from the statistics' own declarations."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.deps import RunId, SessionDep
from app.pages import MethodsPage
from app.queries.statistics import list_statistics
from app.rendering import respond, shell

router = APIRouter(include_in_schema=False)
_GROUPS = (("latent", "Of a latent"), ("pair", "Of a pair"), ("sae", "Of an SAE"))


@router.get("/methods")
def methods(request: Request, session: SessionDep, run: RunId = None) -> Response:
    """Definitions with denominators and sources."""
    return respond(request, session, lambda: methods_page(session, run))


def methods_page(session: Session, run_id: int | None) -> MethodsPage:
    """Its content."""
    known = list_statistics(session)
    groups = [(heading, [item for item in known if item.of == of]) for of, heading in _GROUPS]
    return MethodsPage(shell(session, "methods", run_id), groups)
