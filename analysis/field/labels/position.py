"""How units depend on where a row lies: on its order within the group (time), and on a map of x and y."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.field.labels import measures
from analysis.field.labels.associate import UNITS, checked
from analysis.field.labels.columns import few_groups
from analysis.field.labels.grouping import Grouping, grouping, order_bins, within_ranks
from analysis.field.labels.profile import part_means, rounded, standardised
from analysis.labels.permutation import centred_within
from analysis.statistics.ranks import midranks
from store.vocabulary import Statement

BINS = 20
SIDE = 12  # cells of the map, in each direction


class OrderProfile(NamedTuple):
    """One unit against the order of rows within their groups."""

    spearman: float  # within groups, over rows; NaN where `reason` says why
    low: float  # 95 % over groups
    high: float
    bins: list[
        dict[str, Any]
    ]  # from, to (shares of the group's rows), mean, low, high (sd less the group's mean), rows
    reason: Statement | None


class MapProfile(NamedTuple):
    """One unit on a map; cells are [y][x], the smallest x and y first."""

    means: list[list[float | None]]  # [12][12] standard deviations over rows; None where no row lies
    share: float  # of the variance over rows that lies between cells
    low: float  # 95 % over groups
    high: float
    chance: float  # of the share, with whole groups dealt out anew, or rows where groups lie in many cells
    held_out: float  # R² of rows by the cell means of other folds of groups; NaN with fewer than five groups
    edges: tuple[float, float, float, float]  # smallest and largest x, smallest and largest y
    counts: list[list[int]]  # [12][12] rows, the same for all units
    reason: Statement | None


def order_profile(
    values: Tensor | NDArray[Any], group: Tensor | NDArray[Any], order: Tensor | NDArray[Any]
) -> list[OrderProfile]:
    """Spearman within groups and the mean in 20 equal parts of each group, by order; one a unit. Source: ours.

    Args:
        values: [n, m] float32. group: [n] int64. order: [n] float64, finite.

    Raises:
        ValueError: lengths differ, or a value is not finite.
    """
    x, codes, place = checked(values, group, order)
    assert place is not None
    kept = _of_many_rows(codes)
    units = grouping(codes[kept])
    reason = few_groups(codes[kept]) if bool(kept.any()) else {"code": "one_row_a_group"}
    if reason is not None:
        return [OrderProfile(math.nan, math.nan, math.nan, [], reason) for _unit in range(x.shape[1])]
    part = order_bins(place[kept], units.group, BINS)
    along = within_ranks(midranks(place[kept][None]), units.group)[0]
    made: list[OrderProfile] = []
    for start in range(0, x.shape[1], UNITS):
        made += _along(x[kept, start : start + UNITS].T.contiguous(), part, along, units)
    return made


def _of_many_rows(group: Tensor) -> Tensor:
    """[n] bool: rows of groups with more than one."""
    place = torch.unique(group, return_inverse=True)[1]
    return torch.as_tensor(torch.bincount(place)[place] > 1)


def _along(x: Tensor, part: Tensor, along: Tensor, units: Grouping) -> list[OrderProfile]:
    found = measures.within_spearman(within_ranks(midranks(x), units.group), along, units.block, units.blocks)
    z = centred_within(standardised(x), units.group)
    rows = torch.bincount(part, minlength=BINS).tolist()
    means = zip(*(rounded(of) for of in part_means(z, part, units)), strict=True)
    made = []
    constant = (x.amax(1) == x.amin(1)).tolist()
    for one, (mean, low, high), still in zip(torch.stack([*found], 1).tolist(), means, constant, strict=True):
        bins = [
            {"from": k / BINS, "to": (k + 1) / BINS, "mean": mean[k], "low": low[k], "high": high[k], "rows": rows[k]}
            for k in range(len(mean))
            if rows[k]
        ]
        if still:
            made.append(OrderProfile(math.nan, math.nan, math.nan, [], {"code": "constant"}))
        else:
            made.append(OrderProfile(one[0], one[1], one[2], bins, None))
    return made


def map_profile(
    values: Tensor | NDArray[Any],
    x: Tensor | NDArray[Any],
    y: Tensor | NDArray[Any],
    group: Tensor | NDArray[Any],
) -> list[MapProfile]:
    """Means of each unit on a 12 x 12 grid of x and y, with the share of variance between cells; one a unit.

    Cells are equally wide between the smallest and the largest x and y. Rows where either is not finite are left out.
    Source: ours.

    Args:
        values: [n, m] float32. x, y: [n] float64. group: [n] int64.

    Raises:
        ValueError: lengths differ, a value is not finite, or no row has x and y.
    """
    v, codes, _none = checked(values, group, None)
    across, up = torch.as_tensor(x).double(), torch.as_tensor(y).double()
    if len(across) != len(v) or len(up) != len(v):
        raise ValueError(f"x and y have {len(across)} and {len(up)} rows; expected {len(v)}, as values have")
    kept = across.isfinite() & up.isfinite()
    if not bool(kept.any()):
        raise ValueError("no row has a finite x and y")
    across, up, codes = across[kept], up[kept], codes[kept]
    edges = (float(across.min()), float(across.max()), float(up.min()), float(up.max()))
    cell = _cells(up, *edges[2:]) * SIDE + _cells(across, *edges[:2])
    units, reason = grouping(codes), few_groups(codes)
    made: list[MapProfile] = []
    for start in range(0, v.shape[1], UNITS):
        made += _on_map(v[kept, start : start + UNITS].T.contiguous(), cell, units, edges, reason)
    return made


def _cells(of: Tensor, low: float, high: float) -> Tensor:
    return ((of - low) / max(high - low, 1e-300) * SIDE).long().clamp(0, SIDE - 1)


def _on_map(
    x: Tensor, cell: Tensor, units: Grouping, edges: tuple[float, float, float, float], reason: Statement | None
) -> list[MapProfile]:
    z, n = standardised(x), len(cell)
    counts = torch.bincount(cell, minlength=SIDE * SIDE)
    sums = torch.zeros(len(z), SIDE * SIDE, dtype=torch.float64).index_add_(1, cell, z.double())
    means = torch.where(counts > 0, sums / counts.clamp(min=1), torch.nan)
    none = torch.full((len(z),), torch.nan, dtype=torch.float64)
    nothing = measures.Estimate(none, none, none)
    share = measures.eta2(z, cell, units.block, units.blocks) if units.blocks > 1 else nothing
    held_out = measures.held_out_means(z, cell, units.fold) if reason is None else none
    filled = int((counts > 0).sum())
    chance = _chance(z, cell, units, filled / max(n - 1, 1), filled)
    made = []
    for k, rows in enumerate(means.view(len(z), SIDE, SIDE)):
        still = float(z[k].abs().amax()) == 0
        row = [math.nan if still else float(of[k]) for of in (*share, chance, held_out)]
        grid = counts.view(SIDE, SIDE).tolist()
        why: Statement | None = {"code": "constant"} if still else reason
        made.append(MapProfile(rounded(rows), row[0], row[1], row[2], row[3], row[4], edges, grid, why))
    return made


def _chance(z: Tensor, cell: Tensor, units: Grouping, by_rows: float, filled: int) -> Tensor:
    """[m]: whole groups dealt out where each lies in one cell; else rows."""
    pairs = len(torch.unique(cell * units.groups + units.group))
    if pairs > units.groups:
        return torch.full((len(z),), min(1.0, by_rows - 1 / max(len(cell) - 1, 1)), dtype=torch.float64)
    between = measures.share_between(z, units.group)
    return ((filled - 1) / max(units.groups - 1, 1) * between).clamp(max=1.0)
