"""SAEs, in JSON."""

from __future__ import annotations

from fastapi import APIRouter

from app.deps import RunId, SaeDep, SessionDep
from app.http.cache import Fresh
from app.runs import queries as runs
from app.saes import queries as saes
from app.saes.queries import SaeInfo

router = APIRouter(dependencies=[Fresh])


@router.get("/saes")
def list_saes(session: SessionDep, run: RunId = None) -> list[SaeInfo]:
    """SAEs of a run by layer; without one, every SAE as its newest run saw it."""
    shown = [runs.find_run(session, run)] if run else runs.list_runs(session)
    found: dict[str, SaeInfo] = {}
    for item in shown:
        for sae in saes.list_saes(session, item) if item else []:
            found.setdefault(sae.slug, sae)
    return sorted(found.values(), key=lambda sae: (sae.model, sae.layer, sae.slug))


@router.get("/saes/{slug:path}")
def get_sae(found: SaeDep) -> SaeInfo:
    """One SAE."""
    return found.sae
