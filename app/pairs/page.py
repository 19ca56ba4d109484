"""The pair page: one signed axis, both poles beside each other. Parts come later as on a latent's page."""

from __future__ import annotations

from dataclasses import dataclass

from app.classes import page as functions
from app.classes import queries as classes
from app.classes.groups import place_of
from app.classes.page import ClassRow
from app.interventions.page import causal_sentence, effect_views, effects_of
from app.interventions.queries import EffectInfo, dots_of
from app.latents import parts, plots
from app.latents.facts import Group, group_of, paint_of, pair_facts, pole_lists
from app.latents.parts import Asked, Made, Part, Parts, Sections, SignalPage
from app.latents.queries import Excerpt
from app.pairs.record import PairRecord
from app.runs.queries import RunInfo
from app.shared.figures import INK, NEGATIVE, POSITIVE
from app.shared.follows_card import FollowsCard, follows_card
from app.shared.language import N_, _
from app.shared.links import pair_at
from app.shared.tiles import Tile, tiles
from app.shared.tokens import Paint
from app.verdicts.page import Ruling, ruling
from store.vocabulary import ABLATE


@dataclass(frozen=True)
class PairSections(Sections):
    """What may come later on a pair's page."""

    sides: list[tuple[Group, Group]] | None = None
    """Examples of the same kind, positive beside negative."""


@dataclass(frozen=True)
class PairPage(SignalPage[PairRecord, PairSections]):
    """Two latents as one signed signal."""

    template = "pairs/pair.html"
    follows: FollowsCard | None
    """What they follow as one signal."""
    functions: list[tuple[ClassRow | None, ClassRow | None]]
    """What the two do: a row a class, positive beside negative."""
    rulings: list[Ruling | None]
    """The verdict by rule on each pole."""


@dataclass(frozen=True)
class PairPart(Part[PairRecord, PairSections]):
    """A part of a pair's page, alone."""

    template = "pairs/part.html"


def pair_page(run: RunInfo, record: PairRecord, pin: str, whole: bool = False) -> PairPage:
    """The page of one pair.

    Args:
        whole: nothing comes later, as where nobody can be asked for it.
    """
    sections = PARTS.whole(run, record, pin, "" if whole else pair_at(record.sae.slug, *record.indices))
    lists = [pole_lists(*pole) for pole in zip(record.poles, record.profiles, "pn", strict=True)]
    lines = _functions(record)
    assert sections.annotation is not None
    return PairPage(
        title=f"{record.name} · {record.sae.slug}",
        nav="latents",
        run=run,
        sae=record.sae,
        record=record,
        facts=pair_facts(record.pair, record.effect),
        tokens=[list_ for row in zip(*lists, strict=True) for list_ in row],
        tiles=_tiles(record, lines),
        effect_words=causal_sentence(record.effect, record.epsilon, _("the two")),
        has_strip=record.profiles[0].has_strip,
        sections=sections,
        annotation=sections.annotation,
        follows=_follows(record),
        functions=lines,
        rulings=[ruling(found) for found in record.verdicts],
    )


def _plots(asked: Asked[PairRecord]) -> Made:
    record = asked.record
    named = [
        (_("latent %(index)s", index=latent.index), of, colour)
        for latent, of, colour in zip(record.poles, record.profiles, plots.COLOURS.values(), strict=True)
    ]
    where = asked.later("plots")
    plus, minus = (pole.decoder_norm or 1.0 for pole in record.poles)
    signed = plots.histograms(record.poles[0], None, record.pair, None, where, (plus, minus))
    return {"histograms": signed, "positions": plots.positions(named, where)}


def _effects(asked: Asked[PairRecord]) -> Made:
    record = asked.record
    positive, negative = record.indices
    plus, minus = record.alone
    subjects: list[tuple[str, int | None, EffectInfo | None]] = [
        ("both", None, record.effect),
        (_("+ %(positive)s alone", positive=positive), positive, plus),
        (_("− %(negative)s alone", negative=negative), negative, minus),
    ]
    ablation, views = record.interventions.get(ABLATE), None
    if ablation is not None and any(effect for _words, _index, effect in subjects) and not asked.later("effects"):
        marks: dict[tuple[int | None, int | None], str] = {
            (positive, None): POSITIVE,
            (negative, None): NEGATIVE,
            (positive, negative): INK,
        }
        dots = dots_of(record.session, ablation.id)
        views = effect_views(dots, marks, ablation.epsilon, record.sae.slug, asked.pin)
    return {"effects": effects_of(ablation, subjects, record.sae.slug, views)}


def _steering(asked: Asked[PairRecord]) -> Made:
    record = asked.record
    positive, negative = record.indices
    return parts.steering(asked, _("this pair"), f" --pair {positive}:{negative}")


def _document(asked: Asked[PairRecord]) -> Made:
    if asked.later("document"):
        return {}
    mine, theirs = (of.strip or [] for of in asked.record.profiles)
    return parts.document(asked, mine, theirs, _paints(asked.record)[0])


def _examples(record: PairRecord, now: tuple[str, ...], later: tuple[str, ...]) -> Made:
    found: list[list[Excerpt]] = record.examples(*now) if now else [[], []]
    left, right = zip(found, _paints(record), strict=True)
    sides = [(group_of(kind, *left), group_of(kind, *right)) for kind in now]
    return {"sides": sides + [(group_of(kind, None, left[1]),) * 2 for kind in later]}


PARTS = Parts(
    N_("A pair's"),
    {
        "plots": (N_("plots with their numbers"), _plots),
        "effects": (N_("plots of their effects"), _effects),
        "steering": ("steering", _steering),
        "document": (N_("one whole document"), _document),
        "history": (N_("history of what people say"), parts.history),
    },
    _examples,
    PairSections,
    PairPart,
)


def _paints(record: PairRecord) -> tuple[Paint, Paint]:
    positive, negative = record.poles
    return paint_of(positive, negative, 1), paint_of(negative, positive, -1)


def _tiles(record: PairRecord, lines: list[tuple[ClassRow | None, ClassRow | None]]) -> list[Tile]:
    """A class that either pole has; what the two follow as one signal; what breaks without both."""
    rows = [row for line in lines for row in line if row is not None]
    plus, minus = record.scores
    scores = (
        minus | plus | {name: score for name, score in minus.items() if score.holds and not plus.get(name, score).holds}
    )
    follows = None if record.follows is None else record.follows.z
    loss = None if record.effect is None else record.effect.against_push
    return tiles(sorted(rows, key=lambda row: not row.holds), scores, follows, record.sae.followed, loss)


def _follows(record: PairRecord) -> FollowsCard | None:
    if record.follows is None:
        return None
    poles = zip(record.indices, record.profiles, strict=True)
    beside = {"projection on their axis": record.follows.axis}
    beside |= {_("latent %(index)s alone", index=index): of.follows for index, of in poles if of.follows}
    return follows_card(record.follows.z, record.sae.followed, _("the two as one signal"), beside)


def _functions(record: PairRecord) -> list[tuple[ClassRow | None, ClassRow | None]]:
    """A row a class that either pole has a score of; those that hold for either first."""
    tallies = classes.tallies(record.session, record.sae.analysis_id) if any(record.scores) else {}
    both = [
        {row.name: row for row in functions.class_rows(scores, tallies, evidence=False)} for scores in record.scores
    ]
    names = sorted({name for rows in both for name in rows}, key=place_of)
    lines = [(both[0].get(name), both[1].get(name)) for name in names]
    return sorted(lines, key=lambda line: not any(row is not None and row.holds for row in line))
