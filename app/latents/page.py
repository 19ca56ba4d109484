"""The latent page: sentence, facts, pictures, text."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.annotations.panel import AnnotationPanel, annotation_panel
from app.annotations.queries import Subject
from app.classes import counts as class_counts
from app.classes import page as functions
from app.classes import queries as classes
from app.classes.page import ClassRow, Mixture
from app.classes.queries import Key
from app.classes.score import ScoreInfo
from app.interventions import steering_queries as steering
from app.interventions.causal import Causal, causal_of
from app.interventions.effects_page import Effects, causal_sentence, effects_of
from app.interventions.steering import SteeringCard, steering_card, wanted
from app.labels import queries as labels
from app.labels.associations import AssociationRow, association_row, label_sentence
from app.latents import chains, examples, profiles, views
from app.latents import queries as latents
from app.latents import token_lists as lists
from app.latents.chains import ChainInfo
from app.latents.facts import Fact, latent_facts
from app.latents.profiles import Profiles
from app.latents.queries import LatentInfo
from app.latents.summary import summary_of
from app.latents.token_lists import TokenList
from app.pairs import queries as pairs
from app.pairs.queries import PairInfo
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.figures import INK, View
from app.shared.page import Page
from app.shared.tokens import Cell, Group, groups_of, paint_of, strip_of
from app.verdicts import queries as verdicts
from app.verdicts.page import Ruling, ruling


@dataclass(frozen=True)
class LatentPageView(Page):
    """One latent."""

    template = "latents/latent.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Its SAE."""
    latent: LatentInfo
    """The latent."""
    partner: LatentInfo | None
    """The latent its antipodality is reached with."""
    pair: PairInfo | None
    """Their joint facts, where they were measured."""
    side: str
    """Colour of this latent: p or n."""
    mirror: bool
    """Whether the partner is its mirror image, so that colours are two-sided."""
    facts: list[Fact]
    """Numbers at the head."""
    histograms: list[View]
    """Views of the activation histogram."""
    tokens: list[TokenList]
    """Token lists."""
    positions: list[View]
    """Mean activation over position in context, paragraph, sentence."""
    missing_positions: list[tuple[str, str]]
    """Those without one, with why."""
    strip: list[Cell]
    """One whole document."""
    strip_document: str
    """Its name."""
    groups: list[Group]
    """Examples by kind."""
    duplicates: list[LatentInfo]
    """Near-duplicates."""
    before: int | None
    """The next denser latent of the SAE."""
    after: int | None
    """The next rarer one."""
    support: int | None
    """Occurrences a token type needs to be ranked by mean."""
    functions: list[ClassRow]
    """What it does: a row a class, those that hold first."""
    function_words: str
    """The same in a sentence, with the label it goes with most; empty where nothing was measured."""
    unmeasured: str
    """Why there are no rows."""
    effects: Effects
    """What breaks without it."""
    effect_words: str
    """The same in a sentence for the head; empty where it is open or not measured."""
    ruling: Ruling | None
    """The verdict by rule; None where the rule was not applied."""
    steering: SteeringCard | None
    """What steering along it does; None where nothing asks for it."""
    mixture: Mixture | None
    """Whether it is a sum of sparse latents."""
    labels: list[AssociationRow]
    """The user's labels, those it goes with first."""
    chain: dict[str, ChainInfo]
    """Its continuation by side, next and previous."""
    chain_classes: dict[Key, list[ScoreInfo]]
    """What those do."""
    annotation: AnnotationPanel
    """What people say of it."""
    summary: str
    """The page in a sentence, for previews."""


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


def latent_page(session: Session, run: runs.RunInfo, sae: saes.SaeInfo, index: int, pin: str) -> LatentPageView:
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
    session: Session, it: Loaded, causal: Causal, sae: saes.SaeInfo, scores: dict[str, ScoreInfo]
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
