"""What the units of one matrix follow: labels, the order of the rows, their places, and all columns together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.field.columns import Column
from analysis.field.divide import Divided, Source, divide, together
from analysis.field.halves import halves
from analysis.field.labels.associate import UNITS, associate
from analysis.field.labels.columns import FieldColumn, usable
from analysis.field.labels.grouping import dense, grouping
from analysis.field.labels.position import SIDE, MapProfile, map_profile, order_profile
from analysis.field.labels.predict import MOST_COLUMNS, ColumnSet, Later, Power, predict
from analysis.field.labels.profile import part_means
from analysis.field.labels.statements import FieldAssociation
from analysis.field.measure import Measured, activations
from analysis.field.needs import by_head, by_labels
from analysis.field.reading import GROUP, ORDER, Field
from analysis.field.units import Units
from analysis.labels.columns import LabelColumn
from analysis.labels.confounds import confounds
from analysis.run.rows.labels import association_row, label_row
from analysis.run.rows.plain import Row, number, plain
from analysis.statistics.density import Density
from store.arrays import pack
from store.vocabulary import NO

MOST_LABELS = 40
COPY = 0.999
"""|Spearman|, |2 AUC - 1| or eta² from which on a unit is taken for a copy of the label."""
LEAK = "leak"
PARTS = 20
"""Of the order of the rows, equally long."""
_NAME, _VALUE = 120, 200  # characters


class Found(NamedTuple):
    """What one matrix has to do with the table."""

    labels: list[Row]
    latents: list[int]
    associations: list[list[FieldAssociation]]
    """One for each detail unit, of each label."""
    profiles: list[Row]
    power: dict[str, list[Row]]
    """By label: what each set of columns predicts."""
    divided: Divided | None

    def rows(self, labels: list[int]) -> Iterator[Row]:
        """Rows of `Association`, without the analysis."""
        for label, column in zip(labels, self.associations, strict=True):
            for index, found in zip(self.latents, column, strict=False):  # none at all of a column that was refused
                yield association_row(found) | {"index": index, "label_id": label}


def follow(field: Field, one: Measured) -> Found:
    """Hold the table against the units with detail, on the sample of rows."""
    latents, sample = one.panel.plan.latents, _Sample(field, one)
    columns = sample.columns
    names = {"group_name": _called(field, GROUP, "row"), "order_name": _called(field, ORDER, "order")}
    found = associate(sample.acts, columns, sample.group, sample.order, field.config.seed, **names) if columns else []
    sample.copies = _copies(one, columns, found)
    found = [_without_copies(of, sample.copies.get(column.name, [])) for column, of in zip(columns, found, strict=True)]
    profiles = [*_order(field, sample, latents), *_map(field, sample, latents)]
    divided = sample.divided() if columns else None
    profiles += _halves(field, sample, latents, columns, found)
    profiles += _needed(field, one, sample, latents, columns, found)
    if divided is not None:
        profiles += _divided_rows(divided, latents, sample.sparse)
    return Found(
        [sample.label_row(column) for column in columns], latents.tolist(), found, profiles,
        {column.name: [_power_row(power, sample) for power in sample.predicted(column)] for column in columns}, divided,
    )  # fmt: skip


def _copies(one: Measured, columns: list[FieldColumn], found: list[list[FieldAssociation]]) -> dict[str, list[int]]:
    """By label: places of the units that are copies of it. An SAE's latents were made from columns, and are none."""
    if not isinstance(one.sae, Units):
        return {}
    return {
        column.name: [place for place, each in enumerate(of) if _is_copy(column.measure, each.effect)]
        for column, of in zip(columns, found, strict=True)
    }


def _is_copy(measure: str, effect: float) -> bool:
    size = {"spearman": abs(effect), "auc": abs(2 * effect - 1)}.get(measure, effect)
    return size >= COPY


def _without_copies(found: list[FieldAssociation], copies: list[int]) -> list[FieldAssociation]:
    """A copy follows nothing: what it says of its label was put into it."""
    made = list(found)
    for place in copies:
        made[place] = made[place]._replace(verdict=NO, statement=made[place].statement | {"code": LEAK})
    return made


def _called(field: Field, role: str, otherwise: str) -> str:
    column = field.of(role)
    return otherwise if column is None else column.name


class _Sample:
    """The rows that labels are held against, with the activations of the units with detail [n, m]."""

    def __init__(self, field: Field, one: Measured) -> None:
        self.field, self.one, self.row = field, one, one.row
        self.acts = activations(one.sae, one.x, one.panel.plan.latents)
        self.group = dense(field.places.group[one.row])
        self.order = None if field.order is None else torch.from_numpy(field.order)[one.row]
        self.columns = [_column(each, one.row) for each in field.labels[:MOST_LABELS]]
        density = one.panel[Density].summarise().density
        is_dense = density > field.config.dense_threshold
        self.dense = is_dense[one.panel.plan.latents]  # [m] bool
        self.sparse = ~self.dense
        rare = torch.nonzero(~is_dense & (density > 0)).flatten()
        self.rare = rare[density[rare].argsort(descending=True, stable=True)[:MOST_COLUMNS]].sort().values
        parts = [(c.name, c.kind, *_known(c)) for c in self.columns]
        self.confounds = confounds(parts)
        self.copies: dict[str, list[int]] = {}
        """By label: places of the units that are copies of it."""
        self.leaked: dict[str, list[int]] = {}
        """By label: columns of the matrix that are."""
        for said in field.found:
            if said.get("code") == LEAK and said.get("matrix") == one.matrix.name:
                self.leaked.setdefault(str(said["label"]), []).append(int(said["unit"]))
        self.shown = one.panel.plan.latents
        """The units that the best one is chosen from."""

    def label_row(self, column: FieldColumn) -> Row:
        """A row of `Label`."""
        use = usable(column, self.group)
        known = column.values[column.values.isfinite()].long() if column.kind == "category" else torch.empty(0).long()
        groups = [
            {"value": str(column.levels[place])[:_VALUE], "documents": int(count)}
            for place, count in enumerate(torch.bincount(known).tolist())
            if count
        ]
        nothing = torch.empty(0, dtype=torch.int64)
        whole = next(each for each in self.field.labels if each.name == column.name)
        return label_row(
            LabelColumn(
                column.name[:_NAME], column.kind, "row", column.measure, int((~whole.missing).sum()),
                sorted(groups, key=lambda group: -int(str(group["documents"]))), use.reason,
                self.confounds.get(column.name, []), nothing, nothing.double(), nothing.view(0, 3),
            )
        )  # fmt: skip

    def predicted(self, column: FieldColumn) -> list[Power]:
        """From the best dense unit, all dense ones, all sparse ones, and the matrix itself."""
        own = self.dense.clone()
        own[self.copies.get(column.name, [])] = False
        self.shown = self.one.panel.plan.latents[own]
        raw = torch.ones(self.one.x.shape[1], dtype=torch.bool)
        raw[self.leaked.get(column.name, [])] = False
        mine = self._later(int(own.sum()), lambda rows: self.acts[rows][:, own])
        sets = [ColumnSet("best", mine, single=True), ColumnSet("dense", mine)] if len(self.shown) else []
        if len(self.rare):
            sparse = self._later(len(self.rare), lambda rows: activations(self.one.sae, self.one.x[rows], self.rare))
            sets.append(ColumnSet("sparse", sparse))
        sets.append(ColumnSet("raw", self._later(int(raw.sum()), lambda rows: self.one.x[rows][:, raw])))
        return predict(sets, column, self.group, self.field.config.seed)

    def _later(self, columns: int, of: Callable[[Tensor], Tensor]) -> Later:
        return Later((len(self.row), columns), of)

    def divided(self) -> Divided:
        """Among the labels, and the order where there is one."""
        sources = [Source(column.name, column.kind, column.values) for column in self.columns]
        if self.order is not None:
            sources.append(Source(_called(self.field, ORDER, "order"), "number", self.order))
        block = grouping(self.group).block
        return together([divide(some, sources, self.group, block) for some in self.acts.split(UNITS, dim=1)])  # type: ignore[no-untyped-call]


def _column(column: Column, row: Tensor) -> FieldColumn:
    """On the rows of the sample, as floats with NaN where missing."""
    values = np.asarray(column.values)[row.numpy()].astype(np.float64)
    values[column.missing[row.numpy()]] = np.nan
    return FieldColumn(column.name, column.kind, torch.from_numpy(values), column.levels)


def _known(column: FieldColumn) -> tuple[Tensor, Tensor]:
    known = torch.nonzero(column.values.isfinite()).flatten()
    return known, column.values[known]


def _order(field: Field, sample: _Sample, latents: Tensor) -> Iterator[Row]:
    """Mean activation over the order of the rows, in equally long parts, with its interval over groups."""
    if sample.order is None:
        return
    low, high = float(sample.order.min()), float(sample.order.max())
    if high <= low:
        return
    edges = torch.linspace(low, high, PARTS + 1, dtype=torch.float64)
    part = torch.searchsorted(edges[1:-1], sample.order, right=True)
    units = grouping(sample.group)
    parts = [part_means(some.T.contiguous().double(), part, units) for some in sample.acts.split(UNITS, dim=1)]  # type: ignore[no-untyped-call]
    mean, least, most = (torch.cat(each) for each in zip(*parts, strict=True))
    within = order_profile(sample.acts, sample.group, sample.order)
    for place, index in enumerate(latents.tolist()):
        lines = torch.full((3, PARTS), torch.nan, dtype=torch.float64)
        lines[:, : mean.shape[1]] = torch.stack([mean[place], least[place], most[place]])
        one = within[place]
        data: Row = {"column": _called(field, ORDER, "order"), "edges": [number(edge) for edge in edges.tolist()]}
        data |= {"within": number(one.spearman, 4), "low": number(one.low, 4), "high": number(one.high, 4)}
        yield {"index": index, "name": "order", "data": data, "values": pack(lines, "f4")}


def _halves(
    field: Field, sample: _Sample, latents: Tensor, columns: list[FieldColumn], found: list[list[FieldAssociation]]
) -> Iterator[Row]:
    """What each unit does in two halves of the groups."""
    threshold, seed = field.config.dense_threshold, field.config.seed
    made = halves(sample.acts, columns, sample.group, sample.order, found, sample.sparse, threshold, seed)
    for index, data in zip(latents.tolist(), made, strict=False):  # none at all of too few groups
        yield {"index": index, "name": "halves", "data": data, "values": None}


def _needed(
    field: Field, one: Measured, sample: _Sample, latents: Tensor, columns: list[FieldColumn],
    found: list[list[FieldAssociation]],
) -> Iterator[Row]:  # fmt: skip
    """Whether each unit is needed: by the head, and by what predicts the labels that it follows."""
    made: dict[int, dict[str, Any]] = {}
    for place, row in by_labels(sample.acts, columns, sample.group, found, sample.dense, sample.copies):
        made.setdefault(place, {"labels": []})["labels"].append(row)
    if field.config.head:
        label = next(column for column in field.labels if column.name == field.config.head_label)
        for place, row in by_head(one, field.config.head, label, sample.group):
            made.setdefault(place, {"labels": []})["head"] = row
    for place, data in sorted(made.items()):
        yield {"index": int(latents[place]), "name": "needed", "data": data, "values": None}


def _map(field: Field, sample: _Sample, latents: Tensor) -> Iterator[Row]:
    """Mean activation over two coordinates, in standard deviations."""
    x, y = field.of("x"), field.of("y")
    if x is None or y is None:
        return
    row = sample.row.numpy()
    across, up = (torch.from_numpy(np.asarray(each.values, dtype=np.float64)[row]) for each in (x, y))
    for index, found in zip(latents.tolist(), map_profile(sample.acts, across, up, sample.group), strict=True):
        yield _map_row(index, found, (x.name, y.name))


def _map_row(index: int, found: MapProfile, names: tuple[str, str]) -> Row:
    left, right, bottom, top = found.edges
    data: Row = {
        "names": list(names),
        "x": _centres(left, right),
        "y": _centres(bottom, top),
        "share": number(found.share, 4),
        "chance": number(found.chance, 4),
        "held_out": number(found.held_out, 4),
    }
    cells = torch.tensor([[torch.nan if cell is None else cell for cell in line] for line in found.means])
    return {"index": index, "name": "map", "data": data, "values": pack(cells, "f4")}


def _centres(low: float, high: float) -> list[float | None]:
    wide = (high - low) / SIDE
    return [number(low + (place + 0.5) * wide, 5) for place in range(SIDE)]


def _divided_rows(found: Divided, latents: Tensor, sparse: Tensor) -> Iterator[Row]:
    """The shares of each unit, beside the medians of sparse ones."""
    beside = (
        found.average[:, sparse].nanmedian(1).values
        if bool(sparse.any())
        else found.average.new_full((len(found.names),), torch.nan)
    )
    for place, index in enumerate(latents.tolist()):
        sources = [
            {
                "name": name,
                "alone": number(float(found.alone[at, place]), 4),
                "added": number(float(found.added[at, place]), 4),
                "average": number(float(found.average[at, place]), 4),
                "control": number(float(beside[at]), 4),
            }
            for at, name in enumerate(found.names)
        ]
        data: dict[str, Any] = {
            name: number(float(getattr(found, name)[place]), 4) for name in ("total", "low", "high")
        }
        data["sources"] = sources
        yield {"index": index, "name": "divided", "data": data, "values": None}


def _power_row(found: Power, sample: _Sample) -> Row:
    """As `Analysis.summary` has it."""
    unit: int | None = None
    if found.name == "best" and found.chosen:
        most = max(set(found.chosen), key=found.chosen.count)
        unit = int(sample.shown[most])
    numbers = {name: number(getattr(found, name), 4) for name in ("value", "low", "high", "chance", "chance_high", "p")}
    more: dict[str, Any] = {"set": found.name, "measure": found.measure, "columns": found.columns, "rows": found.rows}
    return numbers | more | {"groups": found.groups, "unit": unit, "reason": plain(found.reason)}
