"""What people said of a run's dense latents, held against what the machine says: counted, and what is left to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import and_, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from app.annotations.queries import of_latent
from app.classes import counts as class_counts
from app.classes.views import CLASSES
from app.interventions.queries import own_value
from app.runs.queries import RunInfo
from app.shared.record import finite
from store.tables import Analysis, Annotation, Latent, Sae, Score, Verdict
from store.tables.team import ALONE
from store.vocabulary import HOLDS, NO, UNEXPLAINED

AGREES, DIFFERS, OPEN = "agrees", "differs", "open"
"""A person named a class: the machine finds it too, does not, or did not measure it. Else empty."""
MAX_AUTHORS = 100
Queue = Literal["differs", "unseen"]


@dataclass(frozen=True)
class Progress:
    """Dense latents of one SAE."""

    dense: int
    said: int
    """Somebody says something of them."""
    category: int
    verdict: int
    differs: int
    """A person and the machine say different things of them."""


@dataclass(frozen=True)
class Cell:
    """Dense latents with the same machine group (see app.classes.groups) and the same human category."""

    group: str
    category: str | None
    state: str
    """AGREES, DIFFERS or OPEN where the category is a class, else empty."""
    count: int


@dataclass(frozen=True)
class AuthorInfo:
    """Somebody who wrote about the run's SAEs."""

    name: str
    versions: int
    """Versions they saved, of latents and pairs."""
    latents: int
    """Dense latents of which they had the last word."""


@dataclass(frozen=True)
class Queued:
    """A dense latent that somebody should look at."""

    analysis_id: int
    index: int
    slug: str
    layer: int
    density: float
    group: str
    category: str | None
    state: str
    human: str | None
    rule: str | None
    author: str | None
    effect: float | None
    """Change of the loss without it, nats per token; None where it was not ablated."""


def progress(session: Session, run: RunInfo) -> dict[int, Progress]:
    """By analysis; SAEs without dense latents are left out."""
    table = _reviewed(run).subquery()
    columns = (table.c.said, _given(table.c.category), _given(table.c.human), _differs(table))
    statement = select(table.c.analysis_id, func.count(), *map(func.sum, columns)).group_by(table.c.analysis_id)
    return {row[0]: Progress(*map(int, row[1:])) for row in session.execute(statement)}


def cells(session: Session, run: RunInfo) -> list[Cell]:
    """Machine class against human category; every dense latent is in one cell."""
    table = _reviewed(run).subquery()
    columns = (table.c.group_name, table.c.category, table.c.state)
    return [Cell(*row) for row in session.execute(select(*columns, func.count()).group_by(*columns))]


def verdict_cells(session: Session, run: RunInfo) -> dict[tuple[str | None, str | None], int]:
    """Dense latents by the rule's verdict and people's; None where there is none."""
    table = _reviewed(run).subquery()
    statement = select(table.c.rule, table.c.human, func.count()).group_by(table.c.rule, table.c.human)
    return {(rule, human): number for rule, human, number in session.execute(statement)}


def authors(session: Session, run: RunInfo) -> list[AuthorInfo]:
    """Those who wrote most first, MAX_AUTHORS at most."""
    table = _reviewed(run).subquery()
    last = (
        select(table.c.author, func.count().label("latents"))
        .where(table.c.said == 1)
        .group_by(table.c.author)
        .subquery()
    )
    versions = (
        select(Annotation.author, func.count().label("versions"))
        .where(Annotation.sae_sha256.in_(_weights(run)))
        .group_by(Annotation.author)
        .subquery()
    )
    statement = (
        select(versions.c.author, versions.c.versions, func.coalesce(last.c.latents, 0))
        .outerjoin(last, last.c.author == versions.c.author)
        .order_by(versions.c.versions.desc(), versions.c.author)
        .limit(MAX_AUTHORS)
    )
    return [AuthorInfo(*row) for row in session.execute(statement)]


def annotated_counts(session: Session, run: RunInfo) -> tuple[int, int]:
    """Latents and pairs of the run's SAEs of which somebody says something, dense or not."""
    something = or_(Annotation.category.is_not(None), Annotation.verdict.is_not(None), Annotation.note != "")
    pair = case((Annotation.other != ALONE, 1), else_=0)
    statement = select(func.count(), func.sum(pair)).where(
        Annotation.latest, Annotation.sae_sha256.in_(_weights(run)), something
    )
    every, pairs = session.execute(statement).one()
    return every - int(pairs or 0), int(pairs or 0)


def queue(session: Session, run: RunInfo, kind: Queue, limit: int) -> list[Queued]:
    """Latents to look at: unexplained ones first, then by the size of their effect where it was measured, then by
    density.

    Args:
        kind: those of which people and the machine say different things, or those of which nobody says anything.
    """
    table = _reviewed(run).add_columns(own_value("loss").label("effect")).subquery()
    explained = case((table.c.group_name == UNEXPLAINED, 0), else_=1)
    wanted = _differs(table) == 1 if kind == "differs" else table.c.said == 0
    largest = func.abs(table.c.effect).desc()
    statement = (
        select(table)
        .where(wanted)
        .order_by(
            explained, table.c.effect.is_(None), largest, table.c.density.desc(), table.c.analysis_id, table.c.index
        )
        .limit(limit)
    )
    return [_queued(row) for row in session.execute(statement).mappings()]


def _reviewed(run: RunInfo) -> Any:
    """A row a dense latent: its group, what people say of it, what the rule says."""
    held = class_counts.held_of(run).subquery()
    named = aliased(Score)
    return (
        select(
            Latent.analysis_id,
            Latent.index,
            Latent.density,
            Sae.slug,
            Sae.layer,
            class_counts.group_of(held).label("group_name"),
            Annotation.category,
            Annotation.verdict.label("human"),
            Annotation.author,
            Verdict.verdict.label("rule"),
            _state(named).label("state"),
            _said().label("said"),
        )
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .outerjoin(held, and_(held.c.analysis_id == Latent.analysis_id, held.c.index == Latent.index))
        .outerjoin(Annotation, of_latent())
        .outerjoin(Verdict, and_(Verdict.analysis_id == Latent.analysis_id, Verdict.index == Latent.index))
        .outerjoin(
            named,
            and_(
                named.analysis_id == Latent.analysis_id,
                named.index == Latent.index,
                named.name == Annotation.category,
            ),
        )
        .where(Analysis.run_id == run.id, Latent.is_dense)
    )


def _state(named: Any) -> Any:
    return case(
        (or_(Annotation.category.is_(None), Annotation.category.not_in(CLASSES)), literal("")),
        (named.label.in_(HOLDS), literal(AGREES)),
        (named.label == NO, literal(DIFFERS)),
        else_=literal(OPEN),
    )


def _said() -> Any:
    given = or_(Annotation.category.is_not(None), Annotation.verdict.is_not(None), Annotation.note != "")
    return case((given, 1), else_=0)


def _given(column: Any) -> Any:
    return case((column.is_not(None), 1), else_=0)


def _differs(table: Any) -> Any:
    """What the machine did not measure, or the rule did not judge, cannot differ."""
    return case((or_(table.c.state == DIFFERS, table.c.human != table.c.rule), 1), else_=0)


def _weights(run: RunInfo) -> Any:
    return select(Sae.sha256).join(Analysis, Analysis.sae_id == Sae.id).where(Analysis.run_id == run.id)


def _queued(row: Any) -> Queued:
    own = {name: row[name] for name in Queued.__dataclass_fields__ if name != "group"}
    return Queued(group=row["group_name"], **own | {"effect": finite(row["effect"])})
