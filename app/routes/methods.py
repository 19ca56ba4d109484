"""What each value means."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.caching import Fresh
from app.deps import RendererDep, RunId, SessionDep
from app.pages import MethodsPage
from app.queries.statistics import GRADES, list_terms
from app.routes.links import pin_of

router = APIRouter(dependencies=[Fresh])
OF = {"latent": "Of a latent", "pair": "Of a pair", "sae": "Of an SAE"}


@router.get("/methods")
def methods(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """Definitions, units and sources, as the worker declared them."""
    terms = list_terms(session)
    kinds = dict.fromkeys([*OF, *(term.of for term in terms.values())])
    groups = [(OF.get(kind, f"Of {kind}"), [term for term in terms.values() if term.of == kind]) for kind in kinds]
    return render(
        MethodsPage("Methods", "methods", terms, pin_of(run), [group for group in groups if group[1]], GRADES)
    )
