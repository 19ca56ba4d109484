"""Interventions into the store: one transaction, the old one of its kind gone with the new one there."""

from __future__ import annotations

from typing import cast

from sqlalchemy import Table, delete
from sqlalchemy.orm import Session

from analysis.process.plain_errors import plain_words
from analysis.run.declare import declare
from analysis.run.rows.plain import Row
from analysis.verdict import judge_analysis
from migrations.runner import upgrade
from store.alive import this_process
from store.session import make_engine
from store.tables import Base, Intervention
from store.writing import Writer

_PATIENCE_MS = 120_000  # hours of measuring are worth waiting for


def replace_intervention(db: str, table: type[Base], intervention: Row, rows: list[Row]) -> int:
    """Store an intervention with its rows, and judge its latents anew.

    Args:
        table: of the rows, which belong to the intervention by `intervention_id`.

    Returns:
        the intervention's id.

    Raises:
        UserError: the database cannot be written; what was there is as it was.
    """
    upgrade(db)
    with plain_words(db, "repeat the command"), this_process() as process:
        writer = Writer(make_engine(db, wait_ms=_PATIENCE_MS), process)
        return writer.transaction(lambda session: _replace(session, table, intervention, rows))


def _replace(session: Session, table: type[Base], intervention: Row, rows: list[Row]) -> int:
    where = (Intervention.analysis_id == intervention["analysis_id"], Intervention.kind == intervention["kind"])
    session.execute(delete(Intervention).where(*where))
    row = Intervention(**intervention)
    session.add(row)
    session.flush()
    statement = cast(Table, table.__table__).insert()
    session.execute(statement, [{**each, "intervention_id": row.id} for each in rows])
    judge_analysis(session, row.analysis_id)
    declare(session)
    return row.id
