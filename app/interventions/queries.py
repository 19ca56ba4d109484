"""Interventions: what taking a latent, a pair or the whole dense set out of the model does to its predictions, and
whether a push along a signal makes the text of its pole the likelier one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import computed_field
from sqlalchemy import Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from app.interventions.sentences import steering_said
from app.runs.queries import RunInfo
from app.shared.memory import remembered
from app.shared.record import Count, Evidence, Key, Moment, Number, Record, columns, mapping, read
from store.tables import Analysis, Effect, Intervention, Latent, Steering
from store.vocabulary import ABLATE, LATENT, MEASURES, OFTEN, OWN, RANDOM, SET, SPARSE, STEER

CHANCE = 0.25  # of two preferences, each may be either way


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
    statement = statement.where(Analysis.id.in_(run.analyses)).order_by(Intervention.analysis_id, Intervention.kind)
    return read(session, InterventionInfo, statement)


def done(session: Session, run: RunInfo, kind: str) -> set[int]:
    """Analyses of the run that had this kind of intervention."""
    statement = select(Intervention.analysis_id).join(Analysis, Analysis.id == Intervention.analysis_id)
    statement = statement.where(Analysis.id.in_(run.analyses), Intervention.kind == kind)
    return remembered(session, ("done", run.analyses, kind), lambda: set(session.scalars(statement)))


class ControlInfo(Record):
    """What matched controls reach, by size."""

    median: Number = None
    high: Number = None
    """95 % of them stay below"""
    beats: Number = None
    """Share of them with a smaller effect"""
    n: Count = None


class Change(Record):
    """One measure of what changes without a latent or pair, against the original model."""

    value: Number
    low: Number
    """95 % interval over documents"""
    high: Number
    control: ControlInfo | None = None
    """The nearest random directions in length"""
    sparse: ControlInfo | None = None
    """The nearest directions of sparse latents in length"""

    @property
    def is_push(self) -> bool:
        """Random directions of its length do as much as often as not."""
        band = self.control
        return band is not None and bool(band.n) and band.beats is not None and band.beats <= OFTEN

    @property
    def controls(self) -> dict[str, ControlInfo | None]:
        """By kind."""
        return {RANDOM: self.control, SPARSE: self.sparse}


class EffectInfo(Record):
    """Changed less clean, averaged over the intervention's tokens; losses, entropies and KL in nats per token."""

    subject: str
    what: str
    """own, or which kind of control"""
    index: int | None
    other: int | None
    n_latents: int
    norm: float
    """Root mean square length of what was taken out, in units of the layer's median norm"""
    variance: Number
    """Of a set: share of the layer's variance taken out"""
    measures: dict[str, Change]
    """Of these `mediated`: the share of the entropy's change, token by token, that goes through the final norm"""
    direct_loss: Number
    """With the final norm's scale frozen at its clean value"""
    direct_entropy: Number
    equivalent: bool | None
    """The interval of the loss lies within +- epsilon"""
    regulates_entropy: bool
    """Its change of entropy beats 95 % of its controls, and half of it or more goes through the final norm"""

    @property
    def loss(self) -> Change:
        """Change of the loss."""
        return self.measures["loss"]

    @property
    def against_push(self) -> tuple[float | None, float | None, float | None, float | None]:
        """Change of the loss with its interval, and the median of random directions of the same length."""
        change, band = self.loss, self.loss.control
        return change.value, change.low, change.high, band.median if band is not None and band.n else None


@dataclass(frozen=True)
class Dot:
    """An effect as a point of a plot."""

    what: str
    index: int | None
    """The latent, or the positive one of a pair; of a control, of what it is matched to."""
    other: int | None
    """The negative latent of a pair."""
    norm: float
    measures: dict[str, Change]


PLOTTED = ("loss", "kl", "entropy")


def dots_of(session: Session, intervention_id: int) -> list[Dot]:
    """All single latents and pairs, and the controls matched to them."""
    columns = [getattr(Effect, f"{name}{end}") for name in PLOTTED for end in ("", "_low", "_high")]
    statement = (
        select(Effect.what, Effect.index, Effect.other, Effect.norm, *columns)
        .where(Effect.intervention_id == intervention_id, Effect.subject != SET)
        .order_by(Effect.number)
    )
    rows = session.execute(statement)
    return [Dot(what, index, other, norm, _triples(rest)) for what, index, other, norm, *rest in rows]


def change(value: float | None, low: float | None, high: float | None, **held: Any) -> Change:
    """A value and its interval; `held` are the bands of its controls."""
    return Change(value=value, low=low, high=high, **held)


def _triples(values: Sequence[Any]) -> dict[str, Change]:
    """Value, low and high of each plotted measure, one after the other."""
    return {name: change(*values[3 * n : 3 * n + 3]) for n, name in enumerate(PLOTTED)}


def set_effects(session: Session, intervention_id: int) -> list[EffectInfo]:
    """The whole dense set, then its controls."""
    statement = select(Effect).where(Effect.intervention_id == intervention_id, Effect.subject == SET)
    found = [effect_info(row) for row in session.scalars(statement.order_by(Effect.number))]
    return sorted(found, key=lambda one: one.what != OWN)


def own_effects(session: Session, keys: Iterable[Key]) -> dict[Key, EffectInfo]:
    """Of many single latents, in one query."""
    wanted = set(keys)
    statement = (
        select(Intervention.analysis_id, Effect)
        .join(Effect, Effect.intervention_id == Intervention.id)
        .where(is_own(), Intervention.analysis_id.in_({key[0] for key in wanted}))
        .where(Effect.index.in_({key[1] for key in wanted}))
        .where(tuple_(Intervention.analysis_id, Effect.index).in_(wanted))
    )
    found = {(analysis_id, row.index or 0): effect_info(row) for analysis_id, row in session.execute(statement)}
    return {key: found[key] for key in wanted & set(found)}


def own_value(measure: str) -> Any:
    """A column to sort `Latent` by: its own effect in this measure; NULL where it was not ablated."""
    return (
        select(getattr(Effect, measure))
        .join(Intervention, Effect.intervention_id == Intervention.id)
        .where(is_own(), Intervention.analysis_id == Latent.analysis_id, Effect.index == Latent.index)
        .limit(1)
        .correlate(Latent)
        .scalar_subquery()
    )


def with_effect(analyses: Sequence[int]) -> Select[Any, Any]:
    """Keys of the latents whose own effect was measured."""
    found = select(Intervention.analysis_id, Effect.index).join(Effect, Effect.intervention_id == Intervention.id)
    return found.where(is_own(), Intervention.analysis_id.in_(analyses))


def is_own() -> Any:
    """A condition on `Effect` and its `Intervention`: it is of a single latent, and no control."""
    return and_(Intervention.kind == ABLATE, Effect.subject == LATENT, Effect.what == OWN)


def effect_info(row: Effect) -> EffectInfo:
    """A row as pages get it."""
    held = row.control or {}
    return EffectInfo(
        subject=row.subject,
        what=row.what,
        index=row.index,
        other=row.other,
        n_latents=len(row.latents or []),
        norm=row.norm,
        variance=row.variance,
        measures={name: _measured(row, name, held) for name in (*MEASURES, "mediated")},
        direct_loss=row.direct_loss,
        direct_entropy=row.direct_entropy,
        equivalent=row.equivalent,
        regulates_entropy=held.get("regulates_entropy") is True,
    )


def _measured(row: Effect, name: str, held: dict[str, Any]) -> Change:
    """Bands of random directions lie open in what is held, those of sparse latents under their name."""
    sparse = mapping(held.get(SPARSE))
    bands: dict[str, Any] = {"control": held.get(name), "sparse": sparse.get(name)}
    return change(*(getattr(row, f"{name}{end}") for end in ("", "_low", "_high")), **bands)


def changes(found: EffectInfo | None) -> dict[str, Change]:
    """Those that were measured, by name; none where nothing was ablated."""
    return {} if found is None else {name: one for name, one in found.measures.items() if one.value is not None}


class SteeringInfo(Record):
    """Whether steering along a signal makes the text of its pole the likelier one. Rates are shares of `pairs`."""

    positive: int
    negative: int
    """The latent itself where it has no mirror image"""
    label: str
    """yes, no, unmeasured"""
    dose: Number
    """In standard deviations of the signal"""
    flips: Number
    flips_low: Number
    """95 % interval over documents"""
    flips_high: Number
    random: Number
    """Along random directions of the same length, the largest"""
    sparse: Number
    """Along directions of sparse latents, the largest"""
    swapped: Number
    """With the texts of other documents"""
    chance: float = CHANCE
    """What two preferences do by chance"""
    pairs: int
    statement: Evidence
    """Its code, and the numbers of `words`"""
    data: Evidence

    @computed_field  # type: ignore[prop-decorator]
    @property
    def words(self) -> str:
        """In a sentence."""
        return steering_said(self.statement)

    @property
    def alone(self) -> bool:
        """The signal is that of one latent."""
        return self.positive == self.negative


def steering_of(session: Session, intervention_id: int, index: int) -> list[SteeringInfo]:
    """The signals that a latent is a pole of."""
    either = or_(Steering.positive == index, Steering.negative == index)
    statement = select(Steering).where(Steering.intervention_id == intervention_id, either)
    rows = session.scalars(statement.order_by(Steering.positive, Steering.negative))
    return [SteeringInfo.model_validate(row) for row in rows]
