"""Means of units by the levels of a label, for the plot: in standard deviations, with intervals over groups."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from analysis.field.labels.columns import FieldColumn
from analysis.field.labels.grouping import Grouping, dense
from analysis.labels.confounds import strata
from analysis.labels.found import MOST_MEANS
from analysis.labels.whole import FEW
from analysis.statistics.intervals import jackknife_ratio
from analysis.statistics.ranks import sums_over


def standardised(x: Tensor) -> Tensor:
    """x [m, n] about its mean, in standard deviations over rows; 0 where it does not vary."""
    x = x - x.mean(1, keepdim=True, dtype=torch.float64).float()
    spread = x.square().mean(1, keepdim=True, dtype=torch.float64).sqrt()
    return x / spread.clamp(min=1e-30).float()


def level_means(column: FieldColumn, z: Tensor, y: Tensor, units: Grouping) -> list[list[dict[str, Any]]]:
    """Of each unit one row a level: the 12 most frequent, false and true, or quintiles of a number.

    Args:
        column: whose levels have names.
        z: [m, n], standardised. y: [n], the label.
    """
    names, part = _parts(column, y)
    parts = int(part.max()) + 1
    mean, low, high = part_means(z, part, units)
    rows = torch.bincount(part, minlength=parts)
    groups = torch.bincount(torch.unique(part * units.groups + units.group) // units.groups, minlength=parts)
    kept = rows.argsort(descending=True, stable=True)[:MOST_MEANS].sort().values.tolist()
    sizes = [{"rows": int(rows[k]), "groups": int(groups[k])} for k in range(parts)]
    return [
        [{"value": names[k], "mean": of[0][k], "low": of[1][k], "high": of[2][k]} | sizes[k] for k in kept]
        for of in zip(rounded(mean), rounded(low), rounded(high), strict=True)
    ]


def part_means(z: Tensor, part: Tensor, units: Grouping) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of z [m, n] in each part [n], with its 95 % interval over groups: [m, parts] each, NaN where none."""
    parts = int(part.max()) + 1
    made = []
    counts = torch.bincount(units.block * parts + part, minlength=units.blocks * parts).view(units.blocks, parts)
    for number in range(parts):
        sums = sums_over(units.block, z * (part == number), units.blocks)
        made.append(torch.stack(jackknife_ratio(sums, counts[:, number, None].double().expand_as(sums))))
    mean, low, high = torch.stack(made, -1)
    return mean, low, high


def rounded(values: Tensor) -> list[list[float | None]]:
    """As lists for JSON, four decimals; None where there is no number."""
    return [[None if math.isnan(v) else round(v, 4) for v in row] for row in values.tolist()]


def _parts(column: FieldColumn, y: Tensor) -> tuple[list[str], Tensor]:
    few = column.kind != "number" or len(torch.unique(y)) <= FEW
    part = dense(strata("category" if few else "number", y))
    if column.kind == "boolean":
        return ["false", "true"], (y > 0).long()
    if column.kind == "category":
        return [_level(column, int(code)) for code in torch.unique(y).tolist()], part
    ends = [(float(y[part == k].min()), float(y[part == k].max())) for k in range(int(part.max()) + 1)]
    return [f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}" for low, high in ends], part


def _level(column: FieldColumn, code: int) -> str:
    return column.levels[code] if code < len(column.levels) else str(code)
