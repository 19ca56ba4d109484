"""The latent page: sentence, facts, pictures, text. What lies below the fold, or is folded, comes when asked for.

Each part that comes later has an address of its own, which shows it as a small page: without a script a link leads
there; with one it is fetched when its place comes into view, and its elements are put in their places by their ids.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.annotations.panel import AnnotationPanel, annotation_panel
from app.annotations.queries import Subject
from app.classes import counts as class_counts
from app.classes import page as functions
from app.classes import queries as classes
from app.classes.page import ClassRow, Mixture
from app.classes.score import ScoreInfo
from app.http.errors import NotFound
from app.interventions.page import Effects, causal_sentence, effect_views, effects_of
from app.interventions.queries import dots_of
from app.interventions.steering import SteeringCard, steering_card, wanted
from app.labels.associations import AssociationRow, association_row, label_words
from app.latents import plots
from app.latents.chains import ChainInfo
from app.latents.facts import Fact, Group, TokenList, group_of, latent_facts, paint_of, summary_of, token_lists
from app.latents.profiles import POSITIONS
from app.latents.queries import LatentInfo
from app.latents.record import LatentRecord
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.figures import INK, View
from app.shared.links import Later, latent_at, latent_name, nowhere, parts_at
from app.shared.page import Page
from app.shared.record import Key
from app.shared.tokens import Paint, Passage
from app.verdicts.page import Ruling, ruling
from store.vocabulary import ABLATE, STEER


@dataclass(frozen=True)
class Sections:
    """What may come later: a list is None, a view has no figure, and a text is missing where it does."""

    later: Later
    histograms: list[View] | None = None
    """Views of the activation histogram."""
    positions: list[View] | None = None
    """Mean activation over position in context, paragraph, sentence."""
    missing_positions: list[tuple[str, str]] | None = None
    """Those without one, with why."""
    functions: list[ClassRow] | None = None
    """What it does: a row a class, those that hold first."""
    effects: Effects | None = None
    """What breaks without it."""
    steering: SteeringCard | None = None
    """What steering along it does."""
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
    strip: Passage | None = None
    """One whole document."""
    groups: list[Group] | None = None
    """Examples by kind."""
    annotation: AnnotationPanel | None = None
    """What people say of it."""


@dataclass(frozen=True)
class LatentPageView(Page):
    """One latent."""

    template = "latents/latent.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Its SAE."""
    record: LatentRecord
    """The latent, its partner and what the two have."""
    facts: list[Fact]
    """Numbers at the head."""
    tokens: list[TokenList]
    """Token lists."""
    support: int | None
    """Occurrences a token type needs to be ranked by mean."""
    function_words: str
    """What it does in a sentence, with the label it goes with most; empty where nothing was measured."""
    unmeasured: str
    """Why there are no rows of classes."""
    effect_words: str
    """What breaks without it in a sentence for the head; empty where it is open or not measured."""
    ruling: Ruling | None
    """The verdict by rule; None where the rule was not applied."""
    has_strip: bool
    """Whether one whole document was kept."""
    is_steered: bool
    """Whether the page speaks of steering."""
    sections: Sections
    """What stands below, or comes later."""
    annotation: AnnotationPanel
    """What people say of it."""
    summary: str
    """The page in a sentence, for previews."""


@dataclass(frozen=True)
class LatentPart(Page):
    """A part of a latent's page, alone."""

    template = "latents/part.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Its SAE."""
    record: LatentRecord
    """The latent."""
    name: str
    """Which part."""
    words: str
    """What it holds."""
    sections: Sections
    """The part."""
    annotation: AnnotationPanel | None
    """What people say of it, where that is the part."""


PARTS = {
    "plots": "plots with their numbers",
    "classes": "evidence for its classes",
    "effects": "plots of its effects",
    "steering": "steering",
    "relations": "chain, labels and near-duplicates",
    "document": "one whole document",
    "history": "history of what people say",
}
"""By name in an address: what it holds. Examples have a part a kind, `examples-off`."""


def latent_page(run: RunInfo, record: LatentRecord, pin: str, whole: bool = False) -> LatentPageView:
    """The page of one latent.

    Args:
        whole: nothing comes later, as where nobody can be asked for it.
    """
    later = nowhere if whole else parts_at(latent_at(record.sae.slug, record.index), pin)
    made: dict[str, Any] = {}
    for maker in MAKERS.values():
        made |= maker(run, record, pin, later)
    latent, profiles, scores = record.latent, record.profiles, record.scores
    sentence, broken = functions.sentence(scores), causal_sentence(record.effect, record.epsilon)
    label = "" if record.label is None else label_words(*record.label)
    return LatentPageView(
        title=f"{latent_name(latent.layer, latent.index)} · {record.sae.slug}",
        nav="latents",
        run=run,
        sae=record.sae,
        record=record,
        facts=latent_facts(latent, record.pair if record.mirror else None, record.effect),
        tokens=token_lists(latent, profiles, record.side),
        support=profiles.support,
        function_words=" ".join(text for text in (sentence, label) if text),
        unmeasured="" if scores else why_unmeasured(latent, bool(_tallies(record))),
        effect_words=broken,
        ruling=ruling(record.verdict),
        has_strip=profiles.has_strip,
        is_steered=wanted(scores, record.is_steered),
        sections=Sections(later, **made),
        annotation=made["annotation"],
        summary=summary_of(run, latent, record.image, sentence, broken),
    )


def latent_part(run: RunInfo, record: LatentRecord, pin: str, name: str) -> LatentPart:
    """A part of the page, alone.

    Raises:
        NotFound: there is no such part.
    """
    kind = name.removeprefix("examples-")
    made: dict[str, Any]
    if kind != name and kind in record.kinds:
        made = {"groups": [_group(record, kind)]}
        words = f"examples, {made['groups'][0].title.lower()}"
    elif name in PARTS:
        words, made = PARTS[name], MAKERS[name](run, record, pin, nowhere)
    else:
        known = f"it has {', '.join(PARTS)} and its kinds of examples"
        raise NotFound(f"A latent's page has no part '{name[:40]}'; {known}.")
    sections = Sections(nowhere, **made)
    title = f"{latent_name(record.latent.layer, record.index)}: {words} · {record.sae.slug}"
    return LatentPart(title, "latents", run, record.sae, record, name, words, sections, sections.annotation)


def _plots(_run: RunInfo, record: LatentRecord, _pin: str, later: Later) -> dict[str, Any]:
    latent, mine, where = record.latent, record.profiles, later("plots")
    pair, theirs = (record.pair, record.partner_profiles.histogram) if record.mirror else (None, None)
    named = [(f"latent {latent.index}", mine, plots.COLOURS[record.side])]
    why = latent.reasons.get
    return {
        "histograms": plots.histograms(latent, mine.histogram, pair, theirs, where),
        "positions": plots.positions(named, where),
        "missing_positions": [
            (kind, str(why(f"position_{kind}") or why("detail") or "This text has no such boundaries."))
            for kind in POSITIONS
            if not mine.has_position(kind)
        ],
    }


def _classes(_run: RunInfo, record: LatentRecord, _pin: str, later: Later) -> dict[str, Any]:
    rows = functions.class_rows(record.scores, _tallies(record), evidence=not later("classes"))
    return {"functions": rows, "mixture": functions.mixture_of(record.scores)}


def _effects(_run: RunInfo, record: LatentRecord, pin: str, later: Later) -> dict[str, Any]:
    index, other = record.index, record.image.index if record.image else None
    ablation, own = record.interventions.get(ABLATE), record.effect
    subjects = [("this latent", None, own), (f"together with {other}", other, record.pair_effect if own else None)]
    views = None
    if ablation is not None and own is not None and not later("effects"):
        dots = dots_of(record.session, ablation.id)
        views = effect_views(dots, {(index, None): INK}, ablation.epsilon, record.sae.slug, pin)
    return {"effects": effects_of(ablation, subjects, record.sae.slug, views)}


def _steering(_run: RunInfo, record: LatentRecord, _pin: str, later: Later) -> dict[str, Any]:
    if record.is_steered and later("steering"):
        return {}
    pair = record.pair if record.mirror else None
    signal = f" --pair {pair.positive}:{pair.negative}" if pair else f" --latent {record.index}"
    done = record.interventions.get(STEER)
    return {"steering": steering_card(done, record.steering, record.sae.slug, "this latent", signal)}


def _relations(_run: RunInfo, record: LatentRecord, _pin: str, later: Later) -> dict[str, Any]:
    if later("relations"):
        return {}
    steps = [(step.analysis_id, step.index) for step in record.chain.values()]
    return {
        "chain": record.chain,
        "chain_classes": classes.classes_of(record.session, steps),
        "labels": [association_row(found) for found in record.associations],
        "twins": record.twins,
    }


def _document(run: RunInfo, record: LatentRecord, _pin: str, later: Later) -> dict[str, Any]:
    if later("document"):
        return {}
    name, tokens = runs.strip_of(record.session, run)
    theirs = record.partner_profiles.strip if record.mirror else None
    return {"strip": Passage(name, 0, tokens, record.profiles.strip or [], theirs, None, _paint(record))}


def _examples(_run: RunInfo, record: LatentRecord, _pin: str, later: Later) -> dict[str, Any]:
    if not later("examples"):
        return {"groups": [_group(record, kind) for kind in record.kinds]}
    paint = _paint(record)
    return {
        "groups": [_group(record, kind) for kind in record.kinds[:1]]
        + [group_of(kind, None, paint) for kind in record.kinds[1:]]
    }


def _group(record: LatentRecord, kind: str) -> Group:
    return group_of(kind, record.examples(kind), _paint(record))


def _annotation(run: RunInfo, record: LatentRecord, pin: str, later: Later) -> dict[str, Any]:
    subject = Subject(record.sae.sha256, record.index)
    panel = annotation_panel(record.session, run, record.sae, subject, pin, latest=record.said, later=later("history"))
    return {"annotation": panel}


MAKERS: dict[str, Callable[[RunInfo, LatentRecord, str, Later], dict[str, Any]]] = {
    "plots": _plots,
    "classes": _classes,
    "effects": _effects,
    "steering": _steering,
    "relations": _relations,
    "document": _document,
    "examples": _examples,
    "history": _annotation,
}


def _paint(record: LatentRecord) -> Paint:
    return paint_of(record.latent, record.image, record.pole)


def _tallies(record: LatentRecord) -> dict[str, class_counts.Tally]:
    return class_counts.tallies(record.session, record.sae.analysis_id)


def why_unmeasured(latent: LatentInfo, others: bool) -> str:
    """Why a latent has no classes; `others` says whether latents of the same SAE have."""
    if not others:
        return "This run was analysed before classes were measured, or without them; analyse again to see what it does."
    if latent.detail is None:
        return "Classes are measured where examples are kept: dense latents, their partners, a sample of sparse ones."
    return "No class was measured for this latent."
