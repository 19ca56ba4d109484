"""Each latent's nearest copy and nearest mirror image among all others: every pair looked at once, in tiles.

The product of encoder and decoder cosine is the same from both sides, so only the tiles on and above
the diagonal are computed; each gives its rows and its columns their best. Memory is a tile, never N x N.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor

TILE = 2048  # two tiles of float32 stay in a core's share of the cache
_TILE_ON_DEVICE = 8192
_SIDES = "same", "mirror"


@dataclass
class Side:
    """The best so far among the latents on one side: [N] each."""

    product: Tensor  # float32, 0: none yet
    other: Tensor  # int64, -1: none yet

    @classmethod
    def empty(cls, n: int, device: torch.device) -> Side:
        """Nothing found."""
        return cls(torch.zeros(n, device=device), torch.full((n,), -1, dtype=torch.int64, device=device))

    def take(self, products: Tensor, latents: Tensor, first: int) -> None:
        """Where there is something larger, keep it; the lowest index wins a tie, since tiles come in order.

        Args:
            products: [r, c] of the r latents with those from `first` on; 0 where they are not on this side.
        """
        best = products.max(1)
        self._keep(best.values, latents, first + best.indices)

    def take_of(self, products: Tensor, latents: Tensor, others: Tensor) -> None:
        """As `take`, with products [r, c] of the r latents with c others that do not follow one another."""
        best = products.max(1)
        self._keep(best.values, latents, others[best.indices])

    def _keep(self, products: Tensor, latents: Tensor, others: Tensor) -> None:
        better = products > self.product[latents]
        self.other[latents[better]] = others[better]
        self.product[latents[better]] = products[better]


@dataclass
class Nearest:
    """What a search has found after `done` latents were compared with all others."""

    same: Side  # both cosines positive
    mirror: Side  # both negative
    done: int = 0

    @classmethod
    def empty(cls, n: int, device: torch.device) -> Nearest:
        """Nothing found."""
        return cls(Side.empty(n, device), Side.empty(n, device))

    def state_dict(self) -> dict[str, Tensor]:
        """To go on from."""
        parts = {
            f"{side}.{part.name}": getattr(getattr(self, side), part.name) for side in _SIDES for part in fields(Side)
        }
        return parts | {"done": torch.tensor(self.done)}

    @classmethod
    def of_state(cls, state: dict[str, Tensor]) -> Nearest:
        """As it was saved."""
        sides = ({part.name: state[f"{side}.{part.name}"] for part in fields(Side)} for side in _SIDES)
        same, mirror = (Side(**parts) for parts in sides)
        return cls(same, mirror, int(state["done"]))


def compared(n: int, done: int) -> int:
    """How many of the n (n + 1) / 2 products are behind, when `done` latents were compared with all others."""
    return done * n - done * (done - 1) // 2


def search(e: Tensor, d: Tensor, found: Nearest) -> Iterator[int]:
    """Compare all latents, from `found.done` on; `found` is complete up to it after each step.

    Args:
        e, d: [N, D] float32 unit rows of encoder and decoder; a zero row neither has nor is a neighbour.

    Yields:
        the products computed by this step.
    """
    n = len(e)
    size = TILE if e.device.type == "cpu" else _TILE_ON_DEVICE
    buffers = torch.empty(2, size * size, dtype=e.dtype, device=e.device)
    while found.done < n:
        start = found.done
        stop = min(start + size, n)
        for first in range(start, n, size):
            last = min(first + size, n)
            _tile(e, d, found, slice(start, stop), slice(first, last), buffers)
        found.done = stop
        yield compared(n, stop) - compared(n, start)


def _tile(e: Tensor, d: Tensor, found: Nearest, rows: slice, columns: slice, buffers: Tensor) -> None:
    shape = rows.stop - rows.start, columns.stop - columns.start
    cos_enc, product = (buffer[: shape[0] * shape[1]].view(shape) for buffer in buffers)
    torch.mm(e[rows], e[columns].T, out=cos_enc)
    torch.mm(d[rows], d[columns].T, out=product)
    product *= cos_enc
    if rows == columns:
        product.fill_diagonal_(0)
    _look(product, cos_enc, found, rows.start, columns.start)
    if rows != columns:
        _look(product.T, cos_enc.T, found, columns.start, rows.start)


def _look(product: Tensor, cos_enc: Tensor, found: Nearest, rows: int, columns: int) -> None:
    """Only latents with a product above what they have on either side are looked at twice: soon few."""
    here = slice(rows, rows + len(product))
    least = torch.minimum(found.same.product[here], found.mirror.product[here])
    some = torch.nonzero(product.amax(1) > least).flatten()
    if len(some):
        product, cos_enc = product[some], cos_enc[some]
        found.same.take(product.where(cos_enc > 0, 0), rows + some, columns)
        found.mirror.take(product.where(cos_enc < 0, 0), rows + some, columns)
