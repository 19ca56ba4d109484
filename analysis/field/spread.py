"""How often units are on in every group, counted over all rows: what of on or off lies between groups."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from analysis.statistics.base import Step, Sums, add_at
from analysis.statistics.plan import Setup

NAME = "groups"
"""Of the accumulator in a panel."""
MOST = 1 << 24
"""Groups x units that are counted: 64 MB. Of more, a sample of rows has to do."""


class GroupCounts(Sums):
    """Rows on which each of m units is on, in each of G groups: `on` [G, m] int32.

    Args:
        group: [R] int64, of every row of the matrix.
        groups: G.
        units: [m] int64.
    """

    exact = True

    def __init__(self, group: Tensor, groups: int, units: Tensor) -> None:
        self.group, self.units = group, units
        self.tensors = {"on": torch.zeros(groups, len(units), dtype=torch.int32)}

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """None of itself: it is made where rows have groups."""
        return {}

    def update(self, step: Step) -> None:
        """Count what is on; a row's `begin` is its number in the matrix."""
        found = step.among(self.units)
        code = self.group[step.counted.begin[found.token]]
        add_at(self.tensors["on"], code * len(self.units) + found.place)

    def summarise(self) -> tuple[Tensor, Tensor]:
        """Rows on which units are on [G, m], and rows [G], float64."""
        rows = torch.bincount(self.group, minlength=len(self.tensors["on"]))
        return self.tensors["on"].double(), rows.double()


def between(on: Tensor, rows: Tensor) -> Tensor:
    """Share of the variance of on/off over rows that lies between groups [m], as an analysis of variance has it.

    0 of a unit that is never off, or never on.

    Args:
        on: [G, m], rows on which each unit is on. rows: [G], of each group.
    """
    known = rows > 0
    on, rows = on[known].double(), rows[known].double()
    density = on.sum(0) / rows.sum()
    whole = rows.sum() * density * (1 - density)
    apart = (rows[:, None] * (on / rows[:, None] - density).square()).sum(0)
    return torch.where(whole > 0, apart / whole.clamp(min=1e-300), 0.0).clamp(0, 1)
