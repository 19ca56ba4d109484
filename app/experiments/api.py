"""Experiments, in JSON."""

from __future__ import annotations

from fastapi import APIRouter

from app.deps import Number, SessionDep
from app.experiments import queries as experiments
from app.experiments.queries import ExperimentDetail, ExperimentInfo
from app.http.cache import FreshMeasured

router = APIRouter(dependencies=[FreshMeasured])


@router.get("/experiments")
def list_experiments(session: SessionDep) -> list[ExperimentInfo]:
    """SAEs trained anew with parts of the activations removed, newest first."""
    return experiments.list_experiments(session)


@router.get("/experiments/{number}")
def get_experiment(session: SessionDep, number: Number) -> ExperimentDetail:
    """One experiment with all its SAEs."""
    return experiments.find_experiment(session, number)
