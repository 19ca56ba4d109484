"""Every column of a table of rows against every unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.field.labels import measures
from analysis.field.labels.changes import around_changes
from analysis.field.labels.columns import FieldColumn, Usable, usable
from analysis.field.labels.conditional import (
    Fixed,
    Left,
    conditional,
    kept_of,
    left_of,
    levelled,
    separable,
    were_it_true,
    within,
)
from analysis.field.labels.grouping import FEWEST_GROUPS, Grouping, dense, grouping, order_bins, within_ranks
from analysis.field.labels.measures import Estimate
from analysis.field.labels.permutation import between_groups, ranked_means, within_groups
from analysis.field.labels.profile import level_means, standardised
from analysis.field.labels.statements import FieldAssociation, Held, Numbers, statement_of, unmeasured, verdict_of
from analysis.hashing import unit_hash
from analysis.labels.confounds import STRONG, association, strata
from analysis.labels.permutation import centred_within, draws_for
from analysis.statistics.ranks import benjamini_hochberg, midranks
from store.vocabulary import Statement

UNITS = 128  # at once: ranks of more cost memory and save nothing
MOST_HELD = 3  # other columns, the strongest
ORDER_BINS = 20
_ROWS_A_BIN = 10  # of a group, in the median
_ENOUGH = 0.1  # of a label's variance that parts of the order, and a slope in each, must leave it
_SURE = 3.9  # standard errors over rows alone at which a label seems to go with a unit (p = 0.0001)
_CACHED = 4  # strata whose places are kept


def associate(
    values: Tensor | NDArray[Any],
    columns: Sequence[FieldColumn],
    group: Tensor | NDArray[Any],
    order: Tensor | NDArray[Any] | None = None,
    seed: int = 0,
    *,
    group_name: str = "group",
    order_name: str = "order",
) -> list[list[FieldAssociation]]:
    """One list per column, in their order, of one association per unit.

    Effects are over rows (Spearman, AUC, eta²); intervals, folds and permutations over groups. q is Benjamini-Hochberg
    over all columns x units that have a p. Source: ours; docs/methods.md §18.

    Args:
        values: [n, m] float32, finite: signals of m units on n rows.
        columns: all of them: each is held fixed for those that go with it.
        group: [n] int64 codes; a row of its own each where there is no group.
        order: [n] float64, finite, within the group (time), or None.
        seed: of the permutations.
        group_name, order_name: what `by` calls them.

    Raises:
        ValueError: lengths differ, a value is not finite, or a kind is unknown.
    """
    x, group, order = checked(values, group, order)
    for column in columns:
        if len(column.values) != len(x):
            raise ValueError(f"column {column.name!r} has {len(column.values)} rows; expected {len(x)}")
        assert column.measure
    world = _World(columns, group, order, seed, (group_name, order_name), len(columns) * x.shape[1])
    parts: list[list[_Found]] = [[] for _column in columns]
    for start in range(0, x.shape[1], UNITS):
        for made, found in zip(parts, world.found(x[:, start : start + UNITS].T.contiguous(), start), strict=True):
            made.append(found)
    return _told(columns, parts)


def checked(
    values: Tensor | NDArray[Any], group: Tensor | NDArray[Any], order: Tensor | NDArray[Any] | None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """As tensors of one length.

    Raises:
        ValueError: lengths differ, or a value is not finite.
    """
    x, codes = torch.as_tensor(values).float(), torch.as_tensor(group).long()
    place = None if order is None else torch.as_tensor(order).double()
    for name, of in (("group", codes), ("order", place)):
        if of is not None and len(of) != len(x):
            raise ValueError(f"{name} has {len(of)} rows; expected {len(x)}, as values have")
    if not bool(x.isfinite().all()) or (place is not None and not bool(place.isfinite().all())):
        raise ValueError("values and order must be finite; leave rows out that have none")
    return x, codes, place


class _Found(NamedTuple):
    """One column against some units, before the correction for their number; what is a list has one entry a unit."""

    reason: Statement | None
    effect: Estimate
    chance: Tensor
    apparent: Tensor
    base: list[Held]
    held: list[list[Held]]
    held_out: Tensor
    p: Tensor
    inseparable: list[str]
    means: list[list[dict[str, Any]]]
    facts: dict[str, Any]


class _Label(NamedTuple):
    """A column on the rows that can be used."""

    column: FieldColumn
    y: Tensor  # [n]
    within: bool  # it varies within groups
    fixed: list[tuple[Fixed, Left]]  # to be held fixed; the group first where the label varies within groups
    inseparable: list[str]


class _View:
    """The rows that some columns share, with the units' values on them."""

    def __init__(self, x: Tensor, units: Grouping) -> None:
        self.x, self.units = standardised(x), units
        self.ranks = midranks(x)  # of the values as they are: float32 makes ties of what it standardises
        self._places: dict[str, Tensor] = {}

    @cached_property
    def group_means(self) -> Tensor:
        """[m, G]: ranks of groups by their mean rank."""
        return ranked_means(self.ranks, self.units)

    def places(self, name: str, strata_: Tensor) -> Tensor:
        """[m, n]: places of the rows within strata that have a name of their own."""
        found = self._places.pop(name, None)  # what was asked for last is kept longest
        if found is None:
            if len(self._places) >= _CACHED:
                self._places.pop(next(iter(self._places)))
            found = within_ranks(self.ranks, strata_)
        self._places[name] = found
        return found


class _World:
    """What does not depend on the units: rows, groups, labels, and what is held fixed for each."""

    def __init__(
        self, columns: Sequence[FieldColumn], group: Tensor, order: Tensor | None, seed: int,
        names: tuple[str, str], tests: int,
    ) -> None:  # fmt: skip
        self.columns, self.order, self.seed = columns, order, seed
        self.group_name, self.order_name = names
        self.draws = draws_for(tests)
        self.group = dense(group)
        self.usable = [usable(column, self.group) for column in columns]
        self._units: dict[bytes, Grouping] = {}
        self.labels = [
            self._label(column, use) if use.reason is None else None
            for column, use in zip(columns, self.usable, strict=True)
        ]

    def units(self, rows: Tensor) -> Grouping:
        """Groups of some rows."""
        key = rows.numpy().tobytes()
        if key not in self._units:
            self._units[key] = grouping(self.group[rows])
        return self._units[key]

    def found(self, x: Tensor, start: int) -> list[_Found]:
        """Every column against units [m, n]; `start` is the first one's number."""
        views: dict[bytes, _View] = {}
        keys = [use.rows.numpy().tobytes() for use in self.usable]
        made: dict[int, _Found] = {}
        for place in sorted(range(len(keys)), key=keys.__getitem__):  # columns with the same rows one after the other
            column, use, label, key = self.columns[place], self.usable[place], self.labels[place], keys[place]
            if label is None:
                made[place] = _nothing(len(x), use.reason)
                continue
            if key not in views:
                views = {key: _View(x[:, use.rows], self.units(use.rows))}  # one at a time: each is as large as x
            draw = [self.seed % 2**32, int(unit_hash("field label", column.name) * 2**32), start]
            order = None if self.order is None else self.order[use.rows]
            made[place] = _against(label, views[key], order, use, np.random.default_rng(draw), self.draws)
        return [made[place] for place in range(len(keys))]

    def _label(self, column: FieldColumn, use: Usable) -> _Label:
        units, y = self.units(use.rows), column.values[use.rows].double()
        if column.kind == "category":
            y = dense(y).double()
        group = Fixed(self.group_name, "group", units.group)
        left = left_of(column.measure, y, units.group)
        inside = separable(left)
        made, inseparable = ([(group, left)] if inside else []), list[str]()
        for fixed in self._others(column, use, units, inside):
            left = left_of(column.measure, y, fixed.strata)
            if separable(left):
                made.append((fixed, left))
            else:
                inseparable.append(fixed.name)
        return _Label(column, y, inside, made, inseparable)

    def _others(self, column: FieldColumn, use: Usable, units: Grouping, inside: bool) -> list[Fixed]:
        """What goes with a column: the order, and the strongest of the other columns; within groups where it varies."""
        parts = [(other.name, self._part(other)) for other in self.columns if other.name != column.name]
        if self.order is not None and not inside:
            parts.append((self.order_name, (self.order_name, "number", torch.arange(len(self.order)), self.order)))
        own = self._part(column, use.rows)
        strong = sorted(((association(own, part)[0], name, part) for name, part in parts), key=lambda one: -one[0])
        made = [self._placed(column, use, units)] if self.order is not None and inside else []
        for strength, name, part in strong[:MOST_HELD]:
            if strength >= STRONG:
                made.append(self._fixed(name, part, use, units, column if inside else None))
        return made

    def _part(self, column: FieldColumn, rows: Tensor | None = None) -> tuple[str, str, Tensor, Tensor]:
        have = column.values.isfinite() if rows is None else rows
        return column.name, column.kind, torch.nonzero(have).flatten(), column.values[have].double()

    def _placed(self, column: FieldColumn, use: Usable, units: Grouping) -> Fixed:
        """Parts of each group by its order, with a slope each: twenty where the label varies in them; else the rows
        around its changes; else as few parts as leave it something; else the whole group.
        """
        assert self.order is not None
        order = self.order[use.rows]
        along = within_ranks(midranks(order[None]), units.group)[0]
        most = min(ORDER_BINS, max(1, int(units.sizes.median()) // _ROWS_A_BIN))
        made = Fixed(self.order_name, "order", units.group, along)
        y = column.values[use.rows].double()
        y = dense(y).double() if column.kind == "category" else y
        for bins in (most, 0, *(bins for bins in (10, 5, 3, 2) if bins < most)):
            if not bins:
                around, groups = around_changes(y, order, units.group)
                if groups >= FEWEST_GROUPS:
                    return made._replace(strata=around)
                continue
            finer = made._replace(strata=dense(units.group * bins + order_bins(order, units.group, bins)))
            if levelled(column.measure, y, finer) >= _ENOUGH:
                return finer
        return made

    def _fixed(
        self, name: str, part: tuple[str, str, Tensor, Tensor], use: Usable, units: Grouping, inside: FieldColumn | None
    ) -> Fixed:
        """Levels or quintiles of a column, rows without a value as one more; crossed with the group where that leaves
        something of the label.
        """
        code = torch.full((len(use.rows),), -1, dtype=torch.int64)
        code[part[2]] = strata(part[1], part[3])
        alone = dense(code[use.rows])
        kind = "order" if name == self.order_name else "column"
        if inside is not None:
            crossed = dense(alone * units.groups + units.group)
            if separable(left_of(inside.measure, dense(inside.values[use.rows]).double(), crossed)):
                return Fixed(name, kind, crossed)
        return Fixed(name, kind, alone)


def _nothing(units: int, reason: Statement | None) -> _Found:
    nan = torch.full((units,), torch.nan, dtype=torch.float64)
    none = [Held("", "", *[math.nan] * 4)] * units
    return _Found(reason, Estimate(nan, nan, nan), nan, nan > 0, none, [[]] * units, nan, nan, [], [[]] * units, {})


def _against(
    label: _Label, view: _View, order: Tensor | None, use: Usable, random: np.random.Generator, draws: int
) -> _Found:
    measure, y, units = label.column.measure, label.y, view.units
    effect, chance = _effect(measure, view, y)
    apparent = _apparent(measure, effect, chance, y)
    held: list[tuple[str, str, Estimate, Tensor]] = []
    for fixed, left in label.fixed:
        u = view.places(_key(fixed, label), fixed.strata)
        held.append((fixed.name, fixed.kind, *conditional(measure, view.x, u, y, fixed, left, units)))
    if label.within:
        u = view.places(_GROUP, units.group)
        moved = y if measure == "eta2" else within(measure, y, units.group)
        test = within_groups(measure, u, moved, units, order, random, draws)
    else:
        test = between_groups(measure, view.group_means, y, units, random, draws)
    if measure == "eta2":
        held = [(name, kind, of, _cluster_chance(label, view, base, test.inflation)) for name, kind, of, base in held]
    base = held[0][2:] if label.within else (effect, chance)
    each = [_helds(one, _own(label, base, fixed, left)) for one, (fixed, left) in zip(held, label.fixed, strict=True)]
    constant = view.x.abs().amax(1) <= 0
    return _Found(
        None, effect, chance, apparent, each[0] if label.within else _helds(("", "", *base)),
        [list(of) for of in zip(*each, strict=True)] or [[]] * len(view.x),
        _held_out(label, view), torch.where(constant, torch.nan, test.p), label.inseparable,
        level_means(label.column, view.x, y, units), _facts(label, use, units, order),
    )  # fmt: skip


_GROUP = "\0group"  # no column is called so


def _key(fixed: Fixed, label: _Label) -> str:
    if fixed.kind == "group":
        return _GROUP
    return f"{fixed.kind}\0{fixed.name}\0{label.within}\0{hash(fixed.strata.numpy().tobytes())}"


def _effect(measure: str, view: _View, y: Tensor) -> tuple[Estimate, Tensor]:
    """Over rows, and where it stands by chance [m]: for eta² with whole groups dealt out anew, not rows."""
    units = view.units
    if measure == "eta2":
        between = measures.share_between(view.x, units.group)
        levels = len(torch.unique(y))
        chance = ((levels - 1) / max(units.groups - 1, 1) * between).clamp(max=1.0)
        return measures.eta2(view.x, y.long(), units.block, units.blocks), chance
    of = measures.spearman if measure == "spearman" else measures.boolean_auc
    found = of(view.ranks, y, units.block, units.blocks)
    return found, torch.full_like(found.value, 0.0 if measure == "spearman" else 0.5)


def _cluster_chance(label: _Label, view: _View, naive: Tensor, inflation: Tensor) -> Tensor:
    """Chance of a category with something held fixed: rows of one group, or near in time, are alike."""
    if label.within:
        return (naive * inflation).clamp(max=1.0)
    per = len(view.x[0]) / max(view.units.groups, 1)
    return (naive * (1 + (per - 1) * measures.share_between(view.x, view.units.group))).clamp(max=1.0)


def _apparent(measure: str, effect: Estimate, chance: Tensor, y: Tensor) -> Tensor:
    """[m] bool: the interval leaves out chance, or rows taken as independent would say so."""
    n = len(y)
    beyond = effect.low > chance
    if measure == "eta2":
        levels = len(torch.unique(y))
        return beyond | ((effect.value * n - (levels - 1)) > _SURE * math.sqrt(2 * (levels - 1)))
    true = float((y > 0).sum())
    error = 1 / math.sqrt(n - 1) if measure == "spearman" else math.sqrt((n + 1) / (12 * true * (n - true)))
    return beyond | (effect.high < chance) | ((effect.value - chance).abs() > _SURE * error)


def _held_out(label: _Label, view: _View) -> Tensor:
    """[m]: five folds of groups; within groups where the label varies there."""
    measure, y, units = label.column.measure, label.y, view.units
    if measure == "eta2":
        x = centred_within(view.x, units.group) if label.within else view.x
        return measures.held_out_means(x, y.long(), units.fold)
    name, parts = (_GROUP, units.group) if label.within else ("\0fold", units.fold)
    return measures.held_out_sign(view.places(name, parts), within(measure, y, parts), units.fold, measure == "auc")


def _own(label: _Label, base: tuple[Estimate, Tensor], fixed: Fixed, left: Left) -> Tensor | None:
    """[m]: how far from chance an effect would be that is all the label's own, with the order held fixed."""
    if fixed.kind != "order":
        return None
    measure, whole = label.column.measure, label.fixed[0][0].strata if label.within else torch.zeros_like(fixed.strata)
    return were_it_true(measure, (base[0].value - base[1]).abs(), kept_of(measure, label.y, fixed, left, whole))


def _helds(one: tuple[str, str, Estimate, Tensor], own: Tensor | None = None) -> list[Held]:
    name, kind, of, chance = one
    own = torch.full_like(chance, torch.nan) if own is None else own
    return [Held(name, kind, *row) for row in torch.stack([*of, chance, own], 1).tolist()]


def _facts(label: _Label, use: Usable, units: Grouping, order: Tensor | None) -> dict[str, Any]:
    how = "groups" if not label.within else "order_within_groups" if order is not None else "within_groups"
    return {
        "measure": label.column.measure,
        "unit": "standard deviations over rows",
        "rows": int(use.rows.sum()),
        "groups": units.groups,
        "blocks": units.blocks,
        "permuted": how,
        "levels_left_out": use.left_out,
    }


def _told(columns: Sequence[FieldColumn], parts: list[list[_Found]]) -> list[list[FieldAssociation]]:
    if not columns or not parts[0]:
        return [[] for _column in columns]
    q = benjamini_hochberg(torch.stack([torch.cat([one.p for one in of]) for of in parts]))
    made = []
    for column, of, own in zip(columns, parts, q, strict=True):
        row: list[FieldAssociation] = []
        for one in of:
            row += [_one(column, one, unit, float(own[len(row) + unit])) for unit in range(len(one.p))]
        made.append(row)
    return made


def _one(column: FieldColumn, found: _Found, unit: int, q: float) -> FieldAssociation:
    if found.reason is not None:
        return unmeasured(found.reason)
    if math.isnan(q):
        return unmeasured({"code": "constant"})
    base, held = found.base[unit], found.held[unit]
    weakest = min([base, *held], key=lambda one: _margin(column.measure, one))
    n = Numbers(
        float(found.effect.value[unit]), float(found.effect.low[unit]), float(found.effect.high[unit]),
        float(found.chance[unit]), weakest.value, weakest.low, weakest.high, weakest.chance,
        float(found.held_out[unit]), float(found.p[unit]), q,
    )  # fmt: skip
    verdict, code, by = verdict_of(column.measure, n, bool(found.apparent[unit]), base, held)
    data = found.facts | {
        "chance": n.chance,
        "conditional_interval": [n.conditional_low, n.conditional_high],
        "conditional_chance": n.conditional_chance,
        "conditional_on": weakest.name or None,
        "held": [one._asdict() for one in held],
        "inseparable": found.inseparable,
        "means": found.means[unit],
    }
    said = statement_of(column.name, column.kind, column.measure, n, code, by, data)
    return FieldAssociation(verdict, n.effect, n.low, n.high, n.conditional, n.held_out, n.p, n.q, said, data)


def _margin(measure: str, one: Held) -> float:
    return one.margin(measure == "eta2")
