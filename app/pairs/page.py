"""The pair page: one signed axis, both poles beside each other."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.annotations.panel import AnnotationPanel, annotation_panel
from app.annotations.queries import Subject
from app.classes import counts as class_counts
from app.classes import page as functions
from app.classes import queries as classes
from app.classes.groups import place_of
from app.classes.page import ClassRow
from app.http.errors import NotFound
from app.interventions import steering_queries as steering
from app.interventions.causal import Causal, causal_of
from app.interventions.effects_page import Effects, causal_sentence, effects_of
from app.interventions.plots import Marked
from app.interventions.steering import SteeringCard, steering_card
from app.latents import examples, profiles, views
from app.latents import queries as latents
from app.latents import token_lists as lists
from app.latents.facts import Fact, pair_facts
from app.latents.queries import LatentInfo
from app.latents.token_lists import TokenList
from app.pairs import queries as pairs
from app.pairs.queries import PairInfo
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.figures import INK, NEGATIVE, POSITIVE, View
from app.shared.page import Page
from app.shared.tokens import Cell, Group, groups_of, paint_of, strip_of
from app.verdicts import queries as verdicts
from app.verdicts.page import Ruling, ruling


@dataclass(frozen=True)
class PairPage(Page):
    """Two latents as one signed signal."""

    template = "pairs/pair.html"
    run: RunInfo
    """The run shown."""
    sae: SaeInfo
    """Their SAE."""
    pair: PairInfo
    """Joint facts."""
    poles: list[LatentInfo]
    """The positive one, then the negative one."""
    facts: list[Fact]
    """Numbers at the head."""
    histogram: View | None
    """Tokens by z."""
    tokens: list[TokenList]
    """Top and promoted tokens of both poles, positive before negative."""
    positions: list[View]
    """Both poles' mean activation over position."""
    strip: list[Cell]
    """One whole document by z."""
    strip_document: str
    """Its name."""
    sides: list[tuple[Group, Group]]
    """Examples of the same kind, positive beside negative."""
    functions: list[tuple[ClassRow | None, ClassRow | None]]
    """What the two do: a row a class, positive beside negative."""
    effects: Effects
    """What breaks without the two."""
    effect_words: str
    """The same in a sentence for the head; empty where it is open or not measured."""
    rulings: list[Ruling | None]
    """The verdict by rule on each pole."""
    steering: SteeringCard
    """What steering along their axis does."""
    annotation: AnnotationPanel
    """What people say of the two."""


KINDS = ("top", "level2", "random")


def pair_page(session: Session, run: runs.RunInfo, sae: saes.SaeInfo, pair: pairs.PairInfo, pin: str) -> PairPage:
    """The page of one pair."""
    indices = [pair.positive, pair.negative]
    known = latents.find_some(session, sae, indices)
    both = [known[index] for index in indices]
    profiled = profiles.find_many(session, sae.analysis_id, indices)
    found = [profiled[index] for index in indices]
    causal = causal_of(session, sae.analysis_id, indices)
    ruled = verdicts.verdicts_of(session, [(sae.analysis_id, index) for index in indices])
    paints = [paint_of(both[0], both[1], 1), paint_of(both[1], both[0], -1)]
    groups = [
        groups_of(examples.find_examples(session, sae.analysis_id, latent.index, KINDS), paint)
        for latent, paint in zip(both, paints, strict=True)
    ]
    document, tokens = runs.strip_of(session, run)
    token_lists = [lists.of_pole(latent, of, side) for latent, of, side in zip(both, found, "pn", strict=True)]
    return PairPage(
        title=f"Pair {pair.positive} / {pair.negative} · {sae.slug}",
        nav="latents",
        run=run,
        sae=sae,
        pair=pair,
        poles=both,
        facts=pair_facts(pair, causal.of(*indices)),
        histogram=views.signed(pair),
        tokens=[made for row in zip(*token_lists, strict=True) for made in row],
        positions=_positions(both, found),
        strip=strip_of(tokens, found[0].strip, found[1].strip, paints[0]),
        strip_document=document,
        sides=_sides(groups),
        functions=_functions(session, sae, pair),
        effects=_effects(pair, causal, sae, pin),
        effect_words=causal_sentence(causal.of(*indices), causal.epsilon, "the two"),
        rulings=[ruling(ruled.get((sae.analysis_id, index))) for index in indices],
        steering=_steering(session, pair, causal, sae),
        annotation=annotation_panel(session, run, sae, Subject.pair(sae.sha256, pair.positive, pair.negative), pin),
    )


def _effects(pair: pairs.PairInfo, causal: Causal, sae: saes.SaeInfo, pin: str) -> Effects:
    subjects = [
        ("both", None, causal.of(pair.positive, pair.negative)),
        (f"+ {pair.positive} alone", pair.positive, causal.of(pair.positive)),
        (f"− {pair.negative} alone", pair.negative, causal.of(pair.negative)),
    ]
    marks: dict[Marked, str] = {
        (pair.positive, None): POSITIVE,
        (pair.negative, None): NEGATIVE,
        (pair.positive, pair.negative): INK,
    }
    return effects_of(causal.ablation, subjects, causal.dots, marks, sae.slug, pin)


def _steering(session: Session, pair: pairs.PairInfo, causal: Causal, sae: saes.SaeInfo) -> SteeringCard:
    found = [] if causal.steer is None else steering.steering_of(session, causal.steer.id, pair.positive)
    own = [one for one in found if {one.positive, one.negative} == {pair.positive, pair.negative}]
    return steering_card(causal.steer, own, sae.slug, "this pair", f" --pair {pair.positive}:{pair.negative}")


def measured_pair(session: Session, sae: saes.SaeInfo, first: int, second: int) -> pairs.PairInfo:
    """The pair in either order.

    Raises:
        NotFound: the worker measured no such pair.
    """
    pair = pairs.find_pair(session, sae.analysis_id, first, second)
    if pair is None:
        hint = f"Pairs are measured for latents with detail: dense-latents analyze --detail {sae.layer}:{first}."
        raise NotFound(f"{first} and {second} of SAE '{sae.slug}' were not measured as a pair. {hint}")
    return pair


def _functions(
    session: Session, sae: saes.SaeInfo, pair: pairs.PairInfo
) -> list[tuple[functions.ClassRow | None, functions.ClassRow | None]]:
    """A row a class that either pole has a score of; those that hold for either first."""
    found = classes.find_scores(session, sae.analysis_id, [pair.positive, pair.negative])
    tallies = class_counts.tallies(session, sae.analysis_id) if found else {}
    both = [
        {row.name: row for row in functions.class_rows(found.get(index, {}), tallies)}
        for index in (pair.positive, pair.negative)
    ]
    names = sorted({name for rows in both for name in rows}, key=place_of)
    lines = [(both[0].get(name), both[1].get(name)) for name in names]
    return sorted(lines, key=lambda line: not any(row is not None and row.holds for row in line))


def _positions(both: list[latents.LatentInfo], found: list[profiles.Profiles]) -> list[View]:
    made = []
    for kind in ("context", "paragraph", "sentence"):
        lines = [
            (f"latent {latent.index}", of.positions[kind], colour)
            for latent, of, colour in zip(both, found, views.COLOURS.values(), strict=True)
            if kind in of.positions
        ]
        if lines:
            made.append(views.position(kind, lines))
    return made


def _sides(groups: list[list[Group]]) -> list[tuple[Group, Group]]:
    right = {group.kind: group for group in groups[1]}
    empty = [Group(group.kind, group.title, group.note, []) for group in groups[0]]
    return [(left, right.get(left.kind, none)) for left, none in zip(groups[0], empty, strict=True)]
