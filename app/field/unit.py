"""The page of one unit: how often it is on, where, what it follows, and the rows on which it is strongest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from app.annotations.panel import AnnotationPanel, annotation_panel
from app.field import needs, queries
from app.field.examples import RowGroup, examples
from app.field.needs import NeedRow
from app.field.parts import BLOCKS, DRIFT, between_groups, shared_words, two_digits
from app.field.plots import activation_figure, course_figure, map_figure
from app.field.queries import GroupDensity, Power, Spell
from app.field.sentences import bin_words, effect_words, held_by, outcome, unpredicted, untold_from
from app.labels.associations import AssociationRow, association_row
from app.labels.queries import AssociationInfo
from app.latents.facts import Fact
from app.latents.profiles import Companion, Company
from app.latents.record import LatentRecord
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.figures import Figure
from app.shared.language import _
from app.shared.numbers import count, fixed, interval, number, percent
from app.shared.page import RunPage
from app.shared.statements import listed
from app.shared.stored import items
from store.vocabulary import YES


@dataclass(frozen=True)
class GroupRow:
    """A group and how often the unit is on in it."""

    value: str
    density: str
    length: float
    rows: str


@dataclass(frozen=True)
class LabelRow:
    """A label and this unit."""

    row: AssociationRow
    effect: str
    outcome: str
    holds: bool
    means: bool
    """It holds of means alone: in groups kept out nothing predicts the label."""


@dataclass(frozen=True)
class SourceRow:
    """A column of the table and its share of the variance."""

    name: str
    length: float
    average: str
    alone: str
    control: str


@dataclass(frozen=True)
class Beside:
    """Another unit whose activations go with this one's."""

    index: int
    density: str
    correlation: str
    left: float
    width: float
    side: str


@dataclass(frozen=True)
class UnitPage(RunPage):
    """One unit of a run of rows."""

    template = "field/unit.html"
    sae: SaeInfo
    """Its matrix, or the SAE on it."""
    record: LatentRecord
    """The unit as the store has it."""
    called: str
    """What the pages call it: unit, or latent of an SAE."""
    facts: list[Fact]
    """Numbers at the head."""
    answer: str
    """Which labels it follows, in a sentence."""
    histogram: Figure | None
    """Rows by activation, where it is on."""
    histogram_words: str
    """The same in words."""
    groups: list[GroupRow]
    """How often it is on in each group, the most first."""
    groups_words: str
    """The same in a sentence."""
    course: Figure | None
    """Mean activation over the order of the rows; None without one."""
    course_words: str
    """How it goes with the order."""
    places: Figure | None
    """Mean activation over two coordinates; None without them."""
    places_words: str
    """How much the place says."""
    labels: list[LabelRow]
    """Each label, those that it follows first."""
    halves: str
    """Whether two halves of the groups say the same, in a line; empty of too few groups."""
    needed: list[NeedRow]
    """Whether the head, and the prediction of its labels, need it."""
    divided: list[SourceRow]
    """Columns, the largest share first."""
    divided_words: str
    """What all columns say, in a sentence."""
    beside: list[Beside]
    """Units whose activations go with it."""
    beside_words: str
    """What the correlations are of."""
    examples: list[RowGroup]
    """Rows by kind."""
    annotation: AnnotationPanel
    """What people say of it."""
    summary: str
    """The page in a sentence, for previews."""


def unit_page(run: RunInfo, record: LatentRecord, pin: str, whole: bool = True) -> UnitPage:
    """The page of one unit; all of it at once."""
    session, latent, sae = record.session, record.latent, record.sae
    rows = queries.profile_rows(session, sae.analysis_id, latent.index)
    facts_of_groups, groups = queries.group_densities(rows)
    course, places = queries.course(rows, "order"), queries.heat_map(rows)
    found = record.associations
    called = "unit" if sae.architecture == "units" else "latent"
    untold = _unpredicted(session, run)
    answer = _answer(called, found, course, untold)
    spreads = {spread.name: spread for spread in queries.spreads(session, run)}
    return UnitPage(
        title=f"{called} {latent.index} · {sae.slug}",
        nav="latents",
        run=run,
        sae=sae,
        record=record,
        called=called,
        facts=_facts(record),
        answer=answer,
        histogram=activation_figure(record.profiles.histogram) if record.profiles.histogram else None,
        histogram_words=_histogram_words(latent.density, latent.max, run.tokens),
        groups=[_group(group) for group in groups],
        groups_words=_groups_words(facts_of_groups, groups, _shared(record, run)),
        course=None if course is None else course_figure(course, str(course.facts.get("column") or "order")),
        course_words=_course_words(course),
        places=None
        if places is None
        else map_figure(places, str(places.facts["names"][0]), str(places.facts["names"][1])),
        places_words="" if places is None else _places_words(places.facts),
        labels=[_label_row(one, one.label.name in untold) for one in found],
        halves=needs.halves_words(rows, called, queries.roles(session, run).get("group", "group")),
        needed=needs.need_rows(rows, called),
        divided=_divided(rows),
        divided_words=_divided_words(rows, called),
        beside=_beside(record.profiles.company),
        beside_words=_beside_words(record.profiles.company),
        examples=examples(
            queries.examples(session, sae.analysis_id, latent.index), spreads, queries.roles(session, run)
        ),
        annotation=annotation_panel(session, run, sae, record.subject, pin, latest=record.said),
        summary=_(
            "On in %(density)s of %(tokens)s rows. %(answer)s",
            density=percent(latent.density),
            tokens=count(run.tokens),
            answer=answer,
        ),
    )


def _readable(row: AssociationRow) -> AssociationRow:
    """With ends of bins in two digits."""
    return replace(row, means=[replace(mean, value=bin_words(mean.value)) for mean in row.means])


def _unpredicted(session: Session, run: RunInfo) -> set[str]:
    """Labels that units predict no better than shuffled labels let them."""
    of: dict[str, list[Power]] = {}
    for (_slug, label), powers in queries.powers(session, run).items():
        of.setdefault(label, []).extend(powers)
    return {label for label, powers in of.items() if unpredicted(powers)}


def _label_row(one: AssociationInfo, means: bool) -> LabelRow:
    holds = one.verdict == YES
    said = _("on average only: in groups kept out nothing predicts it") if holds and means else outcome(one)
    return LabelRow(_readable(association_row(one)), effect_words(one), said, holds, holds and means)


def _answer(called: str, found: Sequence[AssociationInfo], course: queries.Course | None, untold: set[str]) -> str:
    held = [one.label.name for one in found if one.verdict == YES and one.label.name not in untold]
    means = [one.label.name for one in found if one.verdict == YES and one.label.name in untold]
    through, apart = (_by_column(found, of) for of in (held_by, untold_from))
    made = [_("It follows %(value)s.", value=listed(held))] if held else []
    made += (
        [_("Its mean differs with %(means)s, which nothing predicts in groups kept out.", means=listed(means))]
        if means
        else []
    )
    made += [
        _("It goes with %(names)s only through %(by)s.", names=listed(names), by=by) for by, names in through.items()
    ]
    made += [
        _("It goes with %(names)s, which cannot be told from %(by)s here.", names=listed(names), by=by)
        for by, names in apart.items()
    ]
    within = 0.0 if course is None else course.facts.get("within") or 0.0
    if course is not None and abs(within) >= DRIFT:
        made.append(
            _(
                "It %(falls)s with %(order)s.",
                falls="rises" if within > 0 else "falls",
                order=course.facts.get("column") or "the order",
            )
        )
    if not made and found:
        made.append(_("No label goes with this %(called)s.", called=called))
    return " ".join(made)


def _by_column(found: Sequence[AssociationInfo], column_of: Callable[[AssociationInfo], str]) -> dict[str, list[str]]:
    """Names of labels by the column that is said of them."""
    made: dict[str, list[str]] = {}
    for one in found:
        if by := column_of(one):
            made.setdefault(by, []).append(one.label.name)
    return made


def _facts(record: LatentRecord) -> list[Fact]:
    latent = record.latent
    sd = "" if latent.std is None else f"sd {number(latent.std)}"
    made = [
        Fact("density", "density", percent(latent.density), interval(latent.density_low, latent.density_high)),
        Fact(_("mean where on"), "mean", number(latent.mean), sd),
        Fact(_("largest activation"), "max", number(latent.max), ""),
        Fact(_("share of all activation"), "mass_share", percent(latent.mass_share), ""),
    ]
    if latent.antipodality is not None:
        made.append(Fact("antipodality", "antipodality", fixed(latent.antipodality), _("1: a mirror image is there")))
    return made


def _histogram_words(density: float, most: float | None, rows: int) -> str:
    if density == 0:
        return _("It is never on.")
    return _(
        "%(rows)s rows on which it is on, largest activation %(most)s.",
        rows=count(round(density * rows)),
        most=number(most),
    )


def _group(group: GroupDensity) -> GroupRow:
    return GroupRow(group.value, percent(group.density), round(100 * group.density, 1), count(group.rows))


def _shared(record: LatentRecord, run: RunInfo) -> str:
    """What of on or off lies between groups, beside rows that are dealt out at random."""
    latent = record.latent
    if latent.density_low is None or latent.density_high is None or not 1 < run.documents < run.tokens:
        return ""
    counted = queries.shares_between(record.session, run).get((record.sae.slug, latent.index))
    spell = Spell(record.sae.slug, record.sae.layer, latent.index, latent.is_dense, latent.density,
                  latent.density_low, latent.density_high, counted)  # fmt: skip
    share, chance = between_groups(spell, run.documents), (run.documents - 1) / (run.tokens - 1)
    between = shared_words(share, counted is not None or run.documents <= BLOCKS)
    return _(
        " %(between)s of whether it is on lies between them; rows dealt out at random: %(chance)s.",
        between=between,
        chance=two_digits(chance),
    )


def _groups_words(facts: dict[str, Any], groups: list[GroupDensity], shared: str) -> str:
    if not groups:
        return ""
    name, number_of = facts.get("group"), facts.get("groups", len(groups))
    top, least = groups[0], groups[-1]
    if len(groups) == 1:
        return _(
            "On in %(density)s of the rows of %(name)s %(value)s.",
            density=percent(top.density),
            name=name,
            value=top.value,
        )
    return _(
        "On in %(density)s (%(value)s) to %(density2)s (%(value2)s) of a %(name)s's rows, %(number_of)s"
        " in all%(rows)s.%(shared)s",
        density=percent(least.density),
        value=least.value,
        density2=percent(top.density),
        value2=top.value,
        name=name,
        number_of=count(number_of),
        rows="" if facts.get("exact") else "; of a sample of rows",
        shared=shared,
    )


def _course_words(course: queries.Course | None) -> str:
    within = None if course is None else course.facts.get("within")
    return "" if within is None else _("Rank correlation with it within groups %(within)s.", within=fixed(within))


def _places_words(facts: dict[str, Any]) -> str:
    share = facts.get("held_out", facts.get("share"))
    return (
        ""
        if share is None
        else _("The place predicts %(max)s of its variance in groups kept out.", max=percent(max(0.0, share)))
    )


def _divided(rows: dict[str, tuple[Any, bytes | None]]) -> list[SourceRow]:
    held = items(rows["divided"][0], "sources") if "divided" in rows else []
    told = sorted((one for one in held if one.get("average") is not None), key=lambda one: -one["average"])
    return [
        SourceRow(
            str(one["name"]), round(100 * max(0.0, one["average"]), 1), _share(one["average"]),
            _share(one["alone"]), _share(one["control"]),
        )
        for one in told
    ]  # fmt: skip


def _share(value: float | None) -> str:
    """What predicts worse than the mean predicts nothing."""
    return percent(None if value is None else max(0.0, value))


def _divided_words(rows: dict[str, tuple[Any, bytes | None]], called: str) -> str:
    data = rows["divided"][0] if "divided" in rows else {}
    total = data.get("total")
    if total is None:
        return ""
    between = "" if data.get("low") is None else f" ({interval(max(0.0, data['low']), max(0.0, data['high']))})"
    return _(
        "The table's columns predict %(total)s%(between)s of this %(called)s's variance.",
        total=percent(max(0.0, total)),
        between=between,
        called=called,
    )


def _beside(company: Company | None) -> list[Beside]:
    if company is None:
        return []
    return [_other(one, "p") for one in company.together[:5]] + [_other(one, "n") for one in company.apart[:3]]


def _other(one: Companion, side: str) -> Beside:
    wide = round(50 * min(1.0, abs(one.correlation)), 1)
    sign = "+" if one.correlation > 0 else ""
    left = 50.0 if one.correlation > 0 else 50 - wide
    return Beside(one.index, percent(one.density), f"{sign}{fixed(one.correlation)}", left, wide, side)


def _beside_words(company: Company | None) -> str:
    if company is None:
        return ""
    return _("Correlation of activations over all rows; chance reaches %(chance)s.", chance=fixed(company.chance))
