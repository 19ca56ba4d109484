"""What each value means."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.classes.counts import cuts_of
from app.deps import RendererDep, RunId, SessionDep
from app.http.cache import Fresh
from app.methods.page import MethodsPage
from app.methods.queries import GRADES, list_terms
from app.runs import queries as runs

router = APIRouter(dependencies=[Fresh])
OF = {
    "class": "Classes: what a latent does",
    "latent": "Of a latent",
    "pair": "Of a pair",
    "sae": "Of an SAE",
    "label": "Labels of the user's own",
    "effect": "Effects of ablation",
    "steering": "Steering",
    "verdict": "Verdicts",
    "arm": "Of an experiment's arm",
    "experiment": "Of an experiment",
}


@router.get("/methods")
def methods(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """Definitions, units and sources, as the worker declared them."""
    terms, shown = list_terms(session), runs.find_run(session, run)
    kinds = dict.fromkeys([*OF, *(term.of for term in terms.values())])
    groups = [(OF.get(kind, f"Of {kind}"), [term for term in terms.values() if term.of == kind]) for kind in kinds]
    page = MethodsPage(
        title="Methods",
        nav="methods",
        groups=[group for group in groups if group[1]],
        grades=GRADES,
        cuts=[(name, f"{cut:g}") for name, cut in cuts_of(session, shown).items()] if shown else [],
    )
    return render(page)
