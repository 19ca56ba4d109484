"""Rows around the changes of a label in the order of its group: where a step is told from a drift.

A label that changes once or twice within a group is nearly a line over the whole group, and one value in any twentieth
of it. Around a change, as many rows before as after it, a drift is a line and the label is a step: with the line taken
out of both, a quarter of the label is left, and nothing of the drift. Cost: a drift that itself bends sharply where the
label changes is taken for a step.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from analysis.field.labels.grouping import dense

REACH = 0.2
"""Of a group's rows, at most, on either side of a change."""
FEWEST = 4
"""Rows on either side, without which a change is left out."""


def around_changes(y: Tensor, order: Tensor, group: Tensor) -> tuple[Tensor, int]:
    """[n] int64 strata, and how many groups have a change that counts.

    A stratum is the rows around one change, those of no other change among them, or a run of one value between such.

    Args:
        y: [n], the label. order: [n], within the group. group: [n] int64, 0 to G - 1.
    """
    rows = torch.from_numpy(np.lexsort((y.numpy(), order.numpy(), group.numpy())))
    own, value = group[rows], y[rows]
    begins = own.diff() != 0
    changed = torch.cat([torch.tensor([False]), (value.diff() != 0) & ~begins])
    run = torch.cat([torch.tensor([True]), begins | (value.diff() != 0)]).cumsum(0) - 1
    place = torch.nonzero(changed).flatten()
    half = _half(place, run, changed, torch.bincount(own)[own])
    place, half = place[half >= FEWEST], half[half >= FEWEST]
    strata = run.clone()
    if len(place):
        sizes = 2 * half
        at = torch.arange(int(sizes.sum())) - torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
        window = torch.repeat_interleave(torch.arange(len(place)), sizes)
        strata[torch.repeat_interleave(place - half, sizes) + at] = int(run[-1]) + 1 + window
    made = torch.empty_like(strata)
    made[rows] = dense(strata)
    return made, len(torch.unique(own[place]))


def _half(place: Tensor, run: Tensor, changed: Tensor, size: Tensor) -> Tensor:
    """Rows on either side of each change: a run between two changes is shared by them."""
    lengths = torch.bincount(run)
    first = lengths.cumsum(0) - lengths
    before, after = run[place] - 1, run[place]
    left = torch.where(changed[first[before]], lengths[before] // 2, lengths[before])
    following = (first[after] + lengths[after]).clamp(max=len(run) - 1)
    right = torch.where(changed[following] & (run[following] != after), lengths[after] // 2, lengths[after])
    return torch.minimum(torch.minimum(left, right), (REACH * size[place]).long().clamp(min=FEWEST))
