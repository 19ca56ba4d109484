"""An SAE's own page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.caching import Fresh
from app.compose.facts import sae_facts
from app.deps import RendererDep, RunId, SessionDep, Slug
from app.formats import number
from app.links import pin_of
from app.pages import SaePage
from app.queries import classes, latents, pairs, runs, saes
from app.queries.statistics import list_terms

router = APIRouter(dependencies=[Fresh])


@router.get("/saes/{slug:path}")
def sae(session: SessionDep, render: RendererDep, slug: Slug, run: RunId = None) -> HTMLResponse:
    """One SAE."""
    shown = runs.run_of_sae(session, slug, run)
    found = saes.find_sae(session, shown, slug)
    by = latents.Order("density", descending=True)
    details, training = saes.training_report(session, slug)
    densest = latents.list_latents(session, shown, latents.Filters(sae=slug), by, None, 12).items
    page = SaePage(
        title=slug,
        nav="layers",
        terms=list_terms(session),
        pin=pin_of(run),
        run=shown,
        sae=found,
        facts=sae_facts(found),
        pairs=pairs.list_pairs(session, found.analysis_id),
        densest=densest,
        classes=classes.classes_of(session, [(one.analysis_id, one.index) for one in densest]),
        training=flat(training or {}),
        details=flat(details),
    )
    return render(page)


def flat(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings -> (dotted name, value) in their own order."""
    rows: list[tuple[str, str]] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name}.")
        elif value is not None:
            rows.append((f"{prefix}{name}", number(value, 4) if isinstance(value, float) else str(value)))
    return rows
