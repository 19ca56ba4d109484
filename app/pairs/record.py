"""A pair as the store has it: both poles and what is told of the two at once, the rest when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.annotations.queries import AnnotationInfo, Subject
from app.classes import queries as classes
from app.classes.score import ScoreInfo
from app.http.errors import NotFound
from app.interventions.queries import EffectInfo, SteeringInfo, effect_info, ids_of
from app.latents import profiles
from app.latents import queries as latents
from app.latents.profiles import Profiles
from app.latents.queries import Excerpt, LatentInfo, placed
from app.latents.record import Signal
from app.pairs.queries import PairInfo, find_pair
from app.saes.queries import SaeInfo
from app.shared.commands import Place
from app.shared.followed import Follows
from app.shared.links import latent_name
from app.verdicts.queries import VerdictInfo, verdict_info
from store.tables import Annotation, Effect, Example, Latent, Pair, Steering, Verdict
from store.vocabulary import LATENT, OWN, PAIR

SHOWN = ("top", "level2", "random")
"""Kinds of examples that stand side by side, of those the positive pole has."""


@dataclass(frozen=True)
class PairFollows:
    """What a pair follows, as shares of variance."""

    z: Follows
    """The one's activation less the other's."""
    axis: Follows
    """The projection on the direction of one of them."""


@dataclass(frozen=True)
class PairRecord(Signal):
    """Two latents as one signed signal. Lists of two: the positive pole, then the negative one."""

    pair: PairInfo
    poles: list[LatentInfo]
    verdicts: list[VerdictInfo | None]
    """By rule."""
    alone: list[EffectInfo | None]
    """What changes without one of them."""

    @property
    def name(self) -> str:
        """L15/1024 ⇄ L15/727."""
        return " ⇄ ".join(latent_name(self.sae.layer, index) for index in self.indices)

    @property
    def subject(self) -> Subject:
        """What an annotation of the two is about."""
        return Subject.pair(self.sae.sha256, *self.indices)

    @property
    def indices(self) -> list[int]:
        """Of the latents."""
        return [self.pair.positive, self.pair.negative]

    @cached_property
    def profiles(self) -> list[Profiles]:
        """All of both."""
        found = profiles.find_many(self.session, self.sae.analysis_id, self.indices)
        return [found[index] for index in self.indices]

    @cached_property
    def follows(self) -> PairFollows | None:
        """What they follow as one signal; None where it was not divided."""
        one, other = self.indices
        plus, minus = self.profiles
        found = plus.follows_with(other) or minus.follows_with(one)
        return None if found is None else PairFollows(*found)

    @cached_property
    def scores(self) -> list[dict[str, ScoreInfo]]:
        """What each class says of each."""
        found = classes.find_scores(self.session, self.sae.analysis_id, self.indices)
        return [found.get(index, {}) for index in self.indices]

    @cached_property
    def steering(self) -> list[SteeringInfo]:
        """Along their axis."""
        found = self.steered_along(self.pair.positive)
        return [one for one in found if {one.positive, one.negative} == set(self.indices)]

    def examples(self, *kinds: str) -> list[list[Excerpt]]:
        """Stretches of text of these kinds."""
        found = latents.find_examples(self.session, self.sae.analysis_id, self.indices, kinds)
        return [found.get(index, []) for index in self.indices]


_positive, _negative = aliased(Latent), aliased(Latent)
_verdicts = aliased(Verdict), aliased(Verdict)
_effects = aliased(Effect), aliased(Effect), aliased(Effect)


def _ends(first: Any, second: Any) -> Any:
    return or_(
        and_(Pair.positive == first, Pair.negative == second), and_(Pair.positive == second, Pair.negative == first)
    )


def _asked(name: str) -> Any:
    return bindparam(name)


def _statement() -> Any:
    """Made once: it takes longer to make than to run."""
    ablated, steer, sha256 = (_asked(name) for name in ("ablated", "steer", "sha256"))
    first, second = _asked("first"), _asked("second")
    kinds = select(func.aggregate_strings(Example.kind, " ")).correlate(Pair)
    kinds = kinds.where(Example.analysis_id == Pair.analysis_id, Example.index == Pair.positive)
    either = (
        and_(Steering.positive == Pair.positive, Steering.negative == Pair.negative),
        and_(Steering.positive == Pair.negative, Steering.negative == Pair.positive),
    )
    steered = select(1).where(Steering.intervention_id == steer, or_(*either)).correlate(Pair).exists()
    statement: Any = select(
        Pair, _positive, _negative, *_verdicts, *_effects, Annotation, kinds.scalar_subquery(), steered
    )
    for latent, index, verdict in zip((_positive, _negative), (Pair.positive, Pair.negative), _verdicts, strict=True):
        statement = statement.join(latent, and_(latent.analysis_id == Pair.analysis_id, latent.index == index))
        statement = statement.outerjoin(verdict, and_(verdict.analysis_id == Pair.analysis_id, verdict.index == index))
    subjects = ((PAIR, Pair.positive, Pair.negative), (LATENT, Pair.positive, None), (LATENT, Pair.negative, None))
    for effect, (subject, index, other) in zip(_effects, subjects, strict=True):
        own = and_(effect.intervention_id == ablated, effect.what == OWN, effect.subject == subject)
        alone = effect.index == index if other is None else and_(effect.index == index, effect.other == other)
        statement = statement.outerjoin(effect, and_(own, alone))
    said = (Annotation.sae_sha256 == sha256, Annotation.latest)
    named = (
        and_(Annotation.index == Pair.positive, Annotation.other == Pair.negative),
        and_(Annotation.index == Pair.negative, Annotation.other == Pair.positive),
    )
    statement = statement.outerjoin(Annotation, and_(*said, or_(*named)))
    return statement.where(Pair.analysis_id == _asked("analysis"), _ends(first, second))


_STATEMENT = _statement()


def read_pair(session: Session, sae: SaeInfo, first: int, second: int) -> PairRecord:
    """A pair, its latents named in either order, in one statement.

    Raises:
        NotFound: the worker measured no such pair.
    """
    asked = {"analysis": sae.analysis_id, "sha256": sae.sha256, "first": first, "second": second}
    row = session.execute(_STATEMENT, asked | ids_of(session, sae.analysis_id)).first()
    if row is None:
        raise _missing(sae, first, second)
    pair, positive, negative, *more = row
    ruled, effects, (said, kinds, steered) = more[:2], more[2:5], more[5:]
    held = set((kinds or "").split())
    both, *alone = [effect_info(found) if found else None for found in effects]
    return PairRecord(
        session,
        sae,
        effect=both,
        said=AnnotationInfo.model_validate(said) if said else None,
        kinds=tuple(kind for kind in SHOWN if kind in held),
        is_steered=steered,
        pair=PairInfo.model_validate(pair),
        poles=[placed(latent, sae) for latent in (positive, negative)],
        verdicts=[None if found is None else _verdict(sae, found) for found in ruled],
        alone=alone,
    )


def measured_pair(session: Session, sae: SaeInfo, first: int, second: int) -> PairInfo:
    """The pair in either order, alone.

    Raises:
        NotFound: the worker measured no such pair.
    """
    pair = find_pair(session, sae.analysis_id, first, second)
    if pair is None:
        raise _missing(sae, first, second)
    return pair


def _missing(sae: SaeInfo, first: int, second: int) -> NotFound:
    hint = f"Pairs are measured for latents with detail: dense-latents analyze --detail {sae.layer}:{first}."
    return NotFound(f"{first} and {second} of SAE '{sae.slug}' were not measured as a pair. {hint}")


def _verdict(sae: SaeInfo, found: Verdict) -> VerdictInfo:
    place = Place(sae.slug, sae.layer, sae.run, found.index)
    return verdict_info(found.verdict, found.grounds, found.missing, place)
