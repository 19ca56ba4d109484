"""How well sets of columns predict a label in groups that were not seen: one unit, dense ones, sparse ones, the data.

Ridge regression of the number, of 0 and 1, or of one column a level (`analysis.field.labels.ridge`): it needs no step
size, its permuted labels cost next to nothing, and it is the same for all sets. Cost: a logistic regression can be a
little better on a rare boolean.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.field.labels.columns import FieldColumn, usable
from analysis.field.labels.conditional import coded, left_of, separable
from analysis.field.labels.grouping import Grouping, dense, grouping
from analysis.field.labels.permutation import moves, sorted_rows
from analysis.field.labels.ridge import held_out_predictions
from analysis.hashing import unit_hash
from analysis.labels.measures import FOLDS, auc_bounds, half_width
from analysis.statistics.intervals import jackknife_ratio
from analysis.statistics.ranks import auc, correlation, midranks
from analysis.statistics.sampling import mix_bits
from store.vocabulary import Statement

MOST_ROWS, MOST_COLUMNS = 8_000, 2_048
PERMUTED = 39
_SALT = 73


class Later(NamedTuple):
    """Columns that are made of the rows that are used alone: of all rows they would fill the memory."""

    shape: tuple[int, int]  # n, c
    of: Callable[[Tensor], Tensor]  # rows [k] int64 -> [k, c] float32, finite


class ColumnSet(NamedTuple):
    """Columns that predict together; with `single`, the one that predicts best, chosen on the training folds."""

    name: str
    values: Tensor | NDArray[Any] | Later  # [n, c] float32, finite
    single: bool = False


class Power(NamedTuple):
    """How well one set predicts a label, held out by five folds of groups; NaN where `reason` says why."""

    name: str
    measure: str  # auc (boolean; of a category the mean over levels, each against the rest), r2 (number)
    value: float
    low: float  # 95 % over groups, the predictions kept
    high: float
    chance: float  # mean over 39 permuted labels, fitted anew: whole groups, or rows within groups
    chance_high: float  # which 5 % of the permuted exceed
    p: float  # (1 + permuted at least as good) / 40
    spearman: float  # of predictions within folds; NaN but of a number
    rows: int  # used
    rows_given: int  # with a value of the label
    columns: int  # used, the most varied
    columns_given: int
    groups: int
    chosen: list[int]  # of a single one: which column each fold's training chose
    reason: Statement | None


def predict(sets: Sequence[ColumnSet], column: FieldColumn, group: Tensor | NDArray[Any], seed: int = 0) -> list[Power]:
    """One result per set, in their order. Source: ours; docs/methods.md §18.

    At most 8,000 rows (drawn by a hash of their place) and 2,048 columns a set (of the largest variance) are used.

    Args:
        sets: of the same n rows.
        column: the label.
        group: [n] int64 codes.
        seed: of the permuted labels.

    Raises:
        ValueError: lengths differ, a value is not finite, or the kind is unknown.
    """
    codes = dense(torch.as_tensor(group).long())
    measure = "r2" if column.measure == "spearman" else "auc"
    for one in sets:
        if not one.values.shape[0] == len(codes) == len(column.values):
            raise ValueError(f"set {one.name!r} has {one.values.shape[0]} rows; expected {len(codes)}, as groups have")
        if not isinstance(one.values, Later) and not bool(torch.as_tensor(one.values).isfinite().all()):
            raise ValueError(f"set {one.name!r} has values that are not finite")
    use = usable(column, codes)
    given = int(use.rows.sum())
    if use.reason is not None:
        return [_none(one, measure, given, use.reason) for one in sets]
    rows = subsample(torch.nonzero(use.rows).flatten())
    again = usable(column._replace(values=column.values[rows]), codes[rows])
    if again.reason is not None:
        return [_none(one, measure, given, again.reason) for one in sets]
    rows = rows[again.rows]
    task = _task(column, column.values[rows].double(), grouping(codes[rows]), seed)
    return [_power(one, _taken(one, rows), task, given) for one in sets]


def _taken(one: ColumnSet, rows: Tensor) -> Tensor:
    """[k, c] float32: some rows of a set."""
    if isinstance(one.values, Later):
        return one.values.of(rows)
    return torch.as_tensor(one.values)[rows].float()


class _Task(NamedTuple):
    measure: str  # auc, r2
    units: Grouping
    targets: Tensor  # [1 + PERMUTED, L, n] float64: the label as numbers, then permuted


def _none(one: ColumnSet, measure: str, given: int, reason: Statement) -> Power:
    n = math.nan
    return Power(one.name, measure, n, n, n, n, n, n, n, 0, given, 0, one.values.shape[1], 0, [], reason)


def subsample(rows: Tensor) -> Tensor:
    """At most 8,000 of some rows, drawn by a hash of their place, ascending."""
    if len(rows) <= MOST_ROWS:
        return rows
    return rows[mix_bits(rows, _SALT).argsort()[:MOST_ROWS]].sort().values


def _task(column: FieldColumn, y: Tensor, units: Grouping, seed: int) -> _Task:
    if column.kind == "category":
        y = dense(y).double()
    code = y[None] if column.kind == "number" else coded(column.measure, y)
    random = np.random.default_rng([seed % 2**32, int(unit_hash("field power", column.name) * 2**32)])
    inside = separable(left_of(column.measure, y, units.group))
    permuted = [code[:, where] for where in (_within(units, random) if inside else _between(units, random))]
    return _Task("r2" if column.kind == "number" else "auc", units, torch.stack([code, *permuted]))


def _within(units: Grouping, random: np.random.Generator) -> list[Tensor]:
    """Rows whose labels each row gets, of its own group."""
    rows = sorted_rows(units, None)
    back = rows.argsort()
    return [rows[where][back] for where in moves(units.group[rows], False, random, PERMUTED)]


def _between(units: Grouping, random: np.random.Generator) -> list[Tensor]:
    """Rows whose labels each row gets: one row of the group that its group changed places with."""
    first = torch.zeros(units.groups, dtype=torch.int64)
    first[units.group.flip(0)] = torch.arange(len(units.group)).flip(0)
    return [first[torch.from_numpy(random.permutation(units.groups))][units.group] for _draw in range(PERMUTED)]


def _power(one: ColumnSet, x: Tensor, task: _Task, given: int) -> Power:
    """Label and permuted labels, predicted and scored alike."""
    units, (draws, labels, n) = task.units, task.targets.shape
    if not x.shape[1]:
        return _none(one, task.measure, given, {"code": "no_columns"})
    most = x.var(0).argsort(descending=True, stable=True)[:MOST_COLUMNS].sort().values
    x = x[:, most]
    flat = task.targets.reshape(draws * labels, n).T
    picked: list[int] = []
    if one.single:
        predicted, best = _single(x, flat, units.fold, task.measure)
        picked = most[best[:, 0]].tolist()
    else:
        predicted = held_out_predictions(x, flat, units.fold, FOLDS)
    scored = predicted.T.view(draws, labels, n)
    value, low, high = _scored(task, scored[0])
    null = torch.tensor([_value(task, scored[k], k) for k in range(1, draws)], dtype=torch.float64)
    p = (1 + int((null >= value - 1e-9).sum())) / draws
    edge = float(null.quantile(0.95))
    rank = _spearman(task, scored[0, 0]) if task.measure == "r2" else math.nan
    return Power(
        one.name, task.measure, value, low, high, float(null.mean()), edge, p, rank, n, given, x.shape[1],
        one.values.shape[1], units.groups, picked, None,
    )  # fmt: skip


def _single(x: Tensor, y: Tensor, fold: Tensor, measure: str) -> tuple[Tensor, Tensor]:
    """Each row predicted by one column [n, k], and which [folds, k]: the largest correlation on the other folds.

    Of a boolean the correlation is that of ranks, which orders columns as AUC does.
    """
    found = torch.empty_like(y)
    best = torch.empty(FOLDS, y.shape[1], dtype=torch.int64)
    every = midranks(x.T.contiguous()) if measure == "auc" else x.T
    for number in range(FOLDS):
        here = fold == number
        of = every[:, ~here]
        strength = correlation(of, y[~here].T).nan_to_num(0.0)  # [c, k]
        best[number] = strength.abs().argmax(0)
        known, target = x[~here][:, best[number]].double(), y[~here]
        centre, middle = known.mean(0), target.mean(0)
        slope = ((known - centre) * (target - middle)).sum(0) / (known - centre).square().sum(0).clamp(min=1e-30)
        if measure == "auc":  # the side is that of the ranks: an outlier must not turn it
            slope = strength.gather(0, best[number][None])[0].sign()
        found[here] = middle + (x[here][:, best[number]].double() - centre) * slope
    return found, best


def _scored(task: _Task, predicted: Tensor) -> tuple[float, float, float]:
    """Value with its interval: one block of groups is left out at a time, its predictions too."""
    if task.measure == "r2":
        wrong, total = _errors(task, predicted[0], 0)
        found = [float(of) for of in jackknife_ratio(wrong[:, None], total[:, None])]
        return 1 - found[0], 1 - found[2], 1 - found[1]
    value = _value(task, predicted, 0)
    block = task.units.block
    without = [_value(task, predicted, 0, block != number) for number in range(task.units.blocks)]
    wide = half_width(torch.tensor([without], dtype=torch.float64))
    low, high = auc_bounds(torch.tensor([value], dtype=torch.float64), wide)
    return value, float(low), float(high)


def _value(task: _Task, predicted: Tensor, draw: int, keep: Tensor | None = None) -> float:
    if task.measure == "r2":
        wrong, total = _errors(task, predicted[0], draw)
        return float(1 - wrong.sum() / total.sum())
    fold = task.units.fold
    sums = torch.zeros(2, len(predicted), dtype=torch.float64)
    for number in range(FOLDS):
        here = fold == number if keep is None else (fold == number) & keep
        true = task.targets[draw][:, here] > 0
        pairs = true.sum(1).double() * (~true).sum(1)
        ranked = midranks(predicted[:, here]) if bool(here.any()) else predicted[:, here]
        each = torch.stack([auc(r[None], t[None])[0, 0] for r, t in zip(ranked, true, strict=True)])
        sums += torch.stack([pairs * each.nan_to_num(0.0), pairs])
    return float((sums[0] / sums[1])[sums[1] > 0].mean())


def _errors(task: _Task, predicted: Tensor, draw: int) -> tuple[Tensor, Tensor]:
    """By block: squared errors of the predictions, and of the mean of the other folds."""
    y, fold = task.targets[draw, 0], task.units.fold
    means = torch.stack([y[fold != number].mean() for number in range(FOLDS)])
    sums = torch.zeros(2, task.units.blocks, dtype=torch.float64)
    errors = torch.stack([(y - predicted).square(), (y - means[fold]).square()])
    wrong, total = sums.index_add_(1, task.units.block, errors)
    return wrong, total


def _spearman(task: _Task, predicted: Tensor) -> float:
    """Mean over folds, by rows."""
    y, fold = task.targets[0, 0], task.units.fold
    found = 0.0
    for number in range(FOLDS):
        here = fold == number
        one = correlation(midranks(predicted[here][None]), midranks(y[here][None]))
        found += float(one.nan_to_num(0.0)) * float(here.double().mean())
    return found
