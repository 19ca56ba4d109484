"""A run in a few numbers, over all its SAEs at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, false, func, or_, select, true
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo
from app.classes.groups import place_of
from app.pairs.queries import PairInfo
from app.runs.queries import RunInfo
from app.shared.record import Key, Record, columns, finite, read
from app.team.queries import something
from store.tables import (
    DENSE,
    Analysis,
    Annotation,
    Effect,
    Intervention,
    Latent,
    Model,
    Pair,
    Run,
    Sae,
    Score,
    Steering,
)
from store.tables.team import ALONE
from store.vocabulary import HOLDS, NO_CLASS, OWN, RANDOM, SET, VARIANCE, YES, Statement


class ModelInfo(Record):
    """What a run's model was loaded from."""

    fingerprint: str
    family: str
    d_model: int


class Example(Record):
    """A latent that stands for a class."""

    slug: str
    layer: int
    index: int
    density: float
    name: str
    label: str
    statement: Statement


@dataclass(frozen=True)
class SetEffect:
    """A whole dense set taken out, or a control of it; the loss in nats per token."""

    analysis_id: int
    what: str
    latents: int
    variance: float | None
    """Share of the layer's variance taken out; a sparse set may not reach that of the dense one."""
    loss: float | None
    low: float | None
    high: float | None


def find_model(session: Session, run: RunInfo) -> ModelInfo:
    """The run's model."""
    statement = select(*columns(ModelInfo, Model)).join(Run, Run.model_id == Model.id).where(Run.id == run.id)
    return read(session, ModelInfo, statement)[0]


def people(session: Session, run: RunInfo) -> int:
    """People who had the last word on a latent of the run, dense or not."""
    statement = (
        select(func.count(Annotation.author.distinct()))
        .join(Sae, Sae.sha256 == Annotation.sae_sha256)
        .join(Analysis, Analysis.sae_id == Sae.id)
        .where(Analysis.id.in_(run.analyses), Annotation.latest, Annotation.other == ALONE, something())
        .where(Annotation.index < Sae.n_latents)  # a file may have brought one of an index that no latent has
    )
    return session.scalar(statement) or 0


def latest_said(
    session: Session, run: RunInfo, limit: int, noted: bool = False, saes: Collection[str] | None = None
) -> list[tuple[str, int, AnnotationInfo]]:
    """Slug, layer and what is said of latents and pairs of the run's SAEs, newest first.

    Args:
        noted: only with a note.
        saes: slugs; None takes all of the run.
    """
    wanted = Annotation.note != "" if noted else something()
    statement = (
        select(Sae.slug, Sae.layer, Annotation)
        .join(Sae, Sae.sha256 == Annotation.sae_sha256)
        .join(Analysis, Analysis.sae_id == Sae.id)
        .where(Analysis.id.in_(run.analyses), Annotation.latest, wanted, true() if saes is None else Sae.slug.in_(saes))
        .order_by(Annotation.created.desc(), Annotation.id.desc())
        .limit(limit)
    )
    return [(slug, layer, AnnotationInfo.model_validate(row)) for slug, layer, row in session.execute(statement)]


def best_pairs(session: Session, run: RunInfo, limit: int) -> list[tuple[str, int, PairInfo]]:
    """Slug, layer and antipodal pair: those whose signed sum explains most, then by score."""
    statement = (
        select(Sae.slug, Sae.layer, Pair)
        .join(Analysis, Analysis.id == Pair.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .where(Analysis.id.in_(run.analyses), Pair.is_pair)
        .order_by(Pair.joint_1d.desc(), Pair.score.desc(), Sae.layer, Sae.slug, Pair.positive)
        .limit(limit)
    )
    return [(slug, layer, PairInfo.model_validate(row)) for slug, layer, row in session.execute(statement)]


def one_of_each(session: Session, run: RunInfo) -> list[Example]:
    """The densest dense latent of each class that any has; those that have it for sure first."""
    order = (case((Score.label == YES, 0), else_=1), Latent.density.desc(), Sae.layer, Sae.slug, Score.index)
    place = func.row_number().over(partition_by=Score.name, order_by=order).label("place")
    ranked = (
        select(Sae.slug, Sae.layer, Score.index, Latent.density, Score.name, Score.label, Score.statement, place)
        .join(Latent, and_(Latent.analysis_id == Score.analysis_id, Latent.index == Score.index))
        .join(Analysis, Analysis.id == Score.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .where(Analysis.id.in_(run.analyses), DENSE, Score.name.not_in(NO_CLASS), Score.label.in_(HOLDS))
        .subquery()
    )
    found = read(session, Example, select(ranked).where(ranked.c.place == 1))
    return sorted(found, key=lambda one: place_of(one.name))


def set_effects(session: Session, run: RunInfo) -> list[SetEffect]:
    """Whole dense sets and their controls, by analysis."""
    numbers = (Effect.variance, Effect.loss, Effect.loss_low, Effect.loss_high)
    columns: tuple[Any, ...] = (Effect.what, Effect.latents, *numbers)
    statement = (
        select(Intervention.analysis_id, *columns)
        .join(Effect, Effect.intervention_id == Intervention.id)
        .join(Analysis, Analysis.id == Intervention.analysis_id)
        .where(Analysis.id.in_(run.analyses), Effect.subject == SET, Effect.what.in_((OWN, RANDOM, VARIANCE)))
        .order_by(Intervention.analysis_id, Effect.number)
    )
    return [
        SetEffect(analysis_id, what, len(latents or []), *map(finite, values))
        for analysis_id, what, latents, *values in session.execute(statement)
    ]


def strongest_effects(session: Session, run: RunInfo, limit: int) -> list[Key]:
    """Dense latents by the size of the change of the loss without them."""
    statement = (
        select(Intervention.analysis_id, Effect.index)
        .join(Effect, Effect.intervention_id == Intervention.id)
        .join(Analysis, Analysis.id == Intervention.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(Latent, and_(Latent.analysis_id == Intervention.analysis_id, Latent.index == Effect.index))
        .where(Analysis.id.in_(run.analyses), Effect.subject == "latent", Effect.what == OWN, DENSE)
        .order_by(func.abs(Effect.loss).desc(), Sae.layer, Sae.slug, Effect.index)
        .limit(limit)
    )
    return [(analysis_id, index) for analysis_id, index in session.execute(statement) if index is not None]


def densities_of(session: Session, keys: Sequence[Key]) -> dict[Key, float]:
    """Of some latents."""
    statement = select(Latent.analysis_id, Latent.index, Latent.density).where(
        or_(*(and_(Latent.analysis_id == key[0], Latent.index == key[1]) for key in keys), false())
    )
    return {(analysis_id, index): density for analysis_id, index, density in session.execute(statement)}


def steered(session: Session, run: RunInfo) -> dict[str, int]:
    """Signals that were steered along, by label."""
    statement = (
        select(Steering.label, func.count())
        .join(Intervention, Intervention.id == Steering.intervention_id)
        .join(Analysis, Analysis.id == Intervention.analysis_id)
        .where(Analysis.id.in_(run.analyses))
        .group_by(Steering.label)
    )
    return {row[0]: row[1] for row in session.execute(statement)}
