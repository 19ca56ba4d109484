"""What the start page is made of: densities of dense latents and pairs, what the model needs, candidates for cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session

from app.runs.queries import RunInfo
from app.shared.memory import remembered
from app.shared.record import Key
from store.tables import DENSE, Effect, Intervention, Latent, Pair, Verdict
from store.vocabulary import ABLATE, LATENT, OWN

NEEDED = "needed"
"""The rule's ground: the loss rises by more than epsilon without it, and by more than a push of its length makes it."""
FEW = 12
"""Candidates that are read for one card."""


class Ends(NamedTuple):
    """A pair of mirror images; the positive end is the denser one."""

    analysis_id: int
    positive: int
    negative: int
    density: float
    """Of the positive end: a pair counts as dense where it is."""
    coverage: float
    """Share of tokens on which either end is on."""


class Needs(NamedTuple):
    """What the rule says of dense latents that were taken out."""

    done: frozenset[Key]
    """Those that were."""
    needed: frozenset[Key]
    """Those of them that the model needs."""


@dataclass(frozen=True)
class Loss:
    """What taking a latent out does to the loss, in nats per token, beside random directions of its length."""

    analysis_id: int
    index: int
    loss: float
    control: float | None


def densities(session: Session, run: RunInfo) -> dict[Key, float]:
    """Of dense latents, the densest first."""
    statement = select(Latent.analysis_id, Latent.index, Latent.density).where(
        Latent.analysis_id.in_(run.analyses), DENSE
    )
    by = (Latent.density.desc(), Latent.analysis_id, Latent.index)
    return remembered(
        session,
        ("dense_densities", run.analyses),
        lambda: {(row[0], row[1]): row[2] for row in session.execute(statement.order_by(*by))},
    )


def pairs(session: Session, run: RunInfo) -> list[Ends]:
    """All pairs of mirror images, dense or not; those on the most tokens first."""
    statement = (
        select(Pair.analysis_id, Pair.positive, Pair.negative, Latent.density, Pair.coverage)
        .join(Latent, and_(Latent.analysis_id == Pair.analysis_id, Latent.index == Pair.positive))
        .where(Pair.analysis_id.in_(run.analyses), Pair.is_pair)
        .order_by(Pair.coverage.desc(), Pair.analysis_id, Pair.positive)
    )
    return remembered(session, ("home_pairs", run.analyses), lambda: [Ends(*row) for row in session.execute(statement)])


def needs(session: Session, run: RunInfo) -> Needs:
    """Of dense latents that were taken out one by one."""
    return remembered(session, ("home_needs", run.analyses), lambda: _needs(session, run))


def _needs(session: Session, run: RunInfo) -> Needs:
    statement = (
        _effects(select(Effect.index, Latent.analysis_id, Verdict.grounds), run)
        .outerjoin(Verdict, and_(Verdict.analysis_id == Latent.analysis_id, Verdict.index == Latent.index))
        .order_by(Latent.analysis_id, Effect.index)
    )
    rows = [((analysis, index), grounds or []) for index, analysis, grounds in session.execute(statement)]
    needed = (key for key, grounds in rows if any(ground.get("code") == NEEDED for ground in grounds))
    return Needs(frozenset(key for key, _grounds in rows), frozenset(needed))


def losses(session: Session, run: RunInfo) -> list[Loss]:
    """Those whose loss rises most, the largest first."""
    found = select(Latent.analysis_id, Latent.index, Effect.loss, Effect.control)
    by = (Effect.loss.desc(), Latent.analysis_id, Latent.index)
    rows = session.execute(_effects(found, run).where(Effect.loss > 0).order_by(*by).limit(FEW))
    return [Loss(one, index, loss, _median(control)) for one, index, loss, control in rows]


def _median(control: Any) -> float | None:
    held = control.get("loss") if isinstance(control, dict) else None
    value = held.get("median") if isinstance(held, dict) else None
    return value if isinstance(value, float) else None


def _effects(statement: Select[Any], run: RunInfo) -> Select[Any]:
    """Of dense latents, each alone."""
    return (
        statement.select_from(Effect)
        .join(Intervention, Intervention.id == Effect.intervention_id)
        .join(Latent, and_(Latent.analysis_id == Intervention.analysis_id, Latent.index == Effect.index))
        .where(Intervention.analysis_id.in_(run.analyses), Intervention.kind == ABLATE)
        .where(Effect.subject == LATENT, Effect.what == OWN, DENSE)
    )


def most_followed(session: Session, run: RunInfo, column: Any) -> list[tuple[Key, float]]:
    """Dense latents of which a source predicts the largest share."""
    # the few first: else SQLite reads every latent of an SAE to see which are dense
    few = select(Latent.analysis_id, Latent.index).where(Latent.analysis_id.in_(run.analyses), DENSE)
    dense = few.cte("dense").prefix_with("MATERIALIZED")
    statement = (
        select(Latent.analysis_id, Latent.index, column)
        .join(dense, and_(dense.c.analysis_id == Latent.analysis_id, dense.c.index == Latent.index))
        .where(column > 0)
        .order_by(column.desc(), Latent.analysis_id, Latent.index)
        .limit(FEW)
    )
    return [((analysis_id, index), share) for analysis_id, index, share in session.execute(statement)]


@dataclass(frozen=True)
class Mapped:
    """What the map says of a latent."""

    index: int
    density: float
    is_dense: bool
    tokens: list[str]


def mapped(session: Session, analysis_id: int, indices: Sequence[int]) -> list[Mapped]:
    """Of the latents of a map, the densest first."""
    columns = (Latent.index, Latent.density, Latent.is_dense, Latent.top_tokens)
    statement = select(*columns).where(Latent.analysis_id == analysis_id, Latent.index.in_(indices))
    rows = session.execute(statement).all()
    return sorted((Mapped(*row) for row in rows), key=lambda one: (-one.density, one.index))
