"""Rows of a matrix -> batches, as if each row were a token: what reads a stream of tokens reads them, too.

A context is a row by itself; where rows have an order, it is up to 64 neighbouring rows of one group, so that examples
show what came before and after. A row's `begin` is its number in the matrix. Batches are cut at fixed rows, however the
matrix lies on disk, so that the sums have the same digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from analysis.reading.batches import TokenBatch
from analysis.reading.corpus import GROUPS
from analysis.statistics.sampling import mix_bits

BATCH = 4096
NEIGHBOURS = 64  # rows of a context; BATCH is a multiple
_BUCKETS = 77  # salt


@dataclass(frozen=True)
class Places:
    """Where each row belongs. R rows.

    Args:
        group: [R] int64: the row's group, numbered from 0; without groups, its own number.
        ordered: rows have an order in which their neighbours mean something.
    """

    group: Tensor
    ordered: bool

    @property
    def rows(self) -> int:
        """R."""
        return len(self.group)

    def bucket(self) -> Tensor:
        """[R] int64: which of the 64 parts that intervals are over; a group is never split.

        Up to 64 groups each has a part of its own; more are drawn by hash.
        """
        if self.groups <= GROUPS:
            return self.group
        return mix_bits(self.group, _BUCKETS).remainder(GROUPS)

    @property
    def groups(self) -> int:
        """How many there are."""
        return int(self.group.max()) + 1 if self.rows else 0

    @property
    def scattered(self) -> bool:
        """An order is given, but the rows of a group do not stand together in the matrix."""
        changes = int((self.group.diff() != 0).sum()) + 1
        return self.ordered and changes > 2 * self.groups


def batches(places: Places, start: int = 0) -> Iterator[tuple[int, int, TokenBatch]]:
    """First row, row after the last, and the batch of them; from row `start`, a multiple of `BATCH`, on."""
    bucket = places.bucket()
    for first in range(start, places.rows, BATCH):
        after = min(first + BATCH, places.rows)
        row = torch.arange(first, after)
        yield first, after, _batch(row, places.group[first:after], bucket[first:after], places.ordered)


def _batch(row: Tensor, group: Tensor, bucket: Tensor, ordered: bool) -> TokenBatch:
    """The rows as contexts, each of one group; all of them in order."""
    begins = torch.ones_like(row, dtype=torch.bool)
    if ordered:
        begins[1:] = (group.diff() != 0) | (row[1:] % NEIGHBOURS == 0)
    context = begins.cumsum(0) - 1
    first = torch.nonzero(begins).flatten()
    column = torch.arange(len(row)) - first[context]
    shape = len(first), int(column.max()) + 1
    mask = torch.zeros(shape, dtype=torch.bool)
    mask[context, column] = True
    begin = torch.full(shape, -1)
    begin[context, column] = row
    nothing, unknown = torch.zeros(shape, dtype=torch.int64), torch.full(shape, -1)
    none = torch.zeros(len(first), dtype=torch.bool)
    return TokenBatch(
        ids=nothing, attention=mask, mask=mask, document=group[first], start=row[first], group=bucket[first],
        repeats=none, template=torch.zeros_like(mask), paragraph=unknown, sentence=unknown,
        begin=begin, end=torch.where(begin < 0, -1, begin + 1), lead=0, cursor=int(row[-1]) + 1,
    )  # fmt: skip


def drawn(rows: int, most: int, seed: int) -> Tensor:
    """[n] int64, ascending: all rows, or `most` of them at random."""
    if rows <= most:
        return torch.arange(rows)
    key = mix_bits(torch.arange(rows), seed % 2**31)
    return key.argsort()[:most].sort().values
