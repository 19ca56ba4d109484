"""What was measured of one matrix -> rows of the store; the caller adds the ids."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.field import spread
from analysis.field.columns import Column
from analysis.field.follow import Found
from analysis.field.measure import Measured, activations, unexplained
from analysis.field.reading import GROUP, Field
from analysis.field.units import Units
from analysis.reading.corpus import GROUPS
from analysis.run.rows.latents import latent_rows
from analysis.run.rows.pairs import pair_rows
from analysis.run.rows.plain import Row, number, numbers
from analysis.run.rows.profiles import company_rows, histogram_rows, with_gap
from analysis.statistics.cofiring import Cofiring
from analysis.statistics.density import Density
from analysis.statistics.examples import BEFORE, Examples, ExamplesSummary
from analysis.statistics.geometry import columns as weight_columns
from analysis.statistics.histogram import Histogram
from analysis.statistics.joint import Joint
from analysis.statistics.moments import Moments
from analysis.statistics.reconstruction import Reconstruction
from analysis.statistics.top_tokens import TopTokens, TopTokensSummary
from store.arrays import pack

FEWEST = 10
"""Rows of a group, of which its density is told."""
MOST_GROUPS = 12
"""Told of at either end, where there are more than 64."""


class MatrixRows:
    """All rows of one matrix, made as they are asked for."""

    def __init__(self, field: Field, measured: Measured, found: Found) -> None:
        self.field, self.measured, self.found = field, measured, found
        panel, sae = measured.panel, measured.sae
        histogram = with_gap(*panel[Histogram].summarise(), sae.signed)
        self.columns = _columns(measured, found)
        self.latents = latent_rows(self.columns, histogram, _no_tokens(sae.n_latents), panel.plan, [])
        self.profiles = chain(
            histogram_rows(*histogram),
            chain.from_iterable(company_rows(each.latents, each.summarise()) for each in panel.all(Cofiring)),
            group_rows(field, measured),
        )
        self.examples = example_rows(field, panel[Examples].summarise(), measured)
        plan = panel.plan
        self.pairs = pair_rows(plan.pairs.first, plan.pairs.second, panel[Joint].summarise(), measured.geometry)

    def facts(self) -> Row:
        """What the analysis' own row says."""
        whole = self.measured.panel[Reconstruction].summarise()
        dense, pair = self.columns["is_dense"], self.columns["is_pair"]
        shares = [share for share in numbers(self.columns["mass_share"][dense]) if share is not None]
        fvu = unexplained(self.measured.sae, self.measured.x)
        return {
            "l0": whole.l0,
            "fvu": None if fvu is None else number(fvu),
            "n_dense": int(dense.sum()),
            "n_borderline": int(self.columns["borderline"].sum()),
            "n_dead": int((self.columns["density"] == 0).sum()),
            "n_pairs": int(pair.sum()) // 2,
            "dense_mass_share": sum(shares) if whole.l0 > 0 else None,
            "massive_share": 0.0,
            "median_norm": self.measured.median_norm,
            "density_curve": numbers(self.columns["density"].sort(descending=True).values),
            "summary": {
                "n_detail": len(self.measured.panel.plan.latents),
                "dense_in_pairs": int((dense & pair).sum()),
                "partner_recall": None,
                "sample_rows": len(self.measured.row),
                "power": self.found.power,
                "between": shares_between(self.field, self.measured),
            },
        }


def _columns(measured: Measured, follows: Found) -> dict[str, Tensor]:
    panel, sae = measured.panel, measured.sae
    found = panel.columns() | weight_columns(measured.geometry, sae.decoder, sae.bias)
    if isinstance(sae, Units):  # its zeros are no directions
        found |= {name: torch.full_like(found[name], torch.nan) for name in ("decoder_norm", "cos_bias")}
    mass = panel[Moments].summarise().mass
    found["mass_share"] = mass / mass.nansum().clamp(min=1e-300)
    nothing = torch.full((sae.n_latents,), torch.nan, dtype=torch.float64)
    found |= dict.fromkeys(("word_share", "past_share", "followed"), nothing)
    if follows.divided is not None:
        found["followed"] = nothing.clone()
        found["followed"][panel.plan.latents] = follows.divided.total
    return found


def _no_tokens(latents: int) -> TopTokensSummary:
    none = torch.full((latents, 1), -1)
    table = TopTokens(none, none.double(), none.double(), none, none)
    return TopTokensSummary(table, table, torch.zeros(latents), 0)


def example_rows(field: Field, summary: ExamplesSummary, measured: Measured) -> Iterator[Row]:
    """One row an example: the row that it is about, those beside it where rows have an order, and its values."""
    kinds, plan = measured.panel[Examples].kinds, measured.panel.plan
    partners = (plan.partners != plan.latents).tolist()
    for place, index in enumerate(plan.latents.tolist()):
        score, begin = summary.score[place].tolist(), summary.begin[place]
        for kind, scores in enumerate(score):
            for rank, one in enumerate(scores):
                if not math.isfinite(one):
                    continue
                shown = torch.nonzero(begin[kind, rank] >= 0).flatten()
                few = slice(int(shown[0]), int(shown[-1]) + 1)
                rows = begin[kind, rank, few].tolist()
                row = int(begin[kind, rank, BEFORE])
                partner = summary.partner[place, kind, rank, few].numpy()
                yield {
                    "index": index,
                    "kind": kinds[kind],
                    "rank": rank,
                    "document": _title(field, row),
                    "labels": values_of(field, row),
                    "context_start": row,
                    "focus": BEFORE - few.start,
                    "tokens": [_name(field, each) for each in rows],
                    "activations": pack(summary.acts[place, kind, rank, few].numpy(), "f4"),
                    "partner_activations": pack(partner, "f4") if partners[place] else None,
                }


def _name(field: Field, row: int) -> str:
    """A row's own name, else its number from 0."""
    column = field.of("id")
    return str(row) if column is None else str(_value(column, row))


def _title(field: Field, row: int) -> str:
    column = field.of(GROUP)
    return f"row {_name(field, row)}" if column is None else f"{column.name} {_value(column, row)}"


def values_of(field: Field, row: int) -> dict[str, Any]:
    """What the table says of a row: column -> value; empty cells are left out."""
    columns = field.table.columns if field.table is not None else []
    found = {column.name: _value(column, row) for column in columns if column.role != "none"}
    return {name: value for name, value in found.items() if value is not None}


def _value(column: Column, row: int) -> Any:
    """As JSON has it."""
    if column.missing[row] or column.kind == "list":
        return None
    value = column.values[row]
    if column.kind == "category":
        return column.levels[int(value)]
    if column.kind == "boolean":
        return bool(value)
    return number(float(value)) if column.kind == "number" else str(value)


def group_rows(field: Field, measured: Measured) -> Iterator[Row]:
    """How often each detail unit is on, group by group: all groups of 64 at most, else those at either end."""
    column, plan = field.of(GROUP), measured.panel.plan
    if column is None:
        return
    groups, counted = field.places.groups, _by_group(field, measured)
    fired, rows = _of_sample(field, measured, groups) if counted is None else counted
    exact = counted is not None
    first = _first_rows(field)
    names = [str(_value(column, int(row))) for row in first]
    told = torch.nonzero(rows >= FEWEST).flatten()
    for place, index in enumerate(plan.latents.tolist()):
        density = fired[told, place] / rows[told]
        order = density.argsort(descending=True, stable=True).tolist()
        if groups > GROUPS and len(order) > 2 * MOST_GROUPS:
            order = order[:MOST_GROUPS] + order[-MOST_GROUPS:]
        items = [
            {"value": names[int(told[at])], "density": number(float(density[at]), 4), "rows": int(rows[told[at]])}
            for at in order
        ]
        data = {"group": column.name, "groups": groups, "exact": exact, "items": items}
        yield {"index": index, "name": "groups", "data": data, "values": None}


def _by_group(field: Field, measured: Measured) -> tuple[Tensor, Tensor] | None:
    """Rows on which detail units are on [G, m], and rows [G], over all of them; None of more than could be counted."""
    groups, panel = field.places.groups, measured.panel
    if groups <= GROUPS:
        counts = panel[Density].tensors
        return counts["fired"][:groups, panel.plan.latents].double(), counts["tokens"][:groups].double()
    made = panel.accumulators.get(spread.NAME)
    return made.summarise() if isinstance(made, spread.GroupCounts) else None


def shares_between(field: Field, measured: Measured) -> Row:
    """Of each detail unit, the share of on/off that lies between groups; empty where it was not counted."""
    counted = _by_group(field, measured) if field.of(GROUP) is not None else None
    if counted is None:
        return {}
    shares = spread.between(*counted)
    return {
        str(unit): number(float(share), 5)
        for unit, share in zip(measured.panel.plan.latents.tolist(), shares, strict=True)
    }


def _of_sample(field: Field, measured: Measured, groups: int) -> tuple[Tensor, Tensor]:
    acts = activations(measured.sae, measured.x, measured.panel.plan.latents)
    code = field.places.group[measured.row]
    fired = torch.zeros(groups, acts.shape[1], dtype=torch.float64).index_add_(0, code, (acts != 0).double())
    return fired, torch.bincount(code, minlength=groups).double()


def _first_rows(field: Field) -> np.ndarray:
    """[G] int64: a row of each group."""
    _codes, first = np.unique(field.places.group.numpy(), return_index=True)
    return first
