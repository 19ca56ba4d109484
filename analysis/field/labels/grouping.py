"""The unit of intervals, hold-out and permutation: groups of rows, in up to 60 blocks, in five folds.

Groups are dealt out in the order of a hash of their code, so that no seed and no order of rows changes a fold. Blocks
are nested in folds. Cost: above 60 groups an interval has 59 degrees of freedom and not more.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.labels.measures import FOLDS
from analysis.statistics.ranks import FEWEST_GROUPS as FEWEST_GROUPS  # the same five as of documents
from analysis.statistics.ranks import midranks
from analysis.statistics.sampling import mix_bits

BLOCKS = 60  # 12 a fold
_SALT = 71


class Grouping(NamedTuple):
    """Of n rows in G groups."""

    group: Tensor  # [n] int64, 0 to G - 1
    sizes: Tensor  # [G] int64, rows
    block: Tensor  # [n] int64, 0 to B - 1; a group lies in one block
    fold: Tensor  # [n] int64, 0 to 4; a block lies in one fold

    @property
    def groups(self) -> int:
        """How many groups, G."""
        return len(self.sizes)

    @property
    def blocks(self) -> int:
        """How many blocks, B: min(G, 60)."""
        return min(self.groups, BLOCKS)


def grouping(group: Tensor) -> Grouping:
    """Groups of rows by their codes.

    Args:
        group: [n] int64, any codes.
    """
    codes, place = torch.unique(group, return_inverse=True)
    dealt = torch.empty_like(codes)
    dealt[mix_bits(codes, _SALT).argsort()] = torch.arange(len(codes))
    block = (dealt % BLOCKS)[place]
    return Grouping(place, torch.bincount(place, minlength=len(codes)), block, block % FOLDS)


def within_ranks(ranks: Tensor, strata: Tensor) -> Tensor:
    """Place of each row in its stratum, -0.5 to 0.5, mean 0 in every stratum: (rank - (size + 1) / 2) / size.

    Args:
        ranks: [m, n], any values of the same order and the same ties, at most n.
        strata: [n] int64, 0 to S - 1.

    Returns:
        [m, n] float32.
    """
    sizes = torch.bincount(strata)
    before = (sizes.cumsum(0) - sizes)[strata]
    key = strata.double() * (ranks.shape[-1] + 1) + ranks.double()
    own = sizes[strata]
    return ((midranks(key).double() - before - (own + 1) / 2) / own).float()


def order_bins(order: Tensor, group: Tensor, bins: int) -> Tensor:
    """[n] int64: in which of so many equal parts of its group's rows, by order, each row is."""
    place = within_ranks(midranks(order[None]), group)[0]
    return ((place + 0.5) * bins).long().clamp(0, bins - 1)


def dense(codes: Tensor) -> Tensor:
    """The same parts numbered 0 to S - 1."""
    return torch.as_tensor(torch.unique(codes, return_inverse=True)[1])
