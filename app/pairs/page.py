"""The pair page: one signed axis, both poles beside each other. Parts come later as on a latent's page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.annotations.panel import AnnotationPanel, annotation_panel
from app.annotations.queries import Subject
from app.classes import counts as class_counts
from app.classes import page as functions
from app.classes.groups import place_of
from app.classes.page import ClassRow
from app.http.errors import NotFound
from app.interventions.page import Effects, causal_sentence, effect_views, effects_of
from app.interventions.plots import Marked
from app.interventions.queries import EffectInfo, dots_of
from app.interventions.steering import SteeringCard, steering_card
from app.latents import plots
from app.latents.examples import Excerpt
from app.latents.facts import Fact, Group, TokenList, group_of, paint_of, pair_facts, pole_lists
from app.pairs.record import PairRecord
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.figures import INK, NEGATIVE, POSITIVE, View
from app.shared.links import Later, latent_name, nowhere, pair_at, parts_at
from app.shared.page import Page
from app.shared.tokens import Paint, Passage
from app.verdicts.page import Ruling, ruling
from store.vocabulary import ABLATE, STEER

KINDS = ("top", "level2", "random")
"""Kinds of examples that stand side by side."""


@dataclass(frozen=True)
class Sections:
    """What may come later: a list is None, a view has no figure, and a text is missing where it does."""

    later: Later
    histograms: list[View] | None = None
    """Tokens by z, where either fired."""
    positions: list[View] | None = None
    """Both poles' mean activation over position."""
    effects: Effects | None = None
    """What breaks without the two."""
    steering: SteeringCard | None = None
    """What steering along their axis does."""
    strip: Passage | None = None
    """One whole document by z."""
    sides: list[tuple[Group, Group]] | None = None
    """Examples of the same kind, positive beside negative."""
    annotation: AnnotationPanel | None = None
    """What people say of the two."""


@dataclass(frozen=True)
class PairPage(Page):
    """Two latents as one signed signal."""

    template = "pairs/pair.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Their SAE."""
    record: PairRecord
    """The two, and what is told of them."""
    facts: list[Fact]
    """Numbers at the head."""
    tokens: list[TokenList]
    """Top and promoted tokens of both poles, positive before negative."""
    functions: list[tuple[ClassRow | None, ClassRow | None]]
    """What the two do: a row a class, positive beside negative."""
    effect_words: str
    """What breaks without them in a sentence for the head; empty where it is open or not measured."""
    rulings: list[Ruling | None]
    """The verdict by rule on each pole."""
    has_strip: bool
    """Whether one whole document was kept."""
    sections: Sections
    """What stands below, or comes later."""
    annotation: AnnotationPanel
    """What people say of the two."""


@dataclass(frozen=True)
class PairPart(Page):
    """A part of a pair's page, alone."""

    template = "pairs/part.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Their SAE."""
    record: PairRecord
    """The two."""
    name: str
    """Which part."""
    words: str
    """What it holds."""
    sections: Sections
    """The part."""
    annotation: AnnotationPanel | None
    """What people say of them, where that is the part."""


PARTS = {
    "plots": "plots with their numbers",
    "effects": "plots of their effects",
    "steering": "steering",
    "document": "one whole document",
    "history": "history of what people say",
}
"""By name in an address: what it holds. Examples have a part a kind, `examples-random`."""


def pair_page(run: RunInfo, record: PairRecord, pin: str, whole: bool = False) -> PairPage:
    """The page of one pair.

    Args:
        whole: nothing comes later, as where nobody can be asked for it.
    """
    pair, sae = record.pair, record.sae
    later = nowhere if whole else parts_at(pair_at(sae.slug, pair.positive, pair.negative), pin)
    made: dict[str, Any] = {}
    for maker in MAKERS.values():
        made |= maker(run, record, pin, later)
    lists = [pole_lists(*pole) for pole in zip(record.poles, record.profiles, "pn", strict=True)]
    return PairPage(
        title=f"{pair_name(record)} · {sae.slug}",
        nav="latents",
        run=run,
        sae=sae,
        record=record,
        facts=pair_facts(pair, record.effect),
        tokens=[list_ for row in zip(*lists, strict=True) for list_ in row],
        functions=_functions(record),
        effect_words=causal_sentence(record.effect, record.epsilon, "the two"),
        rulings=[ruling(found) for found in record.verdicts],
        has_strip=record.profiles[0].has_strip,
        sections=Sections(later, **made),
        annotation=made["annotation"],
    )


def pair_part(run: RunInfo, record: PairRecord, pin: str, name: str) -> PairPart:
    """A part of the page, alone.

    Raises:
        NotFound: there is no such part.
    """
    kind = name.removeprefix("examples-")
    made: dict[str, Any]
    if kind != name and kind in shown_kinds(record):
        made = {"sides": _sides(record, (kind,))}
        words = f"examples, {made['sides'][0][0].title.lower()}"
    elif name in PARTS:
        words, made = PARTS[name], MAKERS[name](run, record, pin, nowhere)
    else:
        raise NotFound(f"A pair's page has no part '{name[:40]}'; it has {', '.join(PARTS)} and its kinds of examples.")
    sections = Sections(nowhere, **made)
    title = f"{pair_name(record)}: {words} · {record.sae.slug}"
    return PairPart(title, "latents", run, record.sae, record, name, words, sections, sections.annotation)


def pair_name(record: PairRecord) -> str:
    """What a pair is called: L15/1024 ⇄ L15/727."""
    return " ⇄ ".join(latent_name(record.sae.layer, index) for index in record.indices)


def _plots(_run: RunInfo, record: PairRecord, _pin: str, later: Later) -> dict[str, Any]:
    named = [
        (f"latent {latent.index}", of, colour)
        for latent, of, colour in zip(record.poles, record.profiles, plots.COLOURS.values(), strict=True)
    ]
    where = later("plots")
    signed = plots.histograms(record.poles[0], None, record.pair, None, where)
    return {"histograms": signed, "positions": plots.positions(named, where)}


def _effects(_run: RunInfo, record: PairRecord, pin: str, later: Later) -> dict[str, Any]:
    positive, negative = record.indices
    plus, minus = record.alone
    subjects: list[tuple[str, int | None, EffectInfo | None]] = [
        ("both", None, record.effect),
        (f"+ {positive} alone", positive, plus),
        (f"− {negative} alone", negative, minus),
    ]
    ablation, views = record.interventions.get(ABLATE), None
    if ablation is not None and any(effect for _words, _index, effect in subjects) and not later("effects"):
        marks: dict[Marked, str] = {(positive, None): POSITIVE, (negative, None): NEGATIVE, (positive, negative): INK}
        dots = dots_of(record.session, ablation.id)
        views = effect_views(dots, marks, ablation.epsilon, record.sae.slug, pin)
    return {"effects": effects_of(ablation, subjects, record.sae.slug, views)}


def _steering(_run: RunInfo, record: PairRecord, _pin: str, later: Later) -> dict[str, Any]:
    if record.is_steered and later("steering"):
        return {}
    positive, negative = record.indices
    done = record.interventions.get(STEER)
    how = f" --pair {positive}:{negative}"
    return {"steering": steering_card(done, record.steering, record.sae.slug, "this pair", how)}


def _document(run: RunInfo, record: PairRecord, _pin: str, later: Later) -> dict[str, Any]:
    if later("document"):
        return {}
    name, tokens = runs.strip_of(record.session, run)
    mine, theirs = (of.strip or [] for of in record.profiles)
    return {"strip": Passage(name, 0, tokens, mine, theirs, None, _paints(record)[0])}


def _examples(_run: RunInfo, record: PairRecord, _pin: str, later: Later) -> dict[str, Any]:
    kinds = shown_kinds(record)
    if not later("examples"):
        return {"sides": _sides(record, kinds)}
    paint = _paints(record)[0]
    return {"sides": _sides(record, kinds[:1]) + [(group_of(kind, None, paint),) * 2 for kind in kinds[1:]]}


def _annotation(run: RunInfo, record: PairRecord, pin: str, later: Later) -> dict[str, Any]:
    subject = Subject.pair(record.sae.sha256, *record.indices)
    panel = annotation_panel(record.session, run, record.sae, subject, pin, latest=record.said, later=later("history"))
    return {"annotation": panel}


MAKERS: dict[str, Callable[[RunInfo, PairRecord, str, Later], dict[str, Any]]] = {
    "plots": _plots,
    "effects": _effects,
    "steering": _steering,
    "document": _document,
    "examples": _examples,
    "history": _annotation,
}


def shown_kinds(record: PairRecord) -> tuple[str, ...]:
    """Kinds of examples that the positive pole has, of those that stand side by side."""
    return tuple(kind for kind in KINDS if kind in record.kinds)


def _sides(record: PairRecord, kinds: tuple[str, ...]) -> list[tuple[Group, Group]]:
    found: list[list[Excerpt]] = record.examples(*kinds) if kinds else [[], []]
    left, right = zip(found, _paints(record), strict=True)
    return [(group_of(kind, *left), group_of(kind, *right)) for kind in kinds]


def _paints(record: PairRecord) -> tuple[Paint, Paint]:
    positive, negative = record.poles
    return paint_of(positive, negative, 1), paint_of(negative, positive, -1)


def _functions(record: PairRecord) -> list[tuple[ClassRow | None, ClassRow | None]]:
    """A row a class that either pole has a score of; those that hold for either first."""
    tallies = class_counts.tallies(record.session, record.sae.analysis_id) if any(record.scores) else {}
    both = [
        {row.name: row for row in functions.class_rows(scores, tallies, evidence=False)} for scores in record.scores
    ]
    names = sorted({name for rows in both for name in rows}, key=place_of)
    lines = [(both[0].get(name), both[1].get(name)) for name in names]
    return sorted(lines, key=lambda line: not any(row is not None and row.holds for row in line))
