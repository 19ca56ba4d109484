"""The latent page: sentence, facts, pictures, text."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.compose import functions, lists, views
from app.compose.annotation import annotation_panel
from app.compose.causal import Causal, causal_of
from app.compose.effects import Effects, causal_sentence, effects_of
from app.compose.facts import latent_facts
from app.compose.labels import association_row, label_sentence
from app.compose.steering import SteeringCard, steering_card, wanted
from app.compose.summary import summary_of
from app.compose.text import groups_of, paint_of, strip_of
from app.compose.verdict import ruling
from app.pages import LatentPageView
from app.plots import INK
from app.queries import (
    chains,
    class_counts,
    classes,
    examples,
    labels,
    latents,
    pairs,
    profiles,
    runs,
    saes,
    steering,
    verdicts,
)
from app.queries.annotations import Subject
from app.queries.latents import LatentInfo
from app.queries.pairs import PairInfo
from app.queries.profiles import Profiles
from app.queries.statistics import Term


@dataclass(frozen=True)
class Loaded:
    """All that the store has on one latent."""

    latent: LatentInfo
    partner: LatentInfo | None
    pair: PairInfo | None
    profiles: Profiles
    partner_profiles: Profiles | None

    @property
    def mirror(self) -> bool:
        """The partner is its mirror image: one signed axis makes sense."""
        return self.latent.is_pair or (self.pair is not None and self.pair.mirror and (self.pair.score or 0) >= 0.5)

    @property
    def pole(self) -> int:
        """+1 where this latent is the positive pole of its pair, or has none."""
        return -1 if self.mirror and self.pair is not None and self.pair.negative == self.latent.index else 1


def load(session: Session, sae: saes.SaeInfo, index: int) -> Loaded:
    """Read one latent with its partner."""
    latent = latents.find_latent(session, sae, index)
    other = latent.partner
    found = profiles.find_many(session, sae.analysis_id, [index] if other is None else [index, other])
    if other is None:
        return Loaded(latent, None, None, found[index], None)
    return Loaded(
        latent,
        latents.find_some(session, sae, [other]).get(other),
        pairs.find_pair(session, sae.analysis_id, index, other),
        found[index],
        found[other],
    )


def latent_page(
    session: Session, run: runs.RunInfo, sae: saes.SaeInfo, index: int, terms: dict[str, Term], pin: str
) -> LatentPageView:
    """The page of one latent."""
    it = load(session, sae, index)
    mirrored = it.partner if it.mirror else None
    paint = paint_of(it.latent, mirrored, it.pole)
    document, tokens = runs.strip_of(session, run)
    theirs = it.partner_profiles.strip if it.mirror and it.partner_profiles else None
    before, after = latents.neighbours(session, it.latent)
    near = latents.find_some(session, sae, latents.duplicates(session, it.latent))
    positions, missing = views.positions(it.latent, it.profiles, _side(it))
    scores = classes.find_scores(session, sae.analysis_id, [index]).get(index, {})
    tallies = class_counts.tallies(session, sae.analysis_id)
    chain = chains.find_chains(session, sae.analysis_id, index)
    associations = labels.associations_of(session, sae.analysis_id, index)
    causal = causal_of(session, sae.analysis_id, [index])
    said = [functions.sentence(scores), label_sentence(associations)]
    return LatentPageView(
        title=f"Latent {index} · {sae.slug}",
        nav="latents",
        terms=terms,
        pin=pin,
        run=run,
        sae=sae,
        latent=it.latent,
        partner=it.partner,
        pair=it.pair,
        side=_side(it),
        mirror=it.mirror,
        facts=latent_facts(it.latent, it.pair if it.mirror else None, causal.of(index)),
        histograms=views.histograms(it.latent, it.profiles, it.pair, it.partner_profiles, it.mirror, _side(it)),
        tokens=lists.of_latent(it.latent, it.profiles, _side(it)),
        positions=positions,
        missing_positions=missing,
        strip=strip_of(tokens, it.profiles.strip, theirs, paint),
        strip_document=document,
        groups=groups_of(examples.find_examples(session, sae.analysis_id, index), paint),
        duplicates=list(near.values()),
        before=before,
        after=after,
        support=it.profiles.support,
        functions=functions.class_rows(scores, tallies),
        function_words=" ".join(text for text in said if text),
        unmeasured="" if scores else why_unmeasured(it.latent, bool(tallies)),
        effects=_effects(it, causal, sae, pin),
        effect_words=causal_sentence(causal.of(index), causal.epsilon),
        ruling=ruling(verdicts.find_verdict(session, sae.analysis_id, index)),
        steering=_steering(session, it, causal, sae, scores),
        mixture=functions.mixture_of(scores),
        labels=[association_row(found) for found in associations],
        chain=chain,
        chain_classes=classes.classes_of(session, [(step.analysis_id, step.index) for step in chain.values()]),
        annotation=annotation_panel(session, run, sae, Subject(sae.sha256, index), pin),
        summary=summary_of(run, it.latent, mirrored, said[0], causal_sentence(causal.of(index), causal.epsilon)),
    )


def _effects(it: Loaded, causal: Causal, sae: saes.SaeInfo, pin: str) -> Effects:
    index, other = it.latent.index, it.partner.index if it.partner and it.mirror else None
    own = causal.of(index)
    both = None if other is None or own is None else causal.of(index, other)
    subjects = [("this latent", None, own), (f"together with {other}", other, both)]
    return effects_of(causal.ablation, subjects, causal.dots, {(index, None): INK}, sae.slug, pin)


def _steering(
    session: Session, it: Loaded, causal: Causal, sae: saes.SaeInfo, scores: dict[str, classes.ScoreInfo]
) -> SteeringCard | None:
    index = it.latent.index
    found = [] if causal.steer is None else steering.steering_of(session, causal.steer.id, index)
    if not wanted(scores, found):
        return None
    signal = f" --pair {it.pair.positive}:{it.pair.negative}" if it.pair and it.mirror else f" --latent {index}"
    return steering_card(causal.steer, found, sae.slug, "this latent", signal)


def why_unmeasured(latent: LatentInfo, others: bool) -> str:
    """Why a latent has no classes; `others` says whether latents of the same SAE have."""
    if not others:
        return "This run was analysed before classes were measured, or without them; analyse again to see what it does."
    if latent.detail is None:
        return "Classes are measured where examples are kept: dense latents, their partners, a sample of sparse ones."
    return "No class was measured for this latent."


def _side(it: Loaded) -> str:
    return "p" if it.pole > 0 else "n"
