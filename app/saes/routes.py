"""An SAE's own page."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.classes import queries as classes
from app.deps import RendererDep, RunId, SessionDep, Slug
from app.http.cache import Fresh
from app.interventions import effects
from app.interventions import queries as interventions
from app.interventions.dense_set import dense_set
from app.latents import queries as latents
from app.latents.facts import sae_facts
from app.pairs import queries as pairs
from app.runs import queries as runs
from app.runs.settings import flat
from app.saes import queries as saes
from app.saes.page import SaePage
from app.shared.links import link, pin_of
from app.verdicts import queries as verdicts
from app.vocabulary import RULE_VERDICTS
from store.vocabulary import ABLATE

router = APIRouter(dependencies=[Fresh])


@router.get("/saes/{slug:path}")
def sae(session: SessionDep, render: RendererDep, slug: Slug, run: RunId = None) -> HTMLResponse:
    """One SAE."""
    shown = runs.run_of_sae(session, slug, run)
    found = saes.find_sae(session, shown, slug)
    by = latents.Order("density", descending=True)
    details, training = saes.training_report(session, slug)
    densest = latents.list_latents(session, shown, latents.Filters(sae=slug), by, None, 12).items
    ablation = interventions.interventions_of(session, found.analysis_id).get(ABLATE)
    whole = [] if ablation is None else effects.set_effects(session, ablation.id)
    ruled = verdicts.verdict_counts(session, found.analysis_id)
    choices = [(name, words) for name, words in RULE_VERDICTS.items() if name in ruled]
    page = SaePage(
        title=slug,
        nav="layers",
        run=shown,
        sae=found,
        facts=sae_facts(found),
        pairs=pairs.list_pairs(session, found.analysis_id),
        densest=densest,
        classes=classes.classes_of(session, [(one.analysis_id, one.index) for one in densest]),
        dense_set=dense_set(ablation, whole, slug),
        verdicts=[(name, words, ruled[name], _ruled(slug, name, pin_of(run))) for name, words in choices],
        training=flat(training or {}),
        details=flat(details),
    )
    return render(page)


def _ruled(slug: str, verdict: str, pin: str) -> str:
    return link("/latents", {"sae": slug, "dense": "any", "verdict": verdict}, pin)
