"""`/saes/{slug}`: one SAE, how it was trained and what it holds."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlalchemy.orm import Session

from app.deps import RunId, SessionDep
from app.pages import SaePage
from app.queries.latents import Filters, list_latents
from app.queries.pairs import list_pairs
from app.queries.saes import find_sae
from app.rendering import respond, shell

router = APIRouter(include_in_schema=False)


@router.get("/saes/{slug:path}")
def sae(request: Request, session: SessionDep, slug: str, run: RunId = None) -> Response:
    """One SAE."""
    return respond(request, session, lambda: sae_page(session, slug, run))


def sae_page(session: Session, slug: str, run_id: int | None) -> SaePage:
    """Its content."""
    run, found = find_sae(session, slug, run_id)
    densest = list_latents(session, run.id, Filters(sae=found.slug, limit=10)).items
    pairs = [pair for pair in list_pairs(session, found.analysis_id) if pair.is_pair]
    return SaePage(shell(session, "layers", run_id, run.id), found, densest, pairs)
