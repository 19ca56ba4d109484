"""Experiments in and out of a store as JSON; the SAE is known by the SHA-256 of its weights."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, insert, select
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.interventions.exported import sae_of, values_of
from analysis.interventions.retrain.finding import KEYED, NORMALISATION, finding
from store.session import session_factory
from store.tables import Analysis, Arm, Experiment, Run, Sae, Stability
from store.vocabulary import TEXT

FORMAT = "dense-latents experiment 1"
_OWN = {"id", "sae_id", "analysis_id"}  # numbers of one store


def export_experiment(engine: Engine, experiment_id: int) -> dict[str, Any]:
    """An experiment with its arms as plain JSON values.

    Raises:
        UserError: the store has none of this id.
    """
    with session_factory(engine)() as session:
        experiment = session.get(Experiment, experiment_id)
        if experiment is None:
            raise UserError(f"experiment {experiment_id}: expected one of the store; found none")
        return {
            "format": FORMAT,
            "sae_sha256": session.get_one(Sae, experiment.sae_id).sha256,
            "experiment": values_of(experiment, _OWN) | {"finished": experiment.finished.isoformat()},
            "arms": _children(session, Arm, experiment_id),
            "stability": _children(session, Stability, experiment_id),
        }


def import_experiment(engine: Engine, found: dict[str, Any]) -> bool:
    """Put an exported experiment into a store that has its SAE; one that is there already is left as it is.

    Returns:
        whether it was new.

    Raises:
        UserError: no experiment, or the store has no SAE with those weights.
    """
    if found.get("format") != FORMAT:
        raise UserError(f"expected an experiment with format '{FORMAT}'; found {str(found.get('format'))[:80]!r}")
    with session_factory(engine)() as session, session.begin():
        sae = sae_of(session, found["sae_sha256"], f"experiment {found['experiment']['key'][:12]}")
        if session.scalar(select(Experiment.id).where(Experiment.key == found["experiment"]["key"])) is not None:
            return False
        values = _current(found["experiment"]) | {"finished": datetime.fromisoformat(found["experiment"]["finished"])}
        row = Experiment(sae_id=sae, analysis_id=newest_analysis(session, sae), **values)
        add(session, row, found["arms"], found["stability"])
    return True


def _current(values: dict[str, Any]) -> dict[str, Any]:
    """An experiment of a file that an older worker wrote: its sentence as a code where its numbers are there."""
    summary, settings = dict(values["summary"]), dict(values["settings"])
    if words := summary.pop("words", None):
        known = "arms" in summary and "more_than_dense" in summary
        summary["statement"] = {"code": finding(summary)} if known else {"code": TEXT, "text": words}
    if settings.get("normalisation") == KEYED:
        settings["normalisation"] = NORMALISATION
    return values | {"summary": summary, "settings": settings}


def newest_analysis(session: Session, sae_id: int) -> int | None:
    """Of the newest complete run that read this SAE."""
    found: int | None = session.scalar(_analyses(sae_id))
    return found


def _analyses(sae_id: int) -> Select[Any]:
    """Of all complete runs that read this SAE, the newest first."""
    wanted = select(Analysis.id).join(Run, Run.id == Analysis.run_id)
    return wanted.where(Analysis.sae_id == sae_id, Run.status == "complete").order_by(Run.id.desc())


def add(session: Session, row: Experiment, arms: list[dict[str, Any]], stability: list[dict[str, Any]]) -> None:
    """An experiment and what belongs to it, and the verdicts that follow, in the session's transaction."""
    from analysis.verdict import judge_analysis

    session.add(row)
    session.flush()
    for table, rows in ((Arm, arms), (Stability, stability)):
        if rows:
            session.execute(insert(table), [{**values, "experiment_id": row.id} for values in rows])
    for analysis in session.scalars(_analyses(row.sae_id)).all():
        judge_analysis(session, analysis)


def _children(session: Session, table: type[Arm] | type[Stability], experiment_id: int) -> list[dict[str, Any]]:
    order = (Arm.name, Arm.seed) if table is Arm else (Stability.index,)
    rows: Iterable[Any] = session.scalars(select(table).where(table.experiment_id == experiment_id).order_by(*order))
    return [values_of(row, {"experiment_id"}) for row in rows]
