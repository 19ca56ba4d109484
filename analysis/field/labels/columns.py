"""The columns of a table of rows: which rows of each can be used, and why a column cannot be measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.field.labels.grouping import FEWEST_GROUPS
from analysis.labels.columns import FEWEST_A_SIDE, MEASURES
from analysis.labels.columns import FEWEST_DOCUMENTS as FEWEST_ROWS
from store.vocabulary import Statement

MOST_LEVELS = 60  # of a category: the most frequent ones that two groups share; the rest is left out


class FieldColumn(NamedTuple):
    """One label of n rows."""

    name: str
    kind: str  # number, boolean, category
    values: Tensor  # [n] float64: the number; 1 true, 0 false; the place in `levels`; NaN missing
    levels: Sequence[str] = ()

    @property
    def measure(self) -> str:
        """spearman, auc or eta2.

        Raises:
            ValueError: the kind is none of the three.
        """
        if self.kind not in MEASURES:
            raise ValueError(f"unknown kind {self.kind!r} of {self.name!r}; choose one of {', '.join(MEASURES)}")
        return MEASURES[self.kind]


class Usable(NamedTuple):
    """Which rows of a column are held against units, and why none are."""

    rows: Tensor  # [n] bool
    reason: Statement | None
    left_out: int = 0  # levels of a category


def usable(column: FieldColumn, group: Tensor) -> Usable:
    """Rows with a value; of a category only of levels that two groups have, since others are told from the group.

    Args:
        column: of n rows.
        group: [n] int64, 0 to G - 1.
    """
    rows = column.values.isfinite()
    left_out = 0
    if column.kind == "category":
        rows, left_out = _shared_levels(column.values, rows, group)
    return Usable(rows, _refusal(column, rows, group), left_out)


def _shared_levels(values: Tensor, rows: Tensor, group: Tensor) -> tuple[Tensor, int]:
    levels = torch.where(rows, values, 0).long()
    count = int(levels.max()) + 1 if len(levels) else 1
    seen = torch.bincount(levels[rows], minlength=count)
    pairs = torch.unique(group[rows] * count + levels[rows]) % count
    shared = torch.bincount(pairs, minlength=count) > 1
    most = torch.where(shared, seen, 0).argsort(descending=True, stable=True)[:MOST_LEVELS]
    kept = torch.zeros(count, dtype=torch.bool)
    kept[most] = shared[most]
    return rows & kept[levels], int(((seen > 0) & ~kept).sum())


def _refusal(column: FieldColumn, rows: Tensor, group: Tensor) -> Statement | None:
    y, found = column.values[rows], int(rows.sum())
    if found < FEWEST_ROWS:
        return {"code": "few_rows", "rows": found, "needed": FEWEST_ROWS}
    if len(torch.unique(y)) < 2:
        return {"code": "same_value"}
    if column.kind != "boolean":
        return few_groups(group[rows])
    true = int((y > 0).sum())
    if min(true, found - true) < FEWEST_A_SIDE:
        return {"code": "few_a_side", "true": true, "false": found - true, "needed": FEWEST_A_SIDE}
    return few_groups(group[rows][y > 0]) or few_groups(group[rows][y <= 0])


def few_groups(group: Tensor) -> Statement | None:
    """Why groups [n] are too few for an interval and for five folds, as a statement; None where they are enough."""
    found = len(torch.unique(group))
    return {"code": "few_groups", "groups": found, "needed": FEWEST_GROUPS} if found < FEWEST_GROUPS else None
