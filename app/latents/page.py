"""The latent page: sentence, facts, pictures, text."""

from __future__ import annotations

from dataclasses import dataclass

from app.classes import page as functions
from app.classes import queries as classes
from app.classes.page import ClassRow, Mixture
from app.classes.score import ScoreInfo
from app.interventions.page import causal_sentence, effect_views, effects_of
from app.interventions.queries import dots_of
from app.interventions.steering import wanted
from app.labels.associations import AssociationRow, association_row, label_words
from app.latents import parts, plots
from app.latents.company import CompanyCard, company_card
from app.latents.facts import (
    Group,
    Strip,
    group_of,
    latent_facts,
    paint_of,
    strips_of,
    summary_of,
    token_lists,
    why_unmeasured,
)
from app.latents.logits import LogitCard, logit_card
from app.latents.parts import Asked, Made, Part, Parts, Sections, SignalPage
from app.latents.profiles import POSITIONS
from app.latents.queries import ChainInfo, LatentInfo
from app.latents.record import LatentRecord
from app.runs.queries import RunInfo
from app.shared.figures import INK
from app.shared.follows_card import FollowsCard, follows_card
from app.shared.language import N_, _
from app.shared.links import latent_at
from app.shared.reasons import why
from app.shared.record import Key
from app.shared.tiles import Loss, tiles
from app.shared.tokens import Paint
from app.verdicts.page import Ruling, ruling
from store.vocabulary import ABLATE


@dataclass(frozen=True)
class LatentSections(Sections):
    """What may come later on a latent's page."""

    missing_positions: list[tuple[str, str]] | None = None
    """Positions without a plot, with why."""
    functions: list[ClassRow] | None = None
    """What it does: a row a class, those that hold first."""
    mixture: Mixture | None = None
    """Whether it is a sum of sparse latents."""
    chain: dict[str, ChainInfo] | None = None
    """Its continuation by side, next and previous."""
    chain_classes: dict[Key, list[ScoreInfo]] | None = None
    """What those do."""
    labels: list[AssociationRow] | None = None
    """The user's labels, those it goes with first."""
    twins: list[LatentInfo] | None = None
    """Near-duplicates."""
    company: CompanyCard | None = None
    """What fires with it."""
    groups: list[Group] | None = None
    """Examples by kind."""


@dataclass(frozen=True)
class LatentPageView(SignalPage[LatentRecord, LatentSections]):
    """One latent."""

    template = "latents/latent.html"
    strips: list[Strip]
    """Three examples: strong, typical, off."""
    follows: FollowsCard | None
    """What its variance follows; None where it was not divided."""
    logits: LogitCard | None
    """Logit weights over the vocabulary."""
    support: int | None
    """Occurrences a token type needs to be ranked by mean."""
    function_words: str
    """What it does in a sentence, with the label it goes with most; empty where nothing was measured."""
    unmeasured: str
    """Why there are no rows of classes."""
    ruling: Ruling | None
    """The verdict by rule; None where the rule was not applied."""
    is_steered: bool
    """Whether the page speaks of steering."""
    summary: str
    """The page in a sentence, for previews."""


@dataclass(frozen=True)
class LatentPart(Part[LatentRecord, LatentSections]):
    """A part of a latent's page, alone."""

    template = "latents/part.html"


def latent_page(run: RunInfo, record: LatentRecord, pin: str, whole: bool = False) -> LatentPageView:
    """The page of one latent.

    Args:
        whole: nothing comes later, as where nobody can be asked for it.
    """
    sections = PARTS.whole(run, record, pin, "" if whole else latent_at(record.sae.slug, record.index))
    latent, profiles, scores = record.latent, record.profiles, record.scores
    sentence, broken = functions.sentence(scores), causal_sentence(record.effect, record.epsilon)
    label = "" if record.label is None else label_words(*record.label)
    assert sections.annotation is not None
    return LatentPageView(
        title=f"{record.name} · {record.sae.slug}",
        nav="latents",
        run=run,
        sae=record.sae,
        record=record,
        facts=latent_facts(latent, record.pair if record.mirror else None, record.effect),
        tokens=token_lists(latent, profiles, record.side),
        tiles=tiles(sections.functions or [], scores, profiles.follows, record.sae.followed, _loss(record)),
        strips=strips_of(record.strips, _paint(record)),
        effect_words=broken,
        has_strip=profiles.has_strip,
        sections=sections,
        annotation=sections.annotation,
        follows=follows_card(profiles.follows, record.sae.followed) if profiles.follows else None,
        logits=logit_card(profiles.logits) if profiles.logits else None,
        support=profiles.support,
        function_words=" ".join(text for text in (sentence, label) if text),
        unmeasured="" if scores else why_unmeasured(latent, bool(_tallies(record))),
        ruling=ruling(record.verdict),
        is_steered=wanted(scores, record.is_steered),
        summary=summary_of(run, latent, record.image, sentence, broken),
    )


def _plots(asked: Asked[LatentRecord]) -> Made:
    record, where = asked.record, asked.later("plots")
    latent, mine = record.latent, record.profiles
    pair, theirs = (record.pair, record.partner_profiles.histogram) if record.mirror else (None, None)
    named = [(_("latent %(index)s", index=latent.index), mine, plots.COLOURS[record.side])]
    return {
        "histograms": plots.histograms(latent, mine.histogram, pair, theirs, where, _norms(record)),
        "positions": plots.positions(named, where),
        "missing_positions": [
            (
                kind,
                why(latent.reasons, f"position_{kind}")
                or why(latent.reasons, "detail")
                or _("This text has no such boundaries."),
            )
            for kind in POSITIONS
            if not mine.has_position(kind)
        ],
    }


def _classes(asked: Asked[LatentRecord]) -> Made:
    record = asked.record
    rows = functions.class_rows(record.scores, _tallies(record), evidence=not asked.later("classes"))
    return {"functions": rows, "mixture": functions.mixture_of(record.scores)}


def _effects(asked: Asked[LatentRecord]) -> Made:
    record = asked.record
    index, other = record.index, record.image.index if record.image else None
    ablation, own = record.interventions.get(ABLATE), record.effect
    subjects = [
        (_("this latent"), None, own),
        (_("together with %(other)s", other=other), other, record.pair_effect if own else None),
    ]
    views = None
    if ablation is not None and own is not None and not asked.later("effects"):
        dots = dots_of(record.session, ablation.id)
        views = effect_views(dots, {(index, None): INK}, ablation.epsilon, record.sae.slug, asked.pin)
    return {"effects": effects_of(ablation, subjects, record.sae.slug, views)}


def _steering(asked: Asked[LatentRecord]) -> Made:
    record = asked.record
    pair = record.pair if record.mirror else None
    signal = f" --pair {pair.positive}:{pair.negative}" if pair else f" --latent {record.index}"
    return parts.steering(asked, _("this latent"), signal)


def _relations(asked: Asked[LatentRecord]) -> Made:
    record = asked.record
    if asked.later("relations"):
        return {}
    steps = [(step.analysis_id, step.index) for step in record.chain.values()]
    return {
        "chain": record.chain,
        "chain_classes": classes.classes_of(record.session, steps),
        "labels": [association_row(found) for found in record.associations],
        "twins": record.twins,
        "company": company_card(company) if (company := record.profiles.company) else None,
    }


def _document(asked: Asked[LatentRecord]) -> Made:
    record = asked.record
    if asked.later("document"):
        return {}
    theirs = record.partner_profiles.strip if record.mirror else None
    return parts.document(asked, record.profiles.strip, theirs, _paint(record))


def _examples(record: LatentRecord, now: tuple[str, ...], later: tuple[str, ...]) -> Made:
    found, paint = record.examples(*now) if now else [], _paint(record)
    return {"groups": [group_of(kind, found, paint) for kind in now] + [group_of(kind, None, paint) for kind in later]}


PARTS = Parts(
    N_("A latent's"),
    {
        "plots": (N_("plots with their numbers"), _plots),
        "classes": (N_("evidence for its classes"), _classes),
        "effects": (N_("plots of its effects"), _effects),
        "steering": ("steering", _steering),
        "relations": (N_("chain, labels, near-duplicates and what fires with it"), _relations),
        "document": (N_("one whole document"), _document),
        "history": (N_("history of what people say"), parts.history),
    },
    _examples,
    LatentSections,
    LatentPart,
    at_once=0,
)


def _loss(record: LatentRecord) -> Loss | None:
    return None if record.effect is None else record.effect.against_push


def _norms(record: LatentRecord) -> tuple[float, float]:
    """Decoder norms of the positive pole and of the negative one."""
    both = [record.latent.decoder_norm or 1.0, (record.image.decoder_norm if record.image else None) or 1.0]
    return (both[1], both[0]) if record.side == "n" else (both[0], both[1])


def _paint(record: LatentRecord) -> Paint:
    return paint_of(record.latent, record.image, record.pole)


def _tallies(record: LatentRecord) -> dict[str, classes.Tally]:
    return classes.tallies(record.session, record.sae.analysis_id)
