"""The group and the order themselves: what differs by machine, and what drifts, each beside its control."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from sqlalchemy.orm import Session

from app.field import queries
from app.field.queries import Drift, Spell
from app.field.sentences import FOLLOWED, MEANS, NOT, units_of
from app.runs.queries import RunInfo
from app.shared.language import _
from app.shared.links import latent_name
from app.shared.numbers import count, fixed, number
from app.shared.statements import listed

SHOWN = 6
"""Units of a part."""
DRIFT = 0.3
"""Rank correlation with the order within groups, from which on a unit is said to follow it; below, slightly."""
ERROR = 0.05
"""That any dense unit passes where none should: the bar rises with their number."""
BLOCKS, ORDER_BLOCKS = 64, 60
"""Into which groups are put together, of densities and of correlations (docs/methods.md, 18)."""


@dataclass(frozen=True)
class PartUnit:
    """A unit and what it has of the part."""

    slug: str
    index: int
    name: str
    words: str
    at: float
    """0 to 100, as the bar or the whisker is drawn."""
    low: float
    high: float
    holds: bool


@dataclass(frozen=True)
class PartCard:
    """A part of the table that is no label, but that a unit may follow all the same."""

    key: str
    """group or order"""
    name: str
    """Its column."""
    answer: str
    control: str
    """What the answer is beside."""
    units: list[PartUnit]
    """Those with most of it first."""
    stands: str
    """yes, means (slightly), no"""
    chance: float
    """Where the line of chance stands, 0 to 100."""
    limit: str
    """What the answer does not show."""


def part_cards(session: Session, run: RunInfo, several: bool) -> list[PartCard]:
    """The group, where rows have one; the order, where they have one.

    Args:
        several: whether names of units must say of which matrix they are.
    """
    roles = queries.roles(session, run)
    made = []
    if "group" in roles and 1 < run.documents < run.tokens:
        made.append(_group(session, run, roles["group"], several))
    if "order" in roles:
        made.append(_order(session, run, roles, several))
    return [card for card in made if card is not None]


# --- groups: how much of on or off lies between them ----------------------------------------------


def between_groups(spell: Spell, groups: int) -> float:
    """Share of the variance of on/off over rows that lies between groups, 0 to 1; where it was not counted, from the
    density's interval.

    Of groups of one size the squared standard error of a density is this share x d (1 - d) / (groups - 1). With more
    groups than the interval has parts it is rougher: 0.6 to 1.3 times the share in the demo's 192 units.
    """
    if spell.share is not None:
        return spell.share
    d = spell.density
    if not 0 < d < 1:
        return 0.0
    half = max(d - spell.low, spell.high - d)  # the interval ends at 0 and 1
    error = half / t_quantile(0.975, min(BLOCKS, groups) - 1)
    return min(1.0, error**2 * (groups - 1) / (d * (1 - d)))


def most_by_chance(groups: int, rows: int, tried: int, counted: bool = False) -> float:
    """The share that one of `tried` units exceeds in 5 % of cases where rows are dealt out to groups at random.

    Args:
        counted: over all groups; else it comes from the interval, which has at most 64 parts.
    """
    freedom = (groups if counted else min(BLOCKS, groups)) - 1
    return min(1.0, (groups - 1) / (rows - 1) * _chi_square_ratio(1 - ERROR / max(1, tried), freedom))


def _group(session: Session, run: RunInfo, name: str, several: bool) -> PartCard | None:
    groups, rows = run.documents, run.tokens
    found = [(between_groups(one, groups), one) for one in queries.spells(session, run)]
    dense = sorted(((share, one) for share, one in found if one.dense), key=lambda each: -each[0])
    if not dense:
        return None
    counted = all(one.share is not None for _share, one in dense)
    bar, exact = most_by_chance(groups, rows, len(dense), counted), counted or groups <= BLOCKS
    passing, controls, of_controls = _passing([(share > bar, one.dense) for share, one in found])
    chance = (groups - 1) / (rows - 1)
    share, best = dense[0]
    called = _name(best, several)
    if passing:
        answer = _(
            "%(passing)s of %(dense)s %(are)s on unequally often from %(name)s to %(name2)s%(of_controls)s."
            " Most: %(called)s, %(exact)s of whether it is on lies between groups.",
            passing=count(passing),
            dense=units_of(len(dense)),
            are="is" if passing == 1 else "are",
            name=name,
            name2=name,
            of_controls=_sparse(controls, of_controls),
            called=called,
            exact=shared_words(share, exact),
        )
    else:
        answer = _(
            "None of %(dense)s is on more unequally from %(name)s to %(name2)s than if the rows had been"
            " dealt out at random.",
            dense=units_of(len(dense)),
            name=name,
            name2=name,
        )
    fixed_labels = queries.labels_of_groups(session, run)
    limit = _("Rows of one group often follow each other: it may be the moment, and not the group, that differs.")
    if fixed_labels:
        has = "has" if len(fixed_labels) == 1 else "have"
        limit += _(
            " %(fixed_labels)s %(has)s one value in each group, and may be why.",
            fixed_labels=listed(fixed_labels),
            has=has,
        )
    return PartCard(
        key="group",
        name=name,
        answer=answer,
        control=_(
            "Rows dealt out at random: %(chance)s, of so many units at most %(bar)s.",
            chance=two_digits(chance),
            bar=two_digits(bar),
        ),
        units=[_shared(share, one, several, share > bar, exact) for share, one in dense[:SHOWN]],
        stands=FOLLOWED if passing else NOT,
        chance=100 * bar,
        limit=limit,
    )


def _shared(share: float, one: Spell, several: bool, holds: bool, exact: bool) -> PartUnit:
    at = round(100 * share, 1)
    return PartUnit(one.slug, one.place, _name(one, several), shared_words(share, exact), at, at, at, holds)


# --- order: what rises or falls within groups -----------------------------------------------------


def drifts(one: Drift, groups: int, tried: int) -> bool:
    """Whether the interval, made wide enough for so many units, leaves 0 out."""
    freedom = min(ORDER_BLOCKS, groups) - 1
    wider = t_quantile(1 - ERROR / 2 / max(1, tried), freedom) / t_quantile(0.975, freedom)
    value, low, high = (math.atanh(max(-0.999999, min(0.999999, each))) for each in (one.value, one.low, one.high))
    half = max(value - low, high - value) * wider
    return abs(value) > half


def _order(session: Session, run: RunInfo, roles: dict[str, str], several: bool) -> PartCard | None:
    found = queries.drifts(session, run)
    dense = sorted((one for one in found if one.dense), key=lambda one: -abs(one.value))
    if not dense:
        return None
    held = {(one.slug, one.place): drifts(one, run.documents, len(dense)) for one in found}
    passing, controls, of_controls = _passing([(held[one.slug, one.place], one.dense) for one in found])
    dense.sort(key=lambda one: not held[one.slug, one.place])
    name, best = roles["order"], dense[0]
    inside = _("within each %(group)s", group=roles["group"]) if "group" in roles else _("within stretches of the rows")
    weak = all(abs(one.value) < DRIFT for one in found if one.dense and held[one.slug, one.place])
    if passing:
        verb, slightly = _("rises or falls") if passing == 1 else _("rise or fall"), " slightly" if weak else ""
        answer = _(
            "%(passing)s of %(dense)s %(verb)s%(slightly)s with it %(inside)s%(of_controls)s. Most:"
            " %(several)s, %(best)s.",
            passing=count(passing),
            dense=units_of(len(dense)),
            verb=verb,
            slightly=slightly,
            inside=inside,
            of_controls=_sparse(controls, of_controls),
            several=_name(best, several),
            best=_rho(best),
        )
    else:
        answer = _("None of %(dense)s rises or falls with it %(inside)s.", dense=units_of(len(dense)), inside=inside)
    return PartCard(
        key="order",
        name=name,
        answer=answer,
        control=_(
            "Counted where 0 stays outside the interval, made wide enough for %(dense)s.", dense=units_of(len(dense))
        ),
        units=[_drifting(one, several, held[one.slug, one.place]) for one in dense[:SHOWN]],
        stands=(MEANS if weak else FOLLOWED) if passing else NOT,
        chance=50.0,
        limit=_("Labels that change with it may be why; each was tested with the order held fixed."),
    )


def _drifting(one: Drift, several: bool, holds: bool) -> PartUnit:
    at, low, high = (round(50 + 50 * each, 1) for each in (one.value, one.low, one.high))
    return PartUnit(one.slug, one.place, _name(one, several), _rho(one), at, low, high, holds)


# --- what both need -------------------------------------------------------------------------------


def t_quantile(share: float, freedom: int) -> float:
    """Of Student's t, by Cornish and Fisher's expansion: within 0.1 % from 20 degrees on, 5 % at four."""
    if freedom < 1:
        return math.inf
    z, v = NormalDist().inv_cdf(share), freedom
    made = z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    return made + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)


def _chi_square_ratio(share: float, freedom: int) -> float:
    """Quantile of chi² over its degrees of freedom, by Wilson and Hilferty."""
    part = 2 / (9 * max(1, freedom))
    return float((1 - part + NormalDist().inv_cdf(share) * math.sqrt(part)) ** 3)


def _passing(found: list[tuple[bool, bool]]) -> tuple[int, int, int]:
    """Dense ones that pass, controls that pass, controls: of (passes, is dense)."""
    controls = [holds for holds, dense in found if not dense]
    return sum(holds for holds, dense in found if dense), sum(controls), len(controls)


def _sparse(passing: int, of: int) -> str:
    return _(", %(none)s of %(of)s sparse ones", none=count(passing) if passing else "none", of=count(of)) if of else ""


def _name(one: Spell | Drift, several: bool) -> str:
    return f"{one.slug.split('/')[-1]}/{one.place}" if several else latent_name(one.layer, one.place)


def _rho(one: Drift) -> str:
    plus = "+" if one.value > 0 else ""
    return _(
        "ρ %(plus)s%(value)s (%(low)s to %(high)s)",
        plus=plus,
        value=fixed(one.value),
        low=fixed(one.low),
        high=fixed(one.high),
    )


def shared_words(share: float, exact: bool) -> str:
    """A share; where it was worked out from an interval of fewer parts than there are groups, it is about so much."""
    if exact:
        return two_digits(share)
    percents = 100 * share
    return _("about %(percents)s\u202f%%", percents=number(round(percents, -1) if percents >= 10 else percents, 1))


def two_digits(share: float) -> str:
    """As percent, with two significant digits: it is an estimate."""
    return f"{number(100 * share, 2)}\u202f%"
