"""Experiments: SAEs trained anew with parts of the activations removed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.caching import Fresh
from app.compose.experiments import experiment_page, experiments_page
from app.deps import Number, RendererDep, RunId, SessionDep
from app.links import pin_of
from app.queries.statistics import list_terms

router = APIRouter(dependencies=[Fresh])


@router.get("/experiments")
def experiments(session: SessionDep, render: RendererDep, run: RunId = None) -> HTMLResponse:
    """All of the store: they belong to SAEs, not to a run."""
    return render(experiments_page(session, list_terms(session), pin_of(run)))


@router.get("/experiments/{number}")
def experiment(session: SessionDep, render: RendererDep, number: Number, run: RunId = None) -> HTMLResponse:
    """One of them."""
    return render(experiment_page(session, number, list_terms(session), pin_of(run)))
