"""What the store has of a run of rows beyond what every run has."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from app.runs.queries import RunInfo
from app.shared.memory import remembered
from app.shared.record import finite
from app.shared.stored import items, one
from store.arrays import unpack
from store.tables import DENSE, Analysis, Corpus, Example, Latent, Profile, Run, Sae
from store.vocabulary import CONTROL, level_of


class Power(NamedTuple):
    """How well a label is predicted in groups that were kept out, from one set of columns."""

    of: str
    """best, dense, sparse or raw"""
    measure: str
    value: float | None
    low: float | None
    high: float | None
    chance: float | None
    columns: int
    unit: int | None
    """The best one, where that is the set."""
    reach: float | None = None
    """What 5 % of shuffled labels exceed."""

    @property
    def beyond(self) -> bool:
        """Whether it predicts more than shuffled labels let it."""
        return self.value is not None and self.reach is not None and self.value > self.reach


class Spread(NamedTuple):
    """A column of numbers of the table, over all rows."""

    name: str
    mean: float
    sd: float


class GroupDensity(NamedTuple):
    """How often a unit is on in one group."""

    value: str
    density: float
    rows: int


class Spell(NamedTuple):
    """How often a unit is on, with its 95 % interval over groups."""

    slug: str
    layer: int
    place: int
    """Its index."""
    dense: bool
    """Else a sparse control."""
    density: float
    low: float
    high: float
    share: float | None = None
    """Of its on or off, what lies between groups, counted over all rows; None of runs before that was counted."""


class Drift(NamedTuple):
    """Rank correlation of a unit with the order within groups, with its 95 % interval over groups."""

    slug: str
    layer: int
    place: int
    """Its index."""
    dense: bool
    value: float
    low: float
    high: float


class Course(NamedTuple):
    """Mean activation over the order of the rows, or over a label's bins."""

    edges: list[float]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    facts: dict[str, Any]


class Map(NamedTuple):
    """Mean activation over two coordinates, row by row from the least y on."""

    x: list[float]
    y: list[float]
    mean: list[list[float | None]]
    facts: dict[str, Any]


class RowExample(NamedTuple):
    """One row, its activation, what the table says of it, and its neighbours."""

    kind: str
    title: str
    row: str
    activation: float
    values: dict[str, Any]
    neighbours: list[float]
    focus: int


def powers(session: Session, run: RunInfo) -> dict[tuple[str, str], list[Power]]:
    """By SAE and label: what each set of columns predicts."""
    return remembered(session, ("powers", run.analyses), lambda: _powers(session, run))


def shares_between(session: Session, run: RunInfo) -> dict[tuple[str, int], float]:
    """By SAE and unit: what of its on or off lies between groups, where that was counted."""
    return remembered(session, ("between", run.analyses), lambda: _shares(session, run))


def _shares(session: Session, run: RunInfo) -> dict[tuple[str, int], float]:
    slugs = {held.id: held.slug for held in run.held}
    found = session.execute(select(Analysis.id, Analysis.summary).where(Analysis.id.in_(run.analyses)))
    return {
        (slugs[analysis], int(unit)): float(share)
        for analysis, summary in found
        for unit, share in ((summary or {}).get("between") or {}).items()
        if share is not None
    }


def _powers(session: Session, run: RunInfo) -> dict[tuple[str, str], list[Power]]:
    slugs = {held.id: held.slug for held in run.held}
    statement = select(Analysis.id, Analysis.summary).where(Analysis.id.in_(run.analyses))
    found = {}
    for analysis, summary in session.execute(statement):
        for label, sets in ((summary or {}).get("power") or {}).items():
            found[slugs[analysis], label] = [_power(item) for item in sets]
    return found


def _power(item: dict[str, Any]) -> Power:
    value, low, high, chance = (one(item, name) for name in ("value", "low", "high", "chance"))
    unit = item.get("unit")
    of, measure, columns = str(item.get("set")), str(item.get("measure")), item.get("columns", 0)
    return Power(of, measure, value, low, high, chance, columns, unit, one(item, "chance_high"))


def checks(session: Session, run: RunInfo) -> list[dict[str, Any]]:
    """What was said of the data before the work, as codes."""
    return list((_report(session, run)).get("checks") or [])


def labels_of_groups(session: Session, run: RunInfo) -> list[str]:
    """Labels that have one value in each group: what goes with the group goes with them."""
    return [
        str(check["label"])
        for check in checks(session, run)
        if check.get("code") == "confounded" and check.get("way") == "group" and check.get("label")
    ]


def spells(session: Session, run: RunInfo) -> list[Spell]:
    """Of dense units and sparse controls, where densities have an interval."""
    return remembered(session, ("spells", run.analyses), lambda: _spells(session, run))


def _spells(session: Session, run: RunInfo) -> list[Spell]:
    known, counted = (Latent.density_low.is_not(None), Latent.density_high.is_not(None)), shares_between(session, run)
    statement = _held(Latent.density, Latent.density_low, Latent.density_high).where(*known, _in(run))
    return [
        Spell(slug, layer, place, bool(dense), density, low, high, counted.get((slug, place)))
        for slug, layer, place, dense, density, low, high in session.execute(statement)
    ]


def drifts(session: Session, run: RunInfo) -> list[Drift]:
    """Of dense units and sparse controls, where rows have an order and enough groups."""
    return remembered(session, ("drifts", run.analyses), lambda: _drifts(session, run))


def _drifts(session: Session, run: RunInfo) -> list[Drift]:
    same = and_(Profile.analysis_id == Latent.analysis_id, Profile.index == Latent.index, Profile.name == "order")
    found = []
    for slug, layer, place, dense, data in session.execute(_held(Profile.data).join(Profile, same).where(_in(run))):
        value, low, high = (one(data, name) for name in ("within", "low", "high"))
        if value is not None and low is not None and high is not None:
            found.append(Drift(slug, layer, place, bool(dense), value, low, high))
    return found


def _held(*values: Any) -> Select[Any]:
    """Dense units and sparse controls, the SAE's slug and layer and the index first."""
    chosen = select(Sae.slug, Sae.layer, Latent.index, Latent.is_dense, *values).select_from(Latent)
    joined = chosen.join(Analysis, Analysis.id == Latent.analysis_id).join(Sae, Sae.id == Analysis.sae_id)
    return joined.order_by(Sae.layer, Sae.slug, Latent.index)


def _in(run: RunInfo) -> ColumnElement[bool]:
    return and_(Latent.analysis_id.in_(run.analyses), or_(DENSE, Latent.detail == CONTROL))


def spreads(session: Session, run: RunInfo) -> list[Spread]:
    """The table's columns of numbers."""
    held = items(_report(session, run), "columns")
    return [Spread(str(item["name"]), item["mean"], item["sd"]) for item in held if item.get("sd")]


def roles(session: Session, run: RunInfo) -> dict[str, str]:
    """Part -> name of the column that has it: group, order, id, text, image, x, y."""
    statement = select(Run.settings).where(Run.id == run.id)
    settings = remembered(session, ("field_settings", run.id), lambda: session.scalar(statement))
    return {str(role): str(name) for role, name in ((settings or {}).get("roles") or {}).items()}


def _report(session: Session, run: RunInfo) -> dict[str, Any]:
    statement = select(Corpus.report).join(Run, Run.corpus_id == Corpus.id).where(Run.id == run.id)
    return remembered(session, ("field_report", run.id), lambda: session.scalar(statement)) or {}


def profile_rows(session: Session, analysis_id: int, index: int) -> dict[str, tuple[Any, bytes | None]]:
    """All profiles of a unit by name, as they are stored."""
    wanted = select(Profile.name, Profile.data, Profile.values)
    found = session.execute(wanted.where(Profile.analysis_id == analysis_id, Profile.index == index))
    return {name: (data, values) for name, data, values in found}


def group_densities(rows: dict[str, tuple[Any, bytes | None]]) -> tuple[dict[str, Any], list[GroupDensity]]:
    """What is said of the groups as a whole, and of each that is told of."""
    data = rows["groups"][0] if "groups" in rows else {}
    told = [
        GroupDensity(str(item["value"]), float(item["density"]), int(item["rows"])) for item in items(data, "items")
    ]
    return data, told


def course(rows: dict[str, tuple[Any, bytes | None]], name: str) -> Course | None:
    """A series with its interval."""
    data, values = rows.get(name, ({}, None))
    if values is None:
        return None
    mean, low, high = ([finite(value) for value in line] for line in unpack(values)[:3])
    return Course(list(data["edges"]), mean, low, high, data)


def heat_map(rows: dict[str, tuple[Any, bytes | None]]) -> Map | None:
    """Over x and y."""
    data, values = rows.get("map", ({}, None))
    if values is None:
        return None
    return Map(data["x"], data["y"], [[finite(value) for value in line] for line in unpack(values)], data)


def examples(session: Session, analysis_id: int, index: int) -> list[RowExample]:
    """Rows of each kind: the strongest, then by level from high to low, on at random, off."""
    statement = select(Example).where(Example.analysis_id == analysis_id, Example.index == index)
    found = session.scalars(statement.order_by(Example.kind, Example.rank)).all()
    made = []
    for each in found:
        acts = unpack(each.activations)
        made.append(
            RowExample(
                each.kind, each.document, str(each.tokens[each.focus]), float(acts[each.focus]), dict(each.labels),
                [float(value) for value in acts], each.focus,
            )
        )  # fmt: skip
    return sorted(made, key=lambda example: (_ORDER.get(example.kind, 1), -level_of(example.kind)[0]))


_ORDER = {"top": 0, "random": 2, "off": 3}
