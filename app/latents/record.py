"""One latent as the store has it: its own row and what is told of it alone at once, the rest when it is asked for.

A latent's page, its parts, the card, the comparison and the API read the same record, each as much as it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, aliased

from app.annotations.queries import AnnotationInfo, Subject
from app.classes import queries as classes
from app.classes.score import ScoreInfo
from app.interventions import queries as interventions
from app.interventions.queries import EffectInfo, InterventionInfo, SteeringInfo
from app.labels import queries as labels
from app.labels.queries import AssociationInfo
from app.latents import profiles
from app.latents import queries as latents
from app.latents.profiles import Profiles
from app.latents.queries import ChainInfo, Excerpt, LatentInfo
from app.pairs.queries import PairInfo
from app.saes.queries import SaeInfo
from app.shared.commands import Place
from app.shared.links import latent_name
from app.shared.record import Key
from app.verdicts.queries import VerdictInfo, verdict_info
from store.tables import Annotation, Association, Chain, Effect, Example, Label, Latent, Pair, Steering, Verdict
from store.tables.team import ALONE
from store.vocabulary import ABLATE, LATENT, OWN, PAIR, RANDOM_OFF, RANDOM_ON, STEER, TOP, YES


class BestLabel(NamedTuple):
    """The label of the user's that predicts best in documents kept out, of those that hold."""

    name: str
    measure: str
    effect: float | None


@dataclass(frozen=True)
class Signal:
    """A latent in one run, or two as one signed signal: what is told of it at once, the rest when it is asked for."""

    session: Session
    sae: SaeInfo
    effect: EffectInfo | None
    """What changes without it."""
    said: AnnotationInfo | None
    """The latest version of what people say; None where nobody ever said anything."""
    kinds: tuple[str, ...]
    """Kinds of examples that its page shows, strongest first."""
    is_steered: bool

    @cached_property
    def interventions(self) -> dict[str, InterventionInfo]:
        """Of its SAE, by kind."""
        return interventions.interventions_of(self.session, self.sae.analysis_id)

    @property
    def epsilon(self) -> float | None:
        """Changes of the loss within +- this count as none."""
        ablation = self.interventions.get(ABLATE)
        return None if ablation is None else ablation.epsilon

    def steered_along(self, index: int) -> list[SteeringInfo]:
        """The signals that a latent is a pole of."""
        done = self.interventions.get(STEER)
        return interventions.steering_of(self.session, done.id, index) if done and self.is_steered else []


@dataclass(frozen=True)
class LatentRecord(Signal):
    """One latent in one run, with its partner and what is measured of the two."""

    latent: LatentInfo
    partner: LatentInfo | None
    """The latent its antipodality is reached with."""
    pair: PairInfo | None
    """Their joint facts, where they were measured."""
    verdict: VerdictInfo | None
    """By rule."""
    pair_effect: EffectInfo | None
    """What changes without the two."""
    label: BestLabel | None
    before: int | None
    """The next denser latent of the SAE."""
    after: int | None
    """The next rarer one."""
    has_chain: bool
    has_labels: bool
    has_twins: bool
    """Near-duplicates."""

    @property
    def index(self) -> int:
        """Of the latent."""
        return self.latent.index

    @property
    def key(self) -> Key:
        """Analysis and index."""
        return self.sae.analysis_id, self.latent.index

    @property
    def mirror(self) -> bool:
        """The partner is its mirror image: one signed axis makes sense."""
        return self.latent.is_pair or (self.pair is not None and self.pair.mirror and (self.pair.score or 0) >= 0.5)

    @property
    def image(self) -> LatentInfo | None:
        """The partner where it is the mirror image."""
        return self.partner if self.mirror else None

    @property
    def pole(self) -> int:
        """+1 where this latent is the positive pole of its pair, or has none."""
        return -1 if self.mirror and self.pair is not None and self.pair.negative == self.index else 1

    @property
    def side(self) -> str:
        """Colour of the latent: p or n."""
        return "p" if self.pole > 0 else "n"

    @cached_property
    def _profiles(self) -> tuple[Profiles, Profiles]:
        return profiles.find_profiles(self.session, *self.key, self.latent.partner)

    @property
    def profiles(self) -> Profiles:
        """All of its profiles."""
        return self._profiles[0]

    @property
    def partner_profiles(self) -> Profiles:
        """The partner's histogram and strip."""
        return self._profiles[1]

    @cached_property
    def scores(self) -> dict[str, ScoreInfo]:
        """What each class says, and the mixture."""
        return classes.find_scores(self.session, self.sae.analysis_id, [self.index]).get(self.index, {})

    @cached_property
    def chain(self) -> dict[str, ChainInfo]:
        """Its continuation by side, next and previous."""
        return latents.find_chains(self.session, *self.key) if self.has_chain else {}

    @cached_property
    def associations(self) -> list[AssociationInfo]:
        """The user's labels, those it goes with first."""
        return labels.associations_of(self.session, *self.key) if self.has_labels else []

    @property
    def name(self) -> str:
        """L15/1024."""
        return latent_name(self.sae.layer, self.index)

    @property
    def subject(self) -> Subject:
        """What an annotation of it is about."""
        return Subject(self.sae.sha256, self.index)

    @property
    def steering(self) -> list[SteeringInfo]:
        """The signals it is a pole of that were steered along."""
        return self.steered_along(self.index)

    @cached_property
    def twins(self) -> list[LatentInfo]:
        """Near-duplicates."""
        if not self.has_twins:
            return []
        return list(latents.find_some(self.session, self.sae, latents.duplicates(self.session, self.latent)).values())

    @cached_property
    def strips(self) -> list[Excerpt]:
        """One example each of its strongest, of where it is on, and of where it is off: those that were kept."""
        kinds = [kind for kind in (TOP, RANDOM_ON, RANDOM_OFF) if kind in self.kinds]
        return latents.find_first(self.session, self.sae.analysis_id, [self.index], kinds)

    def examples(self, *kinds: str) -> list[Excerpt]:
        """Stretches of text of these kinds, or all."""
        found = latents.find_examples(self.session, self.sae.analysis_id, [self.index], kinds)
        return found.get(self.index, [])


_partner = aliased(Latent)
_alone, _both = aliased(Effect), aliased(Effect)


def _best() -> Any:
    """The id of the label that predicts best in documents kept out."""
    found = aliased(Association)
    here = (found.analysis_id == Latent.analysis_id, found.index == Latent.index, found.verdict == YES)
    ordered = select(found.label_id).where(*here).order_by(func.abs(found.held_out).desc().nulls_last(), found.label_id)
    return ordered.limit(1).correlate(Latent).scalar_subquery()


def _beside(denser: bool) -> Any:
    """The index of the next latent by density: from a dense latent one steps to dense ones."""
    other = aliased(Latent)
    density, index = other.density, other.index
    order: tuple[Any, Any]
    if denser:  # the bound of the density alone is what an index is sought by
        beyond = and_(density >= Latent.density, or_(density > Latent.density, index < Latent.index))
        order = (density, index.desc())
    else:
        beyond = and_(density <= Latent.density, or_(density < Latent.density, index > Latent.index))
        order = (density.desc(), index)
    here = select(index).where(other.analysis_id == Latent.analysis_id, beyond).order_by(*order)
    return here.limit(1).correlate(Latent).scalar_subquery()


def _there(table: Any, *more: Any) -> Any:
    """Whether the table has a row of this latent."""
    here = select(1).select_from(table).where(table.analysis_id == Latent.analysis_id, *more)
    return here.correlate(Latent).exists()


def _asked(name: str) -> Any:
    return bindparam(name)


def _statement() -> Any:
    """Made once: it takes longer to make than to run."""
    ablated, steer, sha256 = (_asked(name) for name in ("ablated", "steer", "sha256"))
    twin, steered = aliased(Latent), aliased(Steering)
    pole = or_(steered.positive == Latent.index, steered.negative == Latent.index)
    is_steered = select(1).where(steered.intervention_id == steer, pole).correlate(Latent).exists()
    named = twin.duplicate_of.is_not(None)  # so that the index of these few is read, not the whole SAE
    twins = or_(Latent.duplicate_of.is_not(None), _there(twin, twin.duplicate_of == Latent.index, named))
    kinds = select(func.aggregate_strings(Example.kind, " ")).correlate(Latent)
    kinds = kinds.where(Example.analysis_id == Latent.analysis_id, Example.index == Latent.index)
    ends = (
        and_(Pair.positive == Latent.index, Pair.negative == Latent.partner),
        and_(Pair.positive == Latent.partner, Pair.negative == Latent.index),
    )
    statement: Any = select(
        Latent, _partner, Pair, Verdict, _alone, _both, Annotation, Label.name, Label.measure, Association.effect,
        _beside(True), _beside(False), kinds.scalar_subquery(), _there(Chain, Chain.index == Latent.index),
        _there(Association, Association.index == Latent.index), twins, is_steered,
    )  # fmt: skip
    own = (_alone.intervention_id == ablated, _alone.what == OWN, _alone.subject == LATENT)
    both = (_both.intervention_id == ablated, _both.what == OWN, _both.subject == PAIR)
    said = (Annotation.sae_sha256 == sha256, Annotation.other == ALONE, Annotation.latest)
    here = Latent.analysis_id
    best = (Association.analysis_id == Latent.analysis_id, Association.index == Latent.index)
    return (
        statement.outerjoin(_partner, and_(_partner.analysis_id == here, _partner.index == Latent.partner))
        .outerjoin(Pair, and_(Pair.analysis_id == Latent.analysis_id, or_(*ends)))
        .outerjoin(Verdict, and_(Verdict.analysis_id == Latent.analysis_id, Verdict.index == Latent.index))
        .outerjoin(_alone, and_(*own, _alone.index == Latent.index))
        .outerjoin(_both, and_(*both, _both.index == Pair.positive, _both.other == Pair.negative))
        .outerjoin(Annotation, and_(*said, Annotation.index == Latent.index))
        .outerjoin(Association, and_(*best, Association.label_id == _best()))
        .outerjoin(Label, Label.id == Association.label_id)
        .where(Latent.analysis_id == _asked("analysis"), Latent.index == _asked("index"))
    )


_STATEMENT = _statement()


def read_latent(session: Session, sae: SaeInfo, index: int) -> LatentRecord:
    """One latent, in one statement.

    Raises:
        NotFound: the SAE has fewer latents.
    """
    asked = {"analysis": sae.analysis_id, "sha256": sae.sha256, "index": index}
    row = session.execute(_STATEMENT, asked | interventions.ids_of(session, sae.analysis_id)).first()
    if row is None:
        raise latents.missing(sae, index)
    latent, partner, pair, verdict, alone, both, said, name, measure, effect, before, after, kinds, *has = row
    has_chain, has_labels, has_twins, is_steered = has
    held = set((kinds or "").split())
    place = Place(sae.slug, sae.layer, sae.run, index)
    return LatentRecord(
        session,
        sae,
        effect=interventions.effect_info(alone) if alone else None,
        said=AnnotationInfo.model_validate(said) if said else None,
        kinds=tuple(sorted(held, key=latents.by_strength)),
        is_steered=is_steered,
        latent=latents.placed(latent, sae),
        partner=latents.placed(partner, sae) if partner else None,
        pair=PairInfo.model_validate(pair) if pair else None,
        verdict=verdict_info(verdict.verdict, verdict.grounds, verdict.missing, place) if verdict else None,
        pair_effect=interventions.effect_info(both) if both else None,
        label=BestLabel(name, measure, effect) if name else None,
        before=before,
        after=after,
        has_chain=has_chain,
        has_labels=has_labels,
        has_twins=has_twins,
    )
