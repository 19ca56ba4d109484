"""Experiments: SAEs trained anew with parts of the activations removed."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import Number, RendererDep, SessionDep
from app.experiments import queries as experiments
from app.experiments.page import experiment_page, experiments_page
from app.experiments.queries import ExperimentDetail, ExperimentInfo
from app.http.cache import FreshMeasured

api = APIRouter(dependencies=[FreshMeasured])
router = APIRouter(dependencies=[FreshMeasured])


@router.get("/experiments")
def all_experiments(session: SessionDep, render: RendererDep) -> HTMLResponse:
    """All of the store: they belong to SAEs, not to a run."""
    return render(experiments_page(session))


@router.get("/experiments/{number}")
def experiment(session: SessionDep, render: RendererDep, number: Number) -> HTMLResponse:
    """One of them."""
    return render(experiment_page(session, number))


@api.get("/experiments")
def list_experiments(session: SessionDep) -> list[ExperimentInfo]:
    """SAEs trained anew with parts of the activations removed, newest first."""
    return experiments.list_experiments(session)


@api.get("/experiments/{number}")
def get_experiment(session: SessionDep, number: Number) -> ExperimentDetail:
    """One experiment with all its SAEs."""
    return experiments.find_experiment(session, number)
