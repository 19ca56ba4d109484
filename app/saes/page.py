"""An SAE's page."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.classes.groups import title_of
from app.classes.score import ScoreInfo
from app.interventions.dense_set import DenseSet, dense_set
from app.interventions.queries import interventions_of, set_effects
from app.latents.facts import Fact, sae_facts
from app.latents.filters import LatentFilters
from app.latents.queries import LatentInfo, find_densest
from app.pairs.queries import PairInfo, list_pairs
from app.runs.queries import RunInfo
from app.saes.beside import BesideCard, beside_card
from app.saes.queries import SaeInfo, training_report
from app.shared.language import _
from app.shared.links import link
from app.shared.page import RunPage
from app.shared.record import Key
from app.shared.stored import flat
from app.verdicts.queries import verdict_counts
from app.vocabulary import RULE_VERDICTS
from store.vocabulary import ABLATE


@dataclass(frozen=True)
class SaePage(RunPage):
    """An SAE's own page."""

    template = "saes/sae.html"
    sae: SaeInfo
    """The SAE."""
    facts: list[Fact]
    """Its numbers in this run."""
    pairs: list[PairInfo]
    """Its antipodal pairs, best first."""
    densest: list[LatentInfo]
    """Its densest latents."""
    classes: dict[Key, list[ScoreInfo]]
    """By (analysis, index): the classes they have."""
    beside: BesideCard | None
    """What goes past its latents; None where nothing does, or the run did not look."""
    dense_set: DenseSet
    """What breaks without all its dense latents."""
    verdicts: list[tuple[str, str, int, str]]
    """Dense latents by the rule's verdict: value, words, count, address of the list; empty where it was not applied."""
    unmeasured: list[tuple[str, str]]
    """Classes that were not measured, with why; empty where all were."""
    training: list[tuple[str, str]]
    """The training report beside the weights: name, value."""
    details: list[tuple[str, str]]
    """sae-lens' configuration and metadata: name, value."""


def sae_page(session: Session, run: RunInfo, sae: SaeInfo, pin: str) -> SaePage:
    """The page of one SAE."""
    details, training = training_report(session, sae.slug)
    densest = find_densest(session, [sae], LatentFilters(), 12)
    ablation = interventions_of(session, sae.analysis_id).get(ABLATE)
    whole = [] if ablation is None else set_effects(session, ablation.id)
    ruled = verdict_counts(session, sae.analysis_id)
    choices = [(name, words) for name, words in RULE_VERDICTS.items() if name in ruled]
    return SaePage(
        title=sae.slug,
        nav="layers",
        run=run,
        sae=sae,
        facts=sae_facts(sae),
        pairs=list_pairs(session, sae.analysis_id),
        densest=densest,
        classes=classes.classes_of(session, [(one.analysis_id, one.index) for one in densest]),
        beside=beside_card(sae),
        dense_set=dense_set(ablation, whole, sae.slug),
        verdicts=[(name, words, ruled[name], _ruled(sae.slug, name, pin)) for name, words in choices],
        unmeasured=_unmeasured(session, run, sae),
        training=flat(training or {}),
        details=flat(details),
    )


def _unmeasured(session: Session, run: RunInfo, sae: SaeInfo) -> list[tuple[str, str]]:
    if not classes.measured(session, run):
        return [("classes", _("This run was analysed before classes were measured, or without them."))]
    return [(title_of(name), why) for name, why in classes.unmeasured(session, sae.analysis_id)]


def _ruled(slug: str, verdict: str, pin: str) -> str:
    return link("/latents", {"sae": slug, "verdict": verdict}, pin)
