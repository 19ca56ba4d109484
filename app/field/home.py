"""The entry: does anything follow my labels? Each label with the units that follow it, and what they predict."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.field import queries
from app.field.plots import density_figure
from app.field.queries import Power
from app.field.sentences import CONFOUNDED, MEASURES, SETS, adds, answer, effect_words, held_by, outcome, power_words
from app.labels import queries as labels
from app.labels.associations import MeanRow, association_row
from app.labels.queries import AssociationInfo, LabelInfo
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.figures import Figure
from app.shared.links import link
from app.shared.page import RunPage
from store.vocabulary import YES

SHOWN = 6
"""Units of a label."""


@dataclass(frozen=True)
class PowerRow:
    """What one set of columns predicts of a label, on a scale of 0 to 100."""

    title: str
    layer: str
    at: float
    low: float
    high: float
    chance: float | None
    words: str


@dataclass(frozen=True)
class UnitRow:
    """A unit that a label was held against."""

    found: AssociationInfo
    name: str
    effect: str
    conditional: float | None
    held_out: float | None
    outcome: str
    holds: bool


@dataclass(frozen=True)
class LabelCard:
    """A label and what follows it."""

    label: LabelInfo
    answer: str
    adds: str
    powers: list[PowerRow]
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
    runs: list[RunInfo]
    """All complete runs, newest first."""
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
    units: bool
    """The columns are the units: no SAE was given."""


def field_home(session: Session, run: RunInfo, _pin: str) -> FieldHome:
    """The page of a run."""
    return _page(session, run, "home")


def field_labels(session: Session, run: RunInfo) -> FieldHome:
    """The same, as the page of labels: they are what it is about."""
    return _page(session, run, "labels")


def _page(session: Session, run: RunInfo, nav: str) -> FieldHome:
    found = saes.list_saes(session, run)
    strongest, powers = labels.strongest(session, run), queries.powers(session, run)
    counts = labels.counts_by_sae(session, run)
    cards = [
        _card(one, strongest.get(one.name, []), sum(counts.get(one.name, {}).values()), found, powers)
        for one in labels.list_labels(session, run)
    ]
    return FieldHome(
        title="Does anything follow my labels?",
        nav=nav,
        run=run,
        runs=runs.list_runs(session),
        saes=found,
        cards=sorted(cards, key=lambda card: (card.best is None, bool(card.label.reason))),
        curve=density_figure(saes.density_curve(session, run), found),
        checks=[text for check in queries.checks(session, run) if (text := str(check.get("words") or ""))],
        followed=sum(card.best is not None for card in cards),
        units=all(sae.architecture == "units" for sae in found),
    )


def _card(
    label: LabelInfo, found: list[AssociationInfo], holding: int, saes: list[SaeInfo],
    powers: dict[tuple[str, str], list[Power]],
) -> LabelCard:  # fmt: skip
    confounded = [one for one in found if one.statement.get("code") == CONFOUNDED]
    best = next((one for one in found if one.verdict == YES), None)
    shown = best or (found[0] if found else None)
    row = association_row(shown) if shown else None
    rows = _powers(label, saes, powers)
    of_label = [power for (_slug, name), sets in powers.items() if name == label.name for power in sets]
    by = held_by(confounded[0]) if confounded else ""
    return LabelCard(
        label=label,
        answer=answer(label, holding, len(confounded), by, best),
        adds=adds(of_label) if len(saes) == 1 else "",
        powers=rows,
        measure=next((MEASURES.get(power.measure, power.measure) for power in of_label), ""),
        units=[_unit(one) for one in found[:SHOWN]],
        best=None if best is None else _unit(best),
        means=row.means if row else [],
        zero=row.zero if row else 0.0,
        others=link("/latents", {"label": label.name}),
        confounds=[confound.words for confound in label.confounds],
    )


def _unit(found: AssociationInfo) -> UnitRow:
    name = f"{found.slug.split('/')[-1]}/{found.index}"
    said = outcome(found)
    return UnitRow(found, name, effect_words(found), found.conditional, found.held_out, said, found.verdict == YES)


def _powers(
    label: LabelInfo, saes: list[SaeInfo], powers: dict[tuple[str, str], list[Power]]
) -> list[PowerRow]:
    made = []
    for sae in saes:
        for power in powers.get((sae.slug, label.name), []):
            if power.value is None:
                continue
            layer = sae.slug.split("/")[-1] if len(saes) > 1 else ""
            unit = f", {power.unit}" if power.unit is not None else ""
            made.append(
                PowerRow(
                    SETS.get(power.of, power.of) + unit, layer, _scaled(power.value),
                    _scaled(power.value if power.low is None else power.low),
                    _scaled(power.value if power.high is None else power.high),
                    None if power.chance is None else _scaled(power.chance), power_words(power),
                )
            )  # fmt: skip
    return made


def _scaled(value: float) -> float:
    """Of a measure whose best is 1."""
    return round(100 * min(1.0, max(0.0, value)), 1)
