"""Steered signals into the store: their rows, and what they change in the class of their latents."""

from __future__ import annotations

import math
from typing import Any, cast

from sqlalchemy import Engine, Table, delete, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from analysis.classes.base import Finding
from analysis.errors import UserError
from analysis.interventions.steer.measure import Steered
from analysis.interventions.steer.outcome import CONTROLS, judged
from analysis.interventions.steer.signals import Signal
from analysis.run.evidence import Total, remainder
from analysis.run.rows.plain import Row, number, plain
from analysis.verdict import judge_analysis
from store.session import make_engine, session_factory, without_password
from store.tables import Analysis, Intervention, Latent, Score, Steering
from store.vocabulary import LIKELY, NO, NO_CLASS, PARTLY, STEER, STEERED, YES

_PATIENCE_MS = 120_000  # minutes of measuring are worth waiting for
_TOLD = ("dose", "flips", "flips_low", "flips_high", "random", "sparse", "swapped", "pairs")


def steering_row(signal: Signal, found: Steered, predictions: int) -> Row:
    """All columns but the intervention's id.

    Args:
        predictions: next-token predictions that were looked at for it.
    """
    label, statement = judged(found)
    rate = found.rate
    return {
        "positive": signal.positive,
        "negative": signal.negative,
        "label": label,
        "dose": found.chosen,
        "flips": None if rate is None else _rounded(rate.value),
        "flips_low": None if rate is None else _rounded(rate.low),
        "flips_high": None if rate is None else _rounded(rate.high),
        **{of: _rounded(found.largest(of)) for of in CONTROLS},
        "pairs": found.pairs,
        "statement": statement,
        "data": _short(plain(found.data())) | {"predictions": predictions},
    }


def measured_before(engine: Engine, analysis_id: int, key: str) -> set[Signal]:
    """Signals the store has with the same key: they would come out the same."""
    with session_factory(engine)() as session:
        rows = session.execute(
            select(Steering.positive, Steering.negative)
            .join(Intervention, Intervention.id == Steering.intervention_id)
            .where(Intervention.analysis_id == analysis_id, Intervention.kind == STEER, Intervention.key == key)
        )
        return {Signal(*row) for row in rows}


def write(db: str, intervention: Row, rows: list[Row]) -> int:
    """Store the signals, in one transaction: beside those there are with the same key, else in their place.

    Args:
        intervention: its columns, but for `kind` and `tokens`.

    Returns:
        the intervention's id.

    Raises:
        UserError: the database cannot be written; what was there is as it was.
    """
    try:
        with session_factory(make_engine(db, wait_ms=_PATIENCE_MS))() as session, session.begin():
            return _write(session, intervention, rows)
    except OperationalError as error:
        raise UserError(
            f"--db {without_password(db)}: cannot be written: {error.orig}; what was measured is kept, the same command"
            " writes it without measuring again"
        ) from error


def _write(session: Session, intervention: Row, rows: list[Row]) -> int:
    analysis_id = intervention["analysis_id"]
    new = {(row["positive"], row["negative"]) for row in rows}
    old, kept = _take_out(session, analysis_id, intervention["key"])
    everything = [row for row in kept if (row["positive"], row["negative"]) not in new] + rows
    seconds = intervention["seconds"] + (old.seconds if old is not None and kept else 0.0)
    tokens = sum(row["data"]["predictions"] for row in everything)
    made = Intervention(**(intervention | {"kind": STEER, "tokens": tokens, "seconds": seconds}))
    session.add(made)
    session.flush()
    if everything:
        statement = cast(Table, Steering.__table__).insert()
        session.execute(statement, [{**row, "intervention_id": made.id} for row in everything])
    for row in everything:
        for index in {row["positive"], row["negative"]}:
            tell_class(session, analysis_id, index, row)
    judge_analysis(session, analysis_id)
    return made.id


def _take_out(session: Session, analysis_id: int, key: str) -> tuple[Intervention | None, list[Row]]:
    """The older intervention, deleted with all it said, and its rows if they have the same key."""
    forget(session, analysis_id)
    where = (Intervention.analysis_id == analysis_id, Intervention.kind == STEER)
    old = session.scalar(select(Intervention).where(*where))
    if old is None:
        return None, []
    columns = [column for column in Steering.__table__.columns if column.name != "intervention_id"]
    found = session.execute(select(*columns).where(Steering.intervention_id == old.id)).all()
    kept = [dict(row._mapping) for row in found] if old.key == key else []
    session.expunge(old)
    session.execute(delete(Intervention).where(*where))
    return old, kept


def forget(session: Session, analysis_id: int) -> None:
    """The class of every latent as it was before it was steered along."""
    rows = session.scalars(select(Score).where(Score.analysis_id == analysis_id, Score.name == STEERED)).all()
    for row in rows:
        steering = row.data.get("steering")
        if steering is None:
            continue
        before = steering["before"]
        row.label, row.statement = before["label"], before["statement"]
        row.data = {name: value for name, value in row.data.items() if name != "steering"}
        _say_the_rest(session, analysis_id, row.index)


def tell_class(session: Session, analysis_id: int, index: int, steering: Row) -> None:
    """Part C into the latent's row: `likely` becomes what it says; other labels stay, with its numbers beside them."""
    row = session.get(Score, (analysis_id, index, STEERED))
    if row is None:
        return
    before = {"label": row.label, "statement": row.statement}
    numbers = {name: steering[name] for name in _TOLD}
    told = numbers | {"label": steering["label"], "statement": steering["statement"], "before": before}
    row.data = row.data | {"steering": told}
    if before["label"] == LIKELY and steering["label"] in (YES, NO):
        row.label = steering["label"]
        row.statement = row.statement | {"steering": steering["statement"]}
        _say_the_rest(session, analysis_id, index)


def _say_the_rest(session: Session, analysis_id: int, index: int) -> None:
    """Whether the latent is unexplained, or partly followed, now."""
    session.flush()
    rows = {row.name: row for row in _scores(session, analysis_id, index)}
    classes = {name: Finding(row.label, row.statement) for name, row in rows.items() if name not in NO_CLASS}
    followed = session.scalar(select(Latent.followed).where(Latent.analysis_id == analysis_id, Latent.index == index))
    analysis = session.get_one(Analysis, analysis_id)
    random = analysis.summary.get("follows", {}).get("random", {}).get("total")
    known = PARTLY in rows  # an older worker knew classes alone
    total = Total(*(math.nan if one is None or not known else one for one in (followed, random)))
    for name, found in remainder(classes, total).items():
        if name in rows:
            rows[name].label, rows[name].statement = found.label, found.statement


def _scores(session: Session, analysis_id: int, index: int) -> list[Score]:
    return list(session.scalars(select(Score).where(Score.analysis_id == analysis_id, Score.index == index)))


def _rounded(value: float | None) -> float | None:
    return None if value is None else number(value)


def _short(value: Any) -> Any:
    """Numbers of the evidence with five digits: it is drawn, not computed with."""
    if isinstance(value, float):
        return number(value, 5)
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value
