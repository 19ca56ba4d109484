"""Rows of the store: whether each unit is needed, by the head that was given and for the labels it follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from analysis.field.columns import Column
from analysis.field.head import read_head
from analysis.field.labels.columns import FieldColumn, usable
from analysis.field.labels.conditional import coded
from analysis.field.labels.grouping import dense, grouping
from analysis.field.labels.predict import subsample
from analysis.field.labels.statements import FieldAssociation
from analysis.field.measure import Measured, activations
from analysis.field.needed import Needed, peers, set_to_mean, without_each
from analysis.field.units import Units
from analysis.run.rows.plain import Row, number
from analysis.statistics.density import Density
from store.vocabulary import YES

MOST = 512
"""Units that predict a label together, those with detail that vary most."""


def by_labels(
    acts: Tensor, columns: Sequence[FieldColumn], group: Tensor, found: Sequence[Sequence[FieldAssociation]],
    dense_ones: Tensor, copies: Mapping[str, list[int]],
) -> Iterator[tuple[int, Row]]:  # fmt: skip
    """Of each unit and label that it follows: its place, and what of the label is lost without it.

    Args:
        acts: [n, m] float32. group: [n] int64.
        found: of each column, what each unit has to do with it.
        dense_ones: [m] bool, which predict together.
        copies: by label, places of the units that are copies of it: these would say all that it says.
    """
    for column, of in zip(columns, found, strict=True):
        own = dense_ones.clone()
        own[copies.get(column.name, [])] = False
        follows = torch.tensor([each.verdict == YES for each in of]) & own
        rows = usable(column, group).rows
        if not bool(follows.any()):
            continue
        rows = subsample(torch.nonzero(rows).flatten())
        y, units = column.values[rows].double(), grouping(group[rows])
        if len(torch.unique(units.fold)) < 5 or len(torch.unique(y)) < 2:
            continue
        which = torch.nonzero(own).flatten()
        x = acts[rows][:, which]
        kept = x.var(0).argsort(descending=True, stable=True)[:MOST].sort().values
        x, which = x[:, kept], which[kept]
        y = dense(y).double() if column.kind == "category" else y
        lost = without_each(
            x, y[None] if column.kind == "number" else coded(column.measure, y), units.fold, units.block
        )
        others = lost.value[~follows[which]]
        control = float(others.quantile(0.95)) if len(others) else float("nan")
        for at, place in enumerate(which.tolist()):
            if follows[place]:
                yield place, _row(column.name, lost, at, control, len(others))


def by_head(one: Measured, path: str, label: Column, group: Tensor) -> Iterator[tuple[int, Row]]:
    """Of each unit with detail: its place, and what the head's loss gains where it is set to its mean.

    Args:
        label: over all rows. group: [n] int64, of the sample.
    """
    head = read_head(path, one.x.shape[1], label)
    known = torch.from_numpy(~label.missing[one.row.numpy()])
    rows = subsample(torch.nonzero(known).flatten())
    x, latents = one.x[rows], one.panel.plan.latents
    y = torch.from_numpy(label.values[one.row[rows].numpy()]).double()
    variance = _variance(one)
    beside = peers(variance, latents, torch.nonzero(variance > 0).flatten())
    every = torch.unique(torch.cat([latents, beside.flatten()]))
    block = grouping(group[rows]).block
    gained = set_to_mean(head, x, _values(one, x, every), _written(one, every), y, label.kind, block)
    place = torch.full((one.sae.n_latents,), -1)
    place[every] = torch.arange(len(every))
    for at, (unit, others) in enumerate(zip(latents.tolist(), beside, strict=True)):
        control = gained.value[place[others]].median()
        yield at, _row(label.name, gained, int(place[unit]), float(control), len(others))


def _row(label: str, of: Needed, at: int, control: float, controls: int) -> Row:
    made: dict[str, Any] = {"label": label, "controls": controls, "whole": number(of.whole, 5)}
    values = {"value": float(of.value[at]), "low": float(of.low[at]), "high": float(of.high[at]), "control": control}
    return made | {name: number(value, 6) for name, value in values.items()}


def _variance(one: Measured) -> Tensor:
    """[N] float64 over all rows, of what each unit writes."""
    density, moments = one.panel[Density].summarise().density, one.panel.columns()
    mean, sd = moments["mean"].double().nan_to_num(), moments["std"].double().nan_to_num()
    variance = density * (sd.square() + mean.square()) - (density * mean).square()
    return variance if isinstance(one.sae, Units) else variance * one.sae.decoder.double().square().sum(1)


def _values(one: Measured, x: Tensor, units: Tensor) -> Tensor:
    return x[:, units] if isinstance(one.sae, Units) else activations(one.sae, x, units)


def _written(one: Measured, units: Tensor) -> Tensor:
    """[m, D]: what each unit writes of one."""
    if not isinstance(one.sae, Units):
        return one.sae.decoder[units].float()
    made = torch.zeros(len(units), one.x.shape[1])
    made[torch.arange(len(units)), units] = 1.0
    return made
