"""Latents by labels: how far each of the strongest goes with every label, not with its own alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.classes.groups import title_of
from app.labels.queries import AssociationInfo, LabelInfo, strength_of
from app.runs.queries import RunInfo
from app.shared.links import latent_at, latent_name
from app.shared.numbers import fixed
from app.shared.record import Key
from store.tables import Association, Label
from store.vocabulary import UNMEASURED, YES

MOST_ROWS, MOST_COLUMNS, OF_EACH = 16, 12, 4
SHADES = 5


@dataclass(frozen=True)
class Cell:
    """One latent against one label."""

    label: str
    value: str
    """What is left of the effect without words and position; empty where it was not measured."""
    shade: int
    """0 to SHADES: how far it is from none."""
    holds: bool


@dataclass(frozen=True)
class HeatRow:
    """One latent."""

    name: str
    href: str
    group: str
    """Its class, or what stands for several or none."""
    title: str
    cells: list[Cell]


@dataclass(frozen=True)
class HeatMap:
    """The strongest latents of each label against all labels."""

    labels: list[str]
    rows: list[HeatRow]


def heat_map(
    session: Session, run: RunInfo, labels: Sequence[LabelInfo], strongest: Mapping[str, Sequence[AssociationInfo]]
) -> HeatMap:
    """Two queries: all labels of the chosen latents, and what classes they have."""
    shown = [label for label in labels if not label.reason and strongest.get(label.name)][:MOST_COLUMNS]
    keys = _keys(run, [strongest[label.name] for label in shown])
    if not keys:
        return HeatMap([], [])
    found = _cells(session, [key for key, _latent in keys])
    groups = classes.groups_of(session, run)
    return HeatMap(
        [label.name for label in shown],
        [
            HeatRow(
                latent_name(latent.layer, latent.index), latent_at(latent.slug, latent.index),
                groups.get(key, UNMEASURED), title_of(groups.get(key, UNMEASURED)),
                [found.get((*key, label.name)) or Cell(label.name, "", 0, False) for label in shown],
            )
            for key, latent in keys
        ],
    )  # fmt: skip


def _keys(run: RunInfo, by_label: Sequence[Sequence[AssociationInfo]]) -> list[tuple[Key, AssociationInfo]]:
    """The strongest that follow each label, label by label, each once."""
    analyses = {held.slug: held.id for held in run.held}
    chosen: dict[Key, AssociationInfo] = {}
    for found in by_label:
        for latent in [one for one in found if one.verdict == YES][:OF_EACH]:
            chosen.setdefault((analyses[latent.slug], latent.index), latent)
    return list(chosen.items())[:MOST_ROWS]


def _cells(session: Session, keys: Sequence[Key]) -> dict[tuple[int, int, str], Cell]:
    statement = (
        select(Association.analysis_id, Association.index, Association.verdict, Association.conditional, Label)
        .join(Label, Label.id == Association.label_id)
        .where(tuple_(Association.analysis_id, Association.index).in_(keys), Association.verdict != UNMEASURED)
    )
    return {
        (analysis, index, label.name): _cell(label, verdict, conditional)
        for analysis, index, verdict, conditional, label in session.execute(statement)
    }


def _cell(label: Label, verdict: str, conditional: float | None) -> Cell:
    size = 0.0 if conditional is None else strength_of(label.measure, conditional)
    plus = "+" if label.measure == "spearman" and (conditional or 0) > 0 else ""
    value = "" if conditional is None else f"{plus}{fixed(conditional)}"
    return Cell(label.name, value, min(SHADES, round(SHADES * size)), verdict == YES)
