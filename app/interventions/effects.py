"""Effects: what taking a latent, a pair or the whole dense set out of the model does to its predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, select, tuple_
from sqlalchemy.orm import Session

from app.classes.queries import Key
from app.shared.record import Count, Number, Record, finite, mapping
from store.tables import Effect, Intervention, Latent
from store.vocabulary import ABLATE, LATENT, MEASURES, OWN, RANDOM, SET, SPARSE, VARIANCE


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval over documents."""

    value: float | None
    low: float | None
    high: float | None


class ControlInfo(Record):
    """What matched controls reach, by size."""

    median: Number = None
    high: Number = None
    """95 % of them stay below"""
    beats: Number = None
    """Share of them with a smaller effect"""
    n: Count = None


@dataclass(frozen=True)
class EffectInfo:
    """Changed less clean, averaged over the intervention's tokens; losses, entropies and KL in nats per token."""

    subject: str
    what: str
    """own, or which kind of control."""
    index: int | None
    other: int | None
    n_latents: int
    norm: float
    """Root mean square length of what was taken out, in units of the layer's median norm."""
    variance: float | None
    """Of a set: share of the layer's variance taken out."""
    measures: dict[str, Measured]
    direct_loss: float | None
    """With the final norm's scale frozen at its clean value."""
    direct_entropy: float | None
    mediated: Measured
    """Share of the entropy's change, token by token, that goes through the final norm."""
    equivalent: bool | None
    """The interval of the loss lies within +- epsilon."""
    controls: dict[str, dict[str, ControlInfo]]
    """By kind of control and measure: the nearest in length."""
    regulates_entropy: bool
    """Its change of entropy beats 95 % of its controls, and half of it or more goes through the final norm."""

    @property
    def loss(self) -> Measured:
        """Change of the loss."""
        return self.measures["loss"]

    def against(self, measure: str, kind: str = RANDOM) -> ControlInfo | None:
        """What controls of this kind reach; None where there were none."""
        return self.controls.get(kind, {}).get(measure)


@dataclass(frozen=True)
class Dot:
    """An effect as a point of a plot."""

    what: str
    index: int | None
    """The latent, or the positive one of a pair; of a control, of what it is matched to."""
    other: int | None
    """The negative latent of a pair."""
    norm: float
    measures: dict[str, Measured]


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


def _triples(values: Sequence[Any]) -> dict[str, Measured]:
    """Value, low and high of each plotted measure, one after the other."""
    return {name: Measured(*map(finite, values[3 * n : 3 * n + 3])) for n, name in enumerate(PLOTTED)}


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
    return EffectInfo(
        subject=row.subject,
        what=row.what,
        index=row.index,
        other=row.other,
        n_latents=len(row.latents or []),
        norm=row.norm,
        variance=finite(row.variance),
        measures={name: _measured(row, name) for name in MEASURES},
        direct_loss=finite(row.direct_loss),
        direct_entropy=finite(row.direct_entropy),
        mediated=_measured(row, "mediated"),
        equivalent=row.equivalent,
        controls=_controls(row.control or {}),
        regulates_entropy=(row.control or {}).get("regulates_entropy") is True,
    )


def _measured(row: Effect, name: str) -> Measured:
    return Measured(*(finite(getattr(row, f"{name}{end}")) for end in ("", "_low", "_high")))


def _controls(held: dict[str, Any]) -> dict[str, dict[str, ControlInfo]]:
    """Bands of random directions lie open, those of other kinds under their name."""
    kinds = {RANDOM: held, **{kind: held[kind] for kind in (SPARSE, VARIANCE) if isinstance(held.get(kind), dict)}}
    found = {
        kind: {name: ControlInfo(**mapping(one[name])) for name in MEASURES if name in one}
        for kind, one in kinds.items()
    }
    return {kind: bands for kind, bands in found.items() if bands}
