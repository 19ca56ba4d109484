"""The entry: does anything follow my labels? Each label with the units that follow it, and what they predict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from app.field import queries
from app.field.parts import PartCard, part_cards
from app.field.plots import density_figure
from app.field.queries import Power
from app.field.sentences import (
    FOLLOWED,
    LEAK,
    MEANS,
    MEASURES,
    NOT,
    SETS,
    THROUGH,
    TOGETHER,
    adds,
    answer,
    bin_words,
    effect_words,
    held_by,
    outcome,
    power_words,
    standing,
    untold_from,
    why_both,
)
from app.labels import queries as labels
from app.labels.associations import MeanRow, association_row
from app.labels.queries import AssociationInfo, LabelInfo, Tested
from app.runs.queries import RunInfo, counted
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.figures import Figure
from app.shared.language import _
from app.shared.links import latent_name, link
from app.shared.numbers import fixed
from app.shared.page import RunPage
from app.shared.stored import one as stored
from store.vocabulary import YES

SHOWN = 6
"""Units of a label."""
_ORDER = {FOLLOWED: 0, MEANS: 1, TOGETHER: 2, THROUGH: 3, NOT: 4}


@dataclass(frozen=True)
class PowerRow:
    """What one set of columns predicts of a label, on a scale of 0 to 100."""

    slug: str
    title: str
    layer: str
    at: float
    low: float
    high: float
    chance: float | None
    words: str
    of: str
    """best, dense, sparse or raw"""
    reach: float | None
    """What shuffled labels reach."""
    short: str
    """The value alone."""


@dataclass(frozen=True)
class Stretch:
    """An effect with its interval on the scale of its measure, 0 to 100."""

    at: float
    low: float
    high: float
    zero: float
    """Where chance stands."""


@dataclass(frozen=True)
class UnitRow:
    """A unit that a label was held against."""

    found: AssociationInfo
    name: str
    effect: str
    stretch: Stretch | None
    conditional: float | None
    held_out: float | None
    outcome: str
    holds: bool


@dataclass(frozen=True)
class LabelCard:
    """A label and what follows it."""

    label: LabelInfo
    stands: str
    """yes, means, through, together or no, as `standing` says"""
    answer: str
    why: str
    """Why one question says yes and the other no; empty where they agree."""
    adds: str
    powers: list[PowerRow]
    """Of the matrix that says most."""
    other_powers: list[PowerRow]
    matrix: str
    """That matrix, where there are several."""
    glance: dict[str, PowerRow]
    """The same by set."""
    measure: str
    units: list[UnitRow]
    best: UnitRow | None
    means: list[MeanRow]
    zero: float
    others: str
    """Where all that follow it are listed."""
    confounds: list[str]


@dataclass(frozen=True)
class FieldHome(RunPage):
    """The start page of a run of rows."""

    template = "field/home.html"
    saes: list[SaeInfo]
    """Matrices by layer."""
    cards: list[LabelCard]
    """Those that something follows first."""
    curve: Figure
    """Units above each density."""
    checks: list[str]
    """What was said of the data."""
    followed: int
    """Labels that some dense unit follows."""
    means_only: int
    """Labels with which means differ, and that nothing predicts."""
    together: int
    """Labels that units predict, though none passes alone."""
    through: int
    """Labels that units predict, and go with only through another column."""
    parts: list[PartCard]
    """The group and the order, which are no labels."""
    sparse: bool
    """Whether sparse units predict some label, so that they have a column."""


def field_home(session: Session, run: RunInfo, _pin: str) -> FieldHome:
    """The page of a run."""
    return _page(session, run, "home")


def field_labels(session: Session, run: RunInfo) -> FieldHome:
    """The same, as the page of labels: they are what it is about."""
    return _page(session, run, "labels")


def field_matrix(session: Session, run: RunInfo, sae: SaeInfo, _pin: str) -> FieldHome:
    """The same of one matrix alone."""
    return _page(session, run, "latents", sae)


def _page(session: Session, run: RunInfo, nav: str, only: SaeInfo | None = None) -> FieldHome:
    found = [only] if only else saes.list_saes(session, run)
    run = run.model_copy(update=counted(held for held in run.held if only is None or held.slug == only.slug))
    strongest, powers = labels.strongest(session, run), queries.powers(session, run)
    tested = labels.tested(session, run)
    cards = [
        _card(one, strongest.get(one.name, []), tested.get(one.name), found, powers)
        for one in labels.list_labels(session, run)
    ]
    return FieldHome(
        title=_("Does anything follow my labels?"),
        nav=nav,
        run=run,
        saes=found,
        cards=sorted(cards, key=lambda card: (_ORDER[card.stands], bool(card.label.reason))),
        curve=density_figure(saes.density_curve(session, run), found),
        checks=[text for check in queries.checks(session, run) if (text := str(check.get("words") or ""))],
        followed=sum(card.stands == FOLLOWED for card in cards),
        means_only=sum(card.stands == MEANS for card in cards),
        together=sum(card.stands == TOGETHER for card in cards),
        through=sum(card.stands == THROUGH for card in cards),
        parts=part_cards(session, run, len(found) > 1),
        sparse=any("sparse" in card.glance for card in cards),
    )


def _card(
    label: LabelInfo, found: list[AssociationInfo], tested: Tested | None, saes: list[SaeInfo],
    powers: dict[tuple[str, str], list[Power]],
) -> LabelCard:  # fmt: skip
    several = len(saes) > 1
    through, untold = (_by_column(found, of, several) for of in (held_by, untold_from))
    copies = [_name(one, several) for one in found if one.statement.get("code") == LEAK]
    found = sorted(found, key=lambda one: (one.verdict != YES, -_both(one)))
    best = next((one for one in found if one.verdict == YES), None)
    shown = best or (found[0] if found else None)
    row = association_row(shown) if shown else None
    rows = _powers(label, saes, powers)
    of_all = [power for sae in saes for power in powers.get((sae.slug, label.name), [])]
    stands = NOT if label.reason else standing(tested, of_all, bool(through))
    best_of = max(saes, key=lambda sae: _most(powers.get((sae.slug, label.name), [])))
    of_label = powers.get((best_of.slug, label.name), [])
    return LabelCard(
        label=label,
        stands=stands,
        answer=answer(label, tested, through, untold, copies, of_all),
        why=why_both(best) if best is not None and stands == MEANS else "",
        adds="" if best_of.architecture == "units" else adds(of_label),
        powers=[row for row in rows if row.slug == best_of.slug],
        other_powers=[row for row in rows if row.slug != best_of.slug],
        matrix=best_of.slug.split("/")[-1] if several else "",
        glance={row.of: row for row in rows if row.slug == best_of.slug},
        measure=next((MEASURES.get(power.measure, power.measure) for power in of_label), ""),
        units=[_unit(one, several) for one in found[:SHOWN]],
        best=None if best is None else _unit(best, several),
        means=[replace(mean, value=bin_words(mean.value)) for mean in row.means] if row else [],
        zero=row.zero if row else 0.0,
        others=link("/latents", {"label": label.name}),
        confounds=[confound.words for confound in label.confounds],
    )


def _by_column(
    found: list[AssociationInfo], column_of: Callable[[AssociationInfo], str], several: bool
) -> dict[str, list[str]]:
    """Names of units by the column that is said of them."""
    made: dict[str, list[str]] = {}
    for one in found:
        if by := column_of(one):
            made.setdefault(by, []).append(_name(one, several))
    return made


def _both(found: AssociationInfo) -> float:
    """The smaller of the effect and of what is left of it with others held fixed: a unit should show both."""
    plain = found.model_copy(update={"conditional": found.effect})
    return min(labels.strength(plain), labels.strength(found))


def _unit(found: AssociationInfo, several: bool) -> UnitRow:
    """Of several matrices, the name says which: a layer may have its units, and an SAE on them."""
    said = outcome(found)
    return UnitRow(
        found, _name(found, several), effect_words(found), _stretch(found), found.conditional, found.held_out, said,
        found.verdict == YES,
    )  # fmt: skip


def _name(found: AssociationInfo, several: bool) -> str:
    return f"{found.slug.split('/')[-1]}/{found.index}" if several else latent_name(found.layer, found.index)


def _stretch(found: AssociationInfo) -> Stretch | None:
    """ρ from −1 to 1; AUC and η² from 0 to 1, of which chance is a half, and what the store has."""
    if found.effect is None:
        return None
    measure = found.label.measure
    low, high = (found.effect if end is None else end for end in (found.low, found.high))
    if measure == "spearman":
        return Stretch(*(_scaled((value + 1) / 2) for value in (found.effect, low, high, 0.0)))
    chance = 0.5 if measure == "auc" else stored(found.data, "chance") or 0.0
    return Stretch(*(_scaled(value) for value in (found.effect, low, high, chance)))


def _powers(label: LabelInfo, saes: list[SaeInfo], powers: dict[tuple[str, str], list[Power]]) -> list[PowerRow]:
    made = []
    for sae in saes:
        for power in powers.get((sae.slug, label.name), []):
            if power.value is None:
                continue
            layer = sae.slug.split("/")[-1] if len(saes) > 1 else ""
            unit = "" if power.unit is None else f" ({power.unit})"
            made.append(
                PowerRow(
                    sae.slug, SETS.get(power.of, power.of) + unit, layer, _scaled(power.value),
                    _scaled(power.value if power.low is None else power.low),
                    _scaled(power.value if power.high is None else power.high),
                    None if power.chance is None else _scaled(power.chance), power_words(power), power.of,
                    None if power.reach is None else _scaled(power.reach), fixed(power.value),
                )
            )  # fmt: skip
    return made


def _most(powers: list[Power]) -> float:
    """What the matrix says at most of a label."""
    return max((power.value for power in powers if power.value is not None), default=float("-inf"))


def _scaled(value: float) -> float:
    """Of a measure whose best is 1."""
    return round(100 * min(1.0, max(0.0, value)), 1)
