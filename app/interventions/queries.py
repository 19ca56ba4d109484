"""Interventions: readings of text with something changed inside the model."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.runs.queries import RunInfo
from app.shared.memory import remembered
from app.shared.record import Evidence, Moment, Record, columns, read
from store.tables import Analysis, Intervention
from store.vocabulary import ABLATE, STEER


class InterventionInfo(Record):
    """One intervention on the latents of one analysis."""

    id: int
    analysis_id: int
    kind: str
    tokens: int
    """Positions whose next-token prediction was measured."""
    documents: int
    settings: Evidence
    summary: Evidence
    seconds: float
    finished: Moment

    @property
    def epsilon(self) -> float | None:
        """Changes of the loss within +- this count as none, nats per token."""
        held: Any = self.settings.get("epsilon")
        return float(held) if type(held) in {int, float} else None


def interventions_of(session: Session, analysis_id: int) -> dict[str, InterventionInfo]:
    """By kind; a kind that was not done is left out."""
    return remembered(session, ("interventions", analysis_id), lambda: _interventions(session, analysis_id))


def ids_of(session: Session, analysis_id: int) -> dict[str, int | None]:
    """Ids of its ablation and its steering, as statements made in advance want them."""
    done = interventions_of(session, analysis_id)
    return {name: done[kind].id if kind in done else None for name, kind in (("ablated", ABLATE), ("steer", STEER))}


def _interventions(session: Session, analysis_id: int) -> dict[str, InterventionInfo]:
    statement = select(*columns(InterventionInfo, Intervention)).where(Intervention.analysis_id == analysis_id)
    return {one.kind: one for one in read(session, InterventionInfo, statement)}


def list_interventions(session: Session, run: RunInfo) -> list[InterventionInfo]:
    """On all of the run's SAEs."""
    statement = select(*columns(InterventionInfo, Intervention)).join(Analysis, Analysis.id == Intervention.analysis_id)
    statement = statement.where(Analysis.run_id == run.id).order_by(Intervention.analysis_id, Intervention.kind)
    return read(session, InterventionInfo, statement)


def done(session: Session, run: RunInfo, kind: str) -> set[int]:
    """Analyses of the run that had this kind of intervention."""
    statement = select(Intervention.analysis_id).join(Analysis, Analysis.id == Intervention.analysis_id)
    statement = statement.where(Analysis.run_id == run.id, Intervention.kind == kind)
    return remembered(session, ("done", run.id, kind), lambda: set(session.scalars(statement)))
