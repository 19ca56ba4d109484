"""One hash over everything that a run, or a suite, measured.

Two runs with the same key must give the same digest, and so must a suite, in however many runs, processes and stores
its SAEs were analysed.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sqlalchemy import Engine, Table, select
from sqlalchemy.orm import Session

from store.tables import Analysis, Association, Base, Chain, Example, Label, Latent, Pair, Profile, Run, Sae, Score

_OF_THE_READING = ("tokens", "masked_tokens", "masks", "documents", "context", "dense_threshold", "seed", "strip")
_OF_THE_RUN = ("key", "status", *_OF_THE_READING)


def digest(engine: Engine, run_id: int) -> str:
    """Hex SHA-256 over a run's rows. Row ids, times and versions are left out; SAEs go by their weights' hash.

    Raises:
        LookupError: no such run.
    """
    found = hashlib.sha256()
    with Session(engine) as session:
        run = session.get(Run, run_id)
        if run is None:
            raise LookupError(f"no run {run_id}")
        _add(found, [getattr(run, name) for name in _OF_THE_RUN])
        analyses = select(Sae.sha256, Analysis.id).join(Sae, Sae.id == Analysis.sae_id)
        rows = session.execute(analyses.where(Analysis.run_id == run_id)).all()
        _add_all(found, session, dict(rows), run_id)
    return found.hexdigest()


def suite_digest(engine: Engine, suite: str) -> str:
    """Hex SHA-256 over the newest complete analysis of each SAE of a suite. Which runs they are of is left out, too.

    Args:
        suite: as `Run.suite` has it.

    Raises:
        LookupError: it has no complete run.
    """
    found = hashlib.sha256()
    with Session(engine) as session:
        wanted = select(Run).where(Run.suite == suite, Run.status == "complete").order_by(Run.finished, Run.id)
        runs = session.scalars(wanted).all()
        if not runs:
            raise LookupError(f"no suite {suite}")
        _add(found, [suite, *(getattr(runs[-1], name) for name in _OF_THE_READING)])
        analyses = select(Sae.sha256, Analysis.id).join(Sae, Sae.id == Analysis.sae_id)
        analyses = analyses.join(Run, Run.id == Analysis.run_id).order_by(Run.finished, Run.id)
        rows = session.execute(analyses.where(Run.id.in_([run.id for run in runs]))).all()
        _add_all(found, session, dict(rows), runs[-1].id)
    return found.hexdigest()


def _add_all(found: Any, session: Session, analyses: dict[str, int], run_id: int) -> None:
    """Analyses by their SAE's hash, and the labels of a run: all runs of a suite have the same."""
    for sha256, analysis_id in sorted(analyses.items()):
        _add(found, sha256)
        for table in (Analysis, Latent, Profile, Example, Pair, Score):
            _add_rows(found, session, table, analysis_id)
        _add_chains(found, session, analysis_id)
        _add_associations(found, session, analysis_id)
    for label in session.scalars(select(Label).where(Label.run_id == run_id).order_by(Label.name)):
        _add(found, [label.name, label.kind, label.of, label.documents, label.groups, label.reason, label.confounds])


def _add_rows(found: Any, session: Session, model: type[Base], analysis_id: int) -> None:
    table = model.__table__
    assert isinstance(table, Table)
    column = table.c.id if model is Analysis else table.c.analysis_id
    left_out = {"id", "analysis_id", "run_id", "sae_id", "judged"}
    columns = [part for part in table.c if part.name not in left_out]
    order = [part for part in table.primary_key if part.name not in left_out]
    for row in session.execute(select(*columns).where(column == analysis_id).order_by(*order)):
        _add(found, list(row))


def _add_chains(found: Any, session: Session, analysis_id: int) -> None:
    """The SAE a chain leads to goes by its weights' hash."""
    own = [part for part in Chain.__table__.c if part.name not in {"analysis_id", "other_analysis_id"}]
    statement = select(*own, Sae.sha256).join(Analysis, Analysis.id == Chain.other_analysis_id)
    statement = statement.join(Sae, Sae.id == Analysis.sae_id).where(Chain.analysis_id == analysis_id)
    for row in session.execute(statement.order_by(Chain.index, Chain.side)):
        _add(found, list(row))


def _add_associations(found: Any, session: Session, analysis_id: int) -> None:
    """Labels go by their name, since their ids are the database's own."""
    own = [part for part in Association.__table__.c if part.name not in {"analysis_id", "label_id"}]
    labels = [part for part in Label.__table__.c if part.name not in {"id", "run_id"}]
    statement = select(*labels, *own).join(Label, Label.id == Association.label_id)
    statement = statement.where(Association.analysis_id == analysis_id).order_by(Label.name, Association.index)
    for row in session.execute(statement):
        _add(found, list(row))


def _add(found: Any, value: Any) -> None:
    found.update(json.dumps(value, sort_keys=True, default=_bytes).encode())
    found.update(b"\n")


def _bytes(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
