"""A pair as the store has it: both poles and what is told of the two at once, the rest when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.annotations.queries import AnnotationInfo
from app.annotations.queries import info as annotation_info
from app.classes import queries as classes
from app.classes.score import ScoreInfo
from app.http.errors import NotFound
from app.interventions import queries as interventions
from app.interventions.queries import EffectInfo, InterventionInfo, SteeringInfo, effect_info, ids_of
from app.latents import examples, profiles
from app.latents.examples import Excerpt
from app.latents.profiles import Profiles
from app.latents.queries import LatentInfo, placed
from app.pairs.queries import PairInfo, find_pair
from app.saes.queries import SaeInfo
from app.verdicts.queries import VerdictInfo, verdict_info
from app.verdicts.sentences import Place
from store.tables import Annotation, Effect, Example, Latent, Pair, Steering, Verdict
from store.vocabulary import ABLATE, LATENT, OWN, PAIR, STEER


@dataclass(frozen=True)
class PairRecord:
    """Two latents as one signed signal. Lists of two: the positive pole, then the negative one."""

    session: Session
    sae: SaeInfo
    pair: PairInfo
    poles: list[LatentInfo]
    verdicts: list[VerdictInfo | None]
    """By rule."""
    effect: EffectInfo | None
    """What changes without the two."""
    alone: list[EffectInfo | None]
    """What changes without one of them."""
    said: AnnotationInfo | None
    """The latest version of what people say of the two."""
    kinds: tuple[str, ...]
    """Kinds of the positive pole's examples, strongest first."""
    is_steered: bool

    @property
    def indices(self) -> list[int]:
        """Of the latents."""
        return [self.pair.positive, self.pair.negative]

    @cached_property
    def interventions(self) -> dict[str, InterventionInfo]:
        """Of the SAE, by kind."""
        return interventions.interventions_of(self.session, self.sae.analysis_id)

    @property
    def epsilon(self) -> float | None:
        """Changes of the loss within +- this count as none."""
        ablation = self.interventions.get(ABLATE)
        return None if ablation is None else ablation.epsilon

    @cached_property
    def profiles(self) -> list[Profiles]:
        """All of both."""
        found = profiles.find_many(self.session, self.sae.analysis_id, self.indices)
        return [found[index] for index in self.indices]

    @cached_property
    def scores(self) -> list[dict[str, ScoreInfo]]:
        """What each class says of each."""
        found = classes.find_scores(self.session, self.sae.analysis_id, self.indices)
        return [found.get(index, {}) for index in self.indices]

    @cached_property
    def steering(self) -> list[SteeringInfo]:
        """Along their axis."""
        done = self.interventions.get(STEER)
        found = interventions.steering_of(self.session, done.id, self.pair.positive) if done and self.is_steered else []
        return [one for one in found if {one.positive, one.negative} == set(self.indices)]

    def examples(self, *kinds: str) -> list[list[Excerpt]]:
        """Stretches of text of these kinds."""
        found = examples.find_many(self.session, self.sae.analysis_id, self.indices, kinds)
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
        PairInfo.model_validate(pair),
        [placed(latent, sae) for latent in (positive, negative)],
        [
            None
            if found is None
            else verdict_info(found.verdict, found.grounds, found.missing, _place(sae, found.index))
            for found in ruled
        ],
        both,
        alone,
        annotation_info(said) if said else None,
        tuple(kind for kind in examples.ORDER if kind in held),
        steered,
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


def _place(sae: SaeInfo, index: int) -> Place:
    return Place(sae.slug, sae.layer, sae.run, index)
