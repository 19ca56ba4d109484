"""Experiments: SAEs trained anew with parts of the activations removed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import Number, RendererDep, RunId, SessionDep
from app.experiments.page import experiment_page, experiments_page
from app.http.cache import Fresh
from app.methods.queries import list_terms
from app.shared.links import pin_of

router = APIRouter(dependencies=[Fresh])


@router.get("/experiments")
def experiments(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """All of the store: they belong to SAEs, not to a run."""
    return render(experiments_page(session, list_terms(session), pin_of(run)))


@router.get("/experiments/{number}")
def experiment(session: SessionDep, render: RendererDep, number: Number, run: RunId = None) -> HTMLResponse:
    """One of them."""
    return render(experiment_page(session, number, list_terms(session), pin_of(run)))
