"""Nearest copies and mirror images of SAEs too wide to compare all pairs: those whose decoder directions lie near.

The decoder directions are put into cells around axes (spherical k-means of directions without their sign), so that a
direction and its mirror image share one. A latent is compared, exactly, with all members of the cells nearest to it.
What that misses is measured on a sample of the same SAE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from analysis.process.heap import give_back
from analysis.statistics.geometry import unit_rows
from analysis.statistics.partner_search import Nearest, Side

SAMPLE = 1024  # latents whose exact neighbours the recall is measured with
BANDS = (0.8, 0.2)  # of the product: what is called a pair or a duplicate, and what displaces a copy
LOOKED_INTO = 1 / 64  # share of the cells that a latent is compared with
_AT_LEAST = 8  # cells
_MEMBERS = 64  # of a cell, at least, on average
_TRAINED_WITH = 64  # directions for each cell
_ROUNDS = 8  # of k-means
_BLOCK = 131_072  # latents whose cells are known at once
_ROWS = 2048  # compared with the axes at a time, and with a cell
_MEMBERS_AT_ONCE = 1024  # of a cell
_AT_ONCE = 2**24  # products in memory, where a sample is compared with all


def approximate(e: Tensor, d: Tensor, seed: int = 0, step: Callable[[int], None] | None = None) -> Nearest:
    """The nearest on each side among the members of the cells that are looked into.

    Args:
        e, d: [N, D] float32 unit rows of encoder and decoder.
        seed: of the cells; the same seed finds the same with as many threads.
        step: told a number of latents, N in all.
    """
    n, tiles = len(d), _Tiles(d)
    axes = _axes(d, seed)
    members = _members(_nearest(d, axes, 1), len(axes))
    looked = min(len(axes), max(_AT_LEAST, round(len(axes) * LOOKED_INTO)))
    found = Nearest.empty(n, d.device)
    for start in range(0, n, _BLOCK):
        told, here = 0, min(_BLOCK, n - start)
        asking = _members(_nearest(d[start : start + here], axes, looked), len(axes))
        for cell, places in enumerate(asking):
            _compare(e, d, start + places // looked, members[cell], found, tiles)
            reached = here * (cell + 1) // len(axes)
            if step is not None and reached > told:
                step(reached - told)
            told = reached
        del asking
        give_back()
    found.done = n
    return found


class _Tiles:
    """Memory for one tile's rows and products, used again and again: blocks of ever other sizes would leave gaps."""

    def __init__(self, like: Tensor) -> None:
        self._rows = like.new_empty(2, _ROWS, like.shape[1])
        self._others = like.new_empty(2, _MEMBERS_AT_ONCE, like.shape[1])
        self._products = like.new_empty(2, _ROWS * _MEMBERS_AT_ONCE)

    def cosines(self, of: int, x: Tensor, rows: Tensor, others: Tensor) -> Tensor:
        """[r, c] of rows and others of x, in the first or second tile."""
        mine = torch.index_select(x, 0, rows, out=self._rows[of, : len(rows)])
        theirs = torch.index_select(x, 0, others, out=self._others[of, : len(others)])
        out = self._products[of, : len(rows) * len(others)].view(len(rows), len(others))
        return torch.mm(mine, theirs.T, out=out)


def recall(e: Tensor, d: Tensor, found: Nearest, seed: int = 0) -> dict[str, Any]:
    """How often an exact search of a sample agrees: by side and product, found of how many.

    Returns:
        `sampled`, and `same` and `mirror`: a list of [least product, found, of], the last for any product above zero.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(d), generator=generator)[:SAMPLE].to(d.device)
    exact = Nearest.empty(len(d), d.device)
    for some in rows.split(max(1, _AT_ONCE // len(d))):  # type: ignore[no-untyped-call]
        cos_enc, cos_dec = e[some] @ e.T, d[some] @ d.T
        product = (cos_enc * cos_dec).scatter_(1, some[:, None], 0.0)
        exact.same.take(product.where(cos_enc > 0, 0), some, 0)
        exact.mirror.take(product.where(cos_enc < 0, 0), some, 0)
    counts = {name: _agree(getattr(found, name), getattr(exact, name), rows) for name in ("same", "mirror")}
    return {"sampled": len(rows)} | counts


def _agree(found: Side, exact: Side, rows: Tensor) -> list[list[float]]:
    true, mine = exact.product[rows], found.product[rows]
    hit = (true - mine) < 1e-5
    asked = [(least, true >= least) for least in BANDS] + [(0.0, true > 0)]
    return [[least, int((hit & there).sum()), int(there.sum())] for least, there in asked]


def _axes(d: Tensor, seed: int) -> Tensor:
    """[C, D] unit rows: spherical k-means on a sample of the directions, whatever their sign."""
    cells = max(1, min(len(d) // _MEMBERS, round(2 * len(d) ** 0.5)))
    generator = torch.Generator().manual_seed(seed)
    sample = d[torch.randperm(len(d), generator=generator)[: cells * _TRAINED_WITH].to(d.device)]
    axes = sample[:cells].clone()
    for _round in range(_ROUNDS):
        sums = torch.zeros_like(axes)
        for some, cell in zip(sample.split(_ROWS), _nearest(sample, axes, 1)[:, 0].split(_ROWS), strict=True):  # type: ignore[no-untyped-call]
            sums.index_add_(0, cell, some * (some * axes[cell]).sum(1, keepdim=True).sign())
        axes = torch.where(sums.any(1, keepdim=True), unit_rows(sums), axes)
    return axes


def _nearest(rows: Tensor, axes: Tensor, k: int) -> Tensor:
    """[r, k] int64: the cells whose axes are nearest, on either side."""
    found = torch.empty(len(rows), k, dtype=torch.int64, device=rows.device)
    cosines = rows.new_empty(_ROWS, len(axes))
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        near = torch.mm(some, axes.T, out=cosines[: len(some)]).abs_()
        found[start : start + _ROWS] = near.argmax(1, keepdim=True) if k == 1 else near.topk(k, sorted=False).indices
    return found


def _members(cell: Tensor, cells: int) -> list[Tensor]:
    """Ascending places in `cell`, flattened, of each cell."""
    order = cell.flatten().argsort(stable=True)
    return list(order.split(torch.bincount(cell.flatten(), minlength=cells).tolist()))  # type: ignore[no-untyped-call]


def _compare(e: Tensor, d: Tensor, askers: Tensor, cell: Tensor, found: Nearest, tiles: _Tiles) -> None:
    """With all members of a cell; the lowest index wins a tie within it."""
    for others in cell.split(_MEMBERS_AT_ONCE):  # type: ignore[no-untyped-call]
        for rows in askers.split(_ROWS):  # type: ignore[no-untyped-call]
            cos_enc, product = tiles.cosines(0, e, rows, others), tiles.cosines(1, d, rows, others)
            product.mul_(cos_enc).masked_fill_(rows[:, None] == others, 0.0)
            least = torch.minimum(found.same.product[rows], found.mirror.product[rows])
            some = torch.nonzero(product.amax(1) > least).flatten()
            product, cos_enc, rows = product[some], cos_enc[some], rows[some]
            found.same.take_of(product.where(cos_enc > 0, 0), rows, others)
            found.mirror.take_of(product.where(cos_enc < 0, 0), rows, others)
